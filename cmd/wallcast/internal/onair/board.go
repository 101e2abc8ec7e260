package onair

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

const (
	// Kind is the kind of the events that say what is on air; a station is a key.
	Kind = "song"

	// readEvents is how much of a wall's history is read for the stations' own.
	readEvents = 1000

	// HistorySongs is how many songs a station's history has at most.
	HistorySongs = 20

	// boardIdle is how long a wall is followed after it was last asked for.
	boardIdle = time.Minute

	boardRetry = time.Second
)

// song is the payload of an event, as far as it is shown.
type song struct {
	Station   string    `json:"station"`
	State     string    `json:"state"`
	Type      string    `json:"type"`
	Artist    string    `json:"artist"`
	Title     string    `json:"title"`
	Text      string    `json:"text"`
	Album     string    `json:"album"`
	Art       string    `json:"art"`
	PlayID    string    `json:"play_id"`
	StartedAt time.Time `json:"started_at"`
	Duration  int64     `json:"duration"`
	Next      *song     `json:"next"`
	Live      bool      `json:"live"`
	DJ        string    `json:"dj"`
	Listeners *int      `json:"listeners"`
	Listen    string    `json:"listen_url"`
}

// line is the song in one line.
func (s song) line() string {
	switch {
	case s.Text != "":
		return s.Text
	case s.Artist != "" && s.Title != "":
		return s.Artist + " - " + s.Title
	}
	return s.Title
}

// play is one play of a song.
type play struct {
	song
	id uint64    // differs from play to play
	at time.Time // when it began, or was first heard of
}

// same reports whether two events tell of one play.
func (p play) same(q play) bool {
	if p.PlayID != "" || q.PlayID != "" {
		return p.PlayID == q.PlayID
	}
	return normal(p.line()) == normal(q.line())
}

// normal is a title without what differs between two spellings of it.
func normal(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }

// Station is what a wall says of one station.
type Station struct {
	Short   string    // the key of its events
	ID      stream.ID // of the newest event
	now     play
	history []play // newest first, without the current song
}

// board is a wall's stations at one moment. It does not change.
type board struct {
	head     stream.ID
	stations []Station // sorted by key
	changed  chan struct{}
	err      error
}

func (b *board) station(short string) (Station, bool) {
	i := slices.IndexFunc(b.stations, func(s Station) bool { return s.Short == short })
	if i < 0 {
		return Station{}, false
	}
	return b.stations[i], true
}

// newBoard reads what a snapshot of a wall says.
func newBoard(snap sse.Snapshot) *board {
	b := &board{head: snap.Head, changed: make(chan struct{})}
	for _, card := range snap.Cards {
		if !card.Subject.Keyed() {
			continue
		}
		now, ok := playOf(card)
		if !ok {
			continue
		}
		s := Station{Short: card.Subject.Key, ID: card.ID, now: now}
		s.read(snap.Events)
		b.stations = append(b.stations, s)
	}
	slices.SortFunc(b.stations, func(a, b Station) int { return strings.Compare(a.Short, b.Short) })
	return b
}

func playOf(e stream.Event) (play, bool) {
	var p play
	if json.Unmarshal(e.Data, &p.song) != nil {
		// What somebody publishes by hand may be a text: then it is the song.
		text := strings.TrimSpace(stream.Text(e.Data))
		if text == "" || stream.IsObject(e.Data) {
			return play{}, false
		}
		p.song = song{Text: text}
	}
	p.at = p.StartedAt
	if p.at.IsZero() {
		p.at = e.Time
	}
	id := fnv.New32a()
	id.Write([]byte(p.PlayID)) // a hash takes all that is written
	if p.PlayID == "" {
		id.Write([]byte(e.ID.String()))
	}
	p.id = uint64(id.Sum32())
	return p, true
}

