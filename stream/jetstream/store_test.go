package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// program is one start of the store on a data folder.
type program struct {
	*jetstream.Store
	server *embed.Server
	nc     *nats.Conn
}

var main = jetstream.Wall{Name: "main", Events: 10000, Age: 24 * time.Hour, Bytes: 64 << 20, History: 100, Payload: 64 << 10}

// run starts the store on folder; it is stopped at the end of the test, or by stop.
func run(t *testing.T, folder string, walls ...jetstream.Wall) *program {
	t.Helper()
	server, err := embed.Start(embed.Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: walls, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return &program{store, server, nc}
}

func (p *program) stop() {
	p.Close()
	p.nc.Close()
	p.server.Close()
}

func (p *program) publish(t *testing.T, subject, data string) stream.ID {
	t.Helper()
	s, err := stream.ParseSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Publish(t.Context(), stream.Draft{Subject: s, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func (p *program) wallState(t *testing.T, wall string) stream.State {
	t.Helper()
	st, err := p.State(t.Context(), wall)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// held lists what Range yields, as "seq data".
func (p *program) held(t *testing.T, wall string, after, through uint64) []string {
	t.Helper()
	var got []string
	for e, err := range p.Range(t.Context(), wall, after, through) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Odd():
			got = append(got, fmt.Sprintf("%d odd", e.ID.Seq))
		case e.Control != "":
			got = append(got, fmt.Sprintf("%d %s %s", e.ID.Seq, e.Control, e.Target))
		default:
			got = append(got, fmt.Sprintf("%d %s", e.ID.Seq, e.Data))
		}
	}
	return got
}

func (p *program) cards(t *testing.T, wall string) []string {
	t.Helper()
	cards, err := p.Cards(t.Context(), wall)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range cards {
		got = append(got, fmt.Sprintf("%d %s %s", e.ID.Seq, e.Subject, e.Data))
	}
	return got
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// eventually waits for the store's upkeep, which nothing outside announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 15 s", what)
		}
	}
}

func TestEventsSurviveARestartUnderTheirIDs(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	first := p.publish(t, "wall.main.message", "one")
	second := p.publish(t, "wall.main.friend", `{"text":"two"}`)
	if first.Epoch != second.Epoch || first.Seq != 1 || second.Seq != 2 {
		t.Fatalf("ids %s and %s", first, second)
	}
	p.stop()
	p = run(t, folder, main)
	equal(t, "held after the restart", p.held(t, "main", 0, 9), []string{"1 one", `2 {"text":"two"}`})
	st := p.wallState(t, "main")
	if st.Head() != second || st.First != 1 || !slices.Equal(st.Kinds, []string{"friend", "message"}) {
		t.Errorf("state after the restart: %+v, want head %s", st, second)
	}
	equal(t, "after the first", p.held(t, "main", 1, 2), []string{`2 {"text":"two"}`})
}

func TestMetadata(t *testing.T) {
	p := run(t, t.TempDir(), main)
	when := time.Date(2026, 11, 22, 8, 30, 0, 5000, time.UTC)
	subject := stream.Subject{Wall: "main", Kind: "song", Key: "jazz"}
	if _, err := p.Publish(t.Context(), stream.Draft{Subject: subject, Data: []byte("x"), Time: when, Source: "urn:radio", EventID: "e1", Type: "org.example.song"}); err != nil {
		t.Fatal(err)
	}
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	msg, err := js.GetMsg("WALL_main", 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ce-id": "e1", "ce-source": "urn:radio", "ce-type": "org.example.song", "ce-subject": "jazz", "ce-time": "2026-11-22T08:30:00.000005Z",
	} {
		if got := msg.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	for e, err := range p.Range(t.Context(), "main", 0, 1) {
		if err != nil || !e.Time.Equal(when) || e.Source != "urn:radio" || e.Subject != subject {
			t.Errorf("read back: %+v, %v", e, err)
		}
	}
}

func TestFollowGoesOnLive(t *testing.T) {
	p := run(t, t.TempDir(), main)
	p.publish(t, "wall.main.message", "one")
	p.publish(t, "wall.main.message", "two")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for e, err := range p.Follow(ctx, "main", 1) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Data))
		switch len(got) {
		case 1:
			p.publish(t, "wall.main.message", "three")
		case 2:
			p.publish(t, "wall.main.message", "four")
		case 3:
			cancel()
		}
	}
	equal(t, "followed", got, []string{"two", "three", "four"})
}

