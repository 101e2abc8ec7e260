package embed_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream/embed"
)

func start(t *testing.T, cfg embed.Config) *embed.Server {
	t.Helper()
	s, err := embed.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAFolderIsUsedByOneServer(t *testing.T) {
	folder := t.TempDir()
	first := start(t, embed.Config{Folder: folder})
	if _, err := embed.Start(embed.Config{Folder: folder}); !errors.Is(err, embed.ErrFolderInUse) {
		t.Fatalf("a second server on the folder: %v, want ErrFolderInUse", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, embed.Config{Folder: folder})
}

func TestAUsedPortIsAnErrorAtOnce(t *testing.T) {
	first := start(t, embed.Config{Folder: t.TempDir(), Listen: "127.0.0.1:0"})
	_, err := embed.Start(embed.Config{Folder: t.TempDir(), Listen: first.ClientURL()[len("nats://"):]})
	if !errors.Is(err, embed.ErrPortInUse) {
		t.Fatalf("a second server on the port: %v, want ErrPortInUse", err)
	}
}

func TestIdentity(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	identity := func(folder string) string {
		t.Helper()
		s := start(t, embed.Config{Folder: folder})
		defer s.Close()
		return s.Identity()
	}
	first := identity(folder)
	if again := identity(folder); again != first {
		t.Error("the identity changed by a restart")
	}
	moved := folder + "-moved"
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	if got := identity(moved); got != first {
		t.Error("the identity changed by moving the folder")
	}
	if out, err := exec.Command("cp", "-a", moved, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := identity(folder); got == first {
		t.Error("a copy of the folder has the identity of the original")
	}
}

// Producers live apart: each line is something that a client which may publish
// wall.main.push alone must not be able to do.
func TestProducersAreIsolated(t *testing.T) {
	s := start(t, embed.Config{
		Folder: t.TempDir(), Listen: "127.0.0.1:0",
		Authenticate: func(name, secret string) ([]string, bool) {
			return []string{"wall.main.push"}, name == "ci" && secret == "s3cret"
		},
	})
	own, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	js, err := own.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for _, wall := range []string{"main", "secret"} {
		cfg := &nats.StreamConfig{Name: "WALL_" + wall, Subjects: []string{"wall." + wall + ".>"}}
		if _, err := js.AddStream(cfg); err != nil {
			t.Fatal(err)
		}
	}
	messages := func(stream string) uint64 {
		t.Helper()
		info, err := js.StreamInfo(stream)
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Msgs
	}

	if _, err := nats.Connect(s.ClientURL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client without credentials: %v", err)
	}
	if _, err := nats.Connect(s.ClientURL(), nats.UserInfo("ci", "wrong")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client with a wrong secret: %v", err)
	}
	if _, err := nats.Connect(s.ClientURL(), nats.UserInfo("wallcast", "")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client under our own name: %v", err)
	}
	refused := make(chan error, 16)
	ci, err := nats.Connect(s.ClientURL(), nats.UserInfo("ci", "s3cret"), nats.CustomInboxPrefix("_INBOX.ci"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer ci.Close()

	reply, err := ci.Request("wall.main.push", []byte("deployed"), 5*time.Second)
	if err != nil || messages("WALL_main") != 1 {
		t.Fatalf("publishing to its subject: %v, %d stored", err, messages("WALL_main"))
	}
	t.Logf("acknowledged: %s", reply.Data)

	// The reply subject names another wall.
	if err := ci.PublishRequest("wall.main.push", "wall.secret.message", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"wall.secret.message", "wall.main.other", "ctl.main.retract", "$JS.API.STREAM.DELETE.WALL_main", "$JS.API.INFO"} {
		if err := ci.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := ci.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("publishing to %s: %v, want a permission violation", subject, err)
		}
	}
	for _, subject := range []string{">", "wall.>", "_INBOX.>", "_INBOX.other.>"} {
		if _, err := ci.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if err := ci.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribing to %s: %v, want a permission violation", subject, err)
		}
	}
	// One more that is acknowledged, so that all before it has been handled.
	rollup := nats.NewMsg("wall.main.push")
	rollup.Header.Set("Nats-Rollup", "all")
	if reply, err = ci.RequestMsg(rollup, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	t.Logf("rollup answered: %s", reply.Data)
	if got := messages("WALL_main"); got != 2 {
		t.Errorf("%d events on the wall main, want 2: none erased, none smuggled in", got)
	}
	if got := messages("WALL_secret"); got != 0 {
		t.Errorf("%d events on the wall secret, want none", got)
	}
}
