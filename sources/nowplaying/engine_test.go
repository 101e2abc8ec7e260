package nowplaying

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sim is an engine and a clock.
type sim struct {
	t     *testing.T
	st    *station
	e     *engine
	now   time.Time
	cards []card
	times []time.Time
}

// simulate makes an engine of settings; ranks are its upstreams. One whose name
// ends with "*" says by itself what changes; "push" is pushed; the others are
// asked every 10 s.
func simulate(t *testing.T, change func(*Settings), ranks ...string) *sim {
	t.Helper()
	s := Type.New().(*Settings)
	s.Name, s.MPD = "Jazz FM", "127.0.0.1"
	if change != nil {
		change(s)
	}
	src, err := s.Source(sources.Env{Name: "jazz"}.Complete())
	if err != nil {
		t.Fatal(err)
	}
	st := src.(*station)
	m := &sim{t: t, st: st, now: noon}
	m.e = m.engine(ranks)
	m.e.advance(m.now)
	return m
}

func (m *sim) engine(ranks []string) *engine {
	if len(ranks) == 0 {
		ranks = []string{"icecast"}
	}
	e := m.st.engine()
	e.order.ranks = nil
	for _, label := range ranks {
		r := &rank{label: strings.TrimSuffix(label, "*"), pushed: label == "push", every: 10 * time.Second}
		if r.pushed || strings.HasSuffix(label, "*") {
			r.every = 0
		}
		e.order.ranks = append(e.order.ranks, r)
	}
	return e
}

// restart makes a new engine of the old one's cursor.
func (m *sim) restart(away time.Duration) {
	m.t.Helper()
	raw, old := m.e.cursor(), m.e
	m.now = m.now.Add(away)
	m.e = m.st.engine()
	m.e.order.ranks = nil
	for _, r := range old.order.ranks {
		m.e.order.ranks = append(m.e.order.ranks, &rank{label: r.label, pushed: r.pushed, every: r.every})
	}
	m.e.restore(m.now, raw)
	m.pass(0)
}

// pass lets time pass, in the steps that the engine asks for.
func (m *sim) pass(d time.Duration) {
	m.t.Helper()
	end := m.now.Add(d)
	for range 10_000 {
		m.e.advance(m.now)
		m.collect()
		next := m.e.deadline(m.now)
		if next.IsZero() || next.After(end) {
			m.now = end
			m.e.advance(end)
			m.collect()
			return
		}
		if next.Before(m.now) {
			m.t.Fatalf("at %v the deadline is %v", m.now, next)
		}
		m.now = next.Add(time.Nanosecond)
	}
	m.t.Fatal("the engine asks for ever more deadlines")
}

func (m *sim) collect() {
	for {
		c, at, ok := m.e.due(m.now)
		if !ok {
			return
		}
		m.e.shown()
		m.cards, m.times = append(m.cards, c), append(m.times, at)
	}
}

// hear reports, and lets the same be reported every ten seconds for a while.
func (m *sim) hear(r upstream.Report, d time.Duration) {
	m.t.Helper()
	m.from(0, r, d)
}

func (m *sim) from(i int, r upstream.Report, d time.Duration) {
	m.t.Helper()
	end := m.now.Add(d)
	for {
		m.e.report(m.now, i, m.now, 0, r)
		m.collect()
		if rest := end.Sub(m.now); rest <= 10*time.Second {
			m.pass(rest)
			return
		}
		m.pass(10 * time.Second)
	}
}

func (m *sim) fail(i int) {
	m.e.fail(m.now, i)
	m.collect()
}

// want compares the rows of all cards: "state text".
func (m *sim) want(rows ...string) {
	m.t.Helper()
	if got := m.rows(); !slices.Equal(got, rows) {
		m.t.Errorf("the cards are\n\t%q\nwant\n\t%q", got, rows)
	}
}

func (m *sim) rows() []string {
	all := []string{}
	for _, c := range m.cards {
		all = append(all, strings.TrimSpace(c.State+" "+c.Text))
	}
	return all
}

