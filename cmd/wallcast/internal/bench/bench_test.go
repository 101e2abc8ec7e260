package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/bench"
)

// built is the folder that the program is built into for all tests.
var built string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "bench-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	built = folder
	return m.Run()
}

// program builds the real program, once, with the race detector where the tests
// have it.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "wallcast")
	args := []string{"build", "-o", path}
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			args = append(args, "-race")
		}
	}
	if out, err := exec.Command("go", append(args, "../..")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

func mustBuild(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// call runs the program and returns what it said and its exit code.
func call(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, mustBuild(t), args...)
	var out, notes bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notes
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(notes.String(), "DATA RACE") {
		t.Error(notes.String())
	}
	return out.String(), notes.String(), cmd.ProcessState.ExitCode()
}

// callJSON runs "wallcast bench --json" and reads its report.
func callJSON(t *testing.T, wantCode int, args ...string) *bench.Report {
	t.Helper()
	stdout, stderr, code := call(t, append([]string{"bench", "--json"}, args...)...)
	if code != wantCode {
		t.Errorf("it ended with %d, want %d, and said\n%s\n%s", code, wantCode, stdout, stderr)
	}
	report := new(bench.Report)
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(report); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s\n%s", err, stdout, stderr)
	}
	return report
}

func TestOwnWall(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := callJSON(t, 0, "--viewers", "50", "--duration", "2s", "--rate", "50", "--idle", "100ms", "--data", folder)
	// On a busy computer the generator comes too late for the last events.
	c, n := r.Completeness, r.Publish.Acknowledged
	if n < 50 || n > 100 || c.Expected != 50*n || c.Lost+c.Doubled+c.OutOfOrder+c.Late+c.InGaps != 0 || c.Untouched != 50 {
		t.Errorf("%+v", c)
	}
	if r.Viewers.LetIn != 50 || int(r.Deliveries.Total) != 50*n || r.Latency.Count != 50*n || r.Reconnects.Back != 0 {
		t.Errorf("%+v", r)
	}
	if l := r.Latency; l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
		t.Errorf("%+v", l)
	}
	if s := r.Server; s == nil && exists("/proc/self/stat") || s != nil && (s.CPUMicroseconds <= 0 || s.Before <= 0 || s.Most < s.Before) {
		t.Errorf("%+v", s)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// On a bad day viewers are cut, slow, stuck and choosy, and get everything.
func TestBadDay(t *testing.T) {
	t.Parallel()
	r := callJSON(t, 0, "--viewers", "60", "--duration", "3s", "--rate", "40", "--idle", "0s", "--as", "raw,json,html",
		"--storm", "30%", "--storm-every", "500ms", "--slow", "10%", "--stuck", "0.1", "--filtered", "50%")
	c := r.Completeness
	n := r.Publish.Acknowledged
	if n < 60 || c.Expected < 30*n+30*(n/2-8) || c.Expected > 30*n+30*(n/2+8) || c.Lost+c.Doubled+c.OutOfOrder+c.Late+c.InGaps != 0 {
		t.Errorf("%+v", c)
	}
	v := r.Viewers
	if v.Slow != 6 || v.Stuck != 6 || v.Filtered != 30 || r.Reconnects.Cut < 18 || r.Reconnects.Back < r.Reconnects.Cut {
		t.Errorf("%+v %+v", v, r.Reconnects)
	}
	if r.Latency.Count == 0 || r.Latency.Count >= int(r.Deliveries.Total) {
		t.Errorf("%d of %d deliveries have a latency; those of viewers that do not keep up have none", r.Latency.Count, r.Deliveries.Total)
	}
}

func TestAsFastAsItGoes(t *testing.T) {
	t.Parallel()
	r := callJSON(t, 0, "--viewers", "20", "--duration", "1s", "--rate", "0", "--idle", "0s", "--payload", "1000", "--ahead", "50", "--kind", "load")
	if c := r.Completeness; c.Expected != 20*r.Publish.Acknowledged || c.Lost+c.Doubled+c.OutOfOrder+c.Late != 0 {
		t.Errorf("%+v of %d events", c, r.Publish.Acknowledged)
	}
	if r.Publish.Acknowledged < 50 || r.Limit.Who == "none" || r.Limit.Why == "" || r.Deliveries.Bytes < 1000*r.Deliveries.Total {
		t.Errorf("%+v %+v %+v", r.Publish, r.Limit, r.Deliveries)
	}
}

// What a proxy does to one viewer's stream is found, and nothing else is.
func TestFaults(t *testing.T) {
	t.Parallel()
	walls := serve(t, "walls: {none: {}, drop: {}, double: {}, swap: {}}\n")
	for fault, want := range map[string][3]int{
		"none": {}, "drop": {1, 0, 0}, "double": {0, 1, 0}, "swap": {0, 0, 1},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			proxy := proxyTo(t, strings.TrimSuffix(walls, "none")+fault, fault, httptest.NewServer)
			code := 1
			if fault == "none" {
				code = 0
			}
			r := callJSON(t, code, "--url", proxy, "--viewers", "10", "--rate", "40", "--duration", "1s", "--idle", "0s")
			c := r.Completeness
			if got := [3]int{c.Lost, c.Doubled, c.OutOfOrder}; got != want {
				t.Errorf("lost, doubled, out of order: %v, want %v", got, want)
			}
			wantUntouched := 10
			if fault != "none" {
				wantUntouched = 9
			}
			if c.Untouched != wantUntouched {
				t.Errorf("%d viewers have nothing to complain of, want %d", c.Untouched, wantUntouched)
			}
		})
	}
}

