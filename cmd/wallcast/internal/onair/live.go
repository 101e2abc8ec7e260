package onair

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	// pingEvery is what a Centrifugo server as AzuraCast runs it promises.
	pingEvery = 25 * time.Second

	liveWriteTimeout = 30 * time.Second

	channelPrefix = "station:"
	maxChannels   = 50
)

// connectRequest is what a client asks for, in the parameter cf_connect.
type connectRequest struct {
	Subs map[string]struct {
		Recover bool `json:"recover"`
	} `json:"subs"`
}

type publication struct {
	Data   update `json:"data"`
	Offset uint64 `json:"offset"`
	Epoch  string `json:"epoch,omitempty"`
}

// update is what AzuraCast publishes to a station's channel.
type update struct {
	NP          nowPlaying `json:"np"`
	Triggers    []string   `json:"triggers"`
	CurrentTime int64      `json:"current_time"`
}

type subscription struct {
	Recoverable   bool          `json:"recoverable"`
	Epoch         string        `json:"epoch"`
	Publications  []publication `json:"publications,omitempty"`
	Offset        uint64        `json:"offset,omitempty"`
	Recovered     bool          `json:"recovered,omitempty"`
	Positioned    bool          `json:"positioned"`
	WasRecovering bool          `json:"was_recovering,omitempty"`
}

type connectReply struct {
	Connect struct {
		Client  string                  `json:"client"`
		Version string                  `json:"version"`
		Subs    map[string]subscription `json:"subs,omitempty"`
		Ping    int                     `json:"ping"`
		Session string                  `json:"session"`
		Time    int64                   `json:"time"`
	} `json:"connect"`
}

// push is a publication to a channel.
type push struct {
	Channel string      `json:"channel"`
	Pub     publication `json:"pub"`
}

// live serves AzuraCast's push of what is on air.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*") // without credentials only public walls are served
	var request connectRequest
	asked := r.URL.Query().Get("cf_connect")
	if asked != "" && json.Unmarshal([]byte(asked), &request) != nil || len(request.Subs) > maxChannels {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache, no-store, must-revalidate, max-age=0")
	h.Set("X-Accel-Buffering", "no")
	c := &client{server: s, w: w, r: r, control: http.NewResponseController(w)}
	c.out.WriteString("\r\n")
	if err := c.connect(r.Context(), request); err != nil || c.flush() != nil {
		return
	}
	c.follow(r.Context())
}

// client is one open stream.
type client struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	out     bytes.Buffer
	walls   []*followed
}

// followed is a wall whose stations a client follows.
type followed struct {
	wall     string
	board    *board
	at       stream.ID // what board is of
	channels []string  // the stations' keys
}

// add appends a frame: unnamed and without an id, as Centrifugo's are.
func (c *client) add(v any) {
	c.out.WriteString("data: ")
	out := json.NewEncoder(&c.out) // ends with one line end
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		panic(err) // texts, numbers, lists of them
	}
	c.out.WriteString("\n")
}

func (c *client) flush() error {
	// An error means that the connection has no deadlines, as in no server of ours.
	_ = c.control.SetWriteDeadline(time.Now().Add(liveWriteTimeout))
	if _, err := c.w.Write(c.out.Bytes()); err != nil {
		return err
	}
	c.out.Reset()
	return c.control.Flush()
}

// connect finds the stations that are asked for and appends the reply.
func (c *client) connect(ctx context.Context, request connectRequest) error {
	var reply connectReply
	reply.Connect.Client, reply.Connect.Session = uuid(), uuid()
	reply.Connect.Version = "0.0.0 OSS"
	reply.Connect.Ping = int(pingEvery / time.Second)
	reply.Connect.Time = time.Now().UnixMilli()
	reply.Connect.Subs = map[string]subscription{}
	for channel, options := range request.Subs {
		short, ok := strings.CutPrefix(channel, channelPrefix)
		if !ok {
			continue // global:time of older players: they do without
		}
		f, err := c.join(ctx, short)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		reply.Connect.Subs[channel] = c.subscribe(f, short, options.Recover)
	}
	c.add(reply)
	return nil
}