func (m *sim) last() card {
	m.t.Helper()
	if len(m.cards) == 0 {
		m.t.Fatal("there is no card")
	}
	return m.cards[len(m.cards)-1]
}

// plays counts the play ids, which is what history shows.
func (m *sim) plays() int {
	ids := map[string]bool{}
	for _, c := range m.cards {
		ids[c.PlayID] = true
	}
	return len(ids)
}

func titled(text string) upstream.Report { return upstream.Report{Song: upstream.Song{Text: text}} }

func played(text, id string) upstream.Report {
	return upstream.Report{Song: upstream.Song{Text: text, PlayID: id}}
}

const minute = time.Minute

func TestSongsFollowEachOther(t *testing.T) {
	m := simulate(t, nil)
	m.hear(titled("A - One"), 3*minute)
	m.hear(titled("B - Two"), 3*minute)
	m.hear(titled("A - One"), 3*minute)
	m.want("playing A - One", "playing B - Two", "playing A - One")
	if m.plays() != 3 {
		t.Errorf("there are %d plays, want 3", m.plays())
	}
	c := m.last()
	if c.Artist != "A" || c.Title != "One" || c.Station != "Jazz FM" || c.Type != "song" || c.Source != "icecast" {
		t.Errorf("the card is %s", c.json())
	}
}

func TestDebounce(t *testing.T) {
	m := simulate(t, nil, "icy*")
	m.hear(titled("A - One"), minute)
	m.hear(titled("x"), 100*time.Millisecond)
	m.hear(titled("y"), 300*time.Millisecond)
	m.hear(titled("B - Two"), minute)
	m.want("playing A - One", "playing B - Two")
	m.hear(titled("z"), 200*time.Millisecond)
	m.hear(titled("B - Two"), minute) // nothing but a flicker
	m.want("playing A - One", "playing B - Two")
	if m.plays() != 2 {
		t.Errorf("there are %d plays, want 2", m.plays())
	}
	for i := range 20 { // one that never rests is shown in the end
		m.hear(titled(fmt.Sprint("restless ", i)), 400*time.Millisecond)
	}
	if n := len(m.cards); n < 4 || n > 7 {
		t.Errorf("of a restless upstream there are the cards %q", m.rows())
	}
}

func TestBeginning(t *testing.T) {
	m := simulate(t, nil)
	m.hear(titled("A - One"), minute)
	if c := m.last(); !c.StartedAt.IsZero() || c.StartedExact != nil {
		t.Errorf("a song that was on air before anybody looked began at %v", c.StartedAt)
	}
	began := m.now
	m.hear(titled("B - Two"), minute)
	if c := m.last(); !c.StartedAt.Equal(began) || c.StartedExact == nil || *c.StartedExact {
		t.Errorf("a song that was seen to begin at %v: %s", began, c.json())
	}
	m.pass(minute) // nobody looks
	m.hear(titled("C - Three"), minute)
	if c := m.last(); !c.StartedAt.IsZero() {
		t.Errorf("a song that began while nobody looked began at %v", c.StartedAt)
	}
	exact := upstream.Report{Song: upstream.Song{Text: "D - Four", StartedAt: m.now.Add(-30 * time.Second), Duration: 200 * time.Second}}
	m.hear(exact, minute)
	if c := m.last(); !c.StartedAt.Equal(exact.Song.StartedAt) || !*c.StartedExact || c.Duration != 200 {
		t.Errorf("a song whose beginning is known: %s", c.json())
	}
	n := len(m.cards)
	exact.Song.StartedAt = exact.Song.StartedAt.Add(2 * time.Second) // computed anew
	m.hear(exact, minute)
	if len(m.cards) != n {
		t.Errorf("a beginning that moved by 2 s makes the card %s", m.last().json())
	}
}

