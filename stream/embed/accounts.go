package embed

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wallcast/wallcast/stream"
)

const (
	ownUser         = "wallcast"
	ownAccount      = "WALLCAST"
	producerUser    = "producer"
	producerAccount = "PRODUCERS"
	wallSubjects    = stream.WallPrefix + ".>"
)

// accounts is the server configuration that keeps producers apart: see the
// package's "Other clients". Nobody gets in as one of its users, for nobody
// knows their passwords, and the authenticator does not look at them. They are
// there because a reload ends every client under a name that is no user's.
// Their passwords are written as hashes that are no password's: the server warns
// of plain ones.
func accounts(foreign []string) (string, error) {
	var exports, imports strings.Builder
	for _, subject := range foreign {
		if err := stream.CheckFilter(subject); err != nil {
			return "", fmt.Errorf("the foreign subject %q %w", subject, err)
		}
		if stream.Overlap(subject, wallSubjects) {
			return "", fmt.Errorf("the foreign subject %q matches %q, which is no foreign one", subject, wallSubjects)
		}
	}
	// A message that two imports match would arrive twice.
	for _, subject := range append(stream.Disjoint(foreign), wallSubjects) {
		fmt.Fprintf(&exports, "{service: %s}, ", quoted(subject))
		fmt.Fprintf(&imports, "{service: {account: %s, subject: %s}}, ", ownAccount, quoted(subject))
	}
	user := func(name string) string {
		return fmt.Sprintf("users: [{user: %s, password: %q}]", name, "$2a$10$"+rand.Text())
	}
	return fmt.Sprintf("accounts { %s { jetstream: enabled, exports: [%s], %s }, %s { imports: [%s], %s } }",
		ownAccount, exports.String(), user(ownUser), producerAccount, imports.String(), user(producerUser)), nil
}

// quoted writes a string as the server's configuration has it, which knows the
// escape \xHH and few others.
func quoted(s string) string {
	var q strings.Builder
	q.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			fmt.Fprintf(&q, `\x%02x`, c)
		} else {
			q.WriteByte(c)
		}
	}
	q.WriteByte('"')
	return q.String()
}

// authenticator lets our own connections into the account that owns the streams
// and producers into theirs.
type authenticator struct {
	server *server.Server
	own    string // the secret of our own connections, new at each start
	check  func(name, secret string) ([]string, bool)

	mu      sync.Mutex
	clients map[uint64]producer // by the server's id of the client
}

// producer is a client that was let in.
type producer struct {
	client       server.ClientAuthentication
	name, secret string
}

// Check implements server.Authentication. The server asks at the connect, and for
// every client again at a reload.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	name, secret, known := a.given(c)
	if !known && name == ownUser && sameSecret(secret, a.own) {
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
	if !a.register(c, producerAccount, producerUser, permissions) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.clients, func(_ uint64, p producer) bool { return !a.connected(p) })
	a.clients[c.GetID()] = producer{c, name, secret}
	return true
}

// given is what a client calls itself. Those that were let in bear another name
// since; see accounts.
func (a *authenticator) given(c server.ClientAuthentication) (name, secret string, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.clients[c.GetID()]; ok {
		return p.name, p.secret, true
	}
	return c.GetOpts().Username, c.GetOpts().Password, false
}

func (a *authenticator) register(c server.ClientAuthentication, account, name string, p *server.Permissions) bool {
	acc, err := a.server.LookupAccount(account)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: name, Account: acc, Permissions: p})
	return true
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
