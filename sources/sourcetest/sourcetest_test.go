package sourcetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// counter emits 1 to 4. Each of its faults breaks one rule.
type counter struct{ fault string }

func (c *counter) Source(sources.Env) (sources.Source, error) {
	if c.fault == "wrong setting error" {
		return nil, errors.New("no")
	}
	return c, nil
}

func (c *counter) Run(ctx context.Context, out sources.Output) error {
	n := 0
	if last := out.Cursor(); last != nil && c.fault != "begins anew" {
		_ = json.Unmarshal(last, &n) // a foreign cursor is none
	}
	if c.fault == "leaves a goroutine" {
		go func() { time.Sleep(time.Minute) }()
	}
	if c.fault == "skips on resuming" && n > 0 {
		n++
	}
	for n < 4 {
		n++
		e := sources.Event{Data: []byte(fmt.Sprint(n)), Cursor: json.RawMessage(fmt.Sprint(n))}
		switch c.fault {
		case "no cursor":
			e.Cursor = nil
		case "bad cursor":
			e.Cursor = json.RawMessage("{")
		case "cursor ahead":
			e.Cursor = json.RawMessage(fmt.Sprint(n + 1))
		case "bad kind":
			e.Kind = "Bad Kind"
		case "empty":
			e.Data = nil
		case "order":
			e.Data = []byte(fmt.Sprint(5 - n))
		}
		err := out.Emit(ctx, e)
		if one := (*sources.EventError)(nil); errors.As(err, &one) && c.fault != "gives up on one event" {
			continue
		}
		if err != nil && c.fault == "hides the error" {
			return nil
		}
		if err != nil && c.fault != "goes on after an error" {
			return err
		}
	}
	if c.fault == "ignores the context" {
		time.Sleep(time.Minute)
	}
	<-ctx.Done()
	return ctx.Err()
}

const faultEnv = "WALLCAST_TEST_SOURCE_FAULT"

// TestCounter is the suite on a good source, or in a process that TestFaults
// starts, on a faulty one.
func TestCounter(t *testing.T) {
	fault := os.Getenv(faultEnv)
	sourcetest.Run(t, sourcetest.Case{
		Type:   sources.Type{Name: "counter", Doc: "Counts.", New: func() sources.Settings { return &counterSettings{Fault: fault} }},
		Bubble: true,
		Open: func(*testing.T) sourcetest.Upstream {
			return sourcetest.Upstream{Settings: &counter{fault}, Want: []string{"1", "2", "3", "4"}}
		},
	})
}

// counterSettings have what a configuration needs.
type counterSettings struct {
	Fault string `yaml:"fault" doc:"What is wrong."`
}

func (s *counterSettings) Source(env sources.Env) (sources.Source, error) {
	return (&counter{s.Fault}).Source(env)
}

func TestFaults(t *testing.T) {
	if os.Getenv(faultEnv) != "" {
		t.Skip("this is the process of a fault")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for fault, says := range map[string]string{
		"wrong setting error":    "SettingError",
		"begins anew":            "resumes",
		"skips on resuming":      "resumes",
		"cursor ahead":           "resumes",
		"leaves a goroutine":     "left a goroutine behind",
		"no cursor":              "has no cursor",
		"bad cursor":             "no JSON",
		"bad kind":               "subject",
		"empty":                  "without a payload",
		"order":                  "want",
		"gives up on one event":  "goes_on_after_an_EventError",
		"hides the error":        "returns_the_error_of_Emit",
		"goes on after an error": "returns_the_error_of_Emit",
		"ignores the context":    "has not returned",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe, "-test.run=^TestCounter$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), faultEnv+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("the suite has found nothing:\n%s", out)
			}
			if !strings.Contains(string(out), says) {
				t.Errorf("the suite does not say %q:\n%s", says, out)
			}
		})
	}
}
