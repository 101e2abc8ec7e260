package config_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// clock is a source for these tests, with a setting of every type that there is.
type clock struct {
	Every  time.Duration     `yaml:"every" doc:"Time between two events."`
	Path   string            `yaml:"path" doc:"File to read."`
	Mode   string            `yaml:"mode" doc:"What to do." enum:"tick tock replay"`
	Count  int               `yaml:"count" doc:"Events in all."`
	Factor float64           `yaml:"factor" doc:"How fast the time goes."`
	Loop   bool              `yaml:"loop" doc:"Begin again."`
	Limit  *uint8            `yaml:"limit" doc:"A limit, or none."`
	Days   []string          `yaml:"days" doc:"Days of the week."`
	Labels map[string]string `yaml:"labels" doc:"Labels by language."`
	Zone   struct {
		Name string `yaml:"name" doc:"Name of the time zone."`
	} `yaml:"zone" doc:"The time zone."`
	Extra any `yaml:"extra" doc:"Handed on as it is."`

	env sources.Env
}

func (c *clock) Source(env sources.Env) (sources.Source, error) {
	c.env = env
	switch {
	case c.Every < time.Millisecond:
		return nil, &sources.SettingError{Setting: "every", Err: fmt.Errorf("%v is too fast; 1ms is the fastest", c.Every)}
	case c.Zone.Name == "nowhere":
		return nil, &sources.SettingError{Setting: "zone.name", Err: errors.New("no such time zone")}
	case c.Path == "broken":
		return nil, errors.New("the clock is broken")
	}
	return c, nil
}

func (c *clock) Run(ctx context.Context, _ sources.Output) error { <-ctx.Done(); return ctx.Err() }