func TestReplays(t *testing.T) {
	m := simulate(t, nil)
	m.hear(played("A - One", "1"), 3*minute)
	m.hear(played("A - One", "2"), 3*minute)
	m.want("playing A - One", "playing A - One")
	if m.plays() != 2 {
		t.Error("a replay with a new id is no new play")
	}
	m = simulate(t, nil)
	song := upstream.Song{Text: "A - One", Duration: 3 * minute}
	for range 2 { // as MPD repeats: no id, and a new beginning
		song.StartedAt = m.now
		m.hear(upstream.Report{Song: song}, 3*minute)
	}
	if m.plays() != 2 || len(m.cards) != 2 {
		t.Errorf("a song that is played twice in a row gives %q, %d plays", m.rows(), m.plays())
	}
}

func TestJingleDoesNotSplitASong(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Rules = []Rule{{Match: "*Jazz FM jingle*", As: "jingle"}} })
	m.hear(titled("A - One"), 2*minute)
	m.hear(titled("The Jazz FM jingle 3"), 20*time.Second)
	m.hear(titled("A - One"), 2*minute)
	m.want("playing A - One")
	m.hear(titled("Jazz FM jingle 4"), 20*time.Second)
	m.hear(titled("B - Two"), minute)
	m.want("playing A - One", "playing B - Two")

	m = simulate(t, func(s *Settings) {
		s.Rules = []Rule{{Match: "/jingle (\\d+)/", As: "jingle", Text: "Jazz FM ident $1"}}
		s.Hide = nil
	})
	m.hear(titled("A - One"), 2*minute)
	m.hear(titled("jingle 3"), 20*time.Second)
	if c := m.last(); c.Type != "jingle" || c.Text != "Jazz FM ident 3" || c.Raw != "jingle 3" {
		t.Errorf("a jingle that is shown: %s", c.json())
	}
	m.hear(titled("A - One"), 2*minute)
	m.want("playing A - One", "playing Jazz FM ident 3", "playing A - One")
	if m.plays() != 2 {
		t.Errorf("a jingle has split a song: %d plays", m.plays())
	}
	m.hear(titled("jingle 4"), 11*minute)
	m.hear(titled("A - One"), 2*minute)
	if m.plays() != 4 {
		t.Errorf("eleven minutes of something else do not end a song: %d plays", m.plays())
	}
}

func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		want string
	}{
		"hidden":     {Rule{Match: "Spot: *", As: "hide"}, ""},
		"ad":         {Rule{Match: "/^spot/", As: "ad"}, ""},
		"kept":       {Rule{Match: "spot*", As: "keep"}, "song Spot: Soap"},
		"live":       {Rule{Match: "spot*", As: "live"}, "live Spot: Soap"},
		"relabelled": {Rule{Match: "/^Spot: (.*)/", Text: "Ads - $1"}, "song Ads - Soap"},
		"literal":    {Rule{Match: "spot*", Text: "$1 - $2"}, "song $1 - $2"},
		"no match":   {Rule{Match: "spot", As: "hide"}, "song Spot: Soap"},
	} {
		m := simulate(t, func(s *Settings) { s.Rules = []Rule{c.rule} })
		m.hear(titled("Spot: Soap"), 5*time.Second)
		got := ""
		if len(m.cards) > 0 {
			got = m.last().Type + " " + m.last().Text
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestEmptyTitlesKeepTheLastGoodSong(t *testing.T) {
	for _, empty := range []string{"", " - ", "-", "Unknown", "unknown - Unknown", "Jazz FM", "JAZZ-FM", "Buy soap"} {
		m := simulate(t, func(s *Settings) { s.Ignore = []string{"buy *"} })
		m.hear(titled("A - One"), minute)
		m.hear(titled(empty), 5*time.Second)
		m.want("playing A - One")
		m.hear(titled("A - One"), 5*time.Second)
		m.hear(titled(empty), minute)
		m.want("playing A - One", "stale A - One")
		m.hear(titled("A - One"), minute)
		m.want("playing A - One", "stale A - One", "playing A - One")
		if m.plays() != 1 {
			t.Errorf("%q has split a song", empty)
		}
	}
	m := simulate(t, nil)
	m.hear(titled(""), 5*time.Second)
	m.want()
	m.hear(titled(""), minute)
	m.want("playing") // and nothing is known of it
}

func TestDelay(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Delay = 20 * time.Second }, "icy*")
	m.hear(titled("A - One"), minute)
	changed := m.now
	m.hear(titled("B - Two"), 19*time.Second)
	m.want("playing A - One")
	m.hear(titled("B - Two"), 2*time.Second)
	m.want("playing A - One", "playing B - Two")
	if got := m.times[1]; !got.Equal(changed.Add(20 * time.Second)) {
		t.Errorf("the card is of %v, want 20 s after %v", got, changed)
	}
	if c := m.last(); !c.StartedAt.Equal(changed.Add(20 * time.Second)) {
		t.Errorf("it began at %v; listeners hear it 20 s after %v", c.StartedAt, changed)
	}
}

