package sse_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream/sse"
)

// Each stream begins with a time of its own after which a browser comes back.
func TestRetryIsSpread(t *testing.T) { inAllWays(t, checkRetryIsSpread) }

func checkRetryIsSpread(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main"), Retry: 2 * time.Second})
	times := map[string]bool{}
	for range 20 {
		resp := s.get("", nil)
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		resp.Body.Close()
		after, ok := strings.CutPrefix(line, "retry: ")
		d, parseErr := time.ParseDuration(strings.TrimSpace(after) + "ms")
		if err != nil || !ok || parseErr != nil || d < time.Second || d > 3*time.Second {
			t.Fatalf("a stream begins with %q, %v", line, err)
		}
		times[after] = true
	}
	if len(times) < 15 {
		t.Errorf("20 streams begin with %d different times", len(times))
	}
}

// The more viewers there are, the more time they are given to come back.
func TestManyGetMoreTime(t *testing.T) { inAllWays(t, checkManyGetMoreTime) }

func checkManyGetMoreTime(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main"), Retry: 2 * time.Millisecond, Drain: 300 * time.Millisecond})
	var all []*reader
	for range 90 {
		r, _ := s.watch("", "")
		all = append(all, r)
	}
	shutdown(t, s.Server)
	for _, r := range all { // the last ones too, when few are there
		var bye struct{ Retry int }
		if err := json.Unmarshal([]byte(r.ended().Data), &bye); err != nil || bye.Retry < 15 || bye.Retry > 45 {
			t.Fatalf("one of 90 viewers is told to come back after %d ms, want 15 to 45; %v", bye.Retry, err)
		}
	}
}
