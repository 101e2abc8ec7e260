package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Hour
	defaultOutput  = 1_000_000
	maxOutput      = 16_000_000
	leastMemory    = 1_000_000
	maxConcurrency = 64
	defaultRetries = 3
	maxRetries     = 20
)

// Settings are what a configuration says of a plugin.
type Settings struct {
	File string `yaml:"file" doc:"The plugin's file, in the plugins folder. If it is not given, the one that has the source's name, with any extension."`

	HTTP   bool          `yaml:"http" doc:"Run it for each request to /hooks/ and its name."`
	Every  time.Duration `yaml:"every" doc:"Run it every so often, 1s or more."`
	Cron   string        `yaml:"cron" doc:"Run it at these times: minute, hour, day of the month, month, day of the week, as in 0 8 * * 1-5; with six fields the first is seconds. @hourly, @daily, @weekly, @monthly, @yearly, or @every with a time."`
	Zone   string        `yaml:"zone" doc:"Time zone of cron, such as Europe/Berlin. If it is not given, UTC."`
	On     string        `yaml:"on" doc:"Run it for each event of this subject, such as wall.main.message, where * stands for any one part and > for the rest."`
	Stream bool          `yaml:"stream" doc:"Keep it running, for what comes when it likes. It has no other trigger then."`

	Fetch string `yaml:"fetch" doc:"Address that is fetched each time every or cron runs it; it gets the answer. Where nothing has changed there, it does not run."`

	Timeout     time.Duration `yaml:"timeout" doc:"How long a run may take, up to 1h. It does not count with stream."`
	Memory      Size          `yaml:"memory" doc:"How much memory a run may have, such as 128MB. If it is not given, 64MB for a WebAssembly module and 256MB for a process."`
	Output      Size          `yaml:"output" doc:"How much a run may write to standard output, up to 16MB. It does not count with stream."`
	Concurrency int           `yaml:"concurrency" doc:"How many runs there may be at the same time, up to 64. With 1 they keep the order of their triggers."`
	Retries     int           `yaml:"retries" doc:"How often a run that has failed is tried again: after a second, then twice as long each time, up to a minute. What fails for good becomes a dead letter."`

	Allow  AllowSettings `yaml:"allow" doc:"What it may reach."`
	Config any           `yaml:"config" doc:"What it gets as config with each trigger, as it stands here."`
}

// AllowSettings are what a configuration allows a plugin.
type AllowSettings struct {
	Folders     []FolderSettings  `yaml:"folders" doc:"Folders that a WebAssembly module sees; without any it sees no files. A process sees what its user may."`
	Hosts       []string          `yaml:"hosts" doc:"Hosts that a WebAssembly module may ask, such as api.example.com or api.example.com:8443. A process asks whom it likes."`
	Environment map[string]string `yaml:"environment" doc:"Further environment variables. Secrets go here, as in KEY: ${KEY}; nothing of Wallcast's own environment is passed on."`
}

// FolderSettings are a folder that a WebAssembly module sees.
type FolderSettings struct {
	Path     string `yaml:"path" doc:"The folder."`
	Guest    string `yaml:"guest" doc:"Where the module sees it, such as /data. If it is not given, under its own name: /feeds for ./var/feeds."`
	Writable bool   `yaml:"writable" doc:"Whether the module may write there, too."`
}

// Type is the type of source that runs plugins. Its sources are [*Plugin]
// values, which need [Plugin.With] before they can run.
func Type() sources.Type {
	return sources.Type{
		Name: "plugin",
		Doc:  "A program of your own, in any language: it gets a trigger as JSON and prints events as JSON, one a line.",
		New:  func() sources.Settings { return newSettings() },
	}
}

func newSettings() *Settings {
	return &Settings{Timeout: defaultTimeout, Output: defaultOutput, Concurrency: 1, Retries: defaultRetries}
}

// Default is the source of a plugin that no setting names: it answers requests to
// its hook.
func Default(env sources.Env) (*Plugin, error) {
	s := newSettings()
	s.HTTP = true
	return s.plugin(env)
}

// To is where a plugin's events go when to is what the configuration says: where
// that has no kind, the plugin's name is one. Where it has no wall either, it is
// the first.
func To(to stream.Subject, name, firstWall string) stream.Subject {
	if to.Wall == "" {
		to.Wall = firstWall
	}
	if to.Kind == "" {
		to.Kind = name
	}
	return to
}

// Source implements sources.Settings.
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	p, err := s.plugin(env)
	if err != nil {
		return nil, err // no *Plugin that is nil inside of the interface
	}
	return p, nil
}

func (s *Settings) plugin(env sources.Env) (*Plugin, error) {
	for _, check := range []func() error{s.checkFile, s.checkTriggers, s.checkFetch, s.checkLimits} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	p := &Plugin{name: env.Name, settings: *s, client: env.Complete().Network.Client}
	var err error
	if p.schedule, err = s.schedule(); err != nil {
		return nil, err
	}
	if p.allow, err = s.Allow.allow(env.Folder); err != nil {
		return nil, err
	}
	if p.config, err = json.Marshal(s.Config); err != nil {
		return nil, wrong("config", "is nothing that JSON can hold: %w", err)
	}
	return p, nil
}

func wrong(setting, format string, args ...any) error {
	return &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
}

func (s *Settings) checkFile() error {
	if s.File == "" {
		return nil
	}
	if s.File != path.Base(filepath.ToSlash(s.File)) || strings.HasPrefix(s.File, ".") {
		return wrong("file", "wants the name of a file in the plugins folder, not %q", s.File)
	}
	return nil
}

