package sse

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gosse "github.com/tmaxmax/go-sse"
)

// parse returns what is in a stream, each event as "name|data|id".
func parse(r io.Reader) (all []string, p *parser) {
	p = newParser(r)
	for {
		m, err := p.next()
		if err != nil {
			return all, p
		}
		all = append(all, m.name+"|"+string(m.data)+"|"+m.id)
	}
}

func TestParser(t *testing.T) {
	for stream, want := range map[string][]string{
		"data: a\n\n":                                           {"|a|"},
		"data: a\r\rdata: b\r\n\r\ndata:c\n\n":                  {"|a|", "|b|", "|c|"},
		"\uFEFFdata: a\n\n":                                     {"|a|"},
		"\uFEFF\uFEFFdata: a\n\ndata: b\n\n":                    {"|b|"},
		"data: a\ndata\ndata:  b\n\n":                           {"|a\n\n b|"},
		"event: x\nid: 1\ndata: a\n\ndata: b\n\n":               {"x|a|1", "|b|1"},
		"id: 1\n\nevent: x\n\ndata: a\n\n":                      {"||1", "|a|1"},
		"id: 1\ndata: a\n\nid\ndata: b\n\n":                     {"|a|1", "|b|"},
		"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n":              {"|a|1", "|b|1"},
		"id: 1\ndata: a\n\nid: 2\x01\ndata: b\n\n":              {"|a|1", "|b|"},
		": comment\n\n\n:\ndata: a\nunknown: b\n\n":             {"|a|"},
		"data: a\n\nid: 7\ndata: incomplete\n":                  {"|a|"},
		"data: a\n":                                             nil,
		"data\n\n":                                              {"||"},
		"id: " + strings.Repeat("x", maxID+1) + "\ndata: a\n\n": {"|a|"},
	} {
		for what, r := range map[string]io.Reader{"whole": strings.NewReader(stream), "bytes": iotest.OneByteReader(strings.NewReader(stream))} {
			if got, _ := parse(r); !slices.Equal(got, want) {
				t.Errorf("%q (%s): %q, want %q", stream, what, got, want)
			}
		}
	}
}

func TestRetry(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"retry: 2500\n\n": 2500 * time.Millisecond, "retry: 1e3\n\n": 0, "retry: -1\n\n": 0, "retry:\n\n": 0,
		"retry: 99999999999999999999999\n\n": maxRetry, "retry: 5000\nretry: x\n\n": 5 * time.Second,
	} {
		if _, p := parse(strings.NewReader(text)); p.retry != want {
			t.Errorf("%q: %v, want %v", text, p.retry, want)
		}
	}
}

// endless is a line without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, errors.New("the end of patience")
	}
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func TestHugeEventsAreBounded(t *testing.T) {
	large := strings.Repeat("x", maxData)
	stream := "data: " + large + "\n\nid: 2\ndata: " + large + "x\n\nid: 3\ndata: a\ndata: " + large + "\n\ndata: b\n\n"
	p := newParser(strings.NewReader(stream))
	for i, want := range []message{{data: []byte(large)}, {tooLong: true, id: "2"}, {tooLong: true, id: "3"}, {data: []byte("b"), id: "3"}} {
		m, err := p.next()
		if err != nil || m.tooLong != want.tooLong || string(m.data) != string(want.data) || m.id != want.id {
			t.Errorf("event %d: %d bytes, too long: %t, id %q, %v", i, len(m.data), m.tooLong, m.id, err)
		}
	}
}

func TestALineWithoutEndIsBounded(t *testing.T) {
	for _, begin := range []string{"", "data: ", "id: ", "event: "} {
		var before, after runtime.MemStats
		p := newParser(io.MultiReader(strings.NewReader(begin), &endless{}))
		runtime.ReadMemStats(&before)
		_, err := p.next()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%q: no error at the end", begin)
		}
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 8<<20 {
			t.Errorf("%q: %d bytes are held", begin, held)
		}
		runtime.KeepAlive(p)
	}
}

// FuzzParser holds the parser against another one's reading.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\n", "event: x\r\ndata: a\r\ndata: b\r\n\r\n", "id: 1\rdata: a\r\rretry: 5\r\r", ": c\n\nid\n\ndata:\n\n",
		"id: a\x00b\ndata: x\n\n", "\uFEFFdata: x\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		const mark = "\uFEFF"
		if len(stream) > 4000 || strings.Contains(strings.TrimPrefix(stream, mark), mark) {
			t.Skip("the other one bounds an event, and takes marks off elsewhere too")
		}
		stream += "\n\n"
		var want []string
		for e, err := range gosse.Read(strings.NewReader(stream), nil) {
			if err != nil {
				t.Skip(err)
			}
			if e.Data != "" {
				if !usable(e.LastEventID) {
					e.LastEventID = ""
				}
				want = append(want, e.Type+"|"+e.Data+"|"+e.LastEventID)
			}
		}
		for _, r := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream))} {
			var got []string
			for p := newParser(r); ; {
				m, err := p.next()
				if err != nil {
					break
				}
				if len(m.data) > 0 {
					got = append(got, m.name+"|"+string(m.data)+"|"+m.id)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q:\n%q, want\n%q", stream, got, want)
			}
		}
	})
}
