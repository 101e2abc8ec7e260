package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// wrong says what is wrong with the setting at path, unless an error about it
// is known already.
func (d *decoder) wrong(path []string, format string, args ...any) {
	if !d.hasFailed(path) {
		d.fail(d.file.root.find(path), path, format, args...)
	}
}

// wrongName is wrong about the last step of path itself.
func (d *decoder) wrongName(path []string, err error) {
	if err == nil || d.hasFailed(path) {
		return
	}
	last := len(path) - 1
	at := d.file.root.find(path[:last])
	if e := at.get(path[last]); e != nil {
		at = e.key
	}
	d.file.fail(at, "%s", sprintf(path, "%s", predicate(err))) // what has the name is checked as well
}

// below is the path to a setting below another.
func below(path []string, steps ...string) []string {
	return append(slices.Clone(path), steps...)
}

// item is the path to an item of the list at path, and path itself where a
// single value stands for the list.
func (d *decoder) item(path []string, i int) []string {
	if d.file.root.find(path).shape == sequence {
		return below(path, index(i))
	}
	return path
}

// check finds what decoding can't: values that can't work, and those that
// can't work together. It also fills in what depends on others.
func (d *decoder) check(c *Config) {
	if len(c.Walls) == 0 {
		c.Walls = []Wall{defaultWall()}
	}
	d.checkListen(c)
	d.checkNATS(c)
	if c.Viewers.Most < 0 {
		d.wrong([]string{"viewers", "most"}, "wants a number of viewers, or 0 for as many as fit, not %d", c.Viewers.Most)
	}
	if limit, _ := c.Viewers.PerAddress(); limit < 0 {
		d.wrong([]string{"viewers", "address"}, "wants a number of viewers, or 0 for no limit, not %d", limit)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		d.wrong([]string{"tls"}, "wants both cert and key, or neither")
	}
	if strings.TrimSpace(c.Data) == "" {
		d.wrong([]string{"data"}, "wants a folder, such as ./data")
	}
	if strings.TrimSpace(c.Plugins) == "" {
		d.wrong([]string{"plugins"}, "wants a folder, such as ./plugins")
	}
	for i := range c.Tokens {
		d.checkToken(c.Tokens[i])
	}
	for i := range c.Walls {
		d.checkWall(&c.Walls[i])
	}
	for i := range c.Sources {
		d.checkSource(c, &c.Sources[i])
	}
}

var errAddress = errors.New("wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080")

// ParseListen returns the addresses that one of listen stands for: a port alone
// means the loopback addresses.
func ParseListen(address string) ([]string, error) {
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		return []string{"127.0.0.1:" + address, "[::1]:" + address}, nil
	}
	if err := checkAddress(address); err != nil {
		return nil, fmt.Errorf("%w, not %q", err, address)
	}
	return []string{address}, nil
}

func (d *decoder) checkListen(c *Config) {
	var addresses []string
	for i, address := range c.Listen {
		path := d.item([]string{"listen"}, i)
		each, err := ParseListen(address)
		if err != nil {
			d.wrong(path, "%v", err)
		}
		addresses = append(addresses, each...)
	}
	for i, address := range addresses {
		if slices.Contains(addresses[:i], address) && !strings.HasSuffix(address, ":0") {
			d.wrong([]string{"listen"}, "has the address %s twice", address)
		}
	}
	if len(c.Listen) == 0 {
		d.wrong([]string{"listen"}, "%v", errAddress)
	}
	c.Listen = addresses
}

// checkAddress checks host:port, of which the host may be missing.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errAddress
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return nil
	}
	if !hostName.MatchString(host) || !strings.ContainsFunc(host, unicode.IsLetter) {
		return errAddress
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

func (d *decoder) checkNATS(c *Config) {
	n := &c.NATS
	var urls []string
	for i, item := range n.URL {
		for one := range strings.SplitSeq(item, ",") {
			one = strings.TrimSpace(one)
			u, err := url.Parse(one)
			if err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "" {
				// The value isn't repeated: it may hold a password.
				d.wrong(d.item([]string{"nats", "url"}, i), "wants addresses such as nats://host:4222 (or tls, ws, wss)")
				continue
			}
			urls = append(urls, one)
		}
	}
	n.URL = urls
	if n.Listen != "" {
		if err := checkAddress(n.Listen); err != nil {
			d.wrong([]string{"nats", "listen"}, "wants an address such as 127.0.0.1:4222, not %q", n.Listen)
		}
	}
	external := n.External() || d.hasFailed([]string{"nats", "url"})
	for _, only := range []struct {
		name           string
		set, forOurOwn bool
	}{{"listen", n.Listen != "", true}, {"unsynced", n.Unsynced, true}, {"creds", n.Creds != "", false}, {"synced", n.Synced, false}} {
		switch {
		case only.set && only.forOurOwn && external:
			d.wrong([]string{"nats", only.name}, "is about the embedded server, and with nats.url there is none; remove one of them")
		case only.set && !only.forOurOwn && !external:
			d.wrong([]string{"nats", only.name}, "is about the server at nats.url, which is missing")
		}
	}
}

func (d *decoder) checkToken(t Token) {
	path := []string{"tokens", t.Name}
	d.wrongName(path, stream.CheckName("token", t.Name))
	if t.Hash == (Token{}).Hash {
		d.wrong(below(path, "hash"), "is missing; it is sha256: and the hash of the token's secret")
	}
	if len(t.Allow) == 0 {
		d.wrong(below(path, "allow"), "is missing; without a right such as \"publish wall.main.>\" the token is good for nothing")
	}
}

// maxPayload leaves room for headers in what NATS takes as one message by default (1 MiB).
const maxPayload = 1000 * KB

var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)

