package embed_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream/embed"
)

// connect connects a producer that must not be disconnected before the test ends.
func connect(t *testing.T, s *embed.Server, refused chan error) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("ci", "x"), nats.CustomInboxPrefix("_INBOX.ci"), nats.NoReconnect(),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				t.Errorf("the producer was disconnected: %v", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestSetForeignKeepsConnections(t *testing.T) {
	allowed := atomic.Pointer[[]string]{}
	allowed.Store(&[]string{"wall.main.push", "orders.eu.new"})
	s := start(t, embed.Config{
		Folder: t.TempDir(), Listen: "127.0.0.1:0",
		Authenticate: func(string, string) ([]string, bool) { return *allowed.Load(), true },
	})
	ended := make(chan error, 1)
	own, err := s.Connect(nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { ended <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	js, err := own.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "WALL_main", Subjects: []string{"wall.main.>"}}); err != nil {
		t.Fatal(err)
	}
	orders, err := own.SubscribeSync("orders.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Flush(); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 16)
	ci := connect(t, s, refused)

	arrive := func(subject string, want int) {
		t.Helper()
		if err := ci.Publish(subject, []byte(subject)); err != nil {
			t.Fatal(err)
		}
		// The acknowledgement of what is published after it comes after it.
		if _, err := ci.Request("wall.main.push", []byte("x"), 5*time.Second); err != nil {
			t.Fatalf("publishing to the wall: %v", err)
		}
		if err := own.Flush(); err != nil {
			t.Fatal(err)
		}
		if n, _, _ := orders.Pending(); n != want {
			t.Errorf("%s has arrived %d times, want %d", subject, n, want)
		}
		for range want {
			if _, err := orders.NextMsg(time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	arrive("orders.eu.new", 0)
	// Overlapping subjects: one message still arrives once.
	for _, subjects := range [][]string{{"orders.eu.new"}, {"orders.eu.new", "orders.*.new", "orders.eu.*"}, {"orders.>", "orders.eu.new"}} {
		if err := s.SetForeign(subjects); err != nil {
			t.Fatal(err)
		}
		arrive("orders.eu.new", 1)
	}

	// The import permits nothing by itself: the producer's own rights count, and
	// a reload reads them anew.
	if err := ci.Publish("orders.eu.paid", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := ci.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("publishing without the right: %v, want a permission violation", err)
	}
	allowed.Store(&[]string{"wall.main.push", "orders.eu.paid"})
	if err := s.SetForeign([]string{"orders.eu.*"}); err != nil {
		t.Fatal(err)
	}
	arrive("orders.eu.paid", 1)
	if err := s.SetForeign([]string{"orders.eu.*"}); err != nil { // what was granted at the reload is not a change
		t.Fatal(err)
	}
	arrive("orders.eu.paid", 1)

	if err := s.SetForeign(nil); err != nil {
		t.Fatal(err)
	}
	arrive("orders.eu.paid", 0)
	select {
	case err := <-ended:
		t.Errorf("our own connection was ended: %v", err)
	default:
	}
}

func TestSetForeignRefusesWhatIsNotForeign(t *testing.T) {
	s := start(t, embed.Config{Folder: t.TempDir()})
	for _, subject := range []string{"", "a b", "wall.main.x", "*.x", ">", "a\nb"} {
		if s.SetForeign([]string{subject}) == nil {
			t.Errorf("%q is accepted", subject)
		}
	}
	for _, subject := range []string{`a"b.c`, `a\b`, "ü.*", "$x", "a}b]", "a;b#c"} {
		if err := s.SetForeign([]string{subject}); err != nil {
			t.Errorf("%q: %v", subject, err)
		}
	}
}

func TestSetForeignEndsRevokedClients(t *testing.T) {
	var revoked atomic.Bool
	s := start(t, embed.Config{
		Folder: t.TempDir(), Listen: "127.0.0.1:0",
		Authenticate: func(string, string) ([]string, bool) { return []string{"wall.main.push"}, !revoked.Load() },
	})
	closed := make(chan struct{})
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("ci", "x"), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	revoked.Store(true)
	if err := s.SetForeign([]string{"orders.new"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("a client whose token was revoked is still connected")
	}
}
