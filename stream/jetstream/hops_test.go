package jetstream_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
)

// Whether an event triggers a plugin hangs on its hops and its source, so a
// producer must not be able to choose them.
func TestHopsAreTheStoresOwn(t *testing.T) {
	p := run(t, t.TempDir(), main)
	subject := stream.Subject{Wall: "main", Kind: "note", Key: "k"}
	made := stream.Draft{Subject: subject, Data: []byte("made"), Source: "counter", Hops: 3}
	if _, err := p.Publish(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	var header nats.Header
	stolen, err := p.nc.SubscribeSync("wall.>")
	if err != nil {
		t.Fatal(err)
	}
	made.Hops = 4
	receipt, err := p.Hold(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(t.Context(), "main", receipt.Held); err != nil {
		t.Fatal(err)
	}
	msg, err := stolen.NextMsg(nats.DefaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	header = msg.Header
	for _, change := range []func(m *nats.Msg){
		func(m *nats.Msg) { m.Data = []byte("another payload") },
		func(m *nats.Msg) { m.Header.Set("Wallcast-Hops", "8") },
		func(m *nats.Msg) { m.Header.Set("ce-source", "filter") },
		func(m *nats.Msg) { m.Subject = "wall.main.message" },
		func(m *nats.Msg) { m.Header.Del("Wallcast-Hops-Mac") },
	} {
		forged := nats.NewMsg("wall.main.note.k")
		forged.Data = []byte("made")
		for _, name := range []string{"ce-source", "Wallcast-Hops", "Wallcast-Hops-Mac"} {
			forged.Header.Set(name, header.Get(name))
		}
		change(forged)
		if _, err := p.nc.RequestMsg(forged, nats.DefaultTimeout); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for e, err := range p.Range(t.Context(), "main", 0, p.wallState(t, "main").Last) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Hops)
	}
	if want := []int{3, 4, 0, 0, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("the events have the hops %v, want %v", got, want)
	}
}
