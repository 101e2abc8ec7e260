package publish_test

import (
	"net/http"
	"testing"
	"time"
)

const asCloudEvent = "Content-Type: application/cloudevents+json; charset=UTF-8"

// binaryMode are the headers of a CloudEvent, and further ones that replace them.
func binaryMode(headers ...string) []string {
	return append([]string{
		"ce-specversion: 1.0", "ce-type: com.example.someevent", "ce-time: 2018-04-05T03:56:24Z",
		"ce-id: 1234-1234-1234", "ce-source: /mycontext/subcontext", "ce-comexampleextension1: value",
	}, headers...)
}

// The examples of CloudEvents' JSON format, completed where they are not whole.
func TestStructuredCloudEvent(t *testing.T) {
	s := open(t)
	envelope := func(id, rest string) string {
		return `{"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "subject": null, "id": "` + id + `",
			"time": "2018-04-05T17:31:00Z", "comexampleextension1": "value", "comexampleothervalue": 5, "unsetextension": null, ` + rest + "}"
	}
	for id, example := range map[string]struct{ rest, want string }{
		"A234-1234-1234": {`"datacontenttype": "text/plain", "data_base64": "aGVsbG8g8J+YgA=="`, "hello 😀"},
		"A235":           {`"datacontenttype": "application/json", "data_base64": "IHsidGV4dCI6ICJoaSJ9"`, ` {"text": "hi"}`},
		"A236":           {`"data_base64": "eyJ0ZXh0Ijo="`, `{"text":`},
		"B234-1234-1234": {`"datacontenttype": "application/xml", "data": "<much wow=\"xml\"/>"`, `<much wow="xml"/>`},
		"C234-1234-1234": {`"datacontenttype": "application/json", "data": { "appinfoA" : "abc", "appinfoB" : 123,  "appinfoC" : true }`,
			`{ "appinfoA" : "abc", "appinfoB" : 123,  "appinfoC" : true }`},
		"D234-1234-1234": {`"data": "I'm just a string"`, "I'm just a string"},
		"E1":             {`"data": "{\"text\":\"not parsed twice\"}"`, `{"text":"not parsed twice"}`},
		"E2":             {`"data": 1.50`, "1.50"},
		"E3":             {`"data": [1, 2]`, "[1, 2]"},
		"E4":             {`"time": null, "data": "later"`, "later"},
	} {
		e, h := s.stored(t, "", envelope(id, example.rest), asCloudEvent)
		if string(e.Data) != example.want {
			t.Errorf("%s became %q, want %q", example.rest, e.Data, example.want)
		}
		if h.Get("ce-id") != id || h.Get("ce-source") != "/mycontext" || h.Get("ce-type") != "com.example.someevent" || e.Source != "/mycontext" {
			t.Errorf("%s: attributes %v", id, h)
		}
		if e.Subject.String() != "wall.main.message" {
			t.Errorf("%s is on %s", id, e.Subject)
		}
		if want := time.Date(2018, 4, 5, 17, 31, 0, 0, time.UTC); !e.Time.Equal(want) && id != "E4" {
			t.Errorf("%s: time %s", id, e.Time)
		}
	}
}

func TestBinaryCloudEvent(t *testing.T) {
	s := open(t)
	e, h := s.stored(t, "", "{\n    \"text\" : \"hi\"\n}", binaryMode("Content-Type: application/json; charset=utf-8", "ce-time: 2018-04-05t03:56:24z")...)
	if string(e.Data) != "{\n    \"text\" : \"hi\"\n}" || h.Get("ce-id") != "1234-1234-1234" || e.Source != "/mycontext/subcontext" ||
		!e.Time.Equal(time.Date(2018, 4, 5, 3, 56, 24, 0, time.UTC)) {
		t.Errorf("%+v %v", e, h)
	}
	for id, example := range map[string]struct{ kind, body, want string }{
		"B234": {"application/xml", `<much wow="xml"/>`, `<much wow="xml"/>`},
		"D234": {"application/json", `"I'm just a string"`, "I'm just a string"},
		"F1":   {"text/plain", "flat", "flat"},
		"F2":   {"application/x-www-form-urlencoded", `{"text":"curl"}`, `{"text":"curl"}`},
		"F3":   {"", "flat", "flat"},
	} {
		headers := binaryMode("ce-id: " + id)
		if example.kind != "" {
			headers = append(headers, "Content-Type: "+example.kind)
		}
		if e, _ := s.stored(t, "", example.body, headers...); string(e.Data) != example.want {
			t.Errorf("%q as %q became %q", example.body, example.kind, e.Data)
		}
	}
	// Header values: the binding's example, older quoting, and needless encoding.
	for value, want := range map[string]string{
		"Euro%20%E2%82%AC%20%F0%9F%98%80": "Euro € 😀",
		"euro%e2%82%ac":                   "euro€",
		`"a \"quoted\" \\ source"`:        `a "quoted" \ source`,
		"%41%2Fb":                         "A/b",
		"100%":                            "100%",
	} {
		if e, _ := s.stored(t, "", "x", binaryMode("ce-id: "+want, "ce-source: "+value)...); e.Source != want {
			t.Errorf("the source %q became %q", value, e.Source)
		}
	}
}

func TestKindOfACloudEvent(t *testing.T) {
	s := open(t)
	for _, c := range []struct{ address, kind, want string }{
		{"", "push", "wall.main.push"},
		{"", "com.github.push", "wall.main.message"},
		{"", "open", "wall.main.message"},
		{"song", "push", "wall.main.song"},
		{"song/jazz", "push", "wall.main.song.jazz"},
		{"message", "push", "wall.main.message"},
	} {
		e, _ := s.stored(t, c.address, "x", binaryMode("ce-type: "+c.kind, "ce-id: "+c.address+c.kind)...)
		if e.Subject.String() != c.want {
			t.Errorf("%s at %q is on %s, want %s", c.kind, c.address, e.Subject, c.want)
		}
	}
}

// What a CloudEvent's own source and id say was stored is not stored again.
func TestRepeatedCloudEvent(t *testing.T) {
	s := open(t)
	first := s.post(t, "", "x", binaryMode()...)
	again := s.post(t, "", `{"specversion":"1.0","id":"1234-1234-1234","source":"/mycontext/subcontext","type":"t.t","data":"x"}`, asCloudEvent)
	if first.status != http.StatusCreated || again.id != first.id {
		t.Errorf("%v, and again %v", first.id, again.id)
	}
	if other := s.post(t, "", "x", binaryMode("ce-source: /elsewhere")...); other.id == first.id {
		t.Error("another source's event was taken for a repeat")
	}
}
