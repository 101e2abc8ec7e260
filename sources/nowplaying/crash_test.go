package nowplaying

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// TestCrashes plays random posts, once as they are and once with a crash now and
// then, after which what was stored last is all that is known. The cards are the same.
func TestCrashes(t *testing.T) {
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 2))
		now := noon
		var all []upstream.Report
		var times []time.Time
		for range 60 {
			now = now.Add([]time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute}[random.IntN(4)])
			r := randomReport(random, now)
			r.Listeners = nil // which are told when there is time for them
			all, times = append(all, r), append(times, now)
		}
		hide := random.IntN(2) == 0
		want := playPosts(t, hide, all, times, func() bool { return false })
		got := playPosts(t, hide, all, times, func() bool { return random.IntN(6) == 0 })
		if !slices.Equal(got, want) {
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("seed %d: of %d and %d cards number %d differs:\n\t%s\nwithout a crash\n\t%s", seed, len(got), len(want), i, at(got, i), at(want, i))
				}
			}
		}
	}
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "none"
}

// playPosts gives posts to an engine, which crashes after some of them.
func playPosts(t *testing.T, hide bool, all []upstream.Report, times []time.Time, crash func() bool) (cards []string) {
	m := simulate(t, func(s *Settings) {
		s.Rules = []Rule{{Match: "jingle*", As: "jingle"}, {Match: "*ad*", As: "ad"}}
		if !hide {
			s.Hide = nil
		}
	})
	anew := func() { m.e = m.engine([]string{"push"}) }
	anew()
	var stored json.RawMessage
	for i := 0; i <= len(all); i++ {
		now := times[min(i, len(times)-1)]
		if i == len(all) {
			now = now.Add(time.Hour)
			m.e.advance(now)
		} else {
			m.e.report(now, 0, now, uint64(i+1), all[i])
		}
		for {
			c, _, ok := m.e.due(now)
			if !ok {
				break
			}
			m.e.shown()
			cards, stored = append(cards, string(c.json())), m.e.cursor()
		}
		if i < len(all) && crash() {
			anew()
			m.e.restore(now, stored)
			var c cursor
			if stored != nil {
				if err := json.Unmarshal(stored, &c); err != nil {
					t.Fatal(err)
				}
			}
			i = int(c.Delivery) - 1
		}
	}
	return cards
}
