package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/deploy"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/onair"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/pictures"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/stream/sse"
)

const (
	// stopTimeout is how long the program takes to stop at most.
	stopTimeout = 15 * time.Second

	// guardTimeout is how long a NATS client that comes before the program knows
	// its tokens is kept waiting at most.
	guardTimeout = 10 * time.Second

	// connectTimeout is how long an existing NATS server may take to answer at start.
	connectTimeout = 10 * time.Second
)

func setupServe(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	watch := flags.Bool("watch", false, "apply the configuration whenever its file is saved")
	verbose := flags.BoolP("verbose", "v", false, "log more")
	return func(ctx context.Context, inv *invocation) error {
		inv.gallery = pictures.New()
		read := fileStamp(inv.configPath()) // before it is read, so that no change passes unseen
		cfg, err := inv.load()
		if err != nil {
			return err
		}
		p := inv.newProgram(newLog(inv.stderr, *verbose, slog.LevelInfo))
		p.reload, p.read = inv.load, read
		if *watch {
			p.watch = inv.configPath()
		}
		return p.serve(ctx, cfg, func(base string) { announce(inv.stdout, cfg, base) })
	}
}

// newLog logs to w, from least on or, when verbose, everything.
func newLog(w io.Writer, verbose bool, least slog.Level) *slog.Logger {
	if verbose {
		least = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: least}))
}

// program is the running program. Its parts are started in the order of the
// fields and stopped in the opposite one: sources, viewers, HTTP, NATS last.
type program struct {
	log     *slog.Logger
	reload  func() (*config.Config, error) // reads the configuration again; nil where it can't change
	gallery *pictures.Gallery
	network sources.Network // how it reaches others
	watch   string          // a file that makes reload due when it is saved; empty: none
	read    stamp           // of that file as the configuration was read

	site        *site
	certificate atomic.Pointer[tls.Certificate] // nil without TLS
	listeners   []net.Listener
	server      *embed.Server // nil when NATS is elsewhere
	nc          *nats.Conn
	store       *jetstream.Store
	guard       *access.Guard
	guarded     context.Context // ends once guard is there, or never will be
	admit       func()          // ends guarded
	streams     *sse.Server
	onair       *onair.Server
	files       files
	deployer    *deploy.Deployer
	sources     *sources.Supervisor
	http        *http.Server
	control     *http.Server // on the administration socket

	posted   *metrics.Set // counts posts by status
	hookLog  *hookLog
	stopping atomic.Bool // set once no new viewers should be sent here

	opened  []func()       // undo what has been started, the last one first
	serving sync.WaitGroup // of what is started by run
}

// newProgram makes a program that is not started. Sources of the invocation's
// configuration are given its gallery.
func (inv *invocation) newProgram(log *slog.Logger) *program {
	return &program{log: log, gallery: inv.gallery, network: inv.outbound.Network()}
}

// serve runs the program until ctx ends. Ready is called with the address to
// open once it can be used.
func (p *program) serve(ctx context.Context, cfg *config.Config, ready func(base string)) error {
	defer p.close()
	if err := p.start(ctx, cfg); err != nil {
		return err
	}
	return p.run(ctx, ready)
}

// close undoes what start has done.
func (p *program) close() {
	for len(p.opened) > 0 {
		last := len(p.opened) - 1
		p.opened[last]()
		p.opened = p.opened[:last]
	}
}

func (p *program) start(ctx context.Context, cfg *config.Config) error {
	p.site = newSite(cfg, p.gallery.Page, p.log)
	p.posted = metrics.NewSet()
	p.hookLog = newHookLog()
	certificate, err := loadCertificate(cfg.TLS)
	if err != nil {
		return err
	}
	p.certificate.Store(certificate)
	// The listeners come before the rest: a port in use is the commonest mistake.
	if err := p.listen(cfg); err != nil {
		return err
	}
	if err := p.connect(ctx, cfg); err != nil {
		return err
	}
	store, err := jetstream.Open(ctx, p.nc, jetstream.Config{Walls: storeWalls(cfg), Identity: p.identity(), Replicas: replicas, Log: p.log})
	if err != nil {
		return err
	}
	p.store = store
	p.opened = append(p.opened, store.Close)
	p.gallery.Open(store, p.network.Public, store.DeriveKey("pictures"), p.log)
	p.guard = access.New(p.access(cfg))
	p.admit()
	p.streams = sse.New(sse.Config{
		Reader: store, Build: build(), Render: p.site.card, Label: p.site.label, Walls: p.site.has,
		Pass: p.pass, Address: p.viewerAddress, Room: func() error { return p.files.room(p.http) },
		Log: p.log,
	})
	p.limitViewers(cfg)
	p.onair = onair.New(onair.Config{
		Streams: p.streams, Walls: p.site.names, Guard: p.guard.Wall, MayRead: p.guard.MayRead, Station: p.site.wallOfStation,
		Base: func(r *http.Request) string { return requestBase(p, r) }, Picture: p.gallery.Page, Log: p.log,
	})
	p.opened = append(p.opened, p.onair.Close)
	p.sources = sources.NewSupervisor(store, p.log)
	if err := p.checkRules(ctx, cfg); err != nil {
		return err
	}
	if err := p.openPlugins(cfg); err != nil {
		return err
	}
	if err := p.sources.Apply(p.instances(cfg)); err != nil {
		return err
	}
	p.prune(ctx, cfg)
	p.http = newHTTPServer(p.guard.Handler(p.routes()), p.log)
	p.http.TLSConfig = &tls.Config{
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate.Load(), nil },
	}
	return p.openControl(cfg)
}

