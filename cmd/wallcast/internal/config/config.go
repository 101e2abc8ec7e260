package config

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
	"github.com/wallcast/wallcast/stream"
)

// Config is the whole configuration, checked. Its paths are joined with the
// file's folder where they were relative.
type Config struct {
	Listen  []string       `yaml:"listen" doc:"Addresses to serve on, host:port. No host means every interface; a port alone means the loopback addresses."`
	URL     URL            `yaml:"url" doc:"Scheme and host under which the world sees the program. Used in links and embeds, and believed as a Host."`
	Data    string         `yaml:"data" doc:"Folder of everything that is stored, relative to this file."`
	Proxies []netip.Prefix `yaml:"proxies" doc:"Networks of the reverse proxies whose forwarding headers are believed."`
	NATS    NATS           `yaml:"nats" doc:"The NATS server: embedded, unless a url is given."`
	Viewers Viewers        `yaml:"viewers" doc:"How many viewers there may be at a time. Who comes when it is full is told to come back a little later."`
	TLS     TLS            `yaml:"tls" doc:"Serve HTTPS with this certificate."`
	Tokens  []Token        `yaml:"tokens,named" doc:"Who may do what, by name. Without any token only loopback may write."`
	Walls   []Wall         `yaml:"walls,named" doc:"The walls, by name. The first one is the default. Without any there is one wall, main."`
	Sources []Source       `yaml:"sources,named" doc:"What emits events, by name."`
	Plugins string         `yaml:"plugins" doc:"Folder of the plugins, relative to this file. A file NAME.* in it is the plugin NAME: one that no source has the name of answers /hooks/NAME, and writes events of the kind NAME to the first wall."`

	file *file // to place an error that shows only at start; see Config.Errorf
}

// NATS says where events are stored.
type NATS struct {
	Listen   string   `yaml:"listen" doc:"Address at which the embedded server accepts NATS clients, host:port. Without it there is none."`
	URL      []string `yaml:"url" doc:"Servers of an existing NATS with JetStream, used instead of the embedded one."`
	Creds    string   `yaml:"creds" doc:"Credentials file for url, relative to this file."`
	Synced   bool     `yaml:"synced" doc:"The operator of url vouches that it syncs to disk before it acknowledges (sync_interval: always)."`
	Unsynced bool     `yaml:"unsynced" doc:"DANGEROUS. The embedded server acknowledges before an event is on disk: faster, and a power failure loses up to two minutes of acknowledged events."`
}

// External reports whether the events are stored by a server that is not ours.
func (n NATS) External() bool { return len(n.URL) > 0 }

// Viewers limits how many event streams and waiting polls are open.
type Viewers struct {
	Most    int  `yaml:"most" doc:"Of this process. 0: as many as fit into the files that it may have open."`
	Address *int `yaml:"address" doc:"From one client address (of IPv6, one network of 64 bits); a proxy that is not listed in proxies counts as one. 0: no limit. By default 1000, and no limit for loopback."`
}

// defaultPerAddress is generous: behind one address there may be a school.
const defaultPerAddress = 1000

// PerAddress is the limit for one client address, 0 for none, and whether it
// counts for loopback too.
func (v Viewers) PerAddress() (limit int, loopback bool) {
	if v.Address == nil {
		return defaultPerAddress, false
	}
	return *v.Address, true
}

// TLS is a certificate and its key; both or neither are set.
type TLS struct {
	Cert string `yaml:"cert" doc:"Certificate chain in PEM, relative to this file."`
	Key  string `yaml:"key" doc:"Private key in PEM, relative to this file."`
}

// Token is somebody that may do something, known by a secret.
type Token struct {
	Name  string        `yaml:"-"`
	Hash  access.Hash   `yaml:"hash" doc:"Hash of the token's secret, sha256: and its hexadecimal or base64url digits."`
	Allow access.Rights `yaml:"allow" doc:"Rights: publish SUBJECT (with NATS's * and >), read WALL, retract WALL (* for every wall), admin."`
}

