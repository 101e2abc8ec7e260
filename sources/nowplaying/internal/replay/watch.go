package replay

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// Watch runs an upstream's Watch in a synctest bubble until it has reported n times, and
// returns the reports, and its error if it gave up before. open makes the upstream,
// on a network where the server answers.
func Watch(t *testing.T, server Server, n int, open func(sources.Network) (upstream.Upstream, error)) (reports []upstream.Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		u, failed := open(server.Network(t))
		if failed != nil {
			t.Fatal(failed)
		}
		err = u.Watch(ctx, func(r upstream.Report) {
			if reports = append(reports, r); len(reports) == n {
				cancel()
			}
		})
		if err == context.Canceled {
			err = nil
		}
	})
	return reports, err
}