// A NATS client can publish anything to a wall's subjects; what is odd hides
// nothing else.
func TestWhatANATSClientPublishes(t *testing.T) {
	p := run(t, t.TempDir(), main)
	p.publish(t, "wall.main.message", "before")
	for _, subject := range []string{"wall.main.Foo", "wall.main.error", "wall.main.a_b", "wall.main.song.K", "wall.main.-", "ctl.main.retract", "ctl.main.other"} {
		msg := nats.NewMsg(subject)
		msg.Data = []byte("x")
		if _, err := p.nc.RequestMsg(msg, 5*time.Second); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
	}
	forged := nats.NewMsg("wall.main.message")
	forged.Data = []byte("bad \xff utf-8\nid: 1\n\n")
	forged.Header.Set("ce-time", "yesterday")
	forged.Header.Set("ce-source", "a\x1b[31m\xffb"+strings.Repeat("x", 2000))
	if _, err := p.nc.RequestMsg(forged, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := p.nc.Request("wall.main.a.b.c", []byte("x"), time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a subject that is too deep: %v, want no responders", err)
	}
	p.publish(t, "wall.main.message", "after")
	equal(t, "held", p.held(t, "main", 0, 99), []string{
		"1 before", "2 odd", "3 odd", "4 odd", "5 odd", "6 odd", "7 odd", "8 odd", "9 bad \xff utf-8\nid: 1\n\n", "10 after",
	})
	for e := range p.Range(t.Context(), "main", 8, 9) {
		if len(e.Source) > 600 || !strings.HasPrefix(e.Source, "a[31m\uFFFDb") || time.Since(e.Time) > time.Minute {
			t.Errorf("source %q, time %s", e.Source, e.Time)
		}
	}
	huge := nats.NewMsg("wall.main.message")
	huge.Data = make([]byte, 200<<10)
	if reply, err := p.nc.RequestMsg(huge, 5*time.Second); err != nil || !strings.Contains(string(reply.Data), "10054") {
		t.Errorf("a huge payload: %s, %v; want it refused", reply.Data, err)
	}
}

func TestPublishErrors(t *testing.T) {
	p := run(t, t.TempDir(), main)
	publish := func(subject string, size int) error {
		s, err := stream.ParseSubject(subject)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Publish(ctx, stream.Draft{Subject: s, Data: make([]byte, size)})
		return err
	}
	if err := publish("wall.other.message", 1); !errors.Is(err, stream.ErrUnknownWall) {
		t.Errorf("a wall that is not served: %v", err)
	}
	if err := publish("wall.main.message", 64<<10+1); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("a payload one byte too large: %v", err)
	}
	if err := publish("wall.main.message", 64<<10); err != nil {
		t.Errorf("the largest payload: %v", err)
	}
	p.server.Close()
	if err := publish("wall.main.message", 1); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("with the server gone: %v", err)
	}
}

