package sourcetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

func count(t *testing.T, store *sourcetest.Store, fault string) *sourcetest.Running {
	t.Helper()
	return sourcetest.Start(t, store, sources.Instance{
		Name: "counter", Source: sourcetest.Make(t, &counter{fault}, sources.Env{}), To: stream.Subject{Wall: "main", Kind: "number"},
	})
}

func TestRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		r := count(t, store, "")
		r.AwaitData("1", "2", "3", "4")
		r.AwaitEvents("number 1", "number 2", "number 3", "number 4")
		if st := r.Status(); st.State != sources.Running {
			t.Errorf("status %+v", st)
		}
		r.Stop()
		r.Stop()
		r = count(t, store, "")
		time.Sleep(time.Minute)
		r.AwaitData("1", "2", "3", "4") // the second went on after the first
	})
}

// slow takes its time to end.
type slow struct{ ended bool }

func (s *slow) Run(ctx context.Context, _ sources.Output) error {
	<-ctx.Done()
	time.Sleep(time.Second)
	s.ended = true
	return ctx.Err()
}

func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &slow{}
		r := sourcetest.Start(t, sourcetest.NewStore(), sources.Instance{Name: "slow", Source: src, To: stream.Subject{Wall: "main"}})
		synctest.Wait() // until it runs
		r.Stop()
		if !src.ended {
			t.Error("Stop has returned before the source")
		}
	})
}

// troubled warns for a second, and then saves where it is.
type troubled struct{}

func (troubled) Run(ctx context.Context, out sources.Output) error {
	out.Warn(errors.New("the upstream is away"))
	time.Sleep(time.Second)
	out.Warn(nil)
	if err := out.SaveCursor(ctx, json.RawMessage("1")); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func trouble(t *testing.T) *sourcetest.Running {
	t.Helper()
	return sourcetest.Start(t, sourcetest.NewStore(), sources.Instance{Name: "troubled", Source: troubled{}, To: stream.Subject{Wall: "main"}})
}

func TestAwaitWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := trouble(t)
		r.AwaitWarning("is away")
		if n := len(r.Store.Checkpoints()); n > 0 {
			t.Errorf("%d checkpoints before any was saved", n)
		}
		r.AwaitCheckpoint()
		r.AwaitWarning("")
	})
}

const missedEnv = "WALLCAST_TEST_MISSED"

// missed is what never comes, each with what the failure says.
var missed = map[string]struct {
	await func(t *testing.T)
	says  string
}{
	"data":       {func(t *testing.T) { count(t, sourcetest.NewStore(), "").AwaitData("1", "2", "3", "4", "5") }, `"4" "5"]: not so after 20s`},
	"other data": {func(t *testing.T) { count(t, sourcetest.NewStore(), "").AwaitData("1", "2", "4", "3") }, "stored"},
	"more data": {func(t *testing.T) {
		r := count(t, sourcetest.NewStore(), "")
		time.Sleep(time.Second)
		r.AwaitData("1")
	}, "stored"},
	"other kind":   {func(t *testing.T) { count(t, sourcetest.NewStore(), "").AwaitEvents("n 1", "n 2", "n 3", "n 4") }, `"number 1"`},
	"a warning":    {func(t *testing.T) { trouble(t).AwaitWarning("is full") }, `want the warning "is full": not so after 20s`},
	"a checkpoint": {func(t *testing.T) { count(t, sourcetest.NewStore(), "no cursor").AwaitCheckpoint() }, "want a checkpoint: not so after 20s"},
	"a source":     {func(t *testing.T) { count(t, sourcetest.NewStore(), "wrong setting error") }, "Source: no"},
}

// TestMissed waits for what never comes: each in a process of its own, which
// must fail.
func TestMissed(t *testing.T) {
	if name := os.Getenv(missedEnv); name != "" {
		synctest.Test(t, missed[name].await)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range missed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe, "-test.run=^TestMissed$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), missedEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%v; it does not say %q:\n%s", err, c.says, out)
			}
		})
	}
}
