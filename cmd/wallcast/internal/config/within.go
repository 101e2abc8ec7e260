package config

import (
	"strings"
	"unicode"
)

// within is the place of what stands at an offset of n's text, in bytes, or n
// itself where that can't be told. YAML has many ways to write a text; but for
// spaces, quotes and the environment's values each shows it as it is, so the two
// are read side by side.
func (f *file) within(n *node, offset int) *node {
	r := f.reader(n)
	if r == nil {
		return n
	}
	last := &node{line: r.line, column: r.column}
	for i, c := range n.text {
		if unicode.IsSpace(c) {
			continue
		}
		r.space()
		if i >= offset {
			return &node{line: r.line, column: r.column}
		}
		if !r.take(c) {
			return n
		}
		last.line, last.column = r.line, r.column
	}
	return last
}

// reader reads the file from the first character of a scalar.
type reader struct {
	rest         []rune
	quote        rune // that the scalar is in; 0 for none
	line, column int
}

func (f *file) reader(n *node) *reader {
	lines := strings.SplitAfter(string(f.data), "\n")
	if n.shape != scalar || n.line < 1 || n.line > len(lines) {
		return nil
	}
	r := &reader{rest: []rune(strings.Join(lines[n.line-1:], "")), line: n.line, column: 1}
	for r.column < n.column && len(r.rest) > 0 {
		r.next()
	}
	if len(r.rest) == 0 {
		return nil
	}
	switch first := r.rest[0]; first {
	case '"', '\'':
		r.quote = first
		r.next()
	case '|', '>':
		for len(r.rest) > 0 && r.line == n.line {
			r.next()
		}
	}
	return r
}

func (r *reader) next() {
	r.column++
	if r.rest[0] == '\n' {
		r.line, r.column = r.line+1, 1
	}
	r.rest = r.rest[1:]
}

func (r *reader) space() {
	for len(r.rest) > 0 && unicode.IsSpace(r.rest[0]) {
		r.next()
	}
}

// take reads one character, which is c, and reports whether it is.
func (r *reader) take(c rune) bool {
	escape := r.quote == '"' && c != '\\' || r.quote == '\''
	if len(r.rest) > 1 && escape && (r.rest[0] == '\\' && r.quote == '"' || r.rest[0] == '\'' && r.quote == '\'') {
		r.next()
	} else if len(r.rest) > 1 && r.quote == '"' && r.rest[0] == '\\' && r.rest[1] == '\\' {
		r.next()
	}
	if len(r.rest) == 0 || r.rest[0] != c {
		return false
	}
	r.next()
	return true
}
