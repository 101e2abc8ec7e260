package publish_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestProblems keeps what is answered to whoever sends something wrong, to be
// read by people who change it.
func TestProblems(t *testing.T) {
	s := open(t)
	cloudEvent := func(rest string) string {
		return `{"specversion":"1.0","id":"1","source":"/s","type":"t"` + rest + `}`
	}
	var b strings.Builder
	for _, c := range []struct {
		what, address, body string
		headers             []string
	}{
		{"an unknown wall", "/walls/none/events", "x", nil},
		{"a wall in capitals", "/walls/Main/events", "x", nil},
		{"a kind in capitals", "Friend", "x", nil},
		{"a kind with a dot", "a.b", "x", nil},
		{"a kind with a slash", "a%2Fb", "x", nil},
		{"a kind with a wildcard", "*", "x", nil},
		{"a kind with a newline", "a%0Ab", "x", nil},
		{"a kind that starts with a hyphen", "-a", "x", nil},
		{"a long kind", strings.Repeat("k", 64), "x", nil},
		{"the kind open", "open", "x", nil},
		{"the kind error", "error/key", "x", nil},
		{"a bad key", "song/Jazz FM", "x", nil},
		{"nothing", "", "", nil},
		{"white space", "", " \r\n\t\u2003", []string{asText}},
		{"nothing as JSON", "", "", []string{asJSON}},
		{"an empty form", "", "text=&author=", []string{asForm}},
		{"bad UTF-8 as text", "", "Gr\xfc\xdfe", []string{asText}},
		{"bad UTF-8 from curl", "", "Gr\xfc\xdfe", []string{asForm}},
		{"bad UTF-8 in JSON", "", "{\"text\":\"Gr\xfc\xdfe\"}", []string{asJSON}},
		{"bad UTF-8 in a form", "", "text=Gr%FC%DFe", []string{asForm}},
		{"no JSON", "", "hello", []string{asJSON}},
		{"half of a JSON object", "", `{"text":"hi"`, []string{asJSON}},
		{"a comma too many", "", `{"text":"hi",}`, []string{asJSON}},
		{"two JSON objects", "", `{"a":1}{"b":2}`, []string{asJSON}},
		{"a byte order mark", "", "\uFEFF{}", []string{asJSON}},
		{"JSON nested too deep", "", strings.Repeat("[", 20000), []string{"Content-Type: application/json"}},
		{"a JSON array", "", `[{"text":"hi"}]`, []string{asJSON}},
		{"a JSON string", "", `"hi"`, []string{"Content-Type: text/json"}},
		{"a payload too large", "", strings.Repeat("x", limit+1), []string{asText}},
		{"a body too large", "", strings.Repeat("x", 1<<20), []string{asText}},
		{"an unknown type", "", "x", []string{"Content-Type: application/octet-stream"}},
		{"an image", "", "x", []string{"Content-Type: image/png"}},
		{"a malformed type", "", "x", []string{"Content-Type: text/plain; charset"}},
		{"another charset", "", "x", []string{"Content-Type: text/plain; charset=ISO-8859-1"}},
		{"a compressed body", "", "x", []string{"Content-Encoding: gzip"}},
		{"a form with a file", "", multipart(`image"; filename="a.png`, "PNG", "text", "hi"), []string{asMultipart}},
		{"a form without a known field", "", multipart("comment", "hi"), []string{asMultipart}},
		{"a form that breaks off", "", multipart("text", "hi")[:30], []string{asMultipart}},
		{"a form without a boundary", "", multipart("text", "hi"), []string{"Content-Type: multipart/form-data"}},
		{"a long Idempotency-Key", "", "x", []string{"Idempotency-Key: " + strings.Repeat("k", 256)}},
		{"a CloudEvent that is no JSON", "", "x", []string{asCloudEvent}},
		{"a CloudEvent that is an array", "", "[]", []string{asCloudEvent}},
		{"a CloudEvent with bad UTF-8", "", cloudEvent(",\"data\":\"\xff\""), []string{asCloudEvent}},
		{"a CloudEvent's id as a number", "", cloudEvent(`,"id":5,"data":"x"`), []string{asCloudEvent}},
		{"an empty CloudEvent", "", "{}", []string{asCloudEvent}},
		{"a CloudEvent without source", "", `{"specversion":"1.0","id":"1","type":"t","data":"x"}`, []string{asCloudEvent}},
		{"a CloudEvent of another version", "", `{"specversion":"0.3","id":"1","source":"/s","type":"t","data":"x"}`, []string{asCloudEvent}},
		{"a CloudEvent without data", "", cloudEvent(""), []string{asCloudEvent}},
		{"a CloudEvent with null", "", cloudEvent(`,"data":null`), []string{asCloudEvent}},
		{"a CloudEvent with data twice", "", cloudEvent(`,"data":"x","data_base64":"eA=="`), []string{asCloudEvent}},
		{"a CloudEvent with bad base64", "", cloudEvent(`,"data_base64":"... base64 encoded string ..."`), []string{asCloudEvent}},
		{"a CloudEvent with bytes", "", cloudEvent(`,"data_base64":"/w=="`), []string{asCloudEvent}},
		{"a CloudEvent with bytes of another type", "", cloudEvent(`,"datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"/w=="`), []string{asCloudEvent}},
		{"a CloudEvent with a bad type of data", "", cloudEvent(`,"datacontenttype":";","data_base64":"eA=="`), []string{asCloudEvent}},
		{"a CloudEvent with a bad time", "", cloudEvent(`,"time":"yesterday","data":"x"`), []string{asCloudEvent}},
		{"a batch of CloudEvents", "", "[]", []string{"Content-Type: application/cloudevents-batch+json"}},
		{"a CloudEvent in another format", "", "x", []string{"Content-Type: application/cloudevents+avro"}},
		{"a binary CloudEvent without specversion", "", "x", []string{"ce-id: 1", "ce-source: /s", "ce-type: t"}},
		{"a binary CloudEvent with specversion alone", "", "x", []string{"ce-specversion: 1.0"}},
		{"a binary CloudEvent with an overlong header", "", "x", binaryMode("ce-id: %C0%A0")},
		{"a binary CloudEvent that isn't its JSON", "", "I'm just a string", binaryMode(asJSON)},
		{"a binary CloudEvent without a body", "", "", binaryMode(asJSON)},
		{"a page of another site", "", "x", []string{asText, "Origin: https://evil.example"}},
	} {
		a := s.post(t, strings.ReplaceAll(c.address, " ", "%20"), c.body, c.headers...)
		if a.status < 400 || a.detail == "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q", c.what, a.status, a.detail)
		}
		fmt.Fprintf(&b, "%s\n  %d %s\n", c.what, a.status, a.detail)
	}
	if n := s.last(t, "main"); n != 0 {
		t.Errorf("%d events are stored of what was refused", n)
	}
	golden := filepath.Join("testdata", "problems.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("the problems differ from %s (-update writes it):\n%s", golden, diff)
	}
}

