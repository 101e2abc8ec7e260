//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/bench"
)

// contender is what is measured.
type contender string

const (
	plainHub contender = "plain hub"
	wallcast contender = "wallcast"
)

// ourConfig is a wall with everything switched on that a real one has.
const ourConfig = `listen: 127.0.0.1:0
data: data
nats: {listen: %q}
tokens:
  ` + tokenName + `: {hash: %q, allow: ["publish wall.main.message", "read main"]}
walls:
  main:
    private: true
    origins: ["https://example.com"]
    keep: {events: 200000, bytes: 1GB}
    kinds:
      message: {label: Message}
      song: {slot: bar}
`

const (
	tokenName = "compare"

	tlsConfig = "tls: {cert: " + certFile + ", key: " + keyFile + "}\n"
	certFile  = "cert.pem"
	keyFile   = "key.pem"
)

// server is a contender in a process of its own.
type server struct {
	contender
	*bench.Process
	folder  string
	base    string // address without a path
	host    string // for the Host header
	address string // to connect to
	secret  string // of the token that may do what the measurement does
	nats    string // address for NATS clients; ours alone
	client  *http.Client
}

// serve starts a contender, on data of its own.
func (c *comparison) serve(ctx context.Context, who contender, secured bool) (*server, error) {
	folder, err := os.MkdirTemp(c.folder, "")
	if err != nil {
		return nil, fmt.Errorf("making a folder for a server: %w", err)
	}
	s := &server{contender: who, folder: folder, secret: access.NewSecret(), client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is made below
	}}}
	if secured {
		if err := writeCertificate(folder); err != nil {
			return nil, err
		}
	}
	program, args, err := s.command(c.program, secured)
	if err != nil {
		return nil, err
	}
	if s.Process, s.base, err = bench.Launch(ctx, program, args...); err != nil {
		return nil, err
	}
	u, err := url.Parse(s.base)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("reading the address of the %s: %w", who, err)
	}
	s.host, s.address = u.Host, net.JoinHostPort("127.0.0.1", u.Port())
	return s, nil
}

// memoryFolder lies in memory, on every Linux.
const memoryFolder = "/dev/shm"

// inMemory has servers keep their data in memory while f runs.
func (c *comparison) inMemory(f func() error) error {
	folder, err := os.MkdirTemp(memoryFolder, "wallcast-compare-")
	if err != nil {
		return fmt.Errorf("making a folder in memory: %w", err)
	}
	disk := c.folder
	c.folder = folder
	err = f()
	c.folder = disk
	return errors.Join(err, os.RemoveAll(folder))
}

// command is the contender's command.
func (s *server) command(program string, secured bool) (path string, args []string, err error) {
	if s.contender == plainHub {
		args = []string{beHub}
		if secured {
			args = append(args, "-cert", filepath.Join(s.folder, certFile), "-key", filepath.Join(s.folder, keyFile))
		}
		path, err = os.Executable()
		return path, args, err
	}
	if s.nats, err = freeAddress(); err != nil {
		return "", nil, err
	}
	text := fmt.Sprintf(ourConfig, s.nats, access.HashSecret(s.secret))
	if secured {
		text += tlsConfig
	}
	file := filepath.Join(s.folder, "wallcast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return program, []string{"serve", "-c", file}, nil
}

// freeAddress is an address that nobody listened on a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// close ends the server and removes its data.
func (s *server) close() {
	s.client.CloseIdleConnections()
	s.Stop()
	_ = os.RemoveAll(s.folder) // else it goes with the folder around it
}

// ask makes a request of the wall's events, with the right to all that there is.
func (s *server) ask(ctx context.Context, method, accept string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/walls/main/events", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.secret)
	req.Header.Set("Accept", accept)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	return s.client.Do(req)
}

const (
	asJSON   = "application/json"
	asStream = "text/event-stream"
)

// epoch is the part of the wall's ids before the sequence.
func (s *server) epoch(ctx context.Context) (string, error) {
	if s.contender == plainHub {
		return "e1", nil
	}
	resp, err := s.ask(ctx, http.MethodGet, asJSON, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for the wall's head: %s", resp.Status)
	}
	var answer struct{ Next string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("asking for the wall's head: %w", err)
	}
	epoch, _, _ := strings.Cut(answer.Next, "-")
	return epoch, nil
}

// cpu is the processor time that the server has used; 0 when it is gone.
func (s *server) cpu() time.Duration {
	used, err := s.Observe().CPU()
	if err != nil {
		return 0
	}
	return used
}

// memory is what the server holds resident.
func (s *server) memory() (int64, error) {
	all, _, err := s.Observe().Memory()
	return all, err
}
