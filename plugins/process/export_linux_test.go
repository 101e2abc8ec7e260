package process

import "testing"

// RefusePtrace makes the system seem to refuse ptrace during a test.
func RefusePtrace(t testing.TB) {
	before := refusesPtrace.Swap(true)
	t.Cleanup(func() { refusesPtrace.Store(before) })
}
