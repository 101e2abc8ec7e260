package icecasttest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Feed is what a source sends: silence unless Audio is set.
type Feed struct {
	Mount string
	Name  string // of the station; "" leaves it to Icecast
	Type  string // media type, audio/mpeg by default
	Audio []byte // sent again and again
}

// frame is one frame of silence: MPEG 1 layer III, 32 kbit/s, 32 kHz, mono. At
// 144 bytes and 36 ms it stands for about as much.
var frame = append([]byte{0xFF, 0xFB, 0x18, 0xC0}, make([]byte, 140)...)

// pause is the time between two writes of a source, and burst what it writes: some
// 40 KB/s, so that a block of metadata comes every 0.4 seconds.
const (
	pause = 50 * time.Millisecond
	burst = 2048
)

// Source is a source client that feeds a mount.
type Source struct {
	Mount string

	server *Server
	t      testing.TB
	cancel context.CancelFunc
	ended  chan struct{}
	said   string // by the server, once it has ended

	mu      sync.Mutex
	stalled bool
}

// Source connects a source client and returns when Icecast lists its mount, which
// listens from then on. It feeds it until it is closed or Icecast drops it.
func (s *Server) Source(feed Feed) *Source {
	s.t.Helper()
	if feed.Type == "" {
		feed.Type = "audio/mpeg"
	}
	if feed.Audio == nil {
		feed.Audio = frame
	}
	ctx, cancel := context.WithCancel(context.Background())
	source := &Source{Mount: feed.Mount, server: s, t: s.t, cancel: cancel, ended: make(chan struct{})}
	body, audio := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, "PUT", s.URL+feed.Mount, body)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth("source", SourcePassword)
	request.Header.Set("Content-Type", feed.Type)
	request.Header.Set("Ice-Public", "0")
	if feed.Name != "" {
		request.Header.Set("Ice-Name", feed.Name)
	}
	request.TransferEncoding = []string{"identity"}
	var sending sync.WaitGroup
	sending.Go(func() { source.send(ctx, audio, feed.Audio) })
	go func() {
		defer close(source.ended)
		// A transport of its own: the connection must go when the source does.
		transport := &http.Transport{}
		answer, err := transport.RoundTrip(request)
		if err == nil {
			source.said = answer.Status
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		} else {
			source.said = err.Error()
		}
		cancel() // a stalled one doesn't notice by itself
		body.CloseWithError(io.ErrClosedPipe)
		sending.Wait()
		transport.CloseIdleConnections()
	}()
	s.t.Cleanup(source.Close)
	s.await(source)
	return source
}

// await returns when the server lists the source's mount as being fed.
func (s *Server) await(source *Source) {
	s.t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(s.fed(), "\n"+source.Mount+"\n") {
		select {
		case <-source.ended:
			s.t.Fatalf("icecast2 takes no source for %s: %s\n%s", source.Mount, source.said, s.output.String())
		case <-deadline:
			s.t.Fatalf("icecast2 does not list %s\n%s", source.Mount, s.output.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// fed returns the mounts that have a source, a line for each.
func (s *Server) fed() string {
	request, err := http.NewRequest("GET", s.URL+"/admin/listmounts", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(AdminUser, AdminPassword)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	mounts := "\n"
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		for source := range strings.SplitSeq(lines.Text(), `<source mount="`) {
			if mount, rest, ok := strings.Cut(source, `"`); ok && strings.Contains(rest, "<Connected>") {
				mounts += mount + "\n"
			}
		}
	}
	return mounts
}

// send writes audio at a steady rate until ctx ends or nobody takes it.
func (s *Source) send(ctx context.Context, w *io.PipeWriter, audio []byte) {
	defer w.Close()
	var chunk []byte
	for len(chunk) < burst {
		chunk = append(chunk, audio...)
	}
	for tick := time.NewTicker(pause); ; {
		s.mu.Lock()
		stalled := s.stalled
		s.mu.Unlock()
		if !stalled {
			if _, err := w.Write(chunk); err != nil {
				tick.Stop()
				return
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// Title sends a title as the bytes that it is, as most source clients do.
func (s *Source) Title(song string) {
	s.t.Helper()
	if reply := s.server.Update(url.Values{"mount": {s.Mount}, "song": {song}}); reply != "Metadata update successful" {
		s.t.Fatalf("the title %q of %s: %s", song, s.Mount, reply)
	}
}

// Stall keeps the connection and sends nothing, as a hanging encoder; false makes
// it send again.
func (s *Source) Stall(stalled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = stalled
}

// Ended is closed when the source is no longer connected.
func (s *Source) Ended() <-chan struct{} { return s.ended }

// Close disconnects the source.
func (s *Source) Close() {
	s.cancel()
	<-s.ended
}

// String returns where the source is heard.
func (s *Source) String() string { return fmt.Sprint(s.server.URL, s.Mount) }
