package nowplaying

import (
	"slices"
	"time"
)

const (
	// headStart is how long an upstream that is just asked may take to answer
	// before the next one is asked as well.
	headStart = 3 * time.Second

	// overdue is by how much a song may be longer than its duration.
	overdue = 2 * time.Minute
)

// order is the upstreams of a station, the preferred one first, and which of them
// is followed: the first that has something to say. Those behind it are not asked.
type order struct {
	ranks    []*rank
	patience time.Duration
	stale    time.Duration // 0: never
	active   int           // -1: none has answered
	lost     time.Time     // since when none does
}

// rank is one upstream.
type rank struct {
	label  string
	pushed bool          // it is posted to us
	every  time.Duration // how often it is asked; 0 if it says by itself what changes

	watched  bool
	began    time.Time // when it was asked first, after it hadn't been
	answered bool      // since then, and has not failed since
	last     heard
	state    time.Time // since when last.state has been what it is, with or without a title
	title    time.Time // since when it has had its title
	sound    time.Time // since when it has been good; zero when it isn't
}

// quality is what an upstream's word is worth; less is better.
type quality int

const (
	good    quality = iota
	poor            // it answers, but says nothing, or what may be over
	hopeful         // it may answer yet
	none
)

func (o *order) quality(r *rank, now time.Time) quality {
	switch {
	case !r.answered && !r.watched:
		return none
	case !r.answered && now.Before(r.began.Add(headStart)):
		return hopeful
	case !r.answered:
		return none
	case !r.last.titled() && !r.last.hidden && !now.Before(r.state.Add(o.patience)):
		return poor
	case o.isStale(r, now):
		return poor
	}
	return good
}

// isStale reports whether what r says has probably been over for a while.
func (o *order) isStale(r *rank, now time.Time) bool {
	at := o.staleAt(r)
	return !at.IsZero() && !now.Before(at)
}

// staleAt is when what r says becomes stale; zero for never.
func (o *order) staleAt(r *rank) time.Time {
	s := r.last.song
	switch {
	case !r.answered || o.stale == 0 || r.last.live || !r.last.titled() && !r.pushed:
		return time.Time{}
	case s.duration > 0 && !s.started.IsZero():
		return s.started.Add(s.duration + overdue)
	case s.duration > 0:
		return r.title.Add(s.duration + overdue)
	case !s.started.IsZero() && !r.pushed: // which is posted again while it plays
		return s.started.Add(o.stale)
	}
	return r.title.Add(o.stale)
}

// report takes what an upstream says.
func (o *order) report(now time.Time, i int, h heard) {
	r := o.ranks[i]
	same := r.answered && r.last.state == h.state && r.last.titled() == h.titled()
	if !same {
		r.state = now
	}
	if !same || key(r.last.song.text) != key(h.song.text) || r.last.song.playID != h.song.playID || r.pushed {
		r.title = now
		if r.pushed { // it may have waited
			r.title = h.at
		}
	}
	r.answered, r.last = true, h
	o.choose(now)
}

// fail says that an upstream can't be used at the moment.
func (o *order) fail(now time.Time, i int) {
	r := o.ranks[i]
	r.answered = false
	r.began = now.Add(-headStart)
	o.choose(now)
}

// choose decides which upstreams are watched and which one is followed.
func (o *order) choose(now time.Time) {
	served := false // by one before
	o.active = -1
	worst := none
	for i, r := range o.ranks {
		switch {
		case r.pushed:
			r.watch(now)
		case !served:
			r.watch(now)
		}
		q := o.quality(r, now)
		switch {
		case q != good:
			r.sound = time.Time{}
		case r.sound.IsZero():
			r.sound = now
		}
		if r.answered && q < worst {
			o.active, worst = i, q
		}
		if q == good || q == hopeful {
			served = true
		}
		if q == good && !now.Before(r.sound.Add(o.patience)) {
			o.dismiss(i + 1)
		}
	}
	switch {
	case o.active >= 0:
		o.lost = time.Time{}
	case o.lost.IsZero() && slices.ContainsFunc(o.ranks, func(r *rank) bool { return !r.pushed }):
		o.lost = now
	}
}

// dismiss stops watching the upstreams from i on: a better one has been good for
// long enough.
func (o *order) dismiss(i int) {
	for _, r := range o.ranks[i:] {
		if !r.pushed {
			r.watched, r.answered = false, false
		}
	}
}

func (r *rank) watch(now time.Time) {
	if !r.watched {
		r.watched, r.began = true, now
	}
}

// deadlines are the times at which choose may decide differently though nothing
// was reported.
func (o *order) deadlines(now time.Time) []time.Time {
	var all []time.Time
	add := func(t time.Time) {
		if t.After(now) {
			all = append(all, t)
		}
	}
	for i, r := range o.ranks {
		if !r.watched {
			continue
		}
		if !r.answered {
			add(r.began.Add(headStart))
			continue
		}
		add(r.state.Add(o.patience))
		if at := o.staleAt(r); !at.IsZero() {
			add(at)
		}
		if i+1 < len(o.ranks) && !r.sound.IsZero() {
			add(r.sound.Add(o.patience))
		}
	}
	if !o.lost.IsZero() {
		add(o.lost.Add(o.patience))
	}
	return all
}

// watched are the upstreams that should be asked.
func (o *order) watched() []bool {
	all := make([]bool, len(o.ranks))
	for i, r := range o.ranks {
		all[i] = r.watched
	}
	return all
}

// earliest returns the first of all; the zero time when there is none.
func earliest(all []time.Time) time.Time {
	if len(all) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(all, time.Time.Compare)
}
