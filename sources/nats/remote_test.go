package nats_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// elsewhere is a NATS server of somebody else's, which can be restarted.
type elsewhere struct {
	*system
	options natsserver.Options
	remote  *natsserver.Server
}

func newElsewhere(t *testing.T, change func(*natsserver.Options)) *elsewhere {
	t.Helper()
	e := &elsewhere{system: &system{t: t}, options: natsserver.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}}
	if change != nil {
		change(&e.options)
	}
	e.start()
	t.Cleanup(func() { e.stop() })
	return e
}

func (e *elsewhere) start() {
	e.t.Helper()
	options := e.options
	var err error
	if e.remote, err = natsserver.NewServer(&options); err != nil {
		e.t.Fatal(err)
	}
	e.remote.Start()
	if !e.remote.ReadyForConnections(10 * time.Second) {
		e.t.Fatal("the server does not start")
	}
	e.options.Port = e.remote.Addr().(*net.TCPAddr).Port
	auth := []client.Option{client.InProcessServer(e.remote)}
	if len(e.options.Users) > 0 {
		auth = append(auth, client.UserInfo(e.options.Users[0].Username, e.options.Users[0].Password))
	}
	if e.nc, err = client.Connect("", auth...); err != nil {
		e.t.Fatal(err)
	}
	if e.js, err = e.nc.JetStream(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *elsewhere) stop() {
	e.nc.Close()
	e.remote.Shutdown()
	e.remote.WaitForShutdown()
}

func (e *elsewhere) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", e.options.Port) }

func (e *elsewhere) settings(stream, from string) *nats.Settings {
	s := nats.Type.New().(*nats.Settings)
	s.URL, s.Subject, s.Stream, s.From = []string{e.url()}, "orders.*.created", stream, from
	return s
}

func followRemote(t *testing.T, store *sourcetest.Store, s *nats.Settings, env sources.Env) *sourcetest.Running {
	t.Helper()
	env.Name = "test"
	return sourcetest.Start(t, store, sources.Instance{
		Name: "test", Source: nats.HurriedRemote(sourcetest.Make(t, s, env)), To: stream.Subject{Wall: "main", Kind: "default"},
	})
}

func TestRemoteConformance(t *testing.T) {
	want := []string{"one", `{"text":"two"}`, "three", "four"}
	t.Run("stream", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: nats.Type, Open: func(t *testing.T) sourcetest.Upstream {
			e := newElsewhere(t, nil)
			e.stream("ORDERS", 1000, "orders.>")
			e.publish("orders.eu.created", want...)
			s := e.settings("ORDERS", "all")
			s.Kind = "order"
			return sourcetest.Upstream{Settings: s, Want: want}
		}})
	})
	t.Run("core", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: nats.Type, NoCursor: true, Open: func(t *testing.T) sourcetest.Upstream {
			e := newElsewhere(t, nil)
			next := func(i int) {
				if i > 0 {
					e.publish("orders.eu.created", want[i])
					return
				}
				go func() { // once somebody listens
					for !e.remote.GlobalAccount().SubscriptionInterest("orders.eu.created") {
						select {
						case <-t.Context().Done():
							return
						case <-time.After(time.Millisecond):
						}
					}
					_ = e.nc.Publish("orders.eu.created", []byte(want[0])) // a lost connection shows as a missing event
				}()
			}
			s := e.settings("", "new")
			s.Kind = "order"
			return sourcetest.Upstream{Settings: s, Want: want, Next: next}
		}})
	})
}

func TestRemoteStream(t *testing.T) {
	e := newElsewhere(t, nil)
	e.stream("ORDERS", 1000, "orders.>")
	e.publish("orders.eu.created", "before")
	store := sourcetest.NewStore()
	var offered sync.Map // a store takes nothing twice for as long as it remembers; the source has to do better
	store.Before = func(d stream.Draft) error {
		if _, again := offered.LoadOrStore(string(d.Data), true); again {
			t.Errorf("%q was read twice", d.Data)
		}
		return nil
	}
	s := e.settings("ORDERS", "new")
	f := followRemote(t, store, s, sources.Env{})
	f.AwaitCheckpoint()
	e.publish("orders.eu.created", "one")
	e.publish("orders.eu.paid", "not meant")
	f.AwaitEvents("default one")
	f.Stop()
	e.publish("orders.us.created", "while it was away")
	s.Kind = "order.{{wildcard(1)}}"
	f = followRemote(t, store, s, sources.Env{})
	f.AwaitEvents("default one", "order.us while it was away")
	// The server goes away and comes back.
	e.stop()
	f.AwaitWarning("connect")
	if st := f.Status(); st.State != sources.Running {
		t.Errorf("a server that is away makes the source %+v", st)
	}
	e.start()
	e.publish("orders.eu.created", "after the restart")
	f.AwaitEvents("default one", "order.us while it was away", "order.eu after the restart")
	f.AwaitWarning("")
	for name := range e.js.ConsumerNames("ORDERS") {
		f.Stop()
		f.Await("the consumer "+name+" is left behind", func() bool {
			_, err := e.js.ConsumerInfo("ORDERS", name)
			return errors.Is(err, client.ErrConsumerNotFound)
		})
	}
	// Another subject begins anew.
	s.Subject, s.From = "orders.*.paid", "all"
	offered.Clear()
	followRemote(t, store, s, sources.Env{}).AwaitEvents("default one", "order.us while it was away", "order.eu after the restart", "order.eu not meant")
}

