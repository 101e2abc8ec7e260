package bench

import "time"

// take reads a piece of the stream.
func (v *viewer) take(b []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.takeLocked(b)
}

// takeLocked is take for who holds the lock.
func (v *viewer) takeLocked(b []byte) error {
	now := time.Now()
	v.heard, v.now, v.got, v.replayed = now, now.Sub(v.run.began), 0, 0
	err := v.response.feed(b, v)
	v.tally.delivered.Add(int64(v.got))
	v.tally.replayed.Add(int64(v.replayed))
	v.tally.bytes.Add(int64(len(b)))
	return err
}

// retry is how long the server wants us to stay away.
func (v *viewer) retry(d time.Duration) { v.wait = min(d, mostWait) }

// frame takes one event of the stream.
func (v *viewer) frame(f *frame) {
	if len(f.id) > 0 {
		v.resume = append(v.resume[:0], f.id...)
	}
	if len(f.name) < len("wall:") || string(f.name[:5]) != "wall:" {
		v.event(f)
		return
	}
	switch string(f.name) {
	case "wall:hello":
		v.greet(f)
	case "wall:gap":
		v.tellGap(f)
	case "wall:bye":
		v.bye = field(f.data, "reason")
		if v.bye == "" {
			v.bye = "no reason"
		}
	case "wall:retract":
		v.run.retract(field(f.data, "id"))
	}
}

func (v *viewer) greet(f *frame) {
	if v.greeted != 0 {
		return
	}
	first := !v.account.started
	if first {
		seq, ok := sequence(f.id)
		if !ok {
			return // nobody can say what it is to get
		}
		v.account.join(seq, v.begin)
	}
	v.greeted = v.now
	v.release()
	v.run.counts.greet(first, v.heard.Sub(v.dialed))
}

func (v *viewer) tellGap(f *frame) {
	v.run.counts.gaps.Add(1)
	from, known := sequence([]byte(field(f.data, "from")))
	first, ok := sequence([]byte(field(f.data, "first")))
	if !ok {
		first = unstored // nothing is held
	}
	anew := !known || field(f.data, "reason") != "expired"
	if anew {
		from = 0
	}
	v.account.tell(from, first, anew)
}

// event takes an event that somebody published.
func (v *viewer) event(f *frame) {
	seq, ok := sequence(f.id)
	if !ok || !v.account.started {
		return
	}
	if !v.run.publishing {
		if index := int(seq - v.run.from - 1); seq > v.run.from && index < maxEvents {
			v.track.see(index, seq)
			v.account.receive(index, seq)
			v.got++
		}
		return
	}
	m, ok := v.run.marks.find(f.data)
	index := m.number
	if v.part {
		index = m.part
	}
	if !ok || index < 0 || index >= int(v.track.size.Load()) {
		return
	}
	v.account.receive(index, seq)
	v.got++
	switch {
	case v.pace != steady:
	case m.sent < v.greeted:
		v.replayed++
	default:
		v.tally.latency.record(v.now - m.sent)
	}
}
