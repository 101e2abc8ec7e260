package sse_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

func TestGap(t *testing.T) { inAllWays(t, checkGap) }

func checkGap(t *testing.T) {
	t.Run("jetstream", func(t *testing.T) {
		wall := mainWall()
		wall.Events = 5
		s := newSite(t, wall, sse.Config{})
		song, ids := s.fill(20)
		for deadline := time.Now().Add(5 * time.Second); len(must(s.store.Cards(t.Context(), "main"))) == 0; {
			if time.Now().After(deadline) { // NATS republishes it a little later
				t.Fatal("the store does not keep the card")
			}
		}
		testGap(t, s, song, ids)
	})
	t.Run("memory", func(t *testing.T) {
		m := newMemory("main")
		s := serve(t, sse.Config{Reader: m})
		s.publish = func(subject, data string) stream.ID {
			address := must(stream.ParseSubject(subject))
			return m.publish(address.Kind, address.Key, data)
		}
		song, ids := s.fill(20)
		m.evict(ids[15].Seq)
		testGap(t, s, song, ids)
	})
}

// fill publishes a keyed card and then n messages.
func (s *site) fill(n int) (song stream.ID, ids []stream.ID) {
	song = s.publish("wall.main.song.jazz", "on air")
	for i := range n {
		ids = append(ids, s.publish("wall.main.message", fmt.Sprint(i)))
	}
	return song, ids
}

// testGap runs on a wall that has evicted a card and the first of some messages.
func testGap(t *testing.T, s *site, song stream.ID, ids []stream.ID) {
	st, err := s.reader.State(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if st.First != ids[15].Seq {
		t.Fatalf("the wall holds what is from %d on, not from %d", st.First, ids[15].Seq)
	}
	first := stream.ID{Epoch: st.Epoch, Seq: st.First}
	held := ids[slices.Index(ids, first):]
	for _, test := range []struct{ asked, reason string }{
		{ids[2].String(), "expired"},
		{ids[13].String(), "expired"}, // by one
		{"0000-7", "recreated"},
		{stream.ID{Epoch: st.Epoch, Seq: st.Last + 1}.String(), "future"},
		{"nonsense", "unknown"},
		{"urn:uuid:1<x>", "unknown"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			s := s.in(t)
			data := string(must(json.Marshal(map[string]string{"from": test.asked, "first": first.String(), "reason": test.reason})))
			r, hello := s.watch("", test.asked)
			// The asked id stays the client's until it knows of the gap.
			if asked, _ := stream.ParseID(test.asked); hello.LastEventID != asked.String() {
				t.Errorf("hello has id %q, want the one that was asked for, %q, if it is one", hello.LastEventID, asked)
			}
			e := r.next()
			if e.Type != "wall:gap" || e.LastEventID != before(song).String() || !sameJSON(t, e.Data, data) {
				t.Fatalf("got %+v, want wall:gap %s", e, data)
			}
			r.want("song", song, "on air")
			r.want("wall:ping", before(first), "*") // or who comes back with the card's id has a gap again
			for i, id := range held {
				r.want("", id, fmt.Sprint(len(ids)-len(held)+i))
			}

			a := s.poll("", test.asked)
			if a.Gap == nil || a.Gap.Reason != test.reason || a.Gap.From != test.asked || a.Gap.First != first.String() {
				t.Errorf("JSON: gap %+v", a.Gap)
			}
			want := append([]string{song.String()}, idStrings(held)...)
			if diff := cmp.Diff(want, a.ids()); diff != "" {
				t.Errorf("JSON events (-want +got):\n%s", diff)
			}
		})
	}

	// Filters apply; what is exactly at the edge is no gap.
	r, _ := s.watch("?kinds=message", ids[0].String())
	if e := r.next(); e.Type != "wall:gap" {
		t.Fatalf("got %+v, want wall:gap", e)
	}
	r.want("", first, "*")
	r, _ = s.watch("", before(first).String())
	r.want("", first, "*")

	// last counts the surviving card, but only where the history is too short.
	r, _ = s.watch("?last=6", "")
	r.want("song", song, "on air")
	r.want("wall:ping", before(first), "*")
	r.want("", first, "*")
	r, _ = s.watch("?last=1&kinds=song", "")
	r.want("song", song, "on air")
	r, _ = s.watch("?last=5", "")
	r.want("", first, "*")
}
