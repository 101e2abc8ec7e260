package sse

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
)

// FuzzEncode checks that whatever is published comes out of somebody else's
// decoder as one event, with its name, id and data, and nothing else.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"", "hello", "a\nb\r\nc\rd", "\r\n\r\n", "data: x\n\nevent: y\nid: 1", "\ufeffx", "\x00", "\xff\xfe", " x", ":", `{"text":"x"}`, `{"a":1,"a":[2]}`} {
		f.Add([]byte(seed), "song", "jazz", "source", uint64(42))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind, key, source string, seq uint64) {
		subject, err := stream.NewSubject("main", kind, key)
		if err != nil {
			return
		}
		e := stream.Event{ID: stream.ID{Epoch: "k3v9", Seq: seq}, Subject: subject, Time: time.Unix(1, 0), Source: source, Data: data}
		text := stream.Text(data)
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)

		check(t, e, encode(e, asPayload, nil), lines)
		check(t, e, encode(e, asHTML, data), lines)
		object := encodeItem(e, nil)
		check(t, e, encode(e, asJSON, nil), string(object))
		if got := itemOf(encode(e, asJSON, nil)); string(got) != string(object) {
			t.Errorf("itemOf gave %q, want %q", got, object)
		}
		var it item
		if err := json.Unmarshal(object, &it); err != nil {
			t.Fatalf("%q is no JSON: %v", object, err)
		}
		if it.ID != e.ID.String() || it.Kind != subject.Kind || it.Key != key || it.Source != strings.ToValidUTF8(source, "\uFFFD") && len(source) == len(it.Source) {
			t.Errorf("%q encodes %+v", object, e)
		}
		if stream.IsObject(data) {
			if !json.Valid(it.Data) || it.Data[0] != '{' {
				t.Errorf("the data of %q is no object", object)
			}
			return
		}
		var s string
		if err := json.Unmarshal(it.Data, &s); err != nil || s != text {
			t.Errorf("the data of %q is %q, want %q", object, s, text)
		}
	})
}

// check decodes a block between two others.
func check(t *testing.T, e stream.Event, block []byte, data string) {
	t.Helper()
	body := "retry: 1\n" + string(appendEvent(nil, "first", stream.ID{Epoch: "e", Seq: 1}, "x")) +
		string(block) + string(appendEvent(nil, "last", stream.ID{Epoch: "e", Seq: 2}, "y"))
	var got []gosse.Event
	for event, err := range gosse.Read(strings.NewReader(body), &gosse.ReadConfig{MaxEventSize: 1 << 20}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event)
	}
	if len(got) != 3 || got[0].Type != "first" || got[2].Type != "last" {
		t.Fatalf("%q decodes to %+v, want three events", body, got)
	}
	if got[1].Type != eventName(e.Subject.Kind) || got[1].LastEventID != e.ID.String() || got[1].Data != data {
		t.Errorf("%q decodes to %+v\nwant name %q, id %s, data %q", block, got[1], eventName(e.Subject.Kind), e.ID, data)
	}
}
