package nowplaying

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// recents are the songs that the newest card lists as played before.
func (m *sim) recents() string {
	var all []string
	for _, r := range m.last().Recent {
		all = append(all, r.Title)
	}
	return strings.Join(all, " ")
}

func TestSongsBefore(t *testing.T) {
	m := simulate(t, func(s *Settings) {
		s.Rules = []Rule{{Match: "*jingle*", As: "jingle"}}
		s.Hide = nil
		s.Listen = "https://radio.example/jazz"
	})
	m.hear(titled("A - One"), 2*minute)
	if got := m.recents(); got != "" || m.last().Listen != "https://radio.example/jazz" {
		t.Errorf("the first song: %s", m.last().json())
	}
	m.hear(titled("a jingle"), 20*time.Second)
	if got := m.recents(); got != "One" {
		t.Errorf("during a jingle the songs before are %q", got)
	}
	m.hear(titled("A - One"), 2*minute)
	if got := m.recents(); got != "" {
		t.Errorf("a song that goes on was played before itself: %q", got)
	}
	for _, title := range []string{"Two", "Three", "Four", "Five", "Six", "Seven"} {
		m.hear(titled("B - "+title), 2*minute)
	}
	m.restart(time.Second)
	m.hear(titled("B - Eight"), 2*minute)
	if got := m.recents(); got != "Seven Six Five Four Three" {
		t.Errorf("after a restart the songs before are %q", got)
	}
}

func TestSongsBeforeNeverCostWhatWaits(t *testing.T) {
	m := simulate(t, func(s *Settings) { s.Delay = 4 * time.Minute })
	for i := range 12 {
		m.hear(titled(fmt.Sprintf("Somebody - %d %s", i, strings.Repeat("long ", 30))), 2*minute)
	}
	m.restart(time.Second)
	m.pass(10 * minute)
	if last := m.last(); !strings.HasPrefix(last.Title, "11 ") {
		t.Errorf("the song that waited over a restart is %q", last.Title)
	}
}
