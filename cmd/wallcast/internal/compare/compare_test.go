//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain makes the test the other processes of a measurement too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == beHub || os.Args[1] == beGenerator) {
		main()
		return
	}
	os.Exit(runTests(m))
}

// built is the folder that the program is built into for all tests.
var built string

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "compare-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	built = folder
	return m.Run()
}

var program = sync.OnceValues(func() (string, error) { return build(context.Background(), built) })

// newComparison makes one that takes seconds, not minutes.
func newComparison(t *testing.T) (c *comparison, out *bytes.Buffer) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out = new(bytes.Buffer)
	return &comparison{
		program: path, folder: t.TempDir(), rounds: 1, out: out, log: t.Output(),
		size: size{
			few: 30, many: 60, secured: 20, history: 500,
			saturated: 300 * time.Millisecond, paced: 500 * time.Millisecond,
			posting: 300 * time.Millisecond, syncing: 50 * time.Millisecond, settle: 500 * time.Millisecond,
		},
	}, out
}

// TestTrials makes every measurement, small: what is measured says little, but
// every figure is there and no viewer has anything to complain of.
func TestTrials(t *testing.T) {
	c, out := newComparison(t)
	if err := c.run(t.Context(), regexp.MustCompile("")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, trial := range trials {
		for _, r := range trial.rows {
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(r.what) + ` +` + regexp.QuoteMeta(r.unit) + ` +\S`).MatchString(out.String()) {
				t.Errorf("the table has no %q in %s:\n%s", r.what, r.unit, out)
			}
		}
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Errorf("a figure is none:\n%s", out)
	}
	t.Log(out)
}

// TestHistory holds that a replay begins where the job says, with both
// contenders: otherwise the times are of something else.
func TestHistory(t *testing.T) {
	c, _ := newComparison(t)
	for _, who := range []contender{plainHub, wallcast} {
		s, err := c.serve(t.Context(), who, false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.fill(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		epoch, err := s.epoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []int{0, 40} {
			got := tallyOf(t, s, job{Viewers: 2, After: fmt.Sprintf("%s-%d", epoch, first), First: first, Events: 60})
			if got.Wrong != 0 || got.Took <= 0 {
				t.Errorf("%s, after %d: %+v", who, first, got)
			}
			if got := tallyOf(t, s, job{Viewers: 2, After: fmt.Sprintf("%s-%d", epoch, first), First: first + 1, Events: 59}); got.Wrong != 2 {
				t.Errorf("%s: a replay that begins an event too early is taken for right: %+v", who, got)
			}
		}
	}
}

func tallyOf(t *testing.T, s *server, j job) tally {
	t.Helper()
	a, err := s.watch(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	return got
}

// TestViewersComplain holds that viewers notice what a server does wrong.
func TestViewersComplain(t *testing.T) {
	right := []int{0, 1, 2, 3}
	for name, numbers := range map[string][]int{
		"right": right, "lost": {0, 2, 3}, "doubled": {0, 1, 1, 2, 3}, "swapped": {0, 2, 1, 3}, "late": {1, 2, 3},
		"cut": {0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			open := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, "event: hello\ndata: {}\n\n")
				w.(http.Flusher).Flush()
				<-open
				for _, n := range numbers {
					fmt.Fprintf(w, "id: e1-%d\ndata: %s\n\n", n, message(n, time.Now(), n == 3))
				}
				w.(http.Flusher).Flush()
				if name == "cut" {
					panic(http.ErrAbortHandler)
				}
				<-r.Context().Done()
			}))
			defer server.Close()
			defer server.CloseClientConnections()
			a, err := at(server).watch(t.Context(), job{Viewers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			close(open)
			got, err := a.tally(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if wantWrong := name != "right"; (got.Wrong == 1) != wantWrong {
				t.Errorf("%+v", got)
			}
			if (got.Why != "") != (name == "cut") {
				t.Errorf("why is %q", got.Why)
			}
		})
	}
}

// at is a server that was started otherwise.
func at(s *httptest.Server) *server {
	address := s.Listener.Addr().String()
	return &server{contender: plainHub, address: address, host: address}
}

// TestRefused holds that an answer that is no event stream is an error at once.
func TestRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	defer server.CloseClientConnections()
	_, err := at(server).watch(t.Context(), job{Viewers: 3})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the error is %v", err)
	}
}

// TestPieces holds that events are counted in whatever pieces they come.
func TestPieces(t *testing.T) {
	var stream []byte
	stream = append(stream, "HTTP/1.1 200 OK\r\n\r\nevent: hello\ndata: {}\n\n"...)
	const events = 20
	for i := range events {
		stream = fmt.Appendf(stream, "id: e1-%d\ndata: %s\n\n", i, message(i, time.Now(), i == events-1))
	}
	for size := 13; size < 400; size++ {
		g := &generator{turn: make(chan struct{}, 1)}
		g.turn <- struct{}{}
		g.greeted.Add(1)
		g.done.Add(1)
		p, v := &poller{generator: g}, new(viewer)
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			if err := p.take(v, append(make([]byte, keepSize), rest[:n]...)); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if !v.greeted || !v.done || v.wrong || v.next != events || len(p.delays) != events {
			t.Fatalf("in pieces of %d: %+v, %d delays", size, v, len(p.delays))
		}
	}
}

func TestMessage(t *testing.T) {
	at := time.UnixMicro(1_790_000_000_123_456)
	text := message(1234567, at, true)
	if len(text) != payloadSize {
		t.Errorf("it has %d bytes", len(text))
	}
	if got := parseMark(text[1:]); got != (mark{1234567, at.UnixMicro(), true}) {
		t.Errorf("%+v", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("of %v: %v", c.values, got)
		}
	}
}

// TestVerdict holds that a figure that is missed is said to be.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		row    row
		f      figures
		missed bool
	}{
		{row{"a", "x", "≥ 8 ×", ratioOf(8)}, figures{1, 8, 8}, false},
		{row{"a", "x", "≥ 8 ×", ratioOf(8)}, figures{1, 7.9, 7.9}, true},
		{row{"a", "x", "≤ 1 ×", ratioTo(1)}, figures{1, 1.1, 1.1}, true},
		{row{"a", "x", "≤ 8", ours(8)}, figures{0, 9, math.NaN()}, true},
		{row{"a", "x", "≥ 8", oursOf(8)}, figures{0, 9, math.NaN()}, false},
	} {
		out := new(bytes.Buffer)
		(&comparison{out: out}).print(c.row, c.f)
		if strings.Contains(out.String(), "MISSED") != c.missed {
			t.Errorf("%+v: %s", c.f, out)
		}
	}
}

func TestSyncRate(t *testing.T) {
	folder := t.TempDir()
	rate, err := syncRate(folder, 20*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("%v, %v", rate, err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-run", "("}, {"-nothing"}} {
		if err := run(t.Context(), args, nil, io.Discard, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if err := generate([]string{"{"}, nil, io.Discard); err == nil {
		t.Error("a job that can't be read is taken")
	}
}
