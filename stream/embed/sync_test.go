package embed

import "testing"

// What is acknowledged is on disk, unless the configuration gives that up.
func TestSync(t *testing.T) {
	for _, unsynced := range []bool{false, true} {
		s, err := Start(Config{Folder: t.TempDir(), Unsynced: unsynced})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.nats.JetStreamConfig().SyncAlways; got == unsynced {
			t.Errorf("Unsynced %t: the server syncs before it acknowledges: %t", unsynced, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
