package sse

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 10 * time.Second

// ListenTLS is [tls.NewListener] for HTTP servers of s. The connections that it
// accepts are of the type *tls.Conn and have done their handshake; give them to
// [http.Server.Serve]. config.NextProtos says whether HTTP/2 is spoken. Over
// HTTP/1.1 event streams on such connections take no goroutine and no buffer;
// over HTTP/2 the goroutines of a connection stay smaller. A client that vanishes
// is found as [Config].WriteTimeout says, whichever of them it speaks.
//
// A handshake takes 10 s at most and holds up no other. One that has failed is
// for the HTTP server to see. Close ends the handshakes under way.
func (s *Server) ListenTLS(inner net.Listener, config *tls.Config) net.Listener {
	l := &tlsListener{Listener: inner, server: s, config: config.Clone(), done: make(chan accepted)}
	l.serving, l.stop = context.WithCancel(context.Background())
	l.running.Go(l.run)
	return l
}

type tlsListener struct {
	net.Listener
	server  *Server
	config  *tls.Config
	done    chan accepted
	serving context.Context // until Close
	stop    context.CancelFunc
	running sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

// wire is the connection beneath a TLS connection. A writer puts a connection of
// its own in the place of the one that was accepted.
type wire struct{ net.Conn }

// run accepts connections until Close.
func (l *tlsListener) run() {
	for l.serving.Err() == nil {
		conn, err := l.Listener.Accept()
		if err != nil {
			l.deliver(accepted{nil, err}) // the HTTP server knows which errors pass, and when to try again
			continue
		}
		l.running.Go(func() { l.deliver(accepted{conn: l.shake(conn)}) })
	}
}

// shake does the handshake, on a goroutine that ends with it: what it leaves of
// its stack would stay with the goroutine of an HTTP/2 connection.
func (l *tlsListener) shake(conn net.Conn) net.Conn {
	l.server.tune(conn)
	secure := tls.Server(&wire{conn}, l.config)
	ctx, cancel := context.WithTimeout(l.serving, handshakeTimeout)
	defer cancel()
	// The error is kept for who asks for the handshake next: the HTTP server, which
	// logs it, and answers one that does not speak TLS.
	_ = secure.HandshakeContext(ctx)
	return secure
}

// deliver hands something to Accept.
func (l *tlsListener) deliver(a accepted) {
	select {
	case l.done <- a:
	case <-l.serving.Done():
		if a.conn != nil {
			_ = a.conn.(*tls.Conn).NetConn().Close()
		}
	}
}

// Accept returns the next connection whose handshake is over.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.done:
		return a.conn, a.err
	case <-l.serving.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were accepted stay open.
func (l *tlsListener) Close() error {
	err := l.Listener.Close()
	l.stop()
	l.running.Wait()
	return err
}
