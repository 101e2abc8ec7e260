package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// Rule brings events to a wall that a NATS system publishes under subjects of
// its own.
type Rule struct {
	Filter string // NATS subject with the wildcards * and >
	Kind   string // template, such as "order" or "order-{{wildcard(1)}}"
	Key    string // template; empty for events without a key
}

// String is the rule as the configuration has it.
func (r Rule) String() string {
	if r.Key == "" {
		return r.Filter + ": " + r.Kind
	}
	return r.Filter + ": " + r.Kind + "." + r.Key
}

// Expand returns kind and key of the event that was published under subject,
// and false if the filter doesn't match it. What a wildcard matched is not
// checked to make a valid name; [stream.NewSubject] does that.
func (r Rule) Expand(subject string) (kind, key string, ok bool) {
	var matched []string
	want, have := strings.Split(r.Filter, "."), strings.Split(subject, ".")
	for i, part := range want {
		switch {
		case i >= len(have):
			return "", "", false
		case part == ">":
			return expandWildcards(r.Kind, matched), expandWildcards(r.Key, matched), true
		case part == "*":
			matched = append(matched, have[i])
		case part != have[i]:
			return "", "", false
		}
	}
	if len(want) != len(have) {
		return "", "", false
	}
	return expandWildcards(r.Kind, matched), expandWildcards(r.Key, matched), true
}

var wildcard = regexp.MustCompile(`\{\{\s*[Ww]ildcard\(\s*([0-9]{1,2})\s*\)\s*\}\}`)

func expandWildcards(template string, matched []string) string {
	return wildcard.ReplaceAllStringFunc(template, func(use string) string {
		n, _ := strconv.Atoi(wildcard.FindStringSubmatch(use)[1]) // the expression has digits alone
		if n < 1 || n > len(matched) {
			return ""
		}
		return matched[n-1]
	})
}

func (d *decoder) decodeRules(n *node, rules *[]Rule, path []string) {
	if !d.isMapping(n, path) {
		return
	}
	for _, e := range n.entries {
		here := append(slices.Clone(path), e.key.text)
		if err := access.CheckForeign(e.key.text); err != nil {
			d.fail(e.key, here, "%s", predicate(err))
			continue
		}
		if !d.isScalar(e.value, here, "a kind") {
			continue
		}
		rule, err := newRule(e.key.text, e.value.text)
		if err != nil {
			d.fail(e.value, here, "%s", predicate(err))
			continue
		}
		if i := slices.IndexFunc(*rules, func(other Rule) bool { return access.Overlap(other.Filter, rule.Filter) }); i >= 0 {
			d.fail(e.key, here, "matches subjects that %q matches as well, and an event can't have two kinds; make the filters disjoint", (*rules)[i].Filter)
			continue
		}
		*rules = append(*rules, rule)
	}
}

// newRule checks the template of a rule whose filter was checked.
func newRule(filter, template string) (Rule, error) {
	stars := 0
	for part := range strings.SplitSeq(filter, ".") {
		if part == "*" {
			stars++
		}
	}
	for _, use := range wildcard.FindAllStringSubmatch(template, -1) {
		if n, _ := strconv.Atoi(use[1]); n < 1 || n > stars {
			return Rule{}, fmt.Errorf("%s refers to a * that the filter %q doesn't have; it has %d", use[0], filter, stars)
		}
	}
	// What a wildcard matches is known later; a digit may stand at any place of a name.
	sample := wildcard.ReplaceAllString(template, "0")
	if strings.ContainsAny(sample, "{}$") {
		return Rule{}, fmt.Errorf("%q is neither a kind nor a template such as order-{{wildcard(1)}}", template)
	}
	kind, key, keyed := strings.Cut(sample, ".")
	if err := stream.CheckKind(kind); err != nil {
		return Rule{}, err
	}
	if keyed {
		if err := stream.CheckName("key", key); err != nil {
			return Rule{}, err
		}
	}
	kind, key, _ = strings.Cut(template, ".")
	return Rule{filter, kind, key}, nil
}
