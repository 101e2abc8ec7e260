package plugins

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/wallcast/wallcast/stream"
)

// state is the cursor of a plugin's source: what of its triggers is done, and the
// plugin's own cursor. It is stored with the events.
type state struct {
	Cursor json.RawMessage `json:"cursor,omitempty"` // the plugin's own

	// Done are calls whose events are stored and whose entries in their queues may
	// not be deleted yet, by id.
	Done map[string]entry `json:"done,omitempty"`

	// Part is how many events are stored of a call that lacks others.
	Part map[string]int `json:"part,omitempty"`

	// On is how far the walls that the plugin listens to were read.
	On map[string]*position `json:"on,omitempty"`
}

// entry is where a trigger lies.
type entry struct {
	Work uint64 `json:"work,omitempty"`
	Tick uint64 `json:"tick,omitempty"`
	Time int64  `json:"time,omitempty"` // of a tick, in nanoseconds
}

// position is how far a wall was read: all is done up to At, and beyond it Done.
type position struct {
	Epoch string   `json:"epoch"`
	At    uint64   `json:"at"`
	Done  []uint64 `json:"done,omitempty"` // sorted

	read    uint64   // up to here; all but pending is done
	pending []uint64 // sorted
}

func parseState(cursor json.RawMessage) (*state, error) {
	s := &state{}
	if cursor != nil {
		if err := json.Unmarshal(cursor, s); err != nil {
			return nil, fmt.Errorf("the source's cursor is not a plugin's: %w", err)
		}
	}
	if s.Done == nil {
		s.Done = map[string]entry{}
	}
	if s.Part == nil {
		s.Part = map[string]int{}
	}
	if s.On == nil {
		s.On = map[string]*position{}
	}
	for _, p := range s.On {
		if p == nil {
			return nil, fmt.Errorf("the source's cursor lacks a position")
		}
		p.read = p.At
	}
	return s, nil
}

func (s *state) json() json.RawMessage {
	text, err := marshal(s)
	if err != nil { // Cursor was checked when it came
		panic(fmt.Sprintf("plugins: the cursor %q: %v", s.Cursor, err))
	}
	return text
}

func (p *position) id() stream.ID { return stream.ID{Epoch: p.Epoch, Seq: p.At} }

// begin notes that the entry seq was read, and that it is being worked on. It
// returns false where an earlier run has done it.
func (p *position) begin(seq uint64) bool {
	p.read = seq
	if slices.Contains(p.Done, seq) {
		p.settle()
		return false
	}
	p.pending = append(p.pending, seq)
	p.settle()
	return true
}

// skip notes that the entry seq was read and is nothing to work on.
func (p *position) skip(seq uint64) {
	p.read = seq
	p.settle()
}

// finish notes that the entry seq is done.
func (p *position) finish(seq uint64) {
	p.pending = slices.DeleteFunc(p.pending, func(s uint64) bool { return s == seq })
	if i, there := slices.BinarySearch(p.Done, seq); !there {
		p.Done = slices.Insert(p.Done, i, seq)
	}
	p.settle()
}

// settle moves At up to the first entry that is not done. What an earlier run has
// done and this one has not come to stays in Done.
func (p *position) settle() {
	at := p.read
	if len(p.pending) > 0 {
		at = min(at, p.pending[0]-1)
	}
	p.At = max(p.At, at)
	p.Done = slices.DeleteFunc(p.Done, func(s uint64) bool { return s <= p.At })
}
