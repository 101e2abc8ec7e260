package jetstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// hold holds an event back and returns its number.
func (p *program) hold(t *testing.T, subject, data string) uint64 {
	t.Helper()
	s, err := stream.ParseSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Hold(t.Context(), stream.Draft{Subject: s, Data: []byte(data), Source: "visitor", Time: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if !r.ID.IsZero() || r.Held == 0 {
		t.Fatalf("the receipt of a held event is %+v", r)
	}
	return r.Held
}

// waiting lists what is held, as "number subject data".
func (p *program) waiting(t *testing.T, wall string) []string {
	t.Helper()
	all, err := p.Held(t.Context(), wall)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range all {
		got = append(got, fmt.Sprintf("%d %s %s", h.Number, h.Event.Subject, h.Event.Data))
	}
	return got
}

func TestHeldEventsWaitForADecision(t *testing.T) {
	side := main
	side.Name = "side"
	folder := t.TempDir()
	p := run(t, folder, main, side)
	a, b, c := p.hold(t, "wall.main.message", "a"), p.hold(t, "wall.side.song.jazz", "b"), p.hold(t, "wall.main.song.pop", "c")
	p.stop()

	p = run(t, folder, main, side) // what waits outlasts the program
	want := []string{fmt.Sprintf("%d wall.main.message a", a), fmt.Sprintf("%d wall.main.song.pop c", c)}
	if got := p.waiting(t, "main"); !slices.Equal(got, want) {
		t.Errorf("held on main: %q, want %q", got, want)
	}
	if got := p.waiting(t, ""); len(got) != 3 {
		t.Errorf("held on all walls: %q", got)
	}
	if got := p.held(t, "main", 0, 100); got != nil {
		t.Errorf("held events are on the wall: %q", got)
	}
	if _, err := p.Approve(t.Context(), "main", b); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("approving another wall's event gave %v", err)
	}
	if err := p.Drop(t.Context(), "side", a); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("dropping another wall's event gave %v", err)
	}

	id, err := p.Approve(t.Context(), "main", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Drop(t.Context(), "main", a); err != nil {
		t.Fatal(err)
	}
	if got, want := p.held(t, "main", 0, 100), []string{fmt.Sprintf("%d c", id.Seq)}; !slices.Equal(got, want) {
		t.Errorf("on the wall: %q, want %q", got, want)
	}
	if got := p.cards(t, "main"); len(got) != 1 {
		t.Errorf("an approved card is not among the cards: %q", got)
	}
	for e, err := range p.Range(t.Context(), "main", 0, 100) {
		if err != nil || e.Source != "visitor" || !e.Time.Equal(time.Unix(1e9, 0)) {
			t.Errorf("the approved event lost its headers: %+v, %v", e, err)
		}
	}
	if got := p.waiting(t, "main"); got != nil {
		t.Errorf("still held: %q", got)
	}
	for _, number := range []uint64{0, a, c, 1 << 40} {
		if _, err := p.Approve(t.Context(), "main", number); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("approving %d gave %v", number, err)
		}
	}
}

// TestAnApprovalThatWasCutIsDoneOnce ends approvals at the moment when the event
// comes to the wall, without the deduplication that would hide a second copy.
func TestAnApprovalThatWasCutIsDoneOnce(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	var want []string
	cuts := 0
	for i := range 12 {
		p.forgetMessageIDs(t, "main")
		data := fmt.Sprintf("event %d", i)
		want = append(want, data)
		number := p.hold(t, "wall.main.message", data)
		if p.cutApproval(t, number) != nil {
			cuts++
		}
		p.awaitForgetting(t, i)
		if i%3 == 0 { // a moderator tries again; otherwise the next start completes it
			if _, err := p.Approve(t.Context(), "main", number); err != nil && !errors.Is(err, stream.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if i%4 == 3 {
			p.stop()
			p = run(t, folder, main)
		}
	}
	if cuts == 0 {
		t.Skip("no approval was cut")
	}
	var got []string
	for e, err := range p.Range(t.Context(), "main", 0, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Subject.Kind != "probe" {
			got = append(got, string(e.Data))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after %d cuts the wall has\n\t%q\nwant\n\t%q", cuts, got, want)
	}
	if waiting := p.waiting(t, ""); waiting != nil {
		t.Errorf("still held: %q", waiting)
	}
}

// cutApproval approves, and ends that when NATS has the event for the wall.
func (p *program) cutApproval(t *testing.T, number uint64) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sub, err := p.nc.Subscribe("wall.main.>", func(*nats.Msg) { cancel() })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	_, err = p.Approve(ctx, "main", number)
	return err
}

// forgetMessageIDs makes the wall's stream notice no repeats.
func (p *program) forgetMessageIDs(t *testing.T, wall string) {
	t.Helper()
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("WALL_" + wall)
	if err != nil {
		t.Fatal(err)
	}
	info.Config.Duplicates = 100 * time.Millisecond
	if _, err := js.UpdateStream(&info.Config); err != nil {
		t.Fatal(err)
	}
}

// awaitForgetting waits until the wall's stream takes an id of now for new.
func (p *program) awaitForgetting(t *testing.T, i int) {
	t.Helper()
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		ack, err := js.Publish("wall.main.probe", nil, nats.MsgId(fmt.Sprint("probe", i)))
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && !ack.Duplicate {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestMarksOfHeldEvents(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	mark := func(count uint64) *stream.Mark {
		return &stream.Mark{Source: "feed", Count: count, Cursor: json.RawMessage(fmt.Sprint(count))}
	}
	subject := stream.Subject{Wall: "main", Kind: "message"}
	for count := uint64(1); count <= 3; count++ {
		if _, err := p.Hold(t.Context(), stream.Draft{Subject: subject, Data: []byte("x"), Mark: mark(count)}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		t.Helper()
		if got, err := p.LastMark(t.Context(), "feed", []string{"main"}); err != nil || got.Count != 3 {
			t.Errorf("%s the newest mark is %+v, %v", when, got, err)
		}
	}
	check("while its event is held")
	all, err := p.Held(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(t.Context(), "main", all[0].Number); err != nil {
		t.Fatal(err)
	}
	if err := p.Drop(t.Context(), "main", all[2].Number); err != nil {
		t.Fatal(err)
	}
	check("after its event was dropped")
	p.stop()
	p = run(t, folder, main)
	check("after a restart")
}

func TestAFullHoldRefuses(t *testing.T) {
	p := run(t, t.TempDir(), main)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("HOLD")
	if err != nil {
		t.Fatal(err)
	}
	if info.Config.MaxMsgs <= 0 {
		t.Fatal("the stream HOLD has no bound")
	}
	info.Config.MaxMsgs = 1
	if _, err := js.UpdateStream(&info.Config); err != nil {
		t.Fatal(err)
	}
	p.hold(t, "wall.main.message", "first")
	_, err = p.Hold(t.Context(), stream.Draft{Subject: stream.Subject{Wall: "main", Kind: "message"}, Data: []byte("second")})
	if !errors.Is(err, stream.ErrFull) {
		t.Errorf("a full hold gave %v", err)
	}
	if got := p.waiting(t, "main"); len(got) != 1 {
		t.Errorf("held: %q", got)
	}
}

var _ stream.Moderator = (*jetstream.Store)(nil)
