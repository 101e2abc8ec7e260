package access

import (
	"context"
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reading is the right with which somebody reads a private wall.
type Reading struct {
	// Until is when it ends by itself. The zero Time is never.
	Until time.Time

	// Holds reports whether [Guard.MayRead] would still let in who has it, by what
	// the Guard goes by at that time.
	Holds func() bool
}

// overTLS stands for the state of any connection over TLS.
var overTLS = new(tls.ConnectionState)

// ReadingOf returns the right with which a request reads a wall that it may read;
// nil for a wall that everybody may, and for the operator, whose right doesn't end.
func (g *Guard) ReadingOf(r *http.Request, wall string) *Reading {
	if !g.policy.Load().walls[wall].Private || CallerOf(r).operator {
		return nil
	}
	// Of a stream that is open for hours no more is kept than the checks need.
	bare := &http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host, RemoteAddr: r.RemoteAddr,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, Header: http.Header{},
	}
	if r.TLS != nil {
		bare.TLS = overTLS
	}
	for _, name := range append([]string{"Authorization", "Origin", "Sec-Fetch-Site"}, forwardingHeaders...) {
		if values := r.Header.Values(name); len(values) > 0 {
			bare.Header[name] = values
		}
	}
	base := context.WithValue(context.Background(), listenerKey, r.Context().Value(listenerKey))
	reading := &Reading{Holds: func() bool {
		ctx := context.WithValue(base, callerKey, g.policy.Load().caller(bare))
		return g.MayRead(bare.WithContext(ctx), wall) == nil
	}}
	if grant := r.URL.Query().Get(GrantParameter); grant != "" {
		seconds, _, _ := strings.Cut(grant, ".")
		if expires, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			reading.Until = time.Unix(expires, 0)
		}
	}
	return reading
}
