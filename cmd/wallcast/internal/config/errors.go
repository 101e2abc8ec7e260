package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong at one place of the file.
type Error struct {
	File    string
	Line    int    // from 1
	Column  int    // in characters, from 1
	Message string // what is wrong and what would be right
	Picture string // the line, and below it a caret at the column
}

// Error is "file:line:column: message" and the picture below it.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s\n%s", e.File, e.Line, e.Column, e.Message, e.Picture)
}

// Errors are all errors of a file, in the file's order.
type Errors []*Error

// Error is all of them, with an empty line between two.
func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// file is a configuration file with what was found wrong in it.
type file struct {
	name string
	data []byte
	root *node
	errs Errors
}

// maxErrors is how many errors are worth reporting at once.
const maxErrors = 50

func (f *file) fail(at *node, format string, args ...any) {
	if len(f.errs) >= maxErrors {
		return
	}
	f.errs = append(f.errs, f.errorAt(at, fmt.Sprintf(format, args...)))
}

func (f *file) errorAt(at *node, message string) *Error {
	// The YAML parser places what is missing at the end behind the last line.
	line := min(max(at.line, 1), strings.Count(string(f.data), "\n")+1)
	column := max(at.column, 1)
	return &Error{f.name, line, column, message, f.picture(line, column)}
}

// errors returns what was found wrong, in the file's order.
func (f *file) errors() Errors {
	slices.SortStableFunc(f.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return f.errs
}

// comment reports whether a comment stands right after the key that n, which is
// empty, has the place of.
func (f *file) comment(n *node) bool {
	lines := strings.Split(string(f.data), "\n")
	if n.line > len(lines) {
		return false
	}
	line := []rune(lines[n.line-1])
	_, value, ok := strings.Cut(string(line[min(n.column-1, len(line)):]), ":")
	return ok && strings.HasPrefix(strings.TrimLeft(value, " \t"), "#")
}

// pictureWidth is how many characters of a line a picture shows.
const pictureWidth = 100

// picture draws a line with a caret below the column. The line is cut to what
// surrounds the column, and tabs become spaces so that the caret stands right.
func (f *file) picture(line, column int) string {
	text := ""
	lines := strings.Split(string(f.data), "\n")
	if line <= len(lines) {
		text = strings.ToValidUTF8(strings.TrimSuffix(lines[line-1], "\r"), "\uFFFD")
	}
	runes := []rune(strings.Map(printable, text))
	caret := min(column-1, len(runes))
	if start := caret - pictureWidth/2; start > 0 && len(runes) > pictureWidth {
		runes, caret = append([]rune("…"), runes[start:]...), caret-start+1
	}
	if len(runes) > pictureWidth {
		runes = append(runes[:pictureWidth:pictureWidth], '…')
	}
	number := strconv.Itoa(line)
	margin := strings.Repeat(" ", utf8.RuneCountInString(number))
	return fmt.Sprintf("  %s | %s\n  %s | %s^", number, string(runes), margin, strings.Repeat(" ", caret))
}

// printable keeps a picture from doing things to a terminal.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < ' ', r >= 0x7f && r < 0xa0:
		return '\uFFFD'
	}
	return r
}

// name is a path in a sentence: dotted, and quoted where a part has dots itself.
// Items of lists are steps such as [0].
func name(path []string) string {
	var b strings.Builder
	for i, part := range path {
		item := strings.HasPrefix(part, "[")
		if i > 0 && !item {
			b.WriteByte('.')
		}
		if !item && (strings.ContainsAny(part, ". \"") || part == "") {
			part = strconv.Quote(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// sprintf makes a sentence about the setting at path.
func sprintf(path []string, format string, args ...any) string {
	sentence := fmt.Sprintf(format, args...)
	if len(path) == 0 {
		return sentence
	}
	return name(path) + " " + sentence
}
