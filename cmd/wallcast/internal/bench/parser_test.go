package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tmaxmax/go-sse"
)

// parsed is what a parser found.
type parsed struct{ Name, ID, Data string }

type recorder struct {
	frames  []parsed
	retries []time.Duration
}

func (r *recorder) frame(f *frame) {
	r.frames = append(r.frames, parsed{string(f.name), string(f.id), string(f.data)})
}
func (r *recorder) retry(d time.Duration) { r.retries = append(r.retries, d) }

func TestParser(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		want   []parsed
	}{
		"message":        {"data: a\n\n", []parsed{{"", "", "a"}}},
		"named":          {"event: wall:hello\nid: e-0\ndata: {}\n\n", []parsed{{"wall:hello", "e-0", "{}"}}},
		"lines":          {"data: a\ndata:b\ndata\n\n", []parsed{{"", "", "a\nb\n"}}},
		"line ends":      {"data: a\r\ndata: b\rdata: c\n\r\n", []parsed{{"", "", "a\nb\nc"}}},
		"id stays":       {"id: 1\ndata: a\n\ndata: b\n\n", []parsed{{"", "1", "a"}, {"", "1", "b"}}},
		"name goes":      {"event: x\ndata: a\n\ndata: b\n\n", []parsed{{"x", "", "a"}, {"", "", "b"}}},
		"no data":        {"event: x\nid: 7\n\ndata: b\n\n", []parsed{{"", "7", "b"}}},
		"no end":         {"data: a\n", nil},
		"comment":        {": ping\n\ndata: a\n\n", []parsed{{"", "", "a"}}},
		"byte order":     {"\ufeffdata: a\n\n", []parsed{{"", "", "a"}}},
		"id with a NUL":  {"id: 1\nid: 2\x003\ndata: a\n\n", []parsed{{"", "1", "a"}}},
		"unknown field":  {"dat: x\ndata: a\n\n", []parsed{{"", "", "a"}}},
		"one blank only": {"data:  a\n\n", []parsed{{"", "", " a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			for step := 1; step <= len(test.stream); step++ {
				if diff := cmp.Diff(test.want, feedInSteps(test.stream, step).frames); diff != "" {
					t.Fatalf("in pieces of %d bytes (-want +got):\n%s", step, diff)
				}
			}
		})
	}
}

func feedInSteps(stream string, step int) *recorder {
	var p parser
	r := new(recorder)
	for b := []byte(stream); len(b) > 0; b = b[min(step, len(b)):] {
		p.feed(b[:min(step, len(b))], r)
	}
	return r
}

func TestParserKeepsLittle(t *testing.T) {
	line := strings.Repeat("x", 3*maxKept)
	var p parser
	r := new(recorder)
	for range 100 {
		p.feed([]byte("data: "+line), r)
	}
	p.feed([]byte("\n\n"), r)
	if len(r.frames) != 1 || len(r.frames[0].Data) > maxKept || cap(p.line)+cap(p.data) > 4*maxKept {
		t.Errorf("of a long line %d frames are left, and %d bytes are kept", len(r.frames), cap(p.line)+cap(p.data))
	}
}

func TestParserRetry(t *testing.T) {
	r := feedInSteps("retry: 1500\nretry: soon\nretry: -1\ndata: a\n\n", 4)
	if diff := cmp.Diff([]time.Duration{1500 * time.Millisecond}, r.retries); diff != "" {
		t.Error(diff)
	}
}

// FuzzParser holds the parser against one that others wrote, and whole streams
// against the same in pieces.
func FuzzParser(f *testing.F) {
	f.Add("event: x\r\nid: 1\rdata: a\ndata\n\n\r\ndata: b\n\n", 3)
	f.Add(": c\nretry: 5\n\ndata:: \n\nid\ndata: x\n\n", 1)
	f.Add("\ufeffdata: a\n\ndata: \ufeff\n\n", 2)
	f.Fuzz(func(t *testing.T, stream string, step int) {
		if len(stream) > maxKept || step < 1 || step > len(stream) {
			t.Skip()
		}
		stream += "\n\n" // the other takes an unfinished event at the end for one
		whole := feedInSteps(stream, len(stream)).frames
		if diff := cmp.Diff(whole, feedInSteps(stream, step).frames); diff != "" {
			t.Fatalf("in pieces of %d bytes of %q (-whole +pieces):\n%s", step, stream, diff)
		}
		if !utf8.ValidString(stream) || strings.Contains(stream, "\x00") {
			return
		}
		// The other takes an event without data for one, too.
		empty := func(p parsed) bool { return p.Data == "" }
		whole = slices.DeleteFunc(whole, empty)
		var want []parsed
		for e, err := range sse.Read(strings.NewReader(stream), nil) {
			if err != nil {
				return
			}
			want = append(want, parsed{e.Type, e.LastEventID, e.Data})
		}
		if diff := cmp.Diff(slices.DeleteFunc(want, empty), whole, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q (-theirs +ours):\n%s", stream, diff)
		}
	})
}

