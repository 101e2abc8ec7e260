package config

import (
	"slices"
	"strings"

	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream"
)

// Rule brings events to a wall that a NATS system publishes under subjects of
// its own. It is a [nats.Rule] in parts.
type Rule struct {
	Filter string // NATS subject with the wildcards * and >
	Kind   string // template, such as "order" or "order-{{wildcard(1)}}"
	Key    string // template; empty for events without a key
}

func (d *decoder) decodeRules(n *node, rules *[]Rule, path []string) {
	if !d.isMapping(n, path) {
		return
	}
	for _, e := range n.entries {
		here := append(slices.Clone(path), e.key.text)
		if err := nats.CheckSubject(e.key.text); err != nil {
			d.fail(e.key, here, "%s", predicate(err))
			continue
		}
		if !d.isScalar(e.value, here, "a kind") {
			continue
		}
		// The wall's name is checked with the wall.
		template := nats.Rule{Wall: "main", Subject: e.key.text, Kind: e.value.text}
		if err := template.Check(); err != nil {
			d.fail(e.value, here, "%s", predicate(err))
			continue
		}
		if i := slices.IndexFunc(*rules, func(other Rule) bool { return stream.Overlap(other.Filter, e.key.text) }); i >= 0 {
			d.fail(e.key, here, "matches subjects that %q matches as well, and an event can't have two kinds; make the filters disjoint", (*rules)[i].Filter)
			continue
		}
		kind, key, _ := strings.Cut(e.value.text, ".")
		*rules = append(*rules, Rule{e.key.text, kind, key})
	}
}