func TestARepeatIsStoredOnce(t *testing.T) {
	folder := t.TempDir()
	other := main
	other.Name = "other"
	p := run(t, folder, main, other)
	publish := func(wall, id, data string) stream.Receipt {
		t.Helper()
		r, err := p.Publish(t.Context(), stream.Draft{Subject: stream.Subject{Wall: wall, Kind: "song", Key: "k"}, Data: []byte(data), DedupeID: id})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := publish("main", "a", "one")
	if again := publish("main", "a", "one again"); !again.Duplicate || again.ID != first.ID {
		t.Errorf("the repeat: %+v, want a duplicate of %s", again, first.ID)
	}
	if elsewhere := publish("other", "a", "one elsewhere"); elsewhere.Duplicate {
		t.Error("the same id on another wall is no repeat")
	}
	p.stop()
	p = run(t, folder, main, other)
	if again := publish("main", "a", "one again"); !again.Duplicate {
		t.Error("a repeat after a restart was stored")
	}
	equal(t, "main", p.held(t, "main", 0, 9), []string{"1 one"})
}

func TestACardSurvivesEviction(t *testing.T) {
	small := main
	small.Events = 5
	folder := t.TempDir()
	p := run(t, folder, small)
	p.publish(t, "wall.main.song.jazz", "So What")
	p.publish(t, "wall.main.song.rock", "Paranoid")
	p.publish(t, "wall.main.song.rock", "Iron Man")
	for i := range 20 {
		p.publish(t, "wall.main.message", fmt.Sprint("chat ", i))
	}
	want := []string{"1 wall.main.song.jazz So What", "3 wall.main.song.rock Iron Man"}
	eventually(t, "the cards are kept", func() bool { return slices.Equal(p.cards(t, "main"), want) })
	if st := p.wallState(t, "main"); st.First != 19 || !slices.Contains(st.Kinds, "song") {
		t.Errorf("state: %+v, want first 19 and the kind song", st)
	}
	p.stop()
	p = run(t, folder, small)
	equal(t, "after a restart", p.cards(t, "main"), want)

	// The card goes when it is retracted, and no older version comes back.
	if _, err := p.Retract(t.Context(), "main", stream.ID{Epoch: p.wallState(t, "main").Epoch, Seq: 3}); err != nil {
		t.Fatal(err)
	}
	equal(t, "after the retraction", p.cards(t, "main"), want[:1])
	p.publish(t, "wall.main.song.jazz", "Freddie Freeloader")
	equal(t, "after a new version", p.cards(t, "main"), []string{"25 wall.main.song.jazz Freddie Freeloader"})
}

// A producer that states what it expects of the wall's stream has the statement
// republished, and CARDS refuses it.
func TestACardOfAProducerWithExpectations(t *testing.T) {
	small := main
	small.Events = 5
	p := run(t, t.TempDir(), small)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	kept := func(n uint64) func() bool {
		return func() bool {
			info, err := js.StreamInfo("CARDS")
			return err == nil && info.State.Msgs == n
		}
	}
	p.publish(t, "wall.main.song.rock", "Paranoid")
	eventually(t, "a card is kept", kept(1))
	if _, err := js.Publish("wall.main.song.jazz", []byte("So What"), nats.ExpectStream("WALL_main")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the card is kept", kept(2))
	for range 9 {
		p.publish(t, "wall.main.message", "chat")
	}
	equal(t, "after the eviction", p.cards(t, "main"), []string{"1 wall.main.song.rock Paranoid", "2 wall.main.song.jazz So What"})
}

// A producer can send any header, also the one by which NATS says what it has
// republished.
func TestACardOfAProducerThatForgesItsSequence(t *testing.T) {
	small := main
	small.Events = 3
	p := run(t, t.TempDir(), small)
	for _, forged := range []struct{ key, sequence string }{{"rock", "77777"}, {"jazz", "1"}, {"folk", "none"}} {
		msg := nats.NewMsg("wall.main.song." + forged.key)
		msg.Data = []byte(forged.key)
		msg.Header.Set("Nats-Sequence", forged.sequence)
		if _, err := p.nc.RequestMsg(msg, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		p.publish(t, "wall.main.message", "chat")
	}
	want := []string{"1 wall.main.song.rock rock", "2 wall.main.song.jazz jazz", "3 wall.main.song.folk folk"}
	equal(t, "after the eviction", p.cards(t, "main"), want)
}

// The copy in CARDS is made by NATS after the event was acknowledged. A crash
// in between must not lose the card once its event is evicted.
func TestCardsAreReconciledAtStart(t *testing.T) {
	small := main
	small.Events = 5
	folder := t.TempDir()
	p := run(t, folder, small)
	p.publish(t, "wall.main.song.jazz", "So What")
	eventually(t, "the card is republished", func() bool {
		js, _ := p.nc.JetStream()
		info, err := js.StreamInfo("CARDS")
		return err == nil && info.State.Msgs == 1
	})
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.PurgeStream("CARDS"); err != nil { // as if it had not been republished
		t.Fatal(err)
	}
	p.stop()
	p = run(t, folder, small)
	js, _ = p.nc.JetStream()
	eventually(t, "the card is put back", func() bool {
		info, err := js.StreamInfo("CARDS")
		return err == nil && info.State.Msgs == 1
	})
	for range 20 {
		p.publish(t, "wall.main.message", "chat")
	}
	equal(t, "after the eviction", p.cards(t, "main"), []string{"1 wall.main.song.jazz So What"})
}

func TestTheNewestVersionsOfACardAreHeld(t *testing.T) {
	three := main
	three.History = 3
	p := run(t, t.TempDir(), three)
	first := p.publish(t, "wall.main.score.cup", "0:0")
	for i := range 9 {
		p.publish(t, "wall.main.score.cup", fmt.Sprint(i+1, ":0"))
	}
	p.publish(t, "wall.main.message", "hello")
	p.publish(t, "wall.main.message", "hello")
	p.publish(t, "wall.main.message", "hello")
	p.publish(t, "wall.main.message", "hello")
	want := []string{"8 7:0", "9 8:0", "10 9:0", "11 hello", "12 hello", "13 hello", "14 hello"}
	eventually(t, "trimmed", func() bool { return slices.Equal(p.held(t, "main", 0, 99), want) })
	// Superseded versions are a hole in the history, not a gap.
	if st := p.wallState(t, "main"); st.First != first.Seq {
		t.Errorf("first is %d, want %d: nothing was evicted", st.First, first.Seq)
	}
}

// Versions that come while others are trimmed make no gap either.
func TestTrimmingABusyCardIsNoGap(t *testing.T) {
	three := main
	three.History = 3
	p := run(t, t.TempDir(), three)
	for i := range 600 {
		p.publish(t, "wall.main.score.cup", fmt.Sprint(i))
	}
	eventually(t, "trimmed", func() bool { return len(p.held(t, "main", 0, 600)) == 3 })
	if st := p.wallState(t, "main"); st.First != 1 {
		t.Errorf("first is %d, want 1: nothing was evicted", st.First)
	}
}

func TestRetract(t *testing.T) {
	p := run(t, t.TempDir(), main)
	one := p.publish(t, "wall.main.message", "one")
	two := p.publish(t, "wall.main.message", "two")
	control, err := p.Retract(t.Context(), "main", one)
	if err != nil {
		t.Fatal(err)
	}
	if control.Seq != 3 {
		t.Errorf("the control event has id %s, want sequence 3", control)
	}
	equal(t, "held", p.held(t, "main", 0, 9), []string{"2 two", "3 retract " + one.String()})
	if st := p.wallState(t, "main"); st.First != 1 {
		t.Errorf("first is %d, want 1: a retraction is no gap", st.First)
	}
	for _, id := range []stream.ID{one, control, {Epoch: "other", Seq: two.Seq}, {Epoch: two.Epoch, Seq: 99}, {Epoch: two.Epoch}} {
		if _, err := p.Retract(t.Context(), "main", id); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("retracting %s: %v, want ErrNotFound", id, err)
		}
	}
	if _, err := p.Retract(t.Context(), "main", two); err != nil {
		t.Fatal(err)
	}
	if st := p.wallState(t, "main"); st.First != 1 {
		t.Errorf("first is %d after both were retracted, want 1", st.First)
	}
}

func TestRetractACard(t *testing.T) {
	p := run(t, t.TempDir(), main)
	old := p.publish(t, "wall.main.song.jazz", "So What")
	newest := p.publish(t, "wall.main.song.jazz", "Blue in Green")
	if _, err := p.Retract(t.Context(), "main", old); err != nil { // an older version alone
		t.Fatal(err)
	}
	equal(t, "the card", p.cards(t, "main"), []string{"2 wall.main.song.jazz Blue in Green"})
	p.publish(t, "wall.main.song.jazz", "All Blues")
	newest.Seq = 4
	if _, err := p.Retract(t.Context(), "main", newest); err != nil {
		t.Fatal(err)
	}
	equal(t, "no card", p.cards(t, "main"), nil)
	equal(t, "held", p.held(t, "main", 0, 9), []string{"3 retract " + old.String(), "5 retract " + newest.String()})
}

// The program dies between the control event and the deletion.
func TestAHalfDoneRetractionIsCompleted(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	one := p.publish(t, "wall.main.message", "one")
	announce := func(id stream.ID) {
		t.Helper()
		data := fmt.Sprintf(`{"id":%q,"subject":"wall.main.message"}`, id)
		if _, err := p.nc.Request("ctl.main.retract", []byte(data), 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	announce(one)
	p.stop()
	p = run(t, folder, main)
	equal(t, "after the restart", p.held(t, "main", 0, 9), []string{"2 retract " + one.String()})

	three := p.publish(t, "wall.main.message", "three")
	announce(three) // by another process, which dies; this one lives on
	eventually(t, "completed", func() bool { return len(p.held(t, "main", 2, 3)) == 0 })
}

func TestEvictionIsAGap(t *testing.T) {
	small := main
	small.Events = 5
	p := run(t, t.TempDir(), small)
	for i := range 12 {
		p.publish(t, "wall.main.message", fmt.Sprint(i+1))
	}
	st := p.wallState(t, "main")
	if st.First != 8 || st.Last != 12 {
		t.Fatalf("state %+v, want 8 to 12", st)
	}
	if _, err := p.Retract(t.Context(), "main", stream.ID{Epoch: st.Epoch, Seq: 9}); err != nil {
		t.Fatal(err)
	}
	// The control event took the place of 8; that 9 is gone is no gap.
	if st := p.wallState(t, "main"); st.First != 9 {
		t.Errorf("first is %d after the retraction, want 9", st.First)
	}
	for range 5 {
		p.publish(t, "wall.main.message", "more")
	}
	if st := p.wallState(t, "main"); st.First != 14 {
		t.Errorf("first is %d after five more, want 14", st.First)
	}
}

func TestAnOlderCopyGetsNewIDs(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	p := run(t, folder, main)
	p.publish(t, "wall.main.message", "one")
	p.stop()
	copied := folder + "-backup"
	cp := func(from, to string) {
		t.Helper()
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	cp(folder, copied)
	p = run(t, folder, main)
	two := p.publish(t, "wall.main.message", "two")
	p.stop()

	t.Run("of the whole folder", func(t *testing.T) {
		if err := os.Rename(folder, folder+"-newer"); err != nil {
			t.Fatal(err)
		}
		cp(copied, folder)
		p := run(t, folder, main)
		other := p.publish(t, "wall.main.message", "another two")
		if other.Seq != two.Seq || other.Epoch == two.Epoch {
			t.Errorf("the id of another event is %s, and of the first one was %s", other, two)
		}
		epoch := other.Epoch
		p.stop()
		p = run(t, folder, main)
		if got := p.wallState(t, "main").Epoch; got != epoch {
			t.Errorf("the epoch changed again at the next start, from %s to %s", epoch, got)
		}
	})
	t.Run("of one stream", func(t *testing.T) {
		folder := folder + "-newer"
		var found int
		err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() || d.Name() != "WALL_main" {
				return err
			}
			found++
			rel, err := filepath.Rel(folder, path)
			if err != nil {
				return err
			}
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			cp(filepath.Join(copied, rel), path)
			return filepath.SkipDir
		})
		if err != nil || found != 1 {
			t.Fatalf("replacing the stream: %v, found %d", err, found)
		}
		p := run(t, folder, main)
		if other := p.publish(t, "wall.main.message", "another two"); other.Epoch == two.Epoch {
			t.Errorf("the id of another event is %s, and of the first one was %s", other, two)
		}
	})
}

func TestAReplacedStreamEndsFollow(t *testing.T) {
	p := run(t, t.TempDir(), main)
	for range 3 {
		p.publish(t, "wall.main.message", "x")
	}
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, err := range p.Follow(t.Context(), "main", 0) {
		if err != nil {
			if !errors.Is(err, stream.ErrReset) {
				t.Errorf("followed into %v, want ErrReset", err)
			}
			return
		}
		if next++; next < 3 {
			continue
		}
		if err := js.DeleteStream("WALL_main"); err != nil {
			t.Fatal(err)
		}
		if err := p.SetWalls(t.Context(), []jetstream.Wall{main}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsCanBeChanged(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	for i := range 9 {
		p.publish(t, "wall.main.message", fmt.Sprint(i+1))
	}
	small := main
	small.Events = 3
	if err := p.SetWalls(t.Context(), []jetstream.Wall{small}); err != nil {
		t.Fatal(err)
	}
	equal(t, "held", p.held(t, "main", 0, 99), []string{"7 7", "8 8", "9 9"})
	if err := p.SetWalls(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.State(t.Context(), "main"); !errors.Is(err, stream.ErrUnknownWall) {
		t.Errorf("a wall that was removed: %v", err)
	}
	if err := p.SetWalls(t.Context(), []jetstream.Wall{small}); err != nil {
		t.Fatal(err)
	}
	equal(t, "held after it was named again", p.held(t, "main", 0, 99), []string{"7 7", "8 8", "9 9"})
}

// A head that another process saves while the walls are opened must not look as
// if the stream had been replaced by an older copy.
func TestIDsStayWhileOthersPublish(t *testing.T) {
	p := run(t, t.TempDir(), main)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	heads, err := js.KeyValue("wallcast_state")
	if err != nil {
		t.Fatal(err)
	}
	epoch := p.wallState(t, "main").Epoch
	ctx, stop := context.WithCancel(t.Context())
	published := make(chan error)
	go func() {
		for ctx.Err() == nil {
			ack, err := js.Publish("wall.main.message", []byte("chat"))
			if err == nil {
				_, err = heads.PutString("head.main", fmt.Sprintf(`{"epoch":%q,"seq":%d}`, epoch, ack.Sequence))
			}
			if err != nil {
				published <- err
				return
			}
		}
		published <- nil
	}()
	for range 200 {
		if err := p.SetWalls(t.Context(), []jetstream.Wall{main}); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-published; err != nil {
		t.Error(err)
	}
	if got := p.wallState(t, "main").Epoch; got != epoch {
		t.Errorf("the ids begin with %s now, they began with %s", got, epoch)
	}
}

func TestSubjectsHeldByAnotherStream(t *testing.T) {
	p := run(t, t.TempDir())
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "LEGACY", Subjects: []string{"wall.main.>"}}); err != nil {
		t.Fatal(err)
	}
	err = p.SetWalls(t.Context(), []jetstream.Wall{main})
	if err == nil || !strings.Contains(err.Error(), "LEGACY") {
		t.Errorf("opening the wall: %v; want an error that names the stream LEGACY", err)
	}
}

func TestWallsThatCannotBeSetLeaveTheOthersServed(t *testing.T) {
	p := run(t, t.TempDir(), main)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "LEGACY", Subjects: []string{"wall.side.>"}}); err != nil {
		t.Fatal(err)
	}
	narrow, side := main, main
	narrow.Payload, side.Name = 3, "side"
	if err := p.SetWalls(t.Context(), []jetstream.Wall{narrow, side}); err == nil {
		t.Fatal("a wall is opened whose subjects another stream holds")
	}
	p.publish(t, "wall.main.message", "as long as before")
	if _, err := p.State(t.Context(), "side"); !errors.Is(err, stream.ErrUnknownWall) {
		t.Errorf("the wall that could not be opened: %v", err)
	}
}

// What was held when a reading began may be evicted before it is delivered; the
// reading ends all the same.
func TestAReadingEndsThoughTheRestIsEvicted(t *testing.T) {
	p := run(t, t.TempDir(), main)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if err := p.nc.Publish("wall.main.message", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	p.publish(t, "wall.main.message", "last")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n := 0
	for _, err := range p.Range(ctx, "main", 0, 3001) {
		if err != nil {
			t.Fatalf("after %d events: %v", n, err)
		}
		if n++; n == 1 {
			if err := js.PurgeStream("WALL_main"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 3001 {
		t.Skip("all was delivered before it was evicted")
	}
}

func TestRetractingWhatIsEvictedMeanwhile(t *testing.T) {
	small := main
	small.Events = 1
	p := run(t, t.TempDir(), small)
	for range 20 {
		// The control event takes the place of its target.
		id := p.publish(t, "wall.main.message", "x")
		if _, err := p.Retract(t.Context(), "main", id); err != nil {
			t.Fatal(err)
		}
	}
}
