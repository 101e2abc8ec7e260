package nowplaying

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

func TestStates(t *testing.T) {
	silent, offline := upstream.Report{State: upstream.Silent}, upstream.Report{State: upstream.Offline}
	m := simulate(t, func(s *Settings) { s.Stale = 0 })
	m.hear(titled("A - One"), minute)
	m.hear(silent, 5*time.Second) // a gap
	m.hear(titled("A - One"), minute)
	m.hear(offline, 5*time.Second) // one bad look
	m.hear(titled("A - One"), minute)
	m.fail(0)
	m.pass(5 * time.Second)
	m.hear(titled("A - One"), 3*time.Hour)
	m.want("playing A - One")
	m.hear(silent, minute)
	m.hear(offline, minute)
	m.fail(0)
	m.pass(minute)
	m.hear(upstream.Report{Song: upstream.Song{Text: "A - One"}, Live: true, DJ: "Ada"}, minute)
	m.want("playing A - One", "silent A - One", "offline A - One", "unreachable A - One", "live A - One")
	if c := m.last(); !c.Live || c.DJ != "Ada" {
		t.Errorf("a live show: %s", c.json())
	}
	if m.plays() != 1 {
		t.Errorf("there are %d plays, want 1", m.plays())
	}
}

func TestStale(t *testing.T) {
	m := simulate(t, nil)
	m.hear(titled("A - One"), 59*minute)
	m.want("playing A - One")
	m.hear(titled("A - One"), 2*minute)
	m.want("playing A - One", "stale A - One")
	m.hear(upstream.Report{Song: upstream.Song{Text: "B - Two", Duration: 3 * minute}}, 4*minute)
	m.hear(upstream.Report{Song: upstream.Song{Text: "B - Two", Duration: 3 * minute}}, 2*minute)
	m.want("playing A - One", "stale A - One", "playing B - Two", "stale B - Two")
	m.hear(upstream.Report{Song: upstream.Song{Text: "The late show"}, Live: true}, 3*time.Hour)
	if m.last().State != "live" {
		t.Error("a live show of three hours is stale")
	}
}

func TestUnreachableFromTheBeginning(t *testing.T) {
	m := simulate(t, nil)
	m.fail(0)
	m.pass(10 * time.Second)
	m.want()
	m.pass(minute)
	m.want("unreachable")
}

func TestListeners(t *testing.T) {
	m := simulate(t, nil)
	with := func(n int) upstream.Report { r := titled("A - One"); r.Listeners = &n; return r }
	for i := range 60 { // ten minutes
		m.hear(with(i), 10*time.Second)
	}
	if n := len(m.cards); n < 15 || n > 21 {
		t.Errorf("in ten minutes of changing listeners there are %d cards", n)
	}
	if m.plays() != 1 {
		t.Errorf("listeners make %d plays", m.plays())
	}
	m.hear(with(7), minute)
	n := len(m.cards)
	if c := m.last(); c.Listeners == nil || *c.Listeners != 7 {
		t.Errorf("the last count doesn't arrive: %s", c.json())
	}
	m.hear(with(7), 5*minute)
	if len(m.cards) != n {
		t.Error("unchanged listeners make cards")
	}
}

func TestFallbacks(t *testing.T) {
	m := simulate(t, nil, "icecast", "icy*")
	watched := func(want ...bool) {
		t.Helper()
		if got := m.e.order.watched(); !slices.Equal(got, want) {
			t.Errorf("watched are %v, want %v", got, want)
		}
	}
	m.hear(titled("A - One"), minute)
	watched(true, false)
	m.fail(0)
	m.pass(time.Second)
	watched(true, true)
	m.from(1, titled("B - Two"), minute)
	m.want("playing A - One", "playing B - Two")
	if m.last().Source != "icy" {
		t.Errorf("the source is %q, want icy", m.last().Source)
	}
	m.from(0, titled("B - Two"), 5*time.Second)
	watched(true, true)
	m.from(0, titled("B - Two"), minute)
	watched(true, false)
	m.want("playing A - One", "playing B - Two", "playing B - Two") // another source
	m.from(0, upstream.Report{State: upstream.Offline}, 20*time.Second)
	watched(true, true)
	m.from(1, titled("C - Three"), minute)
	if c := m.last(); c.Text != "C - Three" || c.State != "playing" {
		t.Errorf("while the first is offline: %s", c.json())
	}
	m.fail(1)
	m.pass(minute)
	if c := m.last(); c.State != "offline" || c.Text != "C - Three" {
		t.Errorf("while the first is offline and the second doesn't answer: %s", c.json())
	}
}

func TestFirstUpstreamHasAHeadStart(t *testing.T) {
	m := simulate(t, nil, "icecast", "icy*")
	m.pass(time.Second)
	if m.e.order.watched()[1] {
		t.Error("the second upstream is asked at once")
	}
	m.pass(3 * time.Second)
	if !m.e.order.watched()[1] {
		t.Error("the second upstream isn't asked though the first doesn't answer")
	}
}