var types = []sources.Type{
	{Name: "clock", Doc: "Tells the time.", Maps: map[string]string{"ready": `{kind: "ready", text: .a}`, "broken": ")"}, New: func() sources.Settings { return &clock{Every: time.Second, Mode: "tick"} }},
	{Name: "file", Doc: "Reads a file.", New: func() sources.Settings { return &clock{Every: 2 * time.Second, Mode: "tick"} }},
}

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func parse(t *testing.T, text string, env ...string) *config.Config {
	t.Helper()
	c, err := config.Parse("/etc/wall/wallcast.yaml", []byte(text), types, sources.Env{}, environment(env...))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

// full is the example of the design, as far as this version goes.
const full = `
listen: :8080                       # default 127.0.0.1:8080 and [::1]:8080
url: https://wall.example.com       # as the world sees it; used in links and embeds
data: ./data
proxies: [10.0.0.0/8]               # whose forwarding headers are believed
nats: {listen: 127.0.0.1:4222}
tls: {cert: cert.pem, key: /etc/ssl/key.pem}
tokens:
  ci: {hash: "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", allow: ["publish wall.main.push", "read *"]}

walls:
  main:
    title: Town square
    keep: {events: 10000, age: 30d, bytes: 256MB}
    origins: ["https://example.com", "https://*.example.org"]
    post: {allow: anyone, rate: 5/min}
    events: {"orders.*.created": order, "orders.*.paid.*": "order-{{wildcard(2)}}.{{wildcard(1)}}"}
    kinds:
      friend: {label: New friend, color: "#2e7d32"}
      song: {slot: bar, icon: 🎵}
  backstage: {private: true, lang: pt-BR, history: 5, payload: 1KiB}

sources:
  statuses:
    file: {path: statuses.txt, mode: tock, every: 2s}
    to: wall.main.message
  jazz:
    clock: {loop: true, count: ${COUNT}, limit: 7, days: [mon, tue], labels: {de: Uhr}, zone: {name: UTC}, extra: {a: [1, 2.5, true, x]}}
    to: wall.main.song.jazz
    walls: backstage
`

func TestEverything(t *testing.T) {
	c := parse(t, full, "COUNT", "12")
	hash, _ := access.ParseHash("sha256:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564")
	origin := func(s string) access.Origin { o, _ := access.ParseOrigin(s); return o }
	want := config.Config{
		Listen:  []string{":8080"},
		URL:     config.URL{Scheme: "https", Host: "wall.example.com"},
		Data:    "/etc/wall/data",
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		NATS:    config.NATS{Listen: "127.0.0.1:4222"},
		Plugins: "/etc/wall/plugins",
		TLS:     config.TLS{Cert: "/etc/wall/cert.pem", Key: "/etc/ssl/key.pem"},
		Tokens: []config.Token{{Name: "ci", Hash: hash, Allow: access.Rights{
			{Verb: access.Publish, Object: "wall.main.push"}, {Verb: access.Read, Object: "*"}}}},
		Walls: []config.Wall{{
			Name: "main", Title: "Town square", Lang: "en",
			Keep:    config.Keep{Events: 10000, Age: 720 * time.Hour, Bytes: 256e6},
			History: 100, Payload: 65536,
			Origins: []access.Origin{origin("https://example.com"), origin("https://*.example.org")},
			Post:    config.Post{Allow: "anyone", Rate: access.Rate{Events: 5, Per: time.Minute}},
			Events: []config.Rule{{Filter: "orders.*.created", Kind: "order"},
				{Filter: "orders.*.paid.*", Kind: "order-{{wildcard(2)}}", Key: "{{wildcard(1)}}"}},
			Kinds: []config.Kind{{Name: "friend", Label: "New friend", Color: "#2e7d32", Slot: "timeline"},
				{Name: "song", Slot: "bar", Icon: "🎵"}},
		}, {
			Name: "backstage", Title: "backstage", Lang: "pt-BR", Private: true,
			Keep:    config.Keep{Events: 10000, Age: 720 * time.Hour, Bytes: 256e6},
			History: 5, Payload: 1024, Post: config.Post{Allow: "token"},
		}},
		Sources: []config.Source{
			{Name: "statuses", Type: "file", To: config.Destination{Wall: "main", Kind: "message"}},
			{Name: "jazz", Type: "clock", To: config.Destination{Wall: "main", Kind: "song", Key: "jazz"}, Walls: []string{"backstage"}},
		},
	}
	got := *c
	got.Sources = append([]config.Source(nil), c.Sources...)
	for i := range got.Sources {
		got.Sources[i].Run = nil
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}, config.Source{}),
		cmpopts.EquateComparable(access.Origin{}, netip.Prefix{})); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}

	jazz := c.Sources[1].Run.(*clock)
	if jazz.Count != 12 || !jazz.Loop || *jazz.Limit != 7 || jazz.Every != time.Second || jazz.Zone.Name != "UTC" {
		t.Errorf("settings of a source: %+v", jazz)
	}
	if jazz.env.Name != "jazz" || jazz.env.Folder != "/etc/wall" {
		t.Errorf("Env = %+v", jazz.env)
	}
	wantExtra := map[string]any{"a": []any{int64(1), 2.5, true, "x"}}
	if diff := cmp.Diff(wantExtra, jazz.Extra); diff != "" {
		t.Errorf("a free setting (-want +got):\n%s", diff)
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "walls:\n", "walls: {}\n", "---\n"} {
		c := parse(t, text)
		if len(c.Walls) != 1 || c.Walls[0].Name != "main" || c.Walls[0].Title != "Wall" || c.Walls[0].Keep.Events != 10000 {
			t.Errorf("%q: walls = %+v; want main alone", text, c.Walls)
		}
		if diff := cmp.Diff(config.DefaultListen, c.Listen); diff != "" {
			t.Errorf("%q: listen %s", text, diff)
		}
		if want := filepath.Join("/etc/wall", "data"); c.Data != want {
			t.Errorf("%q: data = %q, want %q", text, c.Data, want)
		}
	}
	if c := parse(t, "walls:\n  news:\n  main:\n"); len(c.Walls) != 2 || c.Walls[0].Name != "news" || c.Walls[0].Title != "news" {
		t.Errorf("walls without settings: %+v", c.Walls)
	}
	if c := parse(t, "listen: ${PORT}\nsources: {tick: {clock: }}", "PORT", "9000"); c.Listen[0] != "127.0.0.1:9000" || c.Listen[1] != "[::1]:9000" || c.Sources[0].To.Wall != "main" {
		t.Errorf("a port alone: %+v", c)
	}
}

func TestListenOnAnyPortTwice(t *testing.T) {
	if c := parse(t, "listen: [127.0.0.1:0, 127.0.0.1:0]"); len(c.Listen) != 2 {
		t.Errorf("listen = %q", c.Listen)
	}
}