func TestDelayOverARestart(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Delay = 20 * time.Second }, "icy*")
	m.hear(titled("A - One"), minute)
	changed := m.now
	m.hear(titled("B - Two"), 4*time.Second)
	m.hear(titled("C - Three"), 4*time.Second)
	m.restart(4 * time.Second)
	m.hear(titled("C - Three"), 7*time.Second)
	m.want("playing A - One")
	m.hear(titled("C - Three"), minute)
	m.want("playing A - One", "playing B - Two", "playing C - Three")
	if !m.times[1].Equal(changed.Add(20*time.Second)) || !m.times[2].Equal(changed.Add(24*time.Second)) {
		t.Errorf("the cards are of %v, the change was at %v", m.times, changed)
	}
}

func TestRestart(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Hide = nil; s.Rules = []Rule{{Match: "jingle", As: "jingle"}} })
	m.hear(titled("A - One"), minute)
	m.hear(titled("B - Two"), minute)
	id := m.last().PlayID
	m.restart(10 * time.Second)
	m.hear(titled("B - Two"), 5*minute)
	m.want("playing A - One", "playing B - Two")
	m.hear(titled("jingle"), 10*time.Second)
	m.restart(5 * time.Second)
	m.hear(titled("B - Two"), minute)
	m.want("playing A - One", "playing B - Two", "playing jingle", "playing B - Two")
	if m.last().PlayID != id {
		t.Error("a jingle and a restart have split a song")
	}
	began := m.last().StartedAt
	m.restart(time.Second)
	m.fail(0)
	m.pass(minute)
	m.want("playing A - One", "playing B - Two", "playing jingle", "playing B - Two", "unreachable B - Two")
	if c := m.last(); !c.StartedAt.Equal(began) || c.Artist != "B" {
		t.Errorf("after a restart without an answer: %s", c.json())
	}
	m.restart(time.Second)
	m.hear(titled("C - Three"), minute)
	if c := m.last(); c.Text != "C - Three" || !c.StartedAt.IsZero() {
		t.Errorf("a song that began while nobody looked: %s", c.json())
	}
}

func TestFoundCover(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Logo = "https://radio.example/logo.png" })
	m.hear(titled("A - One"), 5*time.Second)
	if got := m.last().Art; got != "https://radio.example/logo.png" {
		t.Errorf("without a cover the art is %q", got)
	}
	m.e.found(m.now, m.last().PlayID, "https://covers.example/1")
	m.pass(time.Second)
	if got := m.last().Art; got != "https://covers.example/1" || m.plays() != 1 {
		t.Errorf("the art is %q", got)
	}
	n := len(m.cards)
	m.restart(time.Second)
	m.hear(titled("A - One"), minute)
	if len(m.cards) != n {
		t.Errorf("after a restart the cover is lost: %s", m.last().json())
	}
	m.e.found(m.now, "other", "https://covers.example/2")
	m.pass(time.Second)
	if len(m.cards) != n {
		t.Error("a cover of a song that is over is shown")
	}
}