// identity names the store, where its keeper can tell.
func (p *program) identity() string {
	if p.server == nil {
		return ""
	}
	return p.server.Identity()
}

func (p *program) access(cfg *config.Config) access.Config {
	return cfg.Access(p.store.DeriveKey(grantPurpose))
}

// grantPurpose names the key that signs links to private walls.
const grantPurpose = "signed links"

// connect starts the embedded NATS server, or connects to the configured one.
func (p *program) connect(ctx context.Context, cfg *config.Config) error {
	p.guarded, p.admit = context.WithTimeout(context.Background(), guardTimeout)
	defer func() { p.opened = append(p.opened, p.admit) }()
	if cfg.NATS.External() {
		return p.connectExternal(cfg)
	}
	return p.startNATS(cfg)
}

func (p *program) startNATS(cfg *config.Config) error {
	server, err := embed.Start(embed.Config{
		Folder: cfg.Data, Listen: cfg.NATS.Listen, Unsynced: cfg.NATS.Unsynced, Log: p.log,
		Authenticate: p.authenticate, Foreign: foreignSubjects(cfg),
	})
	if err != nil {
		return folderRemedy(err)
	}
	p.server = server
	p.opened = append(p.opened, func() {
		if err := server.Close(); err != nil {
			p.log.Error("stopping NATS", "error", err)
		}
	})
	if p.nc, err = server.Connect(nats.Name("wallcast"), p.natsErrors()); err != nil {
		return err
	}
	p.opened = append(p.opened, p.nc.Close)
	return nil
}

// folderRemedy adds to an error about the data folder what to do about it.
func folderRemedy(err error) error {
	if errors.Is(err, embed.ErrFolderInUse) {
		return fmt.Errorf("%w; stop that one, or choose another folder with --data", err)
	}
	return err
}

// natsErrors has what goes wrong on the connection to NATS logged; its client
// would write that to the terminal.
func (p *program) natsErrors() nats.Option {
	return nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
		subject := ""
		if sub != nil {
			subject = sub.Subject
		}
		p.log.Warn("the connection to NATS has a problem", "error", err, "subject", subject)
	})
}

// connectExternal connects to the configured server. The data folder holds the
// administration socket alone then, and still is for one program.
func (p *program) connectExternal(cfg *config.Config) error {
	unlock, err := embed.LockFolder(cfg.Data)
	if err != nil {
		return folderRemedy(err)
	}
	p.opened = append(p.opened, func() {
		if err := unlock(); err != nil {
			p.log.Error("giving the data folder back", "error", err)
		}
	})
	opts := []nats.Option{
		nats.Name("wallcast"), nats.MaxReconnects(-1), nats.Timeout(connectTimeout), p.natsErrors(),
		// A server that refuses us while its operator changes the users will let us in again.
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // else it was us
				p.log.Warn("NATS is away; reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { p.log.Info("NATS is back", "server", nc.ConnectedUrlRedacted()) }),
	}
	if cfg.NATS.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.NATS.Creds))
	}
	nc, err := nats.Connect(strings.Join(cfg.NATS.URL, ","), opts...)
	if err != nil {
		return fmt.Errorf("connecting to NATS at %s: %w%s", access.RedactText(strings.Join(cfg.NATS.URL, ", ")), err, remedy(err))
	}
	p.nc = nc
	p.opened = append(p.opened, nc.Close)
	for _, note := range externalNotes(cfg) {
		p.log.Warn(note)
	}
	return nil
}

// remedy is what to do when NATS can't be connected to; empty where err says it.
func remedy(err error) string {
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return "; start the server, or correct nats.url in wallcast.yaml"
	case errors.Is(err, nats.ErrAuthorization):
		return "; correct the user in nats.url, or nats.creds, in wallcast.yaml"
	}
	return ""
}

// externalNotes is what only the operator of an existing NATS server can do or
// know.
func externalNotes(cfg *config.Config) []string {
	if !cfg.NATS.External() || cfg.NATS.Synced {
		return nil
	}
	return []string{"whether the NATS server syncs to disk before it acknowledges can't be seen from here; " +
		"set sync_interval: always in its jetstream block, and then nats: {synced: true} in wallcast.yaml"}
}

// authenticate lets producers connect to the embedded server with their tokens.
func (p *program) authenticate(name, secret string) ([]string, bool) {
	// The server listens a moment before the guard is made. Who comes then waits:
	// a client that is refused twice in a row gives up for good.
	<-p.guarded.Done()
	if p.guard == nil {
		return nil, false
	}
	rights, ok := p.guard.Authenticate(name, secret)
	return rights.Subjects(), ok
}