// join adds a station to what the client follows; nil when no wall that it may
// read has it.
func (c *client) join(ctx context.Context, short string) (*followed, error) {
	wall, ok := c.server.wallOf(c.r, short)
	if !ok {
		return nil, ctx.Err()
	}
	i := slices.IndexFunc(c.walls, func(f *followed) bool { return f.wall == wall })
	if i < 0 {
		b, at, err := c.server.boards.get(ctx, wall)
		if err != nil {
			return nil, err
		}
		c.walls = append(c.walls, &followed{wall: wall, board: b, at: at})
		i = len(c.walls) - 1
	}
	f := c.walls[i]
	f.channels = append(f.channels, short)
	return f, nil
}

func (c *client) subscribe(f *followed, short string, recover bool) subscription {
	sub := subscription{Recoverable: true, Epoch: f.at.Epoch, Positioned: true, WasRecovering: recover}
	station, ok := f.board.station(short)
	if !ok {
		return sub
	}
	if !recover {
		sub.Offset = station.ID.Seq
		return sub
	}
	pub := c.publication(f, station, []string{"song_changed"})
	pub.Epoch = station.ID.Epoch
	sub.Publications, sub.Recovered = []publication{pub}, true
	return sub
}

func (c *client) publication(f *followed, s Station, triggers []string) publication {
	now := time.Now()
	return publication{
		Data:   update{NP: azuraCast(s, now, c.server.place(c.r, f.wall)), Triggers: triggers, CurrentTime: now.Unix()},
		Offset: s.ID.Seq,
	}
}

// news is a followed wall's next board.
type news struct {
	f   *followed
	now *board
	at  stream.ID
	err error
}

// follow sends what changes until the client leaves or the server stops.
func (c *client) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.server.stopping, cancel)()
	all := make(chan news)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	for _, f := range c.walls {
		at := f.at
		waiting.Go(func() { c.server.watch(ctx, f, at, all) })
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			c.add(struct{}{})
		case n := <-all:
			if n.err != nil {
				return // the client comes back, as when any server goes away
			}
			c.publish(n.f, n.now)
		}
		if c.out.Len() > 0 && c.flush() != nil {
			return
		}
	}
}

// watch tells of each board of a wall after a position, until ctx ends or an error.
func (s *Server) watch(ctx context.Context, f *followed, at stream.ID, to chan<- news) {
	for {
		n := news{f: f}
		if _, n.err = s.cfg.Streams.Await(ctx, f.wall, at, []string{Kind}); n.err == nil {
			n.now, n.at, n.err = s.boards.get(ctx, f.wall)
			if n.err == nil && n.at == at {
				n.err = errors.New("the wall has ended")
			}
		}
		select {
		case to <- n:
		case <-ctx.Done():
			return
		}
		if n.err != nil {
			return
		}
		at = n.at
	}
}

// publish appends the stations that differ from what the client has.
func (c *client) publish(f *followed, now *board) {
	for _, short := range f.channels {
		before, had := f.board.station(short)
		after, has := now.station(short)
		if has && (!had || before.ID != after.ID) {
			c.add(push{channelPrefix + short, c.publication(f, after, triggers(before.now, after.now))})
		}
	}
	f.board = now
}

// triggers names what has changed, in AzuraCast's words.
func triggers(before, after play) []string {
	changes := []string{}
	if before.id != after.id {
		changes = append(changes, "song_changed")
	}
	if a, b := before.Listeners, after.Listeners; a != nil && b != nil && *a != *b {
		changes = append(changes, map[bool]string{true: "listener_gained", false: "listener_lost"}[*b > *a])
	}
	for _, change := range []struct {
		before, after bool
		on, off       string
	}{
		{before.Live || before.State == "live", after.Live || after.State == "live", "live_connect", "live_disconnect"},
		{before.State != "offline", after.State != "offline", "station_online", "station_offline"},
	} {
		if change.before != change.after {
			changes = append(changes, map[bool]string{true: change.on, false: change.off}[change.after])
		}
	}
	return changes
}

// uuid is a random id in the form that Centrifugo gives its clients.
func uuid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", text[:8], text[8:12], text[12:16], text[16:20], text[20:])
}
