package stream

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// A filter is a NATS subject that may have wildcards: "*" is any one token,
// ">" at the end is one or more.
const (
	anyToken = "*"
	anyRest  = ">"
)

// CheckFilter reports why s can't be a subject with wildcards.
func CheckFilter(s string) error {
	tokens := strings.Split(s, ".")
	for i, token := range tokens {
		switch {
		case token == "":
			return errors.New("is no NATS subject: a part between dots is empty")
		case token == anyRest && i < len(tokens)-1:
			return errors.New("is no NATS subject: > means the rest and may only stand at the end")
		case token == anyRest, token == anyToken:
		case strings.ContainsAny(token, anyToken+anyRest) || strings.ContainsFunc(token, spaceOrControl):
			return errors.New("is no NATS subject: * and > stand alone between dots, and there are no spaces")
		}
	}
	return nil
}

func spaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// Overlap reports whether there is a subject that both filters match.
func Overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == anyRest || bs[i] == anyRest:
			return true
		case as[i] != anyToken && bs[i] != anyToken && as[i] != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}

// Covers reports whether every subject that filter matches is matched by at
// least one of filters.
func Covers(filters []string, filter string) bool {
	var by [][]string
	for _, f := range filters {
		if Overlap(f, filter) {
			by = append(by, strings.Split(f, "."))
		}
	}
	return covers(by, strings.Split(filter, "."))
}

func covers(by [][]string, rest []string) bool {
	if len(rest) == 0 {
		return slices.ContainsFunc(by, func(b []string) bool { return len(b) == 0 })
	}
	if slices.ContainsFunc(by, func(b []string) bool { return len(b) == 1 && b[0] == anyRest }) {
		return true
	}
	switch rest[0] {
	case anyToken:
		return coversEach(by, func(by [][]string) bool { return covers(by, rest[1:]) })
	case anyRest:
		return coversEach(by, func(by [][]string) bool { return covers(by, nil) && covers(by, rest) })
	}
	return covers(after(by, rest[0]), rest[1:])
}

// coversEach tries every token that makes a difference: those that by names, and
// one that it doesn't, for which the empty one stands.
func coversEach(by [][]string, ok func([][]string) bool) bool {
	tokens := map[string]bool{"": true}
	for _, b := range by {
		if len(b) > 0 && b[0] != anyToken {
			tokens[b[0]] = true
		}
	}
	for token := range tokens {
		if left := after(by, token); len(left) == 0 || !ok(left) {
			return false
		}
	}
	return true
}

// after is what is left of those filters that match a subject beginning with token.
func after(by [][]string, token string) [][]string {
	var left [][]string
	for _, b := range by {
		if len(b) > 0 && (b[0] == anyToken || b[0] == token) {
			left = append(left, b[1:])
		}
	}
	return left
}

// Disjoint returns filters of which no two overlap and which together match all
// that the given ones match. Filters that overlap without one being part of the
// other become one that may match more than the two. The result is sorted.
func Disjoint(filters []string) []string {
	var apart []string
	for _, f := range filters {
		for i := 0; i < len(apart); {
			if !Overlap(apart[i], f) {
				i++
				continue
			}
			f = union(apart[i], f)
			apart = slices.Delete(apart, i, i+1)
			i = 0 // what f has become may overlap with those before
		}
		apart = append(apart, f)
	}
	slices.Sort(apart)
	return apart
}

// union is the narrowest filter that matches what two overlapping ones match.
func union(a, b string) string {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	var u []string
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == anyRest || bs[i] == anyRest:
			return strings.Join(append(u, anyRest), ".")
		case as[i] == bs[i]:
			u = append(u, as[i])
		default:
			u = append(u, anyToken)
		}
	}
	return strings.Join(u, ".")
}
