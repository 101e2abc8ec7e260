package process_test

import (
	"os"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/process"
)

// Without ptrace the limits are set after the start. Root, which may not set
// those of another user's process, then refuses to run it.
func TestWithoutPtrace(t *testing.T) {
	process.RefusePtrace(t)
	o := run(t, sh(t, `while ! grep -q 'Max open files *256 ' /proc/self/limits; do :; done; echo limited`))
	if os.Geteuid() == 0 && o.err != nil {
		o.want(t, plugins.Start, -1, "run it as a user other than root")
		return
	}
	if o.err != nil || strings.Join(o.lines, "") != "limited" {
		t.Errorf("%q, %v", o.lines, o.err)
	}
}
