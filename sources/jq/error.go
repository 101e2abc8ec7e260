package jq

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Error says what is wrong with the text of a program, and where.
type Error struct {
	Setting string // "map" or "only"
	Offset  int    // in bytes, from 0
	Line    int    // from 1
	Column  int    // in characters, from 1
	Ready   bool   // it is a ready map, and not the configuration's own text
	Err     error
}

// Error is "map: line 2, column 5: " and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: line %d, column %d: %v", e.Setting, e.Line, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// at makes an error about what stands at an offset of a text.
func at(text string, offset int, err error) *Error {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return &Error{
		Offset: offset, Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(line) + 1, Err: err,
	}
}

// nameError is an error about a name in a program. The parser forgets where names
// stand, so it is looked for again.
type nameError struct {
	name string
	err  error
}

func (e *nameError) Error() string { return e.err.Error() }

// undefined matches what the interpreter says of names.
var undefined = regexp.MustCompile(`^(?:function|variable) not defined: (\$?[A-Za-z_:][\w:]*)`)

// placed gives an error of the parser or the compiler its place in text.
func placed(text string, err error) *Error {
	var parse *gojq.ParseError
	if errors.As(err, &parse) {
		offset := parse.Offset - len(parse.Token)
		if parse.Token == "" {
			offset = len(strings.TrimRight(text, " \t\r\n"))
		}
		return at(text, offset, errors.New(syntax(parse)))
	}
	var named *nameError
	if !errors.As(err, &named) {
		found := undefined.FindStringSubmatch(err.Error())
		if found == nil {
			return at(text, 0, err)
		}
		named = &nameError{found[1], err}
	}
	return at(text, find(text, named.name), named.err)
}

// syntax is what the parser says, in other words where those help.
func syntax(err *gojq.ParseError) string {
	if err.Token == "" && strings.Contains(err.Error(), "EOF") {
		return "the program ends too early; something is not closed"
	}
	return err.Error()
}

// find returns where name stands first as a name of its own, else 0.
func find(text, name string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return 0
		}
		i += from
		from = i + len(name)
		before, after := byte(' '), byte(' ')
		if i > 0 {
			before = text[i-1]
		}
		if from < len(text) {
			after = text[from]
		}
		if !word(before) && !strings.ContainsRune(".$@", rune(before)) && !word(after) && !commented(text, i) {
			return i
		}
	}
}

func word(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// commented reports whether a comment begins in the line before i.
func commented(text string, i int) bool {
	line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
	for hash := strings.IndexByte(line, '#'); hash >= 0; {
		if strings.Count(line[:hash], `"`)%2 == 0 {
			return true
		}
		next := strings.IndexByte(line[hash+1:], '#')
		if next < 0 {
			return false
		}
		hash += 1 + next
	}
	return false
}