// read finds the station's plays among a wall's events, oldest first. Several
// events may tell of one play: the number of listeners changes, too. What is
// heard of first says when it began.
func (s *Station) read(events []stream.Event) {
	var plays []play
	for _, e := range events {
		if e.Subject.Kind != Kind || e.Subject.Key != s.Short {
			continue
		}
		p, ok := playOf(e)
		if !ok || p.line() == "" {
			continue
		}
		if n := len(plays); n > 0 && plays[n-1].same(p) {
			p.id, p.at = plays[n-1].id, plays[n-1].at
			plays[n-1] = p
			continue
		}
		plays = append(plays, p)
	}
	if n := len(plays); n > 0 && plays[n-1].same(s.now) {
		s.now.id, s.now.at = plays[n-1].id, plays[n-1].at
		plays = plays[:n-1]
	}
	slices.Reverse(plays)
	s.history = plays[:min(len(plays), HistorySongs)]
}

// boards keeps the boards of the walls that are asked for.
type boards struct {
	streams Streams
	ctx     context.Context // ends with the Server
	running sync.WaitGroup

	mu    sync.Mutex
	walls map[string]*follower
}

// follower keeps the board of one wall up to date.
type follower struct {
	first chan struct{} // closed once there is a board

	mu    sync.Mutex
	now   *board
	asked time.Time
	users int
}

// get returns a wall's board as it is now. A user of a board that waits for it to
// change calls leave when it has done.
func (b *boards) get(ctx context.Context, wall string) (now *board, leave func(), err error) {
	b.mu.Lock()
	f := b.walls[wall]
	if f == nil {
		f = &follower{first: make(chan struct{})}
		b.walls[wall] = f
		b.running.Go(func() { b.follow(wall, f) })
	}
	f.mu.Lock()
	f.users++
	f.asked = time.Now()
	f.mu.Unlock()
	b.mu.Unlock()
	leave = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.users--
		f.asked = time.Now()
	}
	select {
	case <-f.first:
	case <-ctx.Done():
		leave()
		return nil, nil, ctx.Err()
	}
	f.mu.Lock()
	now = f.now
	f.mu.Unlock()
	if now.err != nil {
		leave()
		return nil, nil, now.err
	}
	return now, leave, nil
}

// follow keeps a board up to date until nobody wants it any more.
func (b *boards) follow(wall string, f *follower) {
	for b.ctx.Err() == nil {
		snap, err := b.streams.Snapshot(b.ctx, wall, readEvents, []string{Kind})
		next := &board{err: err, changed: make(chan struct{})}
		if err == nil {
			next = newBoard(snap)
		}
		f.set(next)
		if !b.wait(wall, f, next) {
			return
		}
	}
}

func (f *follower) set(next *board) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == nil {
		defer close(f.first)
	} else {
		defer close(f.now.changed)
	}
	f.now = next
}

// wait returns true when the board is to be read again.
func (b *boards) wait(wall string, f *follower, now *board) bool {
	for {
		ctx, cancel := context.WithTimeout(b.ctx, boardIdle)
		if now.err != nil {
			pause(ctx, boardRetry)
			cancel()
			return !b.forget(wall, f, 0)
		}
		_, err := b.streams.Await(ctx, wall, now.head, []string{Kind})
		idle := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			pause(b.ctx, boardPause)
			return true
		case b.ctx.Err() != nil:
			return false
		case !idle: // the store is away; reading it says so
			pause(b.ctx, boardRetry)
			return true
		case b.forget(wall, f, boardIdle):
			return false
		}
	}
}

// boardPause makes one reading of events that come together.
const boardPause = 5 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// forget takes a wall off the list if nobody has asked for it for so long.
func (b *boards) forget(wall string, f *follower, idle time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users > 0 || time.Since(f.asked) < idle {
		return false
	}
	delete(b.walls, wall)
	return true
}

// next waits for a board that is newer than one.
func (b *boards) next(ctx context.Context, wall string, than *board) (*board, error) {
	select {
	case <-than.changed:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.ctx.Done():
		return nil, b.ctx.Err()
	}
	now, leave, err := b.get(ctx, wall)
	if err == nil {
		leave()
	}
	return now, err
}