// Wall is a named feed of events.
type Wall struct {
	Name    string          `yaml:"-"`
	Title   string          `yaml:"title" doc:"Title of the page. The wall's name, if there is none."`
	Lang    string          `yaml:"lang" doc:"Language of the events, as in HTML's lang."`
	Keep    Keep            `yaml:"keep" doc:"How much history is kept; the first limit that is reached counts."`
	History int             `yaml:"history" doc:"Versions that are kept of each keyed card."`
	Payload Bytes           `yaml:"payload" doc:"Largest payload of one event."`
	Private bool            `yaml:"private" doc:"Reading needs a token with the right to read, or a signed link."`
	Origins []access.Origin `yaml:"origins" doc:"Sites that may embed the wall and read it from their pages, such as https://example.com or https://*.example.com. Without any, every site may, if the wall is not private."`
	Post    Post            `yaml:"post" doc:"Who may post without a token."`
	Events  []Rule          `yaml:"events" doc:"Subjects that a NATS system publishes, as filter: kind or filter: kind.key, where {{wildcard(1)}} stands for what the first * matched."`
	Kinds   []Kind          `yaml:"kinds,named" doc:"How the events of a kind look, by kind. A kind that is not named here appears too."`
}

// Keep limits a wall's history.
type Keep struct {
	Events int64         `yaml:"events" doc:"Number of events."`
	Age    time.Duration `yaml:"age" doc:"Age of the oldest event, such as 30d, 2w or 12h."`
	Bytes  Bytes         `yaml:"bytes" doc:"Space on disk, such as 256MB. A NATS server elsewhere may count it as reserved."`
}

// Post says who may post to a wall without a token.
type Post struct {
	Allow string      `yaml:"allow" doc:"token: whoever has a right to. anyone: everybody." enum:"token anyone"`
	Hold  bool        `yaml:"hold" doc:"Posts without a token wait until somebody approves them; wallcast held lists them."`
	Rate  access.Rate `yaml:"rate" doc:"Posts accepted from one client address without a token, such as 5/min. By default 30/min, and no limit for loopback."`
}

// Anyone reports whether posting needs no token.
func (p Post) Anyone() bool { return p.Allow == "anyone" }

// Kind says how the events of a kind look.
type Kind struct {
	Name  string `yaml:"-"`
	Label string `yaml:"label" doc:"Shown instead of the kind's name."`
	Icon  string `yaml:"icon" doc:"An emoji or up to eight characters, shown beside the label."`
	Color string `yaml:"color" doc:"Colour of the cards, #rgb or #rrggbb."`
	Slot  string `yaml:"slot" doc:"Where on the page the cards go." enum:"timeline bar banner ticker"`
}

// Source is a configured source, ready to run.
type Source struct {
	Name  string         `yaml:"-"`
	Type  string         `yaml:"-"` // as sources.Type.Name
	To    Destination    `yaml:"to" doc:"Where events go that don't say so themselves: wall.<wall>[.<kind>[.<key>]]. The first wall, if it is not given."`
	Walls []string       `yaml:"walls" doc:"Further walls that the source's own output may name."`
	Only  string         `yaml:"only" doc:"Condition in jq on an event's payload; events of which it does not hold are dropped."`
	Map   string         `yaml:"map" doc:"Program in jq that makes none, one or several events of each; or the name of a ready one, such as github."`
	Rate  access.Rate    `yaml:"rate" doc:"Events stored in some time, such as 5/min; those beyond it wait. No limit, if it is not given."`
	Hold  bool           `yaml:"hold" doc:"Events wait until somebody approves them; wallcast held lists them."`
	Run   sources.Source `yaml:"-"`

	// Program is Only and Map, compiled; nil where both are empty.
	Program *jq.Program `yaml:"-"`

	version string // stands for the settings that Run and Program were made of
}

// Destination is where a source's events go. Kind and Key may be empty; then
// what the source says counts, or else the kind is "message".
type Destination struct {
	Wall, Kind, Key string
}

