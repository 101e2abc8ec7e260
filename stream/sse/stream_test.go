package sse_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

func TestLiveStream(t *testing.T) { inAllWays(t, checkLiveStream) }

func checkLiveStream(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{Build: "b1", Label: func(_, kind string) string { return strings.ToUpper(kind) }})
	old := s.publish("wall.main.song.jazz", "before")
	r, hello := s.watch("", "")
	if hello.LastEventID != old.String() {
		t.Errorf("hello has id %q, want that of the head %q", hello.LastEventID, old)
	}
	want := fmt.Sprintf(`{"wall":"main","build":"b1","head":%q,"kinds":[{"kind":"song","label":"SONG"}]}`, old)
	if hello.Data != want {
		t.Errorf("hello is %s\nwant     %s", hello.Data, want)
	}
	id := s.publish("wall.main.message", "hello\nworld")
	r.want("wall:kind", before(id), `{"kind":"message","label":"MESSAGE"}`)
	r.want("", id, "hello\nworld")
	r.want("song", s.publish("wall.main.song.jazz", `{"title":"x"}`), `{"title":"x"}`)
	r.want("", s.publish("wall.main.message", "again"), "again")
}

func TestRepresentations(t *testing.T) { inAllWays(t, checkRepresentations) }

func checkRepresentations(t *testing.T) {
	var rendered atomic.Int64
	s := newSite(t, mainWall(), sse.Config{Render: func(e stream.Event) ([]byte, error) {
		rendered.Add(1)
		if string(e.Data) == "bad" {
			return nil, errors.New("this card can't be rendered")
		}
		if string(e.Data) == "worse" {
			panic("this card is broken")
		}
		return []byte("<p>\n" + html.EscapeString(string(e.Data)) + "</p>"), nil
	}})
	id := s.publish("wall.main.friend.ann", `{"text": "<joined>"}`)
	text := s.publish("wall.main.message", "a <b>\xff")

	for range 3 {
		r, _ := s.watch("?as=html&last=2", "")
		r.want("friend", id, "<p>\n{&#34;text&#34;: &#34;&lt;joined&gt;&#34;}</p>")
		r.want("", text, "<p>\na &lt;b&gt;\uFFFD</p>")
	}
	if n := rendered.Load(); n != 2 {
		t.Errorf("rendered %d times for two events and three viewers", n)
	}

	r, _ := s.watch("?as=json&last=2", "")
	var got map[string]any
	for _, want := range []map[string]any{
		{"id": id.String(), "kind": "friend", "key": "ann", "source": "test", "data": map[string]any{"text": "<joined>"}},
		{"id": text.String(), "kind": "message", "source": "test", "data": "a <b>\uFFFD"},
	} {
		e := r.next()
		got = nil
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil {
			t.Fatal(err)
		}
		if got["time"] == nil {
			t.Errorf("no time in %s", e.Data)
		}
		delete(got, "time")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("as=json (-want +got):\n%s", diff)
		}
	}

	// A card that can't be rendered is left out, and hides nothing else.
	r, _ = s.watch("?as=html", "")
	s.publish("wall.main.message", "bad")
	s.publish("wall.main.message", "worse")
	good := s.publish("wall.main.message", "good")
	r.want("", good, "<p>\ngood</p>")
}

func TestKindsFilter(t *testing.T) { inAllWays(t, checkKindsFilter) }

func checkKindsFilter(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	s.publish("wall.main.message", "m0")
	song := s.publish("wall.main.song.a", "s0")
	r, _ := s.watch("?kinds=song,alert&last=5", "")
	r.want("song", song, "s0")
	s.publish("wall.main.message", "m1")
	alert := s.publish("wall.main.alert", "a1")
	r.want("wall:kind", before(alert), `{"kind":"alert","label":"alert"}`)
	r.want("alert", alert, "a1")
	m := s.publish("wall.main.message", "m2")
	retracted, err := s.store.Retract(t.Context(), "main", m)
	if err != nil {
		t.Fatal(err)
	}
	r.want("wall:retract", retracted, fmt.Sprintf(`{"id":%q}`, m))
}

func TestResume(t *testing.T) { inAllWays(t, checkResume) }

