package webhook_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/itchyny/gojq"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/webhook"
	"github.com/wallcast/wallcast/stream"
)

var update = flag.Bool("update", false, "write what the ready maps make to the golden files")

// program compiles a ready map in the environment that the setting map has.
func program(t *testing.T, name string) *gojq.Code {
	t.Helper()
	text, ok := webhook.Maps()[name]
	if !ok {
		t.Fatalf("there is no map %s", name)
	}
	if !strings.HasPrefix(text, "# ") {
		t.Errorf("the map %s does not begin with what it is", name)
	}
	query, err := gojq.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$about", "$event"}))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return code
}

// apply runs a map over what a body of JSON makes, and writes each output as JSON.
func apply(t *testing.T, code *gojq.Code, body []byte, event string) string {
	t.Helper()
	src := receiver(t, bearer)
	events, err := src.Parse(sources.Delivery{Header: head("Content-Type", "application/json", "X-GitHub-Event", event), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	var input any
	if err := json.Unmarshal(events[0].Data, &input); err != nil {
		t.Fatal(err)
	}
	about := map[string]any{}
	for name, value := range events[0].About {
		about[name] = value
	}
	var out bytes.Buffer
	run := code.Run(input, about, map[string]any{"kind": "message"})
	for {
		v, ok := run.Next()
		if !ok {
			return out.String()
		}
		if err, ok := v.(error); ok {
			t.Fatal(err)
		}
		checkMade(t, v)
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
}

// checkMade holds an output to what makes an event, and a card that says something.
func checkMade(t *testing.T, v any) {
	t.Helper()
	made, ok := v.(map[string]any)
	if !ok {
		t.Errorf("%v is no object", v)
		return
	}
	for name := range made {
		if name != "kind" && name != "key" && name != "data" {
			t.Errorf("the output has the field %s", name)
		}
	}
	kind, _ := made["kind"].(string)
	if err := stream.CheckKind(kind); err != nil {
		t.Error(err)
	}
	if key, ok := made["key"].(string); ok {
		if err := stream.CheckName("key", key); err != nil {
			t.Error(err)
		}
	}
	data, err := json.Marshal(made["data"])
	if err != nil {
		t.Fatal(err)
	}
	content := stream.ParseContent(data)
	if content.Text == "" || bytes.Contains(data, []byte("null")) || bytes.Contains(data, []byte("/srv/")) {
		t.Errorf("the payload is %s", data)
	}
}

// TestMaps gives each ready map the payloads in testdata, and compares what it
// makes with the golden files.
func TestMaps(t *testing.T) {
	for name := range webhook.Maps() {
		t.Run(name, func(t *testing.T) {
			code := program(t, name)
			if name == "liquidsoap" {
				return // TestLiquidsoap
			}
			files, err := filepath.Glob(filepath.Join("testdata", name, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatal("no payloads", err)
			}
			var all strings.Builder
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				base := strings.TrimSuffix(filepath.Base(file), ".json")
				event, _, _ := strings.Cut(base, "-")
				all.WriteString("== " + base + "\n" + apply(t, code, body, event))
			}
			compare(t, filepath.Join("testdata", name, "made.txt"), all.String())
		})
	}
}

var recorded = regexp.MustCompile(`(?s)=== t=[0-9.]+\nPOST [^\n]*\n.*?\n\n([^\n]*)\n`)

// TestLiquidsoap gives the map what Liquidsoap 2.1.3 was recorded to post.
func TestLiquidsoap(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "liquidsoap", "requests.txt"))
	if err != nil {
		t.Fatal(err)
	}
	code := program(t, "liquidsoap")
	requests := recorded.FindAllSubmatch(bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n")), -1)
	if want := bytes.Count(file, []byte("=== t=")); len(requests) != want || want == 0 {
		t.Fatalf("%d requests, want %d", len(requests), want)
	}
	var all strings.Builder
	for _, request := range requests {
		all.WriteString("== \n" + apply(t, code, request[1], ""))
	}
	compare(t, filepath.Join("testdata", "liquidsoap", "made.txt"), all.String())
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", golden, got)
	}
}

// TestMapsBearAnything gives each map what it is not for: it makes nothing, or
// an event, and no error that would fail the delivery.
func TestMapsBearAnything(t *testing.T) {
	for name := range webhook.Maps() {
		code := program(t, name)
		for _, body := range []string{`{}`, `{"artist":5,"title":true}`, `{"object_kind":"push"}`, `{"action":"opened"}`} {
			for _, event := range []string{"", "star", "push", "status"} {
				apply(t, code, []byte(body), event)
			}
		}
	}
}