const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestResponse(t *testing.T) {
	stream := "event: x\nid: e-1\ndata: a\n\ndata: b\n\n"
	want := feedInSteps(stream, len(stream)).frames
	for chunk := 1; chunk <= len(stream); chunk++ {
		var body bytes.Buffer
		chunked := httputil.NewChunkedWriter(&body)
		for b := []byte(stream); len(b) > 0; b = b[min(chunk, len(b)):] {
			if _, err := chunked.Write(b[:min(chunk, len(b))]); err != nil {
				t.Fatal(err)
			}
		}
		sent := answer + body.String() + "0;last=1\r\n\r\n"
		for step := 1; step <= len(sent); step += 1 + step/4 {
			r, got, err := answerInSteps(sent, step)
			if err != io.EOF {
				t.Errorf("the end of the response is %v", err)
			}
			if diff := cmp.Diff(want, got.frames); diff != "" {
				t.Fatalf("chunks of %d in pieces of %d, %+v:\n%s", chunk, step, r.state, diff)
			}
		}
	}
}

func answerInSteps(sent string, step int) (*response, *recorder, error) {
	r, got := new(response), new(recorder)
	for b := []byte(sent); len(b) > 0; b = b[min(step, len(b)):] {
		if err := r.feed(b[:min(step, len(b))], got); err != nil {
			return r, got, err
		}
	}
	return r, got, nil
}

func TestResponseWithoutChunks(t *testing.T) {
	_, got, err := answerInSteps("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\ndata: a\n\n", 7)
	if err != nil || len(got.frames) != 1 {
		t.Errorf("%v, %v", got.frames, err)
	}
}

func TestResponseErrors(t *testing.T) {
	for sent, want := range map[string]string{
		"HTTP/1.1 403 Forbidden\r\n\r\n":                        "the server answered 403 Forbidden",
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>": `the server answered with "text/html" instead of an event stream`,
		"SSH-2.0-x\r\n\r\n":                                     "reading the server's answer: ",
		answer + "xyz\r\n":                                      "the server's chunked encoding is broken",
		answer + "1\r\nab\r\n":                                  "the server's chunked encoding is broken",
		answer + "ffffffffffffffffff\r\n":                       "the server's chunked encoding is broken",
		strings.Repeat("x", 2*maxHead):                          "the server's answer has no end of headers",
	} {
		_, _, err := answerInSteps(sent, 100)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q gives %v, want %s", sent, err, want)
		}
	}
	var status *statusError
	if _, _, err := answerInSteps("HTTP/1.1 503 Busy\r\n\r\n", 9); !errors.As(err, &status) || status.status != 503 {
		t.Errorf("the status is %v", status)
	}
}

// FuzzResponse looks for a panic, and that pieces make no difference.
func FuzzResponse(f *testing.F) {
	f.Add("5\r\ndata:\r\n3\r\n a\n\r\n1\r\n\n\r\n0\r\n\r\n", 4)
	f.Add("a;x=y\r\ndata: a\n\nx\r\n", 1)
	f.Fuzz(func(t *testing.T, body string, step int) {
		if len(body) == 0 || len(body) > maxKept || step < 1 || step > len(body) {
			t.Skip()
		}
		_, whole, err1 := answerInSteps(answer+body, len(answer)+len(body))
		_, pieces, err2 := answerInSteps(answer+body, step)
		if diff := cmp.Diff(whole.frames, pieces.frames); diff != "" || fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Errorf("%v and %v; (-whole +pieces):\n%s", err1, err2, diff)
		}
	})
}
