package sse

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
	"github.com/wallcast/wallcast/stream"
)

const (
	leastSilence = 20 * time.Second // Wallcast and Mastodon say something every 15 s

	leastRetry = 3 * time.Second
	mostRetry  = 5 * time.Minute
)

// Type is the source type "sse".
var Type = sources.Type{
	Name: "sse",
	Doc:  "An event stream (Server-Sent Events), such as another Wallcast's wall or Mastodon's streaming API.",
	New:  func() sources.Settings { return &Settings{Silence: 2 * time.Minute} },
}

// Settings are the settings of an sse source.
type Settings struct {
	URL     string            `yaml:"url" doc:"Address of the stream. That of another wall may say where to begin, such as ?last=20."`
	Headers map[string]string `yaml:"headers" doc:"Headers of the request, such as Authorization. They go to this host alone."`
	Events  map[string]string `yaml:"events" doc:"The names of the events to take, each with the kind that it becomes; an empty kind is that of the setting to. An unnamed event is called message. Without this setting all are taken, and the name is the kind."`
	Silence time.Duration     `yaml:"silence" doc:"A connection on which nothing came for so long is made anew; 20s or more, or 0s for never."`
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	target, err := web.NewTarget(s.URL, s.Headers)
	if err != nil {
		return nil, err
	}
	for name, kind := range s.Events {
		wrong := ""
		if kind != "" {
			if err := stream.CheckKind(kind); err != nil {
				wrong = err.Error()
			}
		}
		if strings.HasPrefix(name, wallPrefix) {
			wrong = "events named wall: are another Wallcast's own and become no events here"
		}
		if wrong != "" {
			return nil, &sources.SettingError{Setting: "events." + name, Err: fmt.Errorf("%s", wrong)}
		}
	}
	if s.Silence != 0 && s.Silence < leastSilence {
		return nil, &sources.SettingError{Setting: "silence", Err: fmt.Errorf("%v is too short; %v is the least, and 0s means never", s.Silence, leastSilence)}
	}
	return &follower{
		target: target, client: env.Network.Streams, events: s.Events, silence: s.Silence,
		leastRetry: leastRetry, mostRetry: mostRetry,
	}, nil
}

// follower follows one stream.
type follower struct {
	target  web.Target
	client  *http.Client
	events  map[string]string
	silence time.Duration // 0: for ever

	leastRetry, mostRetry time.Duration
}

var _ sources.Checker = (*follower)(nil)

// cursor is how far a stream was followed.
type cursor struct {
	Target string `json:"target"` // sum of the address: another one begins anew
	ID     string `json:"id"`
	Wall   bool   `json:"wall,omitempty"` // it is another Wallcast
}

// read takes a cursor that is of this target; any other is none.
func (f *follower) read(raw json.RawMessage) cursor {
	var c cursor
	if json.Unmarshal(raw, &c) != nil || c.Target != f.target.Sum() {
		c = cursor{}
	}
	c.Target = f.target.Sum()
	return c
}

func (c cursor) raw() json.RawMessage {
	raw, _ := json.Marshal(c) // of texts and a bool, which can't fail
	return raw
}
