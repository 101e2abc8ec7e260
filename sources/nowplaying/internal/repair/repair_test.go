package repair_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/repair"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"valid stays", ` {"a": [1, "\u00e9\n", null] }`, ` {"a": [1, "\u00e9\n", null] }`},
		{"Icecast: a dash", `{"title": - ,"dummy":null}`, `{"title":" - ","dummy":null}`},
		{"Icecast: a leading point", `{"title":.5,"dummy":null}`, `{"title":".5","dummy":null}`},
		{"Icecast: a trailing point", `{"title":1.,"dummy":null}`, `{"title":"1.","dummy":null}`},
		{"Icecast: a control character", "{\"title\":\"a\x01b\x1b\tc\",\"x\":1}", `{"title":"a\u0001b\u001b\u0009c","x":1}`},
		{"Icecast: just started", `{"icestats":"server_start":"Sun","dummy":null}}`, `{"icestats":{"server_start":"Sun","dummy":null}}`},
		{"no value", `{"a":,"b":}`, `{"a":null,"b":null}`},
		{"a bare word", `{"a":NaN,"b":[nope, 1]}`, `{"a":"NaN","b":["nope",1]}`},
		{"commas", `{,"a":1,,"b":[1,,2,],}`, `{"a":1,"b":[1,2]}`},
		{"a backslash", `{"a":"AC\DC \u12 \"x\"",}`, `{"a":"AC\\DC \\u12 \"x\""}`},
		{"a byte order mark", "\ufeff{\"a\":1}", `{"a":1}`},
		{"Latin-1 stays", "{\"a\":\"\xe9\",}", "{\"a\":\"\xe9\"}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := repair.JSON([]byte(c.raw))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
	for _, raw := range []string{
		"", "<html>", "ICY 404", `"a":1`, `{"a":1`, `{"a":"b`, `{"a":"b\`, `{"a"`, `{"a" 1}`, `{"a":1}}`, `{"a":1} {}`, `{"a":"b" "c"}`,
		`{a:1}`, `[1`, `[1 "x"]`, `{"a":[}`, strings.Repeat("[", 500) + ",",
	} {
		if got, err := repair.JSON([]byte(raw)); err == nil {
			t.Errorf("%.40q became %s", raw, got)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		value, want string
		raw         bool
	}{
		{`"a\nb"`, "a\nb", false}, {`1979`, "1979", false}, {` 22 `, "22", false}, {`true`, "True", false}, {`null`, "", false},
		{`false`, "False", false}, {``, "", false}, {`{"a":1}`, "", false}, {`["a"]`, "", false}, {`-5`, "-5", false},
		{"\"caf\xe9 \\u2013 \\\"x\\\"\"", "caf\xe9 – \"x\"", true}, {`"Beyoncé"`, "Beyoncé", false},
	} {
		if got, raw := repair.Text(json.RawMessage(c.value)); got != c.want || raw != c.raw {
			t.Errorf("%s: %q, %v; want %q, %v", c.value, got, raw, c.want, c.raw)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"icestats":{"source":{"title": - ,"dummy":null}}}`, `{"a":"b":1}}`, `{"a":[1,.5,],"b":"\x"}`, "[\"\x01\"", `{"title":1.}`, "\ufeff[]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		got, err := repair.JSON(raw)
		switch {
		case !bytes.Equal(raw, before):
			t.Fatalf("%q was changed in place", before)
		case json.Valid(raw) && (err != nil || !bytes.Equal(got, raw)):
			t.Fatalf("valid %q became %q, %v", raw, got, err)
		case err == nil && !json.Valid(got):
			t.Fatalf("%q became %q", raw, got)
		}
		repair.Text(raw)
	})
}
