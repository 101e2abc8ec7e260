package nowplaying

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// TestRandomReports holds what must be true whatever upstreams say: no two cards in
// a row are equal, cards come in the order of their times, the plays of one title
// differ in their ids, and a cursor fits into a header. The station is restarted
// now and then.
func TestRandomReports(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := simulate(t, func(s *Settings) {
			s.Rules = []Rule{{Match: "jingle*", As: "jingle"}, {Match: "*ad*", As: "ad"}}
			if random.IntN(2) == 0 {
				s.Hide = nil
			}
			s.Delay = time.Duration(random.IntN(3)) * 10 * time.Second
		}, [][]string{{"icecast"}, {"push", "icecast", "icy*"}, {"push"}, {"azuracast*", "push", "libretime"}}[random.IntN(4)]...)
		for range 300 {
			i := random.IntN(len(m.e.order.ranks))
			switch n := random.IntN(20); {
			case n == 0:
				m.restart(time.Duration(random.IntN(5000)) * time.Millisecond)
			case n == 1 && !m.e.order.ranks[i].pushed:
				m.fail(i)
			case m.e.order.ranks[i].watched:
				m.e.report(m.now, i, m.now, 0, randomReport(random, m.now))
				m.collect()
			}
			if raw := m.e.cursor(); len(raw) > maxCursor || !json.Valid(raw) {
				t.Fatalf("seed %d: a cursor of %d bytes: %s", seed, len(raw), raw)
			}
			m.pass([]time.Duration{50 * time.Millisecond, time.Second, 10 * time.Second, time.Minute}[random.IntN(4)])
		}
		m.pass(time.Hour)
		for i := 1; i < len(m.cards); i++ {
			if m.cards[i].equal(m.cards[i-1]) {
				t.Fatalf("seed %d: card %d is the one before it: %s", seed, i, m.cards[i].json())
			}
			if m.times[i].Before(m.times[i-1]) {
				t.Fatalf("seed %d: card %d is of %v, the one before it of %v", seed, i, m.times[i], m.times[i-1])
			}
			a, b := m.cards[i-1], m.cards[i]
			if a.PlayID == b.PlayID && a.PlayID != "" && key(a.Text) != key(b.Text) {
				t.Fatalf("seed %d: one play has two titles: %s and %s", seed, a.json(), b.json())
			}
		}
		if len(m.cards) < 5 {
			t.Fatalf("seed %d: there are %d cards", seed, len(m.cards))
		}
	}
}

func randomReport(random *rand.Rand, now time.Time) upstream.Report {
	texts := []string{"A - One", "a - one", "B - Two", "B - Two", "jingle 1", "an ad", "", "-", "C", "D - Four - Live"}
	r := upstream.Report{
		State: []upstream.State{upstream.Playing, upstream.Playing, upstream.Playing, upstream.Playing, upstream.Silent, upstream.Offline}[random.IntN(6)],
		Live:  random.IntN(10) == 0,
	}
	r.Song.Text = texts[random.IntN(len(texts))]
	if random.IntN(3) == 0 {
		r.Song.PlayID = []string{"1", "2", "3"}[random.IntN(3)]
	}
	if random.IntN(3) == 0 {
		r.Song.StartedAt = now.Add(-time.Duration(random.IntN(300)) * time.Second)
		r.Song.Duration = time.Duration(random.IntN(400)) * time.Second
	}
	if random.IntN(3) == 0 {
		n := random.IntN(100)
		r.Listeners = &n
	}
	if random.IntN(5) == 0 {
		r.Next = &upstream.Song{Text: texts[random.IntN(len(texts))], Art: "https://radio.example/cover"}
	}
	return r
}

func TestCursorOfLongTitles(t *testing.T) {
	for _, letter := range []string{"<", `"`, "é", "\u2028", "\\"} {
		m := simulate(t, func(s *Settings) { s.Delay, s.Hide = time.Minute, nil })
		m.hear(titled("short"), 5*time.Second)
		for i := range 8 {
			long := strings.Repeat(letter, 300) + " - " + strings.Repeat(letter, 300+i)
			r := titled(long)
			r.Song.Album, r.Song.Art, r.Song.PlayID = long, "https://radio.example/"+strings.Repeat("x", 600), long
			r.Next = &upstream.Song{Text: long, Album: long, Art: r.Song.Art}
			m.hear(r, 5*time.Second)
			if raw := m.e.cursor(); len(raw) > maxCursor || !json.Valid(raw) {
				t.Fatalf("of %q: a cursor of %d bytes", letter, len(raw))
			}
		}
		m.pass(10 * minute)
		raw := m.e.cursor()
		var c cursor
		if err := json.Unmarshal(raw, &c); err != nil || len(raw) > maxCursor || c.Wall == nil || c.Current == nil {
			t.Errorf("of %q: what is on the wall isn't in a cursor of %d bytes: %v", letter, len(raw), err)
		}
	}
}
