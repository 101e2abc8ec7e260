package jetstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// emit publishes as a source does.
func (p *program) emit(t *testing.T, subject, source string, count uint64) stream.ID {
	t.Helper()
	s, err := stream.ParseSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Publish(t.Context(), stream.Draft{Subject: s, Data: []byte("x"), Mark: mark(source, count)})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func mark(source string, count uint64) *stream.Mark {
	return &stream.Mark{Source: source, Count: count, Cursor: json.RawMessage(fmt.Sprintf(`{"line":%d,"name":"ü\n"}`, count))}
}

func (p *program) wantMark(t *testing.T, source string, count uint64, walls ...string) {
	t.Helper()
	m, err := p.LastMark(t.Context(), source, walls)
	if err != nil {
		t.Fatal(err)
	}
	if m.Count != count || count > 0 && string(m.Cursor) != string(mark(source, count).Cursor) {
		t.Errorf("the last mark of %s is %d %s, want %d", source, m.Count, m.Cursor, count)
	}
}

func TestTheLastMarkIsThatOfTheNewestEvent(t *testing.T) {
	folder := t.TempDir()
	other := main
	other.Name = "other"
	p := run(t, folder, main, other)
	p.wantMark(t, "a", 0, "main")
	p.emit(t, "wall.main.message", "a", 1)
	p.emit(t, "wall.main.message", "b", 7)
	at := p.emit(t, "wall.main.message", "a", 2)
	p.wantMark(t, "a", 2, "main", "other")
	if err := p.Checkpoint(t.Context(), *mark("a", 2), map[string]stream.ID{"main": at}); err != nil {
		t.Fatal(err)
	}
	p.emit(t, "wall.other.message", "a", 3)
	p.emit(t, "wall.main.message", "b", 8)
	p.wantMark(t, "a", 3, "main", "other")
	p.wantMark(t, "a", 2, "main")
	// An older checkpoint, of a process that was slow, changes nothing.
	if err := p.Checkpoint(t.Context(), *mark("a", 1), map[string]stream.ID{"main": {Epoch: at.Epoch, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	p.stop()
	p = run(t, folder, main, other)
	p.wantMark(t, "a", 3, "main", "other")
	p.wantMark(t, "b", 8, "main")
}

func TestAMarkSurvivesItsEvent(t *testing.T) {
	p := run(t, t.TempDir(), main)
	id := p.emit(t, "wall.main.message", "a", 5)
	if _, err := p.Retract(t.Context(), "main", id); err != nil {
		t.Fatal(err)
	}
	p.wantMark(t, "a", 5, "main")
}

// A producer can write any header and must not move a source's cursor with it.
func TestAForgedMarkCountsForNothing(t *testing.T) {
	p := run(t, t.TempDir(), main)
	id := p.emit(t, "wall.main.message", "a", 5)
	js, err := p.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	real, err := js.GetMsg("WALL_main", id.Seq)
	if err != nil {
		t.Fatal(err)
	}
	forged := nats.NewMsg("wall.main.message")
	forged.Header = real.Header
	forged.Header.Set("Wallcast-Mark", `{"Source":"a","Count":99,"Cursor":{}}`)
	if _, err := p.nc.RequestMsg(forged, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	p.wantMark(t, "a", 5, "main")
}

func TestALeaseHasOneHolder(t *testing.T) {
	p := run(t, t.TempDir(), main)
	second, err := jetstream.Open(t.Context(), p.nc, jetstream.Config{Walls: []jetstream.Wall{main}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	held, release, err := p.Lease(t.Context(), "jazz")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, _, err := second.Lease(short, "jazz"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second holder: %v, want it to wait", err)
	}
	_, other, err := second.Lease(t.Context(), "rock")
	if err != nil {
		t.Fatalf("a lease of another name: %v", err)
	}
	other()
	if held.Err() != nil {
		t.Fatal("the lease was lost while it was held")
	}
	release()
	if held.Err() == nil {
		t.Error("the lease goes on after its release")
	}
	_, release, err = second.Lease(t.Context(), "jazz")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestALeaseIsKeptUntilItIsReleased(t *testing.T) {
	p := run(t, t.TempDir(), main)
	second, err := jetstream.Open(t.Context(), p.nc, jetstream.Config{Walls: []jetstream.Wall{main}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, stop := context.WithCancel(t.Context())
	held, release, err := p.Lease(ctx, "jazz")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if held.Err() == nil {
		t.Error("the holder is not told to end")
	}
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, _, err := second.Lease(short, "jazz"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holder while the first is about to end: %v, want it to wait", err)
	}
	release()
	_, release, err = second.Lease(t.Context(), "jazz")
	if err != nil {
		t.Fatal(err)
	}
	release()
}