func TestPostsBeforePolls(t *testing.T) {
	m := simulate(t, nil, "push", "icecast")
	m.pass(5 * time.Second)
	m.from(1, titled("A - One"), minute)
	m.from(0, titled("B - Two"), 5*time.Second)
	m.from(1, titled("A - One"), 5*time.Second)
	m.want("playing A - One", "playing B - Two")
	m.pass(30 * time.Second)
	if m.e.order.watched()[1] {
		t.Error("the fallback is still asked")
	}
	m.pass(time.Hour) // nobody posts
	m.from(1, titled("C - Three"), minute)
	if got := m.last().Text; got != "C - Three" {
		t.Errorf("an hour after the last post there is %q", got)
	}
}

func TestNextAndLiveGoWithTheState(t *testing.T) {
	m := simulate(t, nil)
	r := titled("A - One")
	r.Next = &upstream.Song{Artist: "B", Title: "Two"}
	m.hear(r, minute)
	if c := m.last(); c.Next == nil || c.Next.Text != "B - Two" || c.Next.Artist != "B" {
		t.Errorf("next is missing: %s", c.json())
	}
	m.fail(0)
	m.pass(minute)
	if c := m.last(); c.Next != nil {
		t.Errorf("next is told while nobody answers: %s", c.json())
	}
}

func TestPushedStationAfterARestart(t *testing.T) {
	m := simulate(t, nil, "push")
	m.from(0, titled("A - One"), 5*time.Second)
	m.restart(minute)
	m.pass(10 * minute)
	m.want("playing A - One")
	m.pass(time.Hour)
	m.want("playing A - One", "stale A - One")
	m.from(0, titled("A - One"), minute)
	m.want("playing A - One", "stale A - One", "playing A - One")
}

func TestLatePosts(t *testing.T) {
	m := simulate(t, nil, "push")
	at := func(text string, started time.Time) upstream.Report {
		return upstream.Report{Song: upstream.Song{Text: text, StartedAt: started}}
	}
	began := m.now
	m.from(0, at("B - Two", began), 5*time.Second)
	m.from(0, at("A - One", began.Add(-3*minute)), minute)
	m.want("playing B - Two")
	m.restart(time.Second)
	m.from(0, at("A - One", began.Add(-3*minute)), minute)
	m.want("playing B - Two")
	m.from(0, at("C - Three", m.now), minute)
	m.want("playing B - Two", "playing C - Three")
}

func TestAPostIsDoneOnceItsCardIsKept(t *testing.T) {
	m := simulate(t, nil, "push")
	delivery := func() uint64 {
		t.Helper()
		var c cursor
		if err := json.Unmarshal(m.e.cursor(), &c); err != nil {
			t.Fatal(err)
		}
		return c.Delivery
	}
	m.e.report(m.now, 0, m.now, 7, titled("A - One"))
	if n := delivery(); n != 0 {
		t.Errorf("while a post is pending the cursor is behind post %d", n)
	}
	m.pass(time.Second)
	if n := delivery(); n != 7 {
		t.Errorf("with the card of post 7 the cursor is behind post %d", n)
	}
	m.e.report(m.now, 0, m.now, 8, titled(""))
	if n := delivery(); n != 8 {
		t.Errorf("after an empty title the cursor is behind post %d", n)
	}
	m.restart(time.Second) // which doesn't make it forgotten
	m.pass(minute)
	m.want("playing A - One", "stale A - One")
}

func TestLiveShowWithoutTitle(t *testing.T) {
	m := simulate(t, nil)
	m.hear(titled("A - One"), minute)
	m.hear(upstream.Report{Live: true, DJ: "Ada"}, minute)
	m.want("playing A - One", "live Ada")
	if c := m.last(); c.Type != "live" || c.Title != "Ada" || c.DJ != "Ada" {
		t.Errorf("the card of a show is %s", c.json())
	}
	m.hear(upstream.Report{Live: true}, minute) // nobody knows who
	m.want("playing A - One", "live Ada", "stale Ada")
}

func TestTimeThatPassesAtOnce(t *testing.T) {
	m := simulate(t, nil, "push")
	m.e.report(m.now, 0, m.now, 1, titled("A - One"))
	m.now = m.now.Add(3 * time.Hour) // as when posts waited
	m.e.report(m.now, 0, m.now, 2, titled("B - Two"))
	m.pass(time.Second)
	m.want("playing A - One", "stale A - One", "playing B - Two")
	for i, after := range []time.Duration{0, time.Hour, 3 * time.Hour} {
		if got := m.times[i].Sub(noon); got != after {
			t.Errorf("card %d is of %v after noon, want %v", i, got, after)
		}
	}
}