func TestInstances(t *testing.T) {
	const text = `
walls: {main: , small: {keep: {events: 999}}}
sources:
  a: {clock: {every: ${EVERY}}, to: wall.main.song.jazz}
  b: {clock: {every: 1s}, to: wall.small}
  c: {clock: {every: 1s}, walls: [small]}
`
	all := parse(t, text, "EVERY", "5s").Instances()
	a, b, c := all[0], all[1], all[2]
	if a.Name != "a" || a.Type != "clock" || a.Source == nil || a.To != (stream.Subject{Wall: "main", Kind: "song", Key: "jazz"}) || a.CheckpointEach {
		t.Errorf("a = %+v", a)
	}
	if b.To != (stream.Subject{Wall: "small"}) || !b.CheckpointEach {
		t.Errorf("b = %+v", b)
	}
	if c.To != (stream.Subject{Wall: "main"}) || len(c.Walls) != 1 || !c.CheckpointEach {
		t.Errorf("c = %+v", c)
	}
	if again := parse(t, "# moved\n"+text, "EVERY", "5s").Instances(); again[0].Version != a.Version || a.Version == "" {
		t.Error("the same settings have another version")
	}
	if other := parse(t, text, "EVERY", "6s").Instances(); other[0].Version == a.Version {
		t.Error("other settings have the same version")
	}
}

func TestSourceWithOneCard(t *testing.T) {
	one := []sources.Type{{Name: "clock", Doc: "Tells the time.", Kind: "time", New: types[0].New}}
	for to, want := range map[string]stream.Subject{
		"":                  {Wall: "main", Kind: "time", Key: "a"},
		"to: wall.main":     {Wall: "main", Kind: "time", Key: "a"},
		"to: wall.main.x":   {Wall: "main", Kind: "x", Key: "a"},
		"to: wall.main.x.y": {Wall: "main", Kind: "x", Key: "y"},
	} {
		c, err := config.Parse("wallcast.yaml", []byte("walls: {main: }\nsources: {a: {clock: , "+to+"}}"), one, sources.Env{}, environment())
		if err != nil {
			t.Fatalf("%q: %v", to, err)
		}
		if got := c.Instances()[0].To; got != want {
			t.Errorf("%q: the card is %v, want %v", to, got, want)
		}
	}
}

func TestWhatAllSourcesHave(t *testing.T) {
	const text = `sources: {a: {clock: , only: '.a == "x"', map: ready, rate: 5/min, hold: true, to: wall.main.b}, b: {clock: }}`
	c := parse(t, text)
	a, ok := c.Instance("a")
	if !ok || a.Rate != (sources.Rate{Events: 5, Per: time.Minute}) || !a.Hold || a.Transform == nil {
		t.Fatalf("a = %+v", a)
	}
	for payload, want := range map[string]string{`{"a": "x"}`: `{"text":"x"}`, `{"a": "y"}`: ""} {
		made, err := a.Made(t.Context(), sources.Event{Data: []byte(payload)})
		got := ""
		for _, e := range made {
			got += string(e.Data)
		}
		if err != nil || got != want {
			t.Errorf("%s makes %s, %v", payload, got, err)
		}
	}
	if b, _ := c.Instance("b"); b.Transform != nil || b.Hold || b.Rate != (sources.Rate{}) {
		t.Errorf("b = %+v", b)
	}
	if _, ok := c.Instance("c"); ok {
		t.Error("there is an instance that is not configured")
	}
	if c.Sources[0].Run.(*clock).env.Unmapped || !c.Sources[1].Run.(*clock).env.Unmapped {
		t.Error("the sources don't know whether they have a map")
	}
	for _, other := range []string{
		strings.Replace(text, "ready", ".", 1),
		strings.Replace(text, `"x"`, `"y"`, 1),
		strings.Replace(text, "map: ready, ", "", 1),
	} {
		if i, _ := parse(t, other).Instance("a"); i.Version == a.Version {
			t.Errorf("%s has the same version", other)
		}
	}
}

func TestAccess(t *testing.T) {
	c := parse(t, full, "COUNT", "1")
	a := c.Access([]byte("0123456789abcdef"))
	if a.URL.String() != "https://wall.example.com" || len(a.Tokens) != 1 || a.Tokens[0].Name != "ci" || len(a.Walls) != 2 || len(a.Proxies) != 1 {
		t.Errorf("Access = %+v", a)
	}
	if w := a.Walls[0]; !w.Anyone || w.Private || w.Rate.Events != 5 || len(w.Origins) != 2 {
		t.Errorf("main = %+v", w)
	}
	if !a.Walls[1].Private || a.Walls[1].Anyone {
		t.Errorf("backstage = %+v", a.Walls[1])
	}
}
