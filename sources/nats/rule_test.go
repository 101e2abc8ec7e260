package nats_test

import (
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream"
)

func TestRuleCheck(t *testing.T) {
	for _, c := range []struct{ subject, kind, fault string }{
		{"orders.*.created", "order", ""},
		{"orders.*.created", "order-{{wildcard(1)}}", ""},
		{"orders.*.*", "order.{{ wildcard( 2 ) }}", ""},
		{"orders.>", "order.all", ""},
		{"Orders.EU_1", "order", ""},
		{"walls.x", "order", ""},

		{"orders.*.created", "order-{{wildcard(2)}}", "it has 1"},
		{"orders.>", "order-{{wildcard(1)}}", "it has 0"},
		{"orders.*", "order-{{wildcard(0)}}", "it has 1"},
		{"orders.*", "order-{{partition(3,1)}}", "neither a kind nor a template"},
		{"orders.*", "order-$1", "neither a kind nor a template"},
		{"orders.*", "Order", "lower-case"},
		{"orders.*", "open", "EventSource"},
		{"orders.*", "", "no name"},
		{"orders.*", "order.", "no name"},
		{"orders.*", "order.a.b", "lower-case"},
		{"orders..x", "order", "no NATS subject"},
		{"orders.>.x", "order", "no NATS subject"},
		{"or ders", "order", "no NATS subject"},
		{"wall.main.message", "order", `"wall.>"`},
		{"wall", "order", `"wall.>"`},
		{"*.main", "order", `"wall.>"`},
		{">", "order", `"wall.>"`},
		{"ctl.>", "order", `"ctl.>"`},
		{"card.x", "order", `"card.>"`},
		{"hold.x", "order", `"hold.>"`},
		{"fire.x", "order", `"fire.>"`},
		{"cron.x", "order", `"cron.>"`},
		{"tick.x", "order", `"tick.>"`},
		{"dead.x", "order", `"dead.>"`},
		{"_INBOX.x", "order", `"_INBOX.>"`},
		{"$JS.API.>", "order", "begins with $"},
		{"$KV.config.>", "order", "begins with $"},
		{"$SYS.>", "order", "begins with $"},
	} {
		err := nats.Rule{Wall: "main", Subject: c.subject, Kind: c.kind}.Check()
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %s: %v, want %q", c.subject, c.kind, err, c.fault)
		}
	}
	if (nats.Rule{Wall: "Main", Subject: "x", Kind: "y"}).Check() == nil {
		t.Error("a wall that can't be is accepted")
	}
}

func TestRuleNames(t *testing.T) {
	seen := map[string]nats.Rule{}
	for _, r := range []nats.Rule{
		{Wall: "main", Subject: "orders.*"}, {Wall: "main", Subject: "orders.>"}, {Wall: "main-orders", Subject: "*"},
		{Wall: "other", Subject: "orders.*"}, {Wall: strings.Repeat("x", 63), Subject: "a"}, {Wall: strings.Repeat("x", 63), Subject: "b"},
	} {
		name := r.Name()
		if err := stream.CheckName("source", name); err != nil {
			t.Error(err)
		}
		if former, twice := seen[name]; twice {
			t.Errorf("%v and %v are both %s", former, r, name)
		}
		seen[name] = r
	}
	a, b := rule("orders.*", "order"), rule("orders.*", "sale")
	if a.Name() != b.Name() {
		t.Error("another kind gives another name, and so another position")
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("orders.*.created", "order-{{wildcard(1)}}", "orders.eu.created")
	f.Add("*.x", "{{wildcard(1)}}.{{wildcard(1)}}", "open.x")
	f.Add("a.*.>", "{{wildcard(1)}}", "a.--.b.c")
	f.Add("a.>", "b", "a")
	f.Fuzz(func(t *testing.T, filter, kind, subject string) {
		r := nats.Rule{Wall: "main", Subject: filter, Kind: kind}
		if r.Check() != nil {
			return
		}
		k, key, ok := r.Expand(subject)
		if ok != stream.Covers([]string{filter}, subject) && !strings.ContainsAny(subject, "*>") {
			t.Errorf("%q matches %q: %t", filter, subject, ok)
		}
		if !ok {
			return
		}
		if _, err := stream.NewSubject("main", k, key); err != nil {
			t.Error(err)
		}
		if strings.Contains(kind, ".") != (key != "") {
			t.Errorf("%q gives the key %q", kind, key)
		}
	})
}