// Subject is the destination's address for an event that doesn't say anything
// of its own.
func (d Destination) Subject() stream.Subject {
	s := stream.Subject{Wall: d.Wall, Kind: d.Kind, Key: d.Key}
	if s.Kind == "" {
		s.Kind = stream.Message
	}
	return s
}

// URL is the scheme and host under which the world sees the program. The zero
// URL is none.
type URL struct {
	Scheme string // http or https
	Host   string // host[:port], lower case
}

// String is "https://host[:port]", and "" for the zero URL.
func (u URL) String() string {
	if u == (URL{}) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// UnmarshalText reads an absolute URL without path, query or user.
func (u *URL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	switch {
	case err != nil, parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		return errors.New("wants an address such as https://wall.example.com")
	case parsed.User != nil, parsed.RawQuery != "", parsed.ForceQuery, parsed.Fragment != "", parsed.Path != "" && parsed.Path != "/":
		return errors.New("wants scheme and host alone, such as https://wall.example.com: the walls lie at the root of it")
	}
	origin, err := access.ParseOrigin(parsed.Scheme + "://" + parsed.Host)
	if err != nil || origin.Wildcard() {
		return errors.New("wants an address such as https://wall.example.com")
	}
	*u = URL{parsed.Scheme, origin.Host()}
	return nil
}

// DefaultListen is what is served on when the configuration doesn't say.
var DefaultListen = []string{"127.0.0.1:8080", "[::1]:8080"}

func (c *Config) setDefaults() {
	*c = Config{Listen: append([]string(nil), DefaultListen...), Data: "data", Plugins: "plugins"}
}

func (w *Wall) setDefaults() {
	*w = Wall{
		Lang:    "en",
		Keep:    Keep{Events: 10000, Age: 30 * day, Bytes: 256 * MB},
		History: 100,
		Payload: 64 * KiB,
		Post:    Post{Allow: "token"},
	}
}

func (k *Kind) setDefaults() { *k = Kind{Slot: "timeline"} }

func defaultWall() Wall {
	var w Wall
	w.setDefaults()
	w.Name, w.Title = "main", "Wall"
	return w
}

// resolve joins the relative paths with folder.
func (c *Config) resolve(folder string) {
	for _, path := range []*string{&c.Data, &c.Plugins, &c.NATS.Creds, &c.TLS.Cert, &c.TLS.Key} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// Load reads the file at path. Types are the kinds of sources that there are,
// and around is what they are given of where they run, but for Name and Folder;
// env looks up the environment (os.LookupEnv). What is wrong with the content is returned as [Errors].
func Load(path string, types []sources.Type, around sources.Env, env func(string) (string, bool)) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err // names the file and the reason
	}
	return Parse(path, data, types, around, env)
}

// Parse is Load for content that was read already. Name is the file's name, for
// errors and for the folder that paths are relative to.
func Parse(name string, data []byte, types []sources.Type, around sources.Env, env func(string) (string, bool)) (*Config, error) {
	f := &file{name: name, data: data}
	if !f.parse(env) {
		return nil, f.errors()
	}
	c := new(Config)
	c.setDefaults()
	c.file = f
	d := &decoder{file: f, types: types, around: around, folder: filepath.Dir(name)}
	d.decode(f.root, valueOf(c), nil)
	if !d.ended {
		d.check(c)
	}
	if len(f.errs) > 0 {
		return nil, f.errors()
	}
	c.resolve(d.folder)
	return c, nil
}

// Errorf makes an error about the setting at path, such as "walls", "main",
// "events", with its line and a picture of it, for what shows only at start. A
// configuration that was not read from a file gives the sentence alone.
func (c *Config) Errorf(path []string, format string, args ...any) error {
	if c.file == nil {
		return errors.New(sprintf(path, format, args...))
	}
	return c.file.errorAt(c.file.root.find(path), sprintf(path, format, args...))
}
