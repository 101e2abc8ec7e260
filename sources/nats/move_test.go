package nats_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources/nats"
)

func (s *system) delete(stream string) {
	s.t.Helper()
	if err := s.js.DeleteStream(stream); err != nil {
		s.t.Fatal(err)
	}
}

func TestAStreamThatWasMadeAnew(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 100, "orders.>")
	r := rule("orders.>", "order")
	p := s.run(r)
	s.publish("orders.new", "1", "2")
	p.shown("order 1", "order 2")
	p.crash()

	s.delete("ORDERS")
	s.stream("ORDERS", 100, "orders.>")
	s.publish("orders.new", "3") // under the sequence of the first
	p = s.begin(r)
	p.shown("order 1", "order 2", "order 3")

	s.delete("ORDERS") // while it is read
	s.stream("ORDERS", 100, "orders.>")
	p.warns(r, "the stream ORDERS was made anew")
	s.publish("orders.new", "4")
	p.shown("order 1", "order 2", "order 3", "order 4")
	if own := s.foreign(); len(own) != 0 {
		t.Errorf("streams of ours were made: %v", own)
	}
}

func TestAStreamThatIsGoneForGood(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 100, "orders.>")
	r := rule("orders.>", "order")
	p := s.run(r)
	s.publish("orders.new", "1")
	p.shown("order 1")
	s.delete("ORDERS")
	s.eventually("a stream of ours holds the subject", func() bool { return len(s.foreign()) == 1 })
	s.publish("orders.new", "2")
	p.shown("order 1", "order 2")
}

func TestAnotherStreamTakesTheSubjectFromOurs(t *testing.T) {
	s := newSystem(t)
	r := rule("orders.new", "order")
	p := s.run(r)
	s.publish("orders.new", "1")
	p.shown("order 1")
	p.crash()
	s.delete(only(t, s.foreign()))
	s.stream("ORDERS", 100, "orders.>")
	s.publish("orders.new", "2", "3")
	p = s.begin(r)
	p.shown("order 1", "order 2", "order 3")
	if own := s.foreign(); len(own) != 0 {
		t.Errorf("streams of ours were made: %v", own)
	}
}

func TestAStreamThatGivesTheSubjectAwayIsReadToItsEnd(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 100, "orders.new", "orders.old")
	r := rule("orders.new", "order")
	p := s.run(r)
	s.publish("orders.new", "1")
	p.shown("order 1")
	p.crash()
	s.publish("orders.new", "2", "3")
	s.stream("ORDERS", 100, "sales.*")
	s.stream("MORE", 100, "orders.*")
	s.publish("orders.new", "4")
	p = s.begin(r)
	p.shown("order 1", "order 2", "order 3", "order 4")

	s.stream("MORE", 100, "more.*") // while it is read, and with nothing left in it
	s.stream("ORDERS", 100, "orders.*")
	s.publish("orders.new", "5")
	p.shown("order 1", "order 2", "order 3", "order 4", "order 5")
	if w := p.status(r).Warning; w != "" {
		t.Errorf("the warning remains: %s", w)
	}
}

func TestRulesThatOverlapShareAStream(t *testing.T) {
	s := newSystem(t)
	narrow := nats.Rule{Wall: "main", Subject: "orders.new", Kind: "new"}
	other := nats.Rule{Wall: "third", Subject: "orders.old", Kind: "old"}
	wide := nats.Rule{Wall: "other", Subject: "orders.*", Kind: "order"}
	p := s.run(narrow, other)
	s.publish("orders.new", "1")
	s.publish("orders.old", "2")
	p.shown("new 1")
	p.shownOn("third", "old 2")
	p.stop()
	s.publish("orders.new", "3")
	s.publish("orders.old", "4")

	p = s.begin(wide)
	s.eventually("one stream of ours holds all", func() bool {
		return slices.Contains(slices.Collect(maps.Values(s.foreign())), "orders.*")
	})
	s.eventually("the position is stored", func() bool {
		mark, err := p.store.LastMark(t.Context(), wide.Name(), []string{"other"})
		return err == nil && mark.Count > 0
	})
	if err := nats.Prune(t.Context(), s.nc, []nats.Rule{narrow, other, wide}); err != nil {
		t.Fatal(err)
	}
	p.apply(narrow, other, wide) // what they have not read yet is there still
	s.publish("orders.old", "5")
	s.publish("orders.new", "6")
	p.shown("new 1", "new 3", "new 6")
	p.shownOn("third", "old 2", "old 4", "old 5")
	got := p.events("other")
	if n := len(got); n < 2 || string(got[n-2].Data) != "5" || string(got[n-1].Data) != "6" {
		p.shownOn("other", "order 5", "order 6")
	}
}

func TestPrune(t *testing.T) {
	s := newSystem(t)
	s.stream("FOREIGN_trade", 100, "trade.>") // somebody else's
	a, b := rule("a.>", "a"), rule("b.>", "b")
	p := s.run(a, b)
	p.stop()
	if err := nats.Prune(t.Context(), s.nc, []nats.Rule{a, b}); err != nil || len(s.foreign()) != 3 {
		t.Errorf("with all rules in use: %v, left %v", err, s.foreign())
	}
	if err := nats.Prune(t.Context(), s.nc, []nats.Rule{{Wall: "other", Subject: "b.c", Kind: "x"}}); err != nil {
		t.Error(err)
	}
	left := strings.Join(slices.Sorted(maps.Values(s.foreign())), ", ")
	if left != "b.>, trade.>" {
		t.Errorf("left: %s", left)
	}
	if err := nats.Prune(t.Context(), s.nc, nil); err != nil || len(s.foreign()) != 1 {
		t.Errorf("without rules: %v, left %v", err, s.foreign())
	}
}
