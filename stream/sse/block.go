package sse

import (
	"fmt"

	"github.com/wallcast/wallcast/stream"
)

// block returns an entry in a representation, encoded once. It is nil when the
// card could not be rendered.
func (f *feed) block(e *entry, rep representation) []byte {
	if b := e.blocks[rep].Load(); b != nil {
		return *b
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.blocks[rep].Load(); b != nil {
		return *b
	}
	var b []byte
	switch {
	case e.isRetract():
		b = encodeRetract(e.event)
	default:
		b = f.encode(e.event, rep)
	}
	e.blocks[rep].Store(&b)
	if n := int64(len(b)); e.size.Add(n) > 0 {
		f.bytes.Add(n)
	}
	return b
}

func (f *feed) encode(e stream.Event, rep representation) []byte {
	var html []byte
	if rep.hasCard() {
		var err error
		if html, err = f.card(e); err != nil {
			f.log.Error("rendering a card", "wall", f.wall, "id", e.ID.String(), "error", err)
			if rep == asHTML {
				return nil
			}
		}
	}
	return encode(e, rep, html)
}

// card renders a card. A panic is that card's error alone: it is rendered for
// all viewers by whoever comes first.
func (f *feed) card(e stream.Event) (html []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("rendering has panicked: %v", p)
		}
	}()
	return f.render(e)
}
