package embed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload is the largest message, in bytes: a delivery to a hook or a
// picture. Events are bounded by their walls.
const maxPayload = 8 << 20

// Config says how the server is to run. Only Folder is needed.
type Config struct {
	Folder string // where the data lies; made if it is missing
	Listen string // "host:port" for other NATS clients; empty: none

	// Authenticate says what a client that comes over Listen may publish to. It
	// may be called concurrently, at any time.
	Authenticate func(name, secret string) (publish []string, ok bool)

	// Foreign are subjects beside "wall.>" that clients may be allowed to publish
	// to; see [Server.SetForeign].
	Foreign []string

	// Unsynced acknowledges events before they are on disk.
	Unsynced bool

	Log *slog.Logger // nil: nowhere
}

// Server is a running NATS server. Its methods may be called concurrently.
type Server struct {
	nats     *server.Server
	unlock   func() error // of the folder
	identity string
	auth     *authenticator
	close    sync.Once

	reload sync.Mutex
	opts   func(foreign []string) (*server.Options, error) // as it was started, with other foreign subjects
}

// Errors of Start that callers tell apart with errors.Is.
var (
	ErrFolderInUse = errors.New("another wallcast is using this data folder")
	ErrPortInUse   = errors.New("the port is in use")
)

const startTimeout = 30 * time.Second

// Start runs a server on cfg.Folder and returns when it accepts connections.
func Start(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	store := filepath.Join(cfg.Folder, "nats")
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	unlock, err := LockFolder(cfg.Folder)
	if err != nil {
		return nil, err
	}
	s := &Server{unlock: unlock}
	if err := s.start(cfg, store); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return s, nil
}

// LockFolder makes the folder, if it is missing, and keeps other programs from
// using it until unlock is called. [Start] does so itself; it is for a program
// that uses a folder without a server.
func LockFolder(folder string) (unlock func() error, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	path := filepath.Join(folder, "lock")
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if !ok {
		holder, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
			return nil, fmt.Errorf("%w: process %d has %s", ErrFolderInUse, pid, folder)
		}
		return nil, fmt.Errorf("%w: %s", ErrFolderInUse, folder)
	}
	// Who holds it is a courtesy to the next reader; the lock itself is what counts.
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data folder: %w", err), lock.Unlock())
	}
	return lock.Unlock, nil
}

func (s *Server) start(cfg Config, store string) (err error) {
	if s.identity, err = storeIdentity(store); err != nil {
		return fmt.Errorf("reading the store's identity: %w", err)
	}
	if cfg.Listen != "" {
		// Found once, so that a port which was chosen for us stays the same.
		if cfg.Listen, err = freeAddress(cfg.Listen); err != nil {
			return err
		}
	}
	s.opts = func(foreign []string) (*server.Options, error) { return serverOptions(cfg, store, foreign) }
	opts, err := s.opts(cfg.Foreign)
	if err != nil {
		return err
	}
	if s.nats, err = server.NewServer(opts); err != nil {
		return fmt.Errorf("starting NATS: %w", err)
	}
	// After NewServer, which reads the accounts' users only where nothing else
	// lets clients in.
	s.auth = &authenticator{own: rand.Text(), check: cfg.Authenticate, clients: map[uint64]producer{}}
	opts.CustomClientAuthentication = s.auth
	s.auth.server = s.nats
	s.nats.SetLoggerV2(&logger{cfg.Log}, false, false, false)
	s.nats.Start()
	if !s.nats.ReadyForConnections(startTimeout) || !s.nats.JetStreamEnabled() {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		return fmt.Errorf("starting NATS on %s: JetStream did not come up; its log says why", store)
	}
	return nil
}

func serverOptions(cfg Config, store string, foreign []string) (*server.Options, error) {
	opts := &server.Options{}
	// Accounts are given as configuration text: built in code they do not
	// survive a reload with JetStream.
	text, err := accounts(foreign)
	if err != nil {
		return nil, fmt.Errorf("configuring NATS: %w", err)
	}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("configuring NATS: %w", err)
	}
	opts.ServerName = "wallcast"
	opts.NoSigs = true
	opts.MaxPayload = maxPayload
	opts.JetStream = true
	opts.StoreDir = store
	opts.SyncAlways = !cfg.Unsynced
	// A stream's byte limit counts as reserved; the walls' own limits are what
	// bounds the disk, so the sum must not refuse the two hundredth wall.
	opts.JetStreamMaxStore = 1 << 60
	opts.DontListen = cfg.Listen == ""
	if cfg.Listen != "" {
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("listening for NATS clients: %w", err)
		}
		opts.Host = host
		if opts.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("listening for NATS clients: the port %q is no number: %w", port, err)
		}
	}
	return opts, nil
}

// freeAddress resolves an address to the IP address and port to listen on, and
// makes sure that it is free: the server itself would end the process when it is not.
func freeAddress(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		if strings.Contains(err.Error(), "address already in use") {
			return "", fmt.Errorf("listening for NATS clients on %s: %w", address, ErrPortInUse)
		}
		return "", fmt.Errorf("listening for NATS clients: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// SetForeign replaces the subjects beside "wall.>" that clients which come over
// Config.Listen may be allowed to publish to. Clients stay connected; each is
// asked for its rights again, so that one whose token was revoked is ended. On an
// error nothing has changed.
func (s *Server) SetForeign(subjects []string) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	opts, err := s.opts(subjects)
	if err != nil {
		return err
	}
	if err := s.nats.ReloadOptions(opts); err != nil {
		return fmt.Errorf("letting NATS clients publish to the foreign subjects: %w", err)
	}
	return nil
}

// Connect returns a connection inside the process, in the account that owns the
// streams. The caller closes it before the server.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	opts = append([]nats.Option{
		nats.InProcessServer(s.nats),
		nats.UserInfo(ownUser, s.auth.own),
		nats.MaxReconnects(-1),
	}, opts...)
	nc, err := nats.Connect("", opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Identity names the store: a copy of it, such as a restored backup, has
// another one.
func (s *Server) Identity() string { return s.identity }

// ClientURL is where other NATS clients connect; "" when it does not listen.
func (s *Server) ClientURL() string {
	if addr, ok := s.nats.Addr().(*net.TCPAddr); ok && addr != nil {
		return "nats://" + addr.String()
	}
	return ""
}

// Close stops the server and gives the folder back. Connections should be
// closed before.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		err = s.unlock()
	})
	return err
}
