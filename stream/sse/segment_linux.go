package sse

// segment is what viewers in the same place get next, made for the first of them
// and written to all.
type segment struct {
	frame  []byte // nil when there is nothing to write; constant
	cursor uint64 // of the viewer, when it has got it; the same with what follows
	pinged uint64
	named  int
	rough  bool

	more bool   // there was more in the window: later news don't change it
	made moment // when
	used bool   // since age was last called
}

// place is all of a viewer that decides about what it gets next.
type place struct {
	rep    representation
	kinds  string
	cursor uint64
	named  int
	rough  bool
	owed   bool // a ping
}

// segments is what has been made for the viewers of a feed.
type segments map[place]*segment

// maxSegments bounds them; each is of 64 KiB or little more.
const maxSegments = 100

// next returns what a viewer gets next, nil when the window does not hold it
// any more.
func (at *audience) next(c *client, now moment) *segment {
	here := place{c.rep, c.kinds, c.cursor, c.named, c.rough, c.isOwed(now.ping)}
	p := at.segments[here]
	if p == nil || !p.fits(now) {
		if p = c.segment(); p == nil {
			return nil
		}
		if len(at.segments) >= maxSegments {
			clear(at.segments)
		}
		at.segments[here] = p
		if p.more {
			at.writer.setAlarm()
		}
	}
	p.used = true
	return p
}

// fits reports whether p is still all that there is for a viewer in its place.
func (p *segment) fits(now moment) bool {
	if p.made.taken < now.taken {
		return false
	}
	return p.more || p.made.pos >= now.pos && p.made.ping.number >= now.ping.number
}

// clear takes away what news have made stale.
func (p segments) clear() {
	for at, segment := range p {
		if !segment.more {
			delete(p, at)
		}
	}
}

// age takes away what was not used since it was last called, and reports
// whether anything is left that it should be called for again.
func (p segments) age() bool {
	p.clear()
	for at, segment := range p {
		if !segment.used {
			delete(p, at)
		}
		segment.used = false
	}
	return len(p) > 0
}

// segment makes what the viewer gets next, and leaves the viewer as it is.
func (c *client) segment() *segment {
	b := batches.Get().(*batch)
	defer b.free()
	v := c.viewer
	if v.cursor < v.look(b) {
		return nil
	}
	made := b.moment
	v.encode(b, c.rep)
	return &segment{frame(b.out), v.cursor, v.pinged, v.named, v.rough, b.news == nil, made, false}
}