func checkResume(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	var ids []stream.ID
	for i := range 6 {
		ids = append(ids, s.publish("wall.main.message", fmt.Sprint(i)))
	}
	for _, test := range []struct {
		name, query, header string
		from                int // index of the first event that comes
	}{
		{"last", "?last=2", "", 4},
		{"at the head", "", ids[5].String(), 6},
		{"header", "", ids[2].String(), 3},
		{"query", "?lastEventId=" + ids[3].String(), "", 4},
		{"header wins", "?lastEventId=" + ids[4].String(), ids[0].String(), 1},
		{"id wins over last", "?last=1&lastEventId=" + ids[1].String(), "", 2},
		{"before the first", "", stream.ID{Epoch: ids[0].Epoch}.String(), 0},
		{"more than held", "?last=100", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			r, hello := s.watch(test.query, test.header)
			start := stream.ID{Epoch: ids[0].Epoch, Seq: ids[0].Seq + uint64(test.from) - 1}
			if hello.LastEventID != start.String() {
				t.Errorf("hello has id %s, want the position before the replay, %s", hello.LastEventID, start)
			}
			for i := test.from; i < len(ids); i++ {
				r.want("", ids[i], fmt.Sprint(i))
			}
			ids = append(ids, s.publish("wall.main.message", fmt.Sprint(len(ids))))
			r.want("", ids[len(ids)-1], fmt.Sprint(len(ids)-1))
		})
	}
}

func TestRetract(t *testing.T) { inAllWays(t, checkRetract) }

