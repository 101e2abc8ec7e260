package file

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

// FuzzSplitter holds what the splitter gives, for chunks of any size, against
// the whole text.
func FuzzSplitter(f *testing.F) {
	const most = 16
	f.Add([]byte("one\ntwo\r\n\nthree"), uint8(3))
	f.Add([]byte("0123456789abcdef\n0123456789abcdefg\n0123456789abcdef\r\nend\n"), uint8(5))
	f.Add([]byte("0123456789abcdef\r\r\r\r\r\r\r\r\r\nend\n0123456789abcdef0123456789abcdef"), uint8(9))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		step := 1 + int(size)
		s := splitter{most: most}
		var whole []byte
		var lines [][]byte
		long := 0
		for rest := text; len(rest) > 0; {
			n := min(step, len(rest))
			for p := range s.cut(rest[:n]) {
				whole = append(whole, p.raw...)
				if p.line != nil {
					lines = append(lines, bytes.Clone(p.line))
				}
				if p.long {
					long++
				}
				if p.line != nil && p.long {
					t.Error("a line that is too long is given as a line")
				}
			}
			if len(s.rest) > most+step {
				t.Errorf("%d bytes are held", len(s.rest))
			}
			rest = rest[n:]
		}
		if !bytes.Equal(append(whole, s.rest...), text) {
			t.Error("the parts are not the text")
		}
		i, tooLong := 0, 0
		all := bytes.Split(text, []byte("\n"))
		for _, want := range all[:len(all)-1] {
			if len(bytes.TrimSuffix(want, []byte("\r"))) > most {
				tooLong++
				continue
			}
			if i == len(lines) || !bytes.Equal(lines[i], want) {
				t.Fatalf("line %d is not %.100q", i, want)
			}
			i++
		}
		if i != len(lines) || tooLong != long {
			t.Errorf("%d lines and %d long ones, want %d and %d", len(lines), long, i, tooLong)
		}
	})
}

// FuzzParse holds a line's event to what a store accepts.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		`plain`, "Bj\xf6rk \x96", `{"kind":"song","key":"jazz","text":"x"}`, `{"kind":"song","data":"x","id":"1"}`,
		`{"kind":"a","kind":"b"}`, `{"kind":"song","data":null}`, `{"k\u0069nd":"song", "x" : [1, {"kind":"no"}]}`, `{"kind":""}`,
	} {
		f.Add([]byte(line), true)
	}
	f.Fuzz(func(t *testing.T, line []byte, ids bool) {
		p := parser{encoding: "auto", route: true, ids: ids}
		e, err := p.parse(line)
		if !utf8.Valid(e.Data) {
			t.Errorf("a payload that is no UTF-8: %q", e.Data)
		}
		if len(e.Data) == 0 && len(line) > 0 && stream.IsObject(line) && !bytes.Contains(line, []byte(`"data"`)) {
			t.Error("nothing is left of an object")
		}
		if _, bad := stream.NewSubject("main", e.Kind, e.Key); bad != nil {
			t.Errorf("an address that is none: %v", bad)
		}
		if err != nil && (e.Kind != "" || !bytes.Equal(e.Data, p.decode(line))) {
			t.Error("a line that can't be routed is not taken as it is")
		}
		if e.Kind == "" && utf8.Valid(line) && !bytes.Equal(e.Data, line) {
			t.Errorf("a line that is not routed was changed: %q", e.Data)
		}
		if e.Kind != "" && stream.IsObject(e.Data) {
			checkRest(t, line, e.Data)
		}
	})
}

// checkRest checks that what is left of an object has its values.
func checkRest(t *testing.T, line, rest []byte) {
	var before, after map[string]json.RawMessage
	if json.Unmarshal(line, &before) != nil || json.Unmarshal(rest, &after) != nil {
		t.Fatalf("%q became %q", line, rest)
	}
	if data, ok := before["data"]; ok && json.Unmarshal(data, &before) == nil {
		return // the payload may be data
	}
	for name, value := range after {
		if name != "kind" && name != "key" && !bytes.Equal(before[name], value) && utf8.Valid(line) {
			t.Errorf("%q: the field %q became %s", line, name, value)
		}
	}
}

// FuzzCursor gives cursors of any kind to all that reads them.
func FuzzCursor(f *testing.F) {
	in := input{path: "x", configured: "x"}
	f.Add([]byte(in.cursorOf(cursor{Replay: &replayed{3, "abc"}})), []byte("a\nb\n"))
	f.Add([]byte(in.cursorOf(cursor{Follow: &followed{Inode: "1", Offset: 4, Print: "x", Time: time.Unix(1, 0)}})), []byte("a\nb\n"))
	f.Add([]byte(in.cursorOf(cursor{Value: &valueSeen{"abc"}})), []byte("a\n"))
	f.Add([]byte(`{"path":"`+sum([]byte("x"))+`","follow":{"offset":9223372036854775807,"print":"x"},"replay":{"line":-9223372036854775808}}`), []byte{})
	f.Fuzz(func(t *testing.T, raw, text []byte) {
		c := in.parseCursor(raw)
		entries, _ := parseScript(text)
		s := script{entries: entries}
		if i := s.after(c.Replay); i < 0 || i > len(entries) {
			t.Errorf("line %d of %d", i, len(entries))
		}
		if c.Follow != nil {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if pos, err := positionAt(file, c.Follow.Offset); err == nil && pos.offset > int64(len(text)) {
				t.Errorf("position %d in %d bytes", pos.offset, len(text))
			}
		}
		if !json.Valid(in.cursorOf(c)) {
			t.Error("a cursor that is no JSON")
		}
	})
}

// FuzzPosition checks that a position that was reached byte by byte is the one
// that is read from the file.
func FuzzPosition(f *testing.F) {
	f.Add([]byte("some text\n"), uint16(3), uint8(2))
	f.Add(bytes.Repeat([]byte("0123456789"), 80), uint16(700), uint8(90))
	f.Fuzz(func(t *testing.T, text []byte, at uint16, step uint8) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		end := min(int(at), len(text))
		var p position
		for from := 0; from < end; from += int(step) + 1 {
			p.advance(text[from:min(from+int(step)+1, end)])
		}
		read, err := positionAt(file, int64(end))
		if err != nil {
			t.Fatal(err)
		}
		if read.print() != p.print() || !p.in(file) || !p.tailIn(file) {
			t.Errorf("at %d of %d bytes: %+v and %+v", end, len(text), p, read)
		}
	})
}