func TestStoreIsAway(t *testing.T) {
	for what, stop := range map[string]func(*site){
		"the connection": func(s *site) { s.nc.Close() },
		"the server":     func(s *site) { s.nats.Close() },
	} {
		s := open(t)
		stop(s)
		a := s.post(t, "", "hello")
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.detail, "Idempotency-Key") {
			t.Errorf("without %s: %d %v %q", what, a.status, a.header, a.detail)
		}
	}
}

// pipes is a listener whose connections obey synctest's clock.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// A body that never ends to arrive does not hold its connection for ever.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		guard := access.New(access.Config{Walls: []access.Wall{{Name: "main", Anyone: true}}})
		server := &http.Server{Handler: guard.Handler(routes(guard, nil)), BaseContext: access.BaseContext}
		go server.Serve(l)
		defer server.Close()
		client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			l.connections <- theirs
			return ours, nil
		}}}
		defer client.CloseIdleConnections()
		start := time.Now()
		never, stop := net.Pipe()
		defer stop.Close()
		resp, err := client.Post("http://localhost/walls/main/events", "text/plain", never)
		if err != nil {
			t.Fatal(err)
		}
		if a := read(t, resp); a.status != http.StatusRequestTimeout || time.Since(start) > 2*time.Minute {
			t.Errorf("after %s: %d %q", time.Since(start), a.status, a.detail)
		}
	})
}