// run serves until ctx ends, and stops in order.
func (p *program) run(ctx context.Context, ready func(base string)) error {
	// A signal that nobody waits for would end the program.
	hangup := make(chan os.Signal, 1)
	if p.reload != nil {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	running, stopSources := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSources()
	sourcesDone := make(chan struct{})
	go func() {
		defer close(sourcesDone)
		p.sources.Run(running)
	}()
	broken := make(chan error, len(p.listeners)+1)
	for _, l := range p.listeners {
		p.serving.Go(func() { broken <- p.serveHTTP(l) })
	}
	updates, stopUpdates := context.WithCancel(running)
	defer stopUpdates()
	p.serving.Go(func() { p.applyChanges(updates, hangup) })
	p.serving.Go(func() { p.deployer.Run(updates) })
	p.serving.Go(func() { p.site.cards.Run(updates) })
	p.serving.Go(func() { giveMemoryBack(updates, p.streams.TotalViewers, debug.FreeOSMemory) })
	ready(baseURL(p.site.config(), p.listeners[0]))

	var failure error
	select {
	case <-ctx.Done():
		p.log.Info("stopping")
	case failure = <-broken:
	}
	p.stopping.Store(true)
	stopUpdates()
	stopSources()
	<-sourcesDone
	return errors.Join(failure, p.drain(ctx))
}

// drain ends the viewers, then HTTP.
func (p *program) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	// Long polls and streams end first: Shutdown of HTTP would wait for them.
	p.onair.Close()
	err := p.streams.Shutdown(ctx)
	err = errors.Join(err, p.http.Shutdown(ctx), p.control.Shutdown(ctx))
	p.serving.Wait()
	if err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

func (p *program) serveHTTP(l net.Listener) error {
	if p.certificate.Load() != nil {
		l = p.streams.ListenTLS(l, p.http.TLSConfig)
	}
	err := p.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving on %s: %w", l.Addr(), err)
}

// applyChanges applies the configuration again at SIGHUP and when the watched
// file is saved, and what comes to the plugins folder and goes.
func (p *program) applyChanges(ctx context.Context, hangup <-chan os.Signal) {
	saved := watchFile(ctx, &p.serving, p.watch, p.read)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.deployer.Changed():
			p.logPart("plugins", p.sources.Apply(p.instances(p.site.config())))
			continue
		case <-hangup:
		case <-saved:
		}
		cfg, err := p.reload()
		if err == nil {
			err = p.apply(ctx, cfg)
		}
		if err != nil {
			p.log.Error("the configuration was not applied; the running one goes on", "error", inALine(err))
			continue
		}
		p.log.Info("the configuration was applied")
	}
}

// inALine is an error for the log: what is wrong with the configuration, without
// the pictures that a terminal is shown.
func inALine(err error) string {
	var wrong config.Errors
	var one *config.Error
	switch {
	case errors.As(err, &wrong):
	case errors.As(err, &one):
		wrong = config.Errors{one}
	default:
		return err.Error()
	}
	places := make([]string, len(wrong))
	for i, e := range wrong {
		places[i] = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return strings.Join(places, "; ")
}

// apply replaces the configuration while the program runs. What can't change is
// logged and waits for the next start. On an error nothing has changed: whatever
// may refuse comes first. The files of the TLS certificate are read again.
func (p *program) apply(ctx context.Context, cfg *config.Config) error {
	old := p.site.config()
	if err := p.checkRules(ctx, cfg); err != nil {
		return err
	}
	certificate, err := p.renewCertificate(cfg)
	if err != nil {
		return err
	}
	if err := p.store.SetWalls(ctx, storeWalls(cfg)); err != nil {
		return err
	}
	p.certificate.Store(certificate)
	p.site.apply(cfg)
	p.guard.Apply(p.access(cfg))
	p.limitViewers(cfg)
	p.streams.Review()
	if p.server != nil { // asks every client for its rights again, too
		p.logPart("foreign subjects", p.server.SetForeign(foreignSubjects(cfg)))
	}
	for _, w := range old.Walls {
		// Of a wall that is private now, viewers with the right to read come back
		// with their ids.
		if now, ok := p.site.wall(w.Name); !ok || now.config.Private && !w.Private {
			p.streams.EndWall(w.Name)
		}
	}
	p.deployer.Apply(wantedPlugins(cfg))
	p.logPart("sources", p.sources.Apply(p.instances(cfg)))
	p.prune(ctx, cfg)
	for _, setting := range p.needRestart(old, cfg) {
		p.log.Warn("this setting is applied at the next start", "setting", setting)
	}
	return nil
}

// logPart logs what kept a part of a configuration, whose others are applied,
// from being so.
func (p *program) logPart(part string, err error) {
	if err != nil {
		p.log.Error("a part of the configuration was not applied", "part", part, "error", err)
	}
}