func TestRemoteStreamProblems(t *testing.T) {
	e := newElsewhere(t, nil)
	f := followRemote(t, sourcetest.NewStore(), e.settings("ORDERS", "all"), sources.Env{})
	f.AwaitWarning("there is no stream ORDERS")
	e.stream("ORDERS", 1000, "orders.eu.>")
	f.AwaitWarning("ORDERS doesn't hold all of it (orders.eu.>)")
	e.stream("ORDERS", 1000, "orders.>")
	e.publish("orders.eu.created", "one", "")
	f.AwaitWarning("it has no payload")
	e.publish("orders.eu.created", "two")
	f.AwaitEvents("default one", "default two")
	f.AwaitWarning("")
}

func TestRemoteCore(t *testing.T) {
	e := newElsewhere(t, nil)
	f := followRemote(t, sourcetest.NewStore(), e.settings("", "new"), sources.Env{})
	heard := func() bool { return e.remote.GlobalAccount().SubscriptionInterest("orders.eu.created") }
	f.Await("it subscribes", heard)
	e.publish("orders.eu.created", "one", "", "two")
	f.AwaitEvents("default one", "default two")
	if d := f.Store.Drafts()[0]; d.Mark != nil {
		t.Errorf("the mark %+v", d.Mark)
	}
	e.stop()
	f.AwaitWarning("connect")
	e.start()
	f.Await("it subscribes again", heard)
	f.AwaitWarning("")
	e.publish("orders.eu.created", "three")
	f.AwaitEvents("default one", "default two", "default three")
}

// A source that is stopped while a server keeps it waiting ends at once.
func TestRemoteStopsWhileConnecting(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := nats.Type.New().(*nats.Settings)
	s.URL, s.Subject = []string{"nats://" + l.Addr().String()}, "a.*"
	dialled := make(chan struct{})
	env := sources.Env{}.Complete()
	dial := env.Network.Dial
	env.Network.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		defer close(dialled)
		return dial(ctx, network, address)
	}
	f := followRemote(t, sourcetest.NewStore(), s, env)
	<-dialled
	began := time.Now()
	f.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestRemoteCredentials(t *testing.T) {
	folder := t.TempDir()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, _ := pair.PublicKey()
	if err := os.WriteFile(filepath.Join(folder, "shop.nk"), seed, 0o600); err != nil {
		t.Fatal(err)
	}
	only := &natsserver.Permissions{Subscribe: &natsserver.SubjectPermission{Allow: []string{"orders.>"}}}
	e := newElsewhere(t, func(o *natsserver.Options) {
		o.Users = []*natsserver.User{{Username: "boss", Password: "b"}, {Username: "shop", Password: "s", Permissions: only}}
		o.Nkeys = []*natsserver.NkeyUser{{Nkey: public}}
	})
	s := e.settings("", "new")
	f := followRemote(t, sourcetest.NewStore(), s, sources.Env{Folder: folder})
	f.AwaitWarning("correct creds, nkey, token, or user and password")
	for name, change := range map[string]func(*nats.Settings){
		"user": func(s *nats.Settings) { s.User, s.Password = "shop", "s" },
		"url":  func(s *nats.Settings) { s.URL[0] = strings.Replace(s.URL[0], "//", "//shop:s@", 1) },
		"nkey": func(s *nats.Settings) { s.NKey = "shop.nk" },
	} {
		s := e.settings("", "new")
		change(s)
		f := followRemote(t, sourcetest.NewStore(), s, sources.Env{Folder: folder})
		f.Await(name+": it subscribes", func() bool {
			_ = e.nc.Publish("orders.eu.created", []byte("x")) // until one arrives
			return len(f.Store.Drafts()) > 0
		})
		f.Stop()
	}
	s = e.settings("", "new")
	s.User, s.Password, s.Subject = "shop", "s", "secrets.>"
	followRemote(t, sourcetest.NewStore(), s, sources.Env{Folder: folder}).AwaitWarning("ermissions")
}

func TestRemoteWrongSettings(t *testing.T) {
	for setting, change := range map[string]func(*nats.Settings){
		"url":     func(s *nats.Settings) { s.URL = []string{"http://x"} },
		"subject": func(s *nats.Settings) { s.Subject = "a..b" },
		"stream":  func(s *nats.Settings) { s.Stream = "a.b" },
		"from":    func(s *nats.Settings) { s.From = "all" },
		"kind":    func(s *nats.Settings) { s.Kind = "{{wildcard(2)}}" },
		"user":    func(s *nats.Settings) { s.Password = "x" },
	} {
		s := nats.Type.New().(*nats.Settings)
		s.URL, s.Subject = []string{"nats://127.0.0.1"}, "a.*"
		change(s)
		_, err := s.Source(sources.Env{}.Complete())
		var wrong *sources.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestRemoteCheck(t *testing.T) {
	e := newElsewhere(t, nil)
	check := func(s *nats.Settings) error {
		src, err := s.Source(sources.Env{}.Complete())
		if err != nil {
			t.Fatal(err)
		}
		return src.(sources.Checker).Check(t.Context())
	}
	var wrong *sources.SettingError
	if err := check(e.settings("ORDERS", "new")); !errors.As(err, &wrong) || wrong.Setting != "stream" {
		t.Errorf("a stream that isn't there: %v", err)
	}
	e.stream("ORDERS", 1000, "orders.>")
	for _, stream := range []string{"ORDERS", ""} {
		if err := check(e.settings(stream, "new")); err != nil {
			t.Error(err)
		}
	}
	s := e.settings("", "new")
	s.URL = []string{"nats://127.0.0.1:1"}
	if err := check(s); !errors.As(err, &wrong) || wrong.Setting != "url" {
		t.Errorf("a server that isn't there: %v", err)
	}
}
