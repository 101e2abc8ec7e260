package embed

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	ownUser         = "wallcast"
	ownAccount      = "WALLCAST"
	producerAccount = "PRODUCERS"
)

// accounts is the server configuration that keeps producers apart: see the
// package's "Other clients".
func accounts(foreign []string) string {
	var exports, imports strings.Builder
	for _, subject := range append([]string{"wall.>"}, foreign...) {
		fmt.Fprintf(&exports, "{service: %q} ", subject)
		fmt.Fprintf(&imports, "{service: {account: %s, subject: %q}} ", ownAccount, subject)
	}
	return fmt.Sprintf("accounts { %s { jetstream: enabled, exports: [%s] }, %s { imports: [%s] } }",
		ownAccount, exports.String(), producerAccount, imports.String())
}

// authenticator lets our own connections into the account that owns the streams
// and producers into theirs.
type authenticator struct {
	server *server.Server
	own    string // the secret of our own connections, new at each start
	check  func(name, secret string) ([]string, bool)

	mu      sync.Mutex
	clients []producer
}

// producer is a client that was let in.
type producer struct {
	client       server.ClientAuthentication
	name, secret string
	publish      []string
}

// Check implements server.Authentication.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	name, secret := opts.Username, opts.Password
	if name == ownUser && sameSecret(secret, a.own) {
		return a.register(c, ownAccount, ownUser, nil)
	}
	if a.check == nil {
		return false
	}
	publish, ok := a.check(name, secret)
	if !ok {
		return false
	}
	permissions := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX." + name + ".>"}},
	}
	if len(publish) == 0 { // an empty list would allow everything
		permissions.Publish.Deny = []string{">"}
	}
	if !a.register(c, producerAccount, name, permissions) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = append(slices.DeleteFunc(a.clients, func(p producer) bool { return !a.connected(p) }),
		producer{c, name, secret, publish})
	return true
}

func (a *authenticator) register(c server.ClientAuthentication, account, name string, p *server.Permissions) bool {
	acc, err := a.server.LookupAccount(account)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: name, Account: acc, Permissions: p})
	return true
}

func (a *authenticator) reauthenticate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = slices.DeleteFunc(a.clients, func(p producer) bool {
		publish, ok := a.check(p.name, p.secret)
		if ok && slices.Equal(publish, p.publish) {
			return false
		}
		// An error means that it has gone already.
		_ = a.server.DisconnectClientByID(p.client.GetID())
		return true
	})
}

// connected reports whether p's client is still there, so that the list does
// not grow with every client that ever came.
func (a *authenticator) connected(p producer) bool {
	return a.server.GetClient(p.client.GetID()) != nil
}

func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// logger hands the server's log on.
type logger struct{ log *slog.Logger }

func (l *logger) write(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, fmt.Sprintf(format, v...))
}

func (l *logger) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l *logger) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
