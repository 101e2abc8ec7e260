package sse_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
)

// The map that the package's documentation shows for Mastodon does what it says.
func TestMastodonExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?s)map: \|\n(.*?)//\s+to: wall.main.post`).FindSubmatch(doc)
	if example == nil {
		t.Fatal("the documentation shows no map")
	}
	program, err := jq.Compile(jq.Settings{Map: strings.ReplaceAll(string(example[1]), "//\t", "")})
	if err != nil {
		t.Fatal(err)
	}
	made, err := program.Transform(t.Context(), sources.Event{Kind: "post", Data: []byte(`{
		"id": "103270115826048975", "created_at": "2026-01-02T03:04:05.000Z", "url": "https://mastodon.example/@ada/1",
		"content": "<p>Hello <a href=\"x\">there</a></p>", "account": {"display_name": "Ada", "url": "https://mastodon.example/@ada", "acct": "ada"}}`)})
	if err != nil || len(made) != 1 {
		t.Fatalf("%v, %v", made, err)
	}
	got := string(made[0].Data)
	for _, part := range []string{"Hello", "there", `"url":"https://mastodon.example/@ada/1"`, `"name":"Ada"`, `"time":"2026-01-02T03:04:05.000Z"`} {
		if !strings.Contains(got, part) || strings.Contains(got, "<") {
			t.Errorf("made %s, want %s in it", got, part)
		}
	}
	if made[0].Key != "103270115826048975" || made[0].Kind != "post" {
		t.Errorf("made %+v", made[0])
	}
}
