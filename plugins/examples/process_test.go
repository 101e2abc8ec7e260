//go:build unix

package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/process"
)

// example is a plugin of this folder, loaded.
type example struct {
	t       *testing.T
	program plugins.Program
}

// load loads a copy of an example, as it would be used.
func load(t *testing.T, file, needs string) example {
	t.Helper()
	if _, err := os.Stat(needs); err != nil && os.Getenv("CI") != "true" {
		t.Skipf("%s is not installed", needs)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(copied, data, 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := process.Host{}.Load(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return example{t, p}
}

// run gives the example a trigger and returns its events, the cursor that it
// ends with, and its log.
func (e example) run(trigger plugins.Trigger) (events []string, cursor json.RawMessage, log string, err error) {
	e.t.Helper()
	trigger.Time, trigger.Attempt = time.Now(), 1
	input, err := json.Marshal(trigger)
	if err != nil {
		e.t.Fatal(err)
	}
	cursor = trigger.Cursor
	err = e.program.Call(e.t.Context(), plugins.Call{
		Name: "example", Input: input,
		Limits: plugins.Limits{Time: time.Minute, Memory: 256 << 20, Output: 1 << 20, Log: 1 << 16, Line: 1 << 16},
		Output: func(text []byte) error {
			line, err := plugins.ParseLine(text)
			switch {
			case err != nil:
				e.t.Errorf("%q: %v", text, err)
			case line.Cursor != nil:
				cursor = append(json.RawMessage(nil), line.Cursor...)
			default:
				events = append(events, fmt.Sprintf("%s %s %s", line.Event.ID, line.Event.Key, line.Event.Data))
			}
			return nil
		},
		Log:     func(line []byte) { log += string(line) + "\n" },
		TooLong: func(number int) { e.t.Errorf("line %d is too long", number) },
	})
	return events, cursor, log, err
}

func object(format string, args ...any) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(format, args...))
}

func TestCountdown(t *testing.T) {
	t.Setenv("TZ", "UTC")
	e := load(t, "countdown.sh", "/bin/sh")
	now := time.Now().UTC()
	for until, want := range map[string]string{
		now.Add(73 * time.Hour).Format("2006-01-02 15:04"):               "3 days",
		now.AddDate(0, 0, 11).Format("2006-01-02"):                       "10 days",
		now.Add(5*time.Hour + 30*time.Minute).Format("2006-01-02 15:04"): "5 hours",
		now.Add(31 * time.Minute).Format("2006-01-02 15:04"):             "31 minutes",
		"2001-01-01": "now",
	} {
		config := object(`{"title":"The \"end\" of \\ it","until":"%s"}`, until)
		events, cursor, log, err := e.run(plugins.Trigger{Trigger: plugins.Every, Config: config})
		if diff := cmp.Diff([]string{` countdown {"title":"The \"end\" of \\ it","text":"` + want + `"}`}, events); diff != "" || err != nil {
			if time.Now().Truncate(time.Minute) != now.Truncate(time.Minute) {
				t.Skip("the minute has just changed")
			}
			t.Errorf("%s: %s%v, log %q", until, diff, err, log)
		}
		if again, same, _, err := e.run(plugins.Trigger{Trigger: plugins.Every, Config: config, Cursor: cursor}); err != nil || len(again) > 0 || string(same) != string(cursor) {
			t.Errorf("%s: with its cursor %s it wrote %q and %s, %v", until, cursor, again, same, err)
		}
	}
	for config, want := range map[string]string{`null`: "config needs the day", `{"until":"soon or later"}`: `until is "soon or later"`} {
		events, _, log, err := e.run(plugins.Trigger{Trigger: plugins.Every, Config: json.RawMessage(config)})
		if plugins.ReasonOf(err) != plugins.Exit || len(events) > 0 || !strings.Contains(log, want) {
			t.Errorf("%s: %q, %v, log %q", config, events, err, log)
		}
	}
}

func TestWordFilter(t *testing.T) {
	e := load(t, "wordfilter.py", "/usr/bin/python3")
	on := func(config, data string) ([]string, string, error) {
		events, _, log, err := e.run(plugins.Trigger{Trigger: plugins.On, Config: json.RawMessage(config), Input: object(`{"id":"e1-7","wall":"backstage","kind":"message","key":"k","time":"2026-11-22T08:30:00Z","data":%s}`, data)})
		return events, log, err
	}
	const words = `{"words":["drat","dang*"]}`
	for data, want := range map[string]string{
		`"well, DRAT"`:     `e1-7 k well, D***`,
		`"hydration here"`: `e1-7 k hydration here`,
		`{"text":"Danger drät drat","url":"https://drat.example","author":{"name":"Drat"},"n":1.5}`: `e1-7 k {"text": "D***** dr\u00e4t d***", "url": "https://drat.example", "author": {"name": "D***"}, "n": 1.5}`,
	} {
		events, log, err := on(words, data)
		if diff := cmp.Diff([]string{want}, events); diff != "" || err != nil {
			t.Errorf("%s: %s%v, log %q", data, diff, err, log)
		}
	}
	if events, log, err := on(`{"words":["drat"],"drop":true}`, `"drat"`); err != nil || len(events) > 0 || log != "e1-7 was masked\n" {
		t.Errorf("dropping: %q, %v, log %q", events, err, log)
	}
	if _, log, err := on(`null`, `"drat"`); plugins.ReasonOf(err) != plugins.Exit || !strings.Contains(log, "config needs the words") {
		t.Errorf("%v, log %q", err, log)
	}
	if _, _, log, err := e.run(plugins.Trigger{Trigger: plugins.Try, Config: json.RawMessage(words)}); plugins.ReasonOf(err) != plugins.Exit || !strings.Contains(log, "needs the setting on") {
		t.Errorf("%v, log %q", err, log)
	}
}

func TestReactions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reactions")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./reactions")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	e := load(t, file, file)
	var cursor json.RawMessage
	var events []string
	post := func(id, data string) {
		t.Helper()
		var log string
		var err error
		events, cursor, log, err = e.run(plugins.Trigger{
			Trigger: plugins.On, Cursor: cursor, Config: object(`{"title":"Well?"}`),
			Input: object(`{"id":"%s","wall":"main","kind":"reaction","time":"2026-11-22T08:30:00Z","data":%s}`, id, data),
		})
		if err != nil {
			t.Fatalf("%v, log %q", err, log)
		}
	}
	post("e-1", `"👍"`)
	post("e-2", `{"text":" <3 "}`)
	post("e-3", `"<3"`)
	if diff := cmp.Diff([]string{`e-3 reactions {"title":"Well?","text":"<3 2   👍 1","number":{"<3":2,"👍":1}}`}, events); diff != "" {
		t.Error(diff)
	}
	for id, data := range map[string]string{
		"e-3": `"<3"`, // again
		"e-4": `""`, "e-5": `{"n":1}`, "e-6": `"` + strings.Repeat("long", 10) + `"`, "e-7": `"\u0001\u0001\u0001\u0001\u0001\u0001"`,
	} {
		before := string(cursor)
		if post(id, data); len(events) > 0 || string(cursor) != before {
			t.Errorf("%s: %q, %s", data, events, cursor)
		}
	}
	for n := range 60 { // as long as they may be: the cursor stays short enough, which ParseLine checks
		post(fmt.Sprint("f-", n), fmt.Sprintf(`"%030d"`, n))
	}
	if !strings.Contains(string(cursor), `"last":"f-37"`) {
		t.Errorf("cursor %s", cursor)
	}
	if _, _, log, err := e.run(plugins.Trigger{Trigger: plugins.Try}); plugins.ReasonOf(err) != plugins.Exit || !strings.Contains(log, "needs the setting on") {
		t.Errorf("%v, log %q", err, log)
	}
}