// Who may not publish only watches, and finds a loss by what the others got.
func TestWatchOnly(t *testing.T) {
	t.Parallel()
	secret, entry := token(t)
	wall := serve(t, "tokens:\n  "+entry+"\n")
	stop := make(chan struct{})
	var posting sync.WaitGroup
	posting.Go(func() {
		for n := 0; ; n++ {
			post(t, wall, secret, fmt.Sprintf("event %d", n))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	defer posting.Wait()
	defer close(stop)
	for fault, want := range map[string][3]int{"none": {}, "drop": {1, 0, 0}, "double": {0, 1, 0}, "swap": {0, 0, 1}} {
		code := 1
		if fault == "none" {
			code = 0
		}
		r := callJSON(t, code, "--url", proxyTo(t, wall, fault, httptest.NewServer), "--viewers", "10", "--duration", "1s", "--idle", "0s")
		c := r.Completeness
		if got := [3]int{c.Lost, c.Doubled, c.OutOfOrder}; got != want || c.Expected < 100 {
			t.Errorf("%s: lost, doubled, out of order: %v of %d, want %v", fault, got, c.Expected, want)
		}
		if r.WatchOnly == "" || r.Publish.Acknowledged != 0 {
			t.Errorf("%q, %d published", r.WatchOnly, r.Publish.Acknowledged)
		}
	}
	_, notes, _ := call(t, "bench", "--url", wall, "--viewers", "2", "--duration", "200ms", "--idle", "0s")
	if !regexp.MustCompile(`^This holds 2 viewers open on http://\S+/walls/main for about 0s and, with the right to, publishes 4 events .*\nIt only watches: .*token`).MatchString(notes) {
		t.Errorf("it said %s", notes)
	}
	if r := callJSON(t, 0, "--url", wall, "--token", secret, "--viewers", "2", "--duration", "200ms", "--idle", "0s"); r.WatchOnly != "" || r.Publish.Acknowledged == 0 {
		t.Errorf("with a token: %q, %d published", r.WatchOnly, r.Publish.Acknowledged)
	}
}

// An interrupted run reports what it has done.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(mustBuild(t))
	o.Duration = time.Minute
	o.Progress = func(p bench.Progress) {
		if p.Phase == "publishing" && p.Delivered > 0 {
			cancel()
		}
	}
	r, err := bench.Run(ctx, o)
	if err != nil || !r.Stopped || r.Seconds > 30 || r.Deliveries.Total == 0 || r.Problem() != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A wall that ends in the midst of it ends the test, with its last words.
func TestWallEnds(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "wallcast")
	text := fmt.Sprintf("#!/bin/sh\n'%s' \"$@\" &\nsleep 2\necho 'it is getting dark' >&2\nkill -9 $!\nexit 3\n", mustBuild(t))
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(script)
	o.Duration = time.Minute
	began := time.Now()
	_, err := bench.Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "the wall under test ended (exit status 3)") || !strings.Contains(err.Error(), "it is getting dark") {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("it took %s", took)
	}
	o = options(filepath.Join(t.TempDir(), "nothing"))
	if _, err = bench.Run(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "starting the wall: ") {
		t.Errorf("the error is %v", err)
	}
}

func options(program string) bench.Options {
	return bench.Options{
		Own: &bench.Own{Program: program}, Viewers: 5, Rate: 50, Payload: 200, Publishers: 2,
		Ahead: 10, Kind: "bench", Duration: time.Second, Notes: io.Discard,
	}
}

func TestOptions(t *testing.T) {
	good := options("wallcast")
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, wrong := range map[string]func(*bench.Options){
		"--viewers wants":  func(o *bench.Options) { o.Viewers = 0 },
		"--rate wants":     func(o *bench.Options) { o.Rate = math.NaN() },
		"--rate and":       func(o *bench.Options) { o.Rate, o.Duration = 1e6, time.Hour },
		"--ahead wants":    func(o *bench.Options) { o.Ahead = 0 },
		"--payload wants":  func(o *bench.Options) { o.Payload = 10 },
		"--publishers":     func(o *bench.Options) { o.Publishers = 0 },
		"--duration wants": func(o *bench.Options) { o.Duration = 0 },
		"--idle wants":     func(o *bench.Options) { o.Idle = -1 },
		"--storm-every":    func(o *bench.Options) { o.Storm = .5 },
		"--slow and":       func(o *bench.Options) { o.Slow, o.Stuck = .7, .7 },
		"--as wants":       func(o *bench.Options) { o.As = []string{"raw", "xml"} },
		"--kind: ":         func(o *bench.Options) { o.Kind = "a b" },
		"1,000,000 viewers do not fit: a process may have ": func(o *bench.Options) { o.Viewers = 1_000_000 },
	} {
		o := good
		wrong(&o)
		if err := o.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestNoWall(t *testing.T) {
	t.Parallel()
	wall := serve(t, "")
	first := strings.TrimSuffix(wall, "/walls/main") // a server's address is that of its first wall
	if r := callJSON(t, 0, "--url", first, "--viewers", "2", "--duration", "200ms", "--idle", "0s"); r.Target != wall || r.Deliveries.Total == 0 {
		t.Errorf("of %s, %s was tested", first, r.Target)
	}
	for url, want := range map[string]string{
		"http://127.0.0.1:1":                     `wallcast: http://127\.0\.0\.1:1 does not answer: .*refused`,
		strings.Replace(wall, "main", "none", 1): `wallcast: the wall http://\S+/walls/none can't be watched: .*none`,
	} {
		_, stderr, code := call(t, "bench", "--url", url)
		if code != 1 || !regexp.MustCompile(want).MatchString(stderr) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %d, %s", url, code, stderr)
		}
	}
	for _, args := range [][]string{{"--viewers", "0"}, {"--storm", "200%"}, {"--pid", "1"}, {"now"}} {
		if _, stderr, code := call(t, append([]string{"bench"}, args...)...); code != 2 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: %d, %s", args, code, stderr)
		}
	}
}

// post publishes an event.
func post(t *testing.T, wall, secret, text string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, wall+"/events", strings.NewReader(text))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("publishing was answered %s", resp.Status)
	}
}

// Over TLS viewers are read in another way, with the same result.
func TestTLS(t *testing.T) {
	target := proxyTo(t, serve(t, ""), "drop", func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // a connection that is only tried is none to complain of
		s.StartTLS()
		return s
	})
	r := callJSON(t, 1, "--url", target, "--viewers", "10", "--rate", "40", "--duration", "1s", "--idle", "0s", "--storm", "50%", "--storm-every", "700ms")
	if c := r.Completeness; c.Lost != 1 || c.Doubled+c.OutOfOrder != 0 || c.Expected != 10*r.Publish.Acknowledged {
		t.Errorf("%+v", c)
	}
}
