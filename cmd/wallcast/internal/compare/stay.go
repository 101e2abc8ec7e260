//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// stay opens one viewer over TLS or HTTP/2 and stays until the process ends. It
// is for viewers that are idle: it has a goroutine and buffers of its own.
func (g *generator) stay() {
	stream, err := g.openSecured()
	if err == nil {
		lines := bufio.NewReaderSize(stream, 1<<10)
		for line := []byte(nil); err == nil && !bytes.HasPrefix(line, []byte("data: ")); {
			line, err = lines.ReadBytes('\n')
		}
		if err == nil {
			g.hello()
			_, err = io.Copy(io.Discard, lines)
			g.lose(fmt.Errorf("%w: %v", errEnded, err))
			return
		}
	}
	g.lose(err)
	g.hello()
}

// openSecured opens a stream over TLS.
func (g *generator) openSecured() (io.Reader, error) {
	trusting := &tls.Config{InsecureSkipVerify: true} // the certificate was made for this measurement
	if g.Over == overTLS {
		conn, err := tls.Dial("tcp", g.Address, trusting)
		if err != nil {
			return nil, err
		}
		_, err = conn.Write(g.request(0))
		return conn, err
	}
	// A transport of its own, so that it has a connection of its own.
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trusting, ForceAttemptHTTP2: true}}
	req, err := http.NewRequest(http.MethodGet, "https://"+g.Address+"/walls/main/events", nil)
	if err != nil {
		return nil, err
	}
	req.Host = g.Host
	req.Header.Set("Authorization", "Bearer "+g.Secret)
	resp, err := client.Do(req)
	switch {
	case err != nil:
		return nil, err
	case resp.ProtoMajor != 2 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return nil, fmt.Errorf("the server answered %s %s", resp.Proto, resp.Status)
	}
	return resp.Body, nil
}
