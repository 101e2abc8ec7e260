package file_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// looks is time enough for a file to be looked at, also twice and once it has settled.
const looks = 450 * time.Millisecond

// running is a supervised file source in a bubble.
type running struct {
	*sourcetest.Running
	t *testing.T
}

// inBubble calls f in a bubble, where waiting takes no time.
func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// start runs the source that s makes.
func start(t *testing.T, store *sourcetest.Store, s *file.Settings) *running {
	t.Helper()
	r := &running{sourcetest.Start(t, store, sources.Instance{
		Name: "test", Source: sourcetest.Make(t, s, sources.Env{Name: "test"}),
		To: stream.Subject{Wall: "main"}, Walls: []string{"other"},
	}), t}
	r.pass(looks)
	return r
}

// pass lets time pass.
func (r *running) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want lets the file be looked at and compares all that is stored so far.
func (r *running) want(lines ...string) {
	r.t.Helper()
	r.pass(looks)
	if got := r.Store.Data(); !slices.Equal(got, lines) {
		r.t.Errorf("stored %q, want %q", got, lines)
	}
}

// wantWarning compares the warning in the status; all is well with "".
func (r *running) wantWarning(part string) {
	r.t.Helper()
	st := r.Status()
	if part == "" && st.Warning != "" || !strings.Contains(st.Warning, part) {
		r.t.Errorf("the warning is %q, want %q", st.Warning, part)
	}
	if st.State != sources.Running || st.LastError != "" {
		r.t.Errorf("status %+v", st)
	}
}