func (s *Settings) checkTriggers() error {
	others := s.HTTP || s.Every != 0 || s.Cron != "" || s.On != ""
	switch {
	case s.Stream && others:
		return wrong("stream", "is for a plugin that is kept running, so http, every, cron and on have nothing to run; leave them out, or stream")
	case !s.Stream && !others:
		return wrong("http", "is false, and so are all other triggers: nothing runs the plugin; it takes at least one of http, every, cron, on, stream")
	case s.Every != 0 && s.Cron != "":
		return wrong("cron", "is one way to say when, and every is another; leave one out")
	case s.Every != 0 && s.Every < time.Second:
		return wrong("every", "wants 1s or more, not %s", s.Every)
	}
	if s.On == "" {
		return nil
	}
	if err := checkOn(s.On); err != nil {
		return &sources.SettingError{Setting: "on", Err: err}
	}
	return nil
}

// checkOn reports why no event can be of this subject.
func checkOn(filter string) error {
	if err := stream.CheckFilter(filter); err != nil {
		return err
	}
	tokens := strings.Split(filter, ".")
	open := tokens[len(tokens)-1] == ">"
	if tokens[0] != stream.WallPrefix || len(tokens) > 4 || len(tokens) < 3 && !open {
		return fmt.Errorf("wants the subject of events, such as wall.main.message, wall.main.song.jazz or wall.main.>, not %q", filter)
	}
	checks := []func(string) error{
		func(s string) error { return stream.CheckName("wall", s) },
		stream.CheckKind,
		func(s string) error { return stream.CheckName("key", s) },
	}
	for i, token := range tokens[1:] {
		if token == "*" || token == ">" {
			continue
		}
		if err := checks[i](token); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkFetch() error {
	if s.Fetch == "" {
		return nil
	}
	u, err := url.Parse(s.Fetch)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return wrong("fetch", "wants an address such as https://api.example.com/now, not %q", s.Fetch)
	case s.Every == 0 && s.Cron == "":
		return wrong("fetch", "is done when every or cron runs the plugin, and it has neither")
	}
	return nil
}

func (s *Settings) checkLimits() error {
	switch {
	case s.Timeout <= 0 || s.Timeout > maxTimeout:
		return wrong("timeout", "wants a time up to %s, not %s", maxTimeout, s.Timeout)
	case s.Memory != 0 && s.Memory < leastMemory:
		return wrong("memory", "wants 1MB or more, not %s", s.Memory)
	case s.Output < 1 || s.Output > maxOutput:
		return wrong("output", "wants a size up to 16MB, not %s", s.Output)
	case s.Concurrency < 1 || s.Concurrency > maxConcurrency:
		return wrong("concurrency", "wants 1 to %d, not %d", maxConcurrency, s.Concurrency)
	case s.Retries < 0 || s.Retries > maxRetries:
		return wrong("retries", "wants 0 to %d, not %d", maxRetries, s.Retries)
	}
	return nil
}

func (s *Settings) schedule() (Schedule, error) {
	if s.Zone != "" && s.Cron == "" {
		return Schedule{}, wrong("zone", "is for cron, which is not given")
	}
	if s.Cron == "" {
		return Schedule{Every: s.Every}, nil
	}
	if text, ok := strings.CutPrefix(s.Cron, "@every "); ok {
		every, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || every < time.Second || s.Zone != "" {
			return Schedule{}, wrong("cron", "wants @every with a time of 1s or more, as in @every 1h30m, and no zone, not %q", s.Cron)
		}
		return Schedule{Every: every}, nil
	}
	cron, err := CheckCron(s.Cron)
	if err != nil {
		return Schedule{}, &sources.SettingError{Setting: "cron", Err: err}
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		return Schedule{}, wrong("zone", "wants the name of a time zone, such as Europe/Berlin, not %q", s.Zone)
	}
	return Schedule{Cron: cron, Zone: s.Zone}, nil
}

func (a AllowSettings) allow(folder string) (Allow, error) {
	allow := Allow{Hosts: a.Hosts, Environment: a.Environment}
	for name := range a.Environment {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return Allow{}, wrong("allow.environment", "wants names of variables, not %q", name)
		}
	}
	for i, host := range a.Hosts {
		if u, err := url.Parse("//" + host); err != nil || u.Host != host || u.Hostname() == "" {
			return Allow{}, wrong(fmt.Sprintf("allow.hosts.[%d]", i), "wants a host such as api.example.com or api.example.com:8443, not %q", host)
		}
	}
	seen := map[string]bool{}
	for i, f := range a.Folders {
		one, err := f.folder(folder)
		if err == nil && seen[one.Guest] {
			err = fmt.Errorf("is the second folder that the module would see as %s; give one of them another guest", one.Guest)
		}
		if err != nil {
			return Allow{}, &sources.SettingError{Setting: fmt.Sprintf("allow.folders.[%d]", i), Err: err}
		}
		seen[one.Guest] = true
		allow.Folders = append(allow.Folders, one)
	}
	return allow, nil
}

func (f FolderSettings) folder(base string) (Folder, error) {
	if f.Path == "" {
		return Folder{}, errors.New("wants a path")
	}
	here := filepath.FromSlash(f.Path)
	if !filepath.IsAbs(here) {
		here = filepath.Join(base, here)
	}
	guest := f.Guest
	if guest == "" {
		guest = "/" + filepath.Base(here)
	}
	if guest != path.Clean(guest) || guest[0] != '/' {
		return Folder{}, fmt.Errorf("wants a guest such as /data, not %q", guest)
	}
	return Folder{Path: here, Guest: guest, Writable: f.Writable}, nil
}
