package onair

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
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
	stations []Station // sorted by key

	events []stream.Event          // of kind song, oldest first: the last that are held
	cards  map[string]stream.Event // the newest of each station, by key
}

func (b *board) station(short string) (Station, bool) {
	i := slices.IndexFunc(b.stations, func(s Station) bool { return s.Short == short })
	if i < 0 {
		return Station{}, false
	}
	return b.stations[i], true
}

// newBoard reads what a wall holds.
func newBoard(events []stream.Event, cards map[string]stream.Event) *board {
	b := &board{events: events[max(0, len(events)-readEvents):], cards: cards}
	for short, card := range cards {
		if now, ok := playOf(card); ok {
			s := Station{Short: short, ID: card.ID, now: now}
			s.read(b.events)
			b.stations = append(b.stations, s)
		}
	}
	slices.SortFunc(b.stations, func(a, b Station) int { return strings.Compare(a.Short, b.Short) })
	return b
}

// snapshotBoard is the board of a snapshot.
func snapshotBoard(snap sse.Snapshot) *board {
	cards := map[string]stream.Event{}
	for _, card := range snap.Cards {
		cards[card.Subject.Key] = card
	}
	return newBoard(snap.Events, cards)
}

// with is the board after further events; nil when these take some away.
func (b *board) with(news []stream.Event) *board {
	cards := maps.Clone(b.cards)
	for _, e := range news {
		if e.Control != "" {
			return nil
		}
		if e.Subject.Keyed() {
			cards[e.Subject.Key] = e
		}
	}
	return newBoard(slices.Concat(b.events, news), cards)
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

// boards keeps the boards of the walls that were asked for.
type boards struct {
	streams Streams

	mu    sync.Mutex
	walls map[string]*kept
}

// kept is the board of one wall, as it was when it was looked at last.
type kept struct {
	mu  sync.Mutex
	now *board
	at  stream.ID // everything up to here was considered
}

func (b *boards) of(wall string) *kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.walls[wall]
	if k == nil {
		k = &kept{}
		b.walls[wall] = k
	}
	return k
}

// get returns a wall's board as the wall is now, and the position that it is of.
func (b *boards) get(ctx context.Context, wall string) (*board, stream.ID, error) {
	k := b.of(wall)
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refresh(ctx, b.streams, wall)
	if errors.Is(err, stream.ErrUnknownWall) {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.walls, wall)
	}
	return k.now, k.at, err
}

// refresh brings the board up to date.
func (k *kept) refresh(ctx context.Context, streams Streams, wall string) error {
	if k.now != nil {
		news, err := streams.Since(ctx, wall, k.at, []string{Kind})
		if err != nil {
			return err
		}
		next := k.now
		if len(news.Events) > 0 {
			next = k.now.with(news.Events)
		}
		if next != nil && !news.Gap {
			k.now, k.at = next, news.Through
			return nil
		}
	}
	snap, err := streams.Snapshot(ctx, wall, readEvents, []string{Kind})
	if err != nil {
		return err
	}
	k.now, k.at = snapshotBoard(snap), snap.Head
	return nil
}