func (d *decoder) checkWall(w *Wall) {
	path := []string{"walls", w.Name}
	d.wrongName(path, stream.CheckName("wall", w.Name))
	if w.Title == "" {
		w.Title = w.Name
	}
	if !language.MatchString(w.Lang) {
		d.wrong(below(path, "lang"), "wants a language such as en or pt-BR, not %q", w.Lang)
	}
	switch {
	case w.Keep.Events < 1:
		d.wrong(below(path, "keep", "events"), "wants at least 1, not %d", w.Keep.Events)
	case w.History < 1:
		d.wrong(below(path, "history"), "wants at least 1, not %d", w.History)
	}
	if w.Keep.Age < time.Second {
		d.wrong(below(path, "keep", "age"), "wants at least 1s")
	}
	if w.Payload < 1 || w.Payload > maxPayload {
		d.wrong(below(path, "payload"), "wants a size from 1B to %s, not %s", maxPayload, w.Payload)
	} else if w.Keep.Bytes < 2*w.Payload {
		d.wrong(below(path, "keep", "bytes"), "wants at least twice the payload of one event (%s), not %s", w.Payload, w.Keep.Bytes)
	}
	if w.Post.Rate != (access.Rate{}) && !w.Post.Anyone() {
		d.wrong(below(path, "post", "rate"), "is about posts without a token, which allow: anyone permits")
	}
	if w.Post.Hold && !w.Post.Anyone() {
		d.wrong(below(path, "post", "hold"), "is about posts without a token, which allow: anyone permits")
	}
	for _, k := range w.Kinds {
		d.checkKind(k, below(path, "kinds", k.Name))
	}
}

var color = regexp.MustCompile(`^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$`)

// maxIcon is how many characters an icon may have; some emoji are a row of seven.
const maxIcon = 8

func (d *decoder) checkKind(k Kind, path []string) {
	d.wrongName(path, stream.CheckKind(k.Name))
	if k.Color != "" && !color.MatchString(k.Color) {
		d.wrong(below(path, "color"), "wants a colour such as \"#2e7d32\" or \"#273\" (with quotes: # begins a comment), not %q", k.Color)
	}
	if utf8.RuneCountInString(k.Icon) > maxIcon || strings.ContainsFunc(k.Icon, unicode.IsControl) {
		d.wrong(below(path, "icon"), "wants an emoji or up to %d characters, not %q", maxIcon, k.Icon)
	}
}

func (d *decoder) checkSource(c *Config, s *Source) {
	path := []string{"sources", s.Name}
	d.wrongName(path, stream.CheckName("source", s.Name))
	if s.To == (Destination{}) {
		s.To.Wall = c.Walls[0].Name
	}
	if _, ok := s.Run.(*plugins.Plugin); ok {
		s.To = Destination(plugins.To(stream.Subject(s.To), s.Name, c.Walls[0].Name))
		d.wrongName(path, stream.CheckKind(s.To.Kind))
	}
	d.complete(&s.To, s)
	d.checkKnownWall(c, below(path, "to"), s.To.Wall)
	for i, wall := range s.Walls {
		d.checkKnownWall(c, d.item(below(path, "walls"), i), wall)
	}
}

// complete names the card of a source that has one, where to doesn't.
func (d *decoder) complete(to *Destination, s *Source) {
	i := slices.IndexFunc(d.types, func(t sources.Type) bool { return t.Name == s.Type })
	if i < 0 || d.types[i].Kind == "" {
		return
	}
	if to.Kind == "" {
		to.Kind = d.types[i].Kind
	}
	if to.Key == "" {
		to.Key = s.Name
	}
}

func (d *decoder) checkKnownWall(c *Config, path []string, wall string) {
	names := make([]string, len(c.Walls))
	for i, w := range c.Walls {
		names[i] = w.Name
	}
	if !slices.Contains(names, wall) {
		hint := didYouMean(wall, names)
		if hint == "" {
			hint = "; there is " + list(names, "and")
		}
		d.wrong(path, "names the wall %q, which is not configured%s", wall, hint)
	}
}

// UnmarshalText reads "wall.<wall>[.<kind>[.<key>]]".
func (t *Destination) UnmarshalText(text []byte) error {
	full := string(text)
	if strings.Count(full, ".") == 1 {
		full += "." + stream.Message
	}
	subject, err := stream.ParseSubject(full)
	if err != nil {
		if _, rest, ok := strings.Cut(full, "wall."); ok && rest != "" && strings.HasPrefix(full, "wall.") {
			return err
		}
		return errors.New("wants a subject such as wall.main or wall.main.song.jazz")
	}
	*t = Destination{subject.Wall, subject.Kind, subject.Key}
	if full != string(text) {
		t.Kind = ""
	}
	return nil
}