func checkRetract(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	a := s.publish("wall.main.message", "a")
	v1 := s.publish("wall.main.song.jazz", "v1")
	other := s.publish("wall.main.song.rock", "rock")
	v2 := s.publish("wall.main.song.jazz", "v2")
	b := s.publish("wall.main.message", "b")

	live, _ := s.watch("?last=10", "")
	for _, id := range []stream.ID{a, v1, other, v2, b} {
		if e := live.next(); e.LastEventID != id.String() {
			t.Fatalf("got %+v, want %s", e, id)
		}
	}
	gone := func(id stream.ID) stream.ID {
		control, err := s.store.Retract(t.Context(), "main", id)
		if err != nil {
			t.Fatal(err)
		}
		live.want("wall:retract", control, fmt.Sprintf(`{"id":%q}`, id))
		return control
	}
	goneA := gone(a)
	goneV2 := gone(v2) // the card: v1 does not come back

	// It is replayed to those who were away, and what is gone is not.
	r, _ := s.watch("", before(a).String())
	r.want("song", other, "rock")
	r.want("", b, "b")
	r.want("wall:retract", goneA, "*")
	r.want("wall:retract", goneV2, "*")
	r, _ = s.watch("?last=2", "")
	r.want("song", other, "rock")

	// An older version alone.
	v3 := s.publish("wall.main.song.jazz", "v3")
	v4 := s.publish("wall.main.song.jazz", "v4")
	v5 := s.publish("wall.main.song.jazz", "v5")
	live.want("song", v3, "v3")
	live.want("song", v4, "v4")
	live.want("song", v5, "v5")
	gone(v4)
	r, _ = s.watch("?last=2", "")
	r.want("song", v3, "v3")
	r.want("song", v5, "v5")
	snap, err := s.Snapshot(t.Context(), "main", 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(idStrings([]stream.ID{other, b, v3, v5}), eventIDs(snap.Events)); diff != "" {
		t.Errorf("snapshot's events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(idStrings([]stream.ID{other, v5}), eventIDs(snap.Cards)); diff != "" {
		t.Errorf("snapshot's cards (-want +got):\n%s", diff)
	}
	list := s.poll("", goneV2.String())
	last := list.Events[len(list.Events)-1]
	if last.Kind != "wall:retract" || string(last.Data) != fmt.Sprintf(`{"id":%q}`, v4) {
		t.Errorf("in JSON the retraction is %+v", last)
	}
}

func TestSnapshotJoinsStream(t *testing.T) { inAllWays(t, checkSnapshotJoinsStream) }

func checkSnapshotJoinsStream(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	for i := range 10 {
		s.publish("wall.main.message", fmt.Sprint(i))
		snap, err := s.Snapshot(t.Context(), "main", 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(snap.Events); n != min(3, 2*i+1) || string(snap.Events[n-1].Data) != fmt.Sprint(i) {
			t.Fatalf("after event %d the snapshot has %d, the last being %+v", i, n, snap.Events)
		}
		next := s.publish("wall.main.message", "next")
		r, _ := s.watch("?lastEventId="+snap.Head.String(), "")
		r.want("", next, "next")
		r.close()
	}
	snap, err := s.Snapshot(t.Context(), "main", 3, []string{"song"})
	if err != nil || len(snap.Events) != 0 || !slices.Equal(snap.Kinds, []string{"message"}) {
		t.Errorf("filtered snapshot: %+v, %v", snap, err)
	}
	if _, err := s.Snapshot(t.Context(), "Nowhere", 3, nil); !errors.Is(err, stream.ErrUnknownWall) {
		t.Errorf("unknown wall: %v", err)
	}
}

func TestOlderThanTheWindow(t *testing.T) { inAllWays(t, checkOlderThanTheWindow) }

func checkOlderThanTheWindow(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{WindowEntries: 10})
	var ids []stream.ID
	for i := range 3000 {
		kind := "wall.main.message"
		if i%1000 == 0 {
			kind = "wall.main.rare"
		}
		ids = append(ids, s.publish(kind, fmt.Sprint(i)))
	}
	r, _ := s.watch("", ids[0].String())
	for i := 1; i < len(ids); i++ {
		if e := r.next(); e.LastEventID != ids[i].String() || e.Data != fmt.Sprint(i) {
			t.Fatalf("event %d: got %+v", i, e)
		}
	}
	r.want("", s.publish("wall.main.message", "live"), "live")

	r, _ = s.watch("?last=2500", "")
	r.want("", ids[501], "501")
	r, _ = s.watch("?last=2&kinds=rare", "")
	r.want("rare", ids[1000], "1000")
	r.want("rare", ids[2000], "2000")

	a := s.poll("", ids[0].String())
	if len(a.Events) != 1000 || a.Next != ids[1000].String() {
		t.Errorf("a poll gave %d events and next %s, want 1000 and %s", len(a.Events), a.Next, ids[1000])
	}
	snap, err := s.Snapshot(t.Context(), "main", 50, nil)
	if err != nil || len(snap.Events) != 50 || string(snap.Events[49].Data) != "live" {
		t.Errorf("snapshot: %d events, %v", len(snap.Events), err)
	}
}

func TestHostilePayloads(t *testing.T) { inAllWays(t, checkHostilePayloads) }

func checkHostilePayloads(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	r, _ := s.watch("", "")
	j, _ := s.watch("?as=json", "")
	for _, test := range []struct{ payload, want string }{
		{"x\n\nevent: wall:bye\ndata: forged\n\n", "x\n\nevent: wall:bye\ndata: forged\n\n"},
		{"x\r\rid: 1\r\rretry: 1\r", "x\n\nid: 1\n\nretry: 1\n"},
		{"a\r\nb\n\rc", "a\nb\n\nc"},
		{" leading", " leading"},
		{"\uFEFFbom\uFEFF", "\uFEFFbom\uFEFF"},
		{"nul\x00nul", "nul\x00nul"},
		{"\xff\xfe", "\uFFFD"},
		{"", ""},
		{"\n", "\n"},
		{":comment", ":comment"},
		{strings.Repeat("0123456789abcde\n", 4000), strings.Repeat("0123456789abcde\n", 4000)},
	} {
		id := s.publish("wall.main.message", test.payload)
		if id.Seq == 1 {
			r.want("wall:kind", before(id), "*")
			j.want("wall:kind", before(id), "*")
		}
		r.want("", id, test.want)
		var object struct{ Data string }
		if err := json.Unmarshal([]byte(j.next().Data), &object); err != nil || object.Data != stream.Text([]byte(test.payload)) {
			t.Errorf("as=json of %q: %q, %v", test.payload, object.Data, err)
		}
	}
}

func TestBadRequests(t *testing.T) { inAllWays(t, checkBadRequests) }

func checkBadRequests(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	for query, status := range map[string]int{
		"?as=xml": 400, "?as=html": 400, "?last=x": 400, "?last=-1": 400, "?kinds=A": 400,
		"?kinds=open": 400, "?wait=soon": 400,
	} {
		resp := s.get(query, nil)
		var p struct{ Detail string }
		err := json.NewDecoder(resp.Body).Decode(&p)
		resp.Body.Close()
		if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" || err != nil || p.Detail == "" {
			t.Errorf("%s: %s %s %+v %v", query, resp.Status, resp.Header.Get("Content-Type"), p, err)
		}
	}
	if resp := must(anyClient.Get(s.http.URL + "/walls/No/events")); resp.StatusCode != 404 {
		t.Errorf("unknown wall: %s", resp.Status)
	}
	for method, status := range map[string]int{"HEAD": 200, "OPTIONS": 204, "PATCH": 405} {
		req, _ := http.NewRequestWithContext(t.Context(), method, s.url, nil)
		resp, err := anyClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: %s %v", method, resp.Status, resp.Header)
		}
	}
}

func idStrings(ids []stream.ID) []string {
	var s []string
	for _, id := range ids {
		s = append(s, id.String())
	}
	return s
}

func eventIDs(events []stream.Event) []string {
	var s []string
	for _, e := range events {
		s = append(s, e.ID.String())
	}
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}
