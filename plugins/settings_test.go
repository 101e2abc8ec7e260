package plugins_test

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

func made(change func(*plugins.Settings)) (*plugins.Plugin, error) {
	s := plugins.Type().New().(*plugins.Settings)
	change(s)
	source, err := s.Source(sources.Env{Name: "a", Folder: "/etc/wallcast"})
	if err != nil {
		return nil, err
	}
	return source.(*plugins.Plugin), nil
}

func TestSettings(t *testing.T) {
	for name, change := range map[string]func(*plugins.Settings){
		"http":              func(s *plugins.Settings) {},
		"file":              func(s *plugins.Settings) { s.File = "count.sh" },
		"all at once":       func(s *plugins.Settings) { s.HTTP, s.Every, s.On = true, time.Second, "wall.*.>" },
		"cron":              func(s *plugins.Settings) { s.Cron, s.Zone = "*/5 8-17 * * mon-fri", "Europe/Berlin" },
		"cron with seconds": func(s *plugins.Settings) { s.Cron = "30 0 0 1,15 JAN *" },
		"@daily":            func(s *plugins.Settings) { s.Cron = "@daily" },
		"@every":            func(s *plugins.Settings) { s.Cron = "@every 90s" },
		"on a kind":         func(s *plugins.Settings) { s.On = "wall.main.message" },
		"on a key":          func(s *plugins.Settings) { s.On = "wall.main.song.*" },
		"on all":            func(s *plugins.Settings) { s.On = "wall.>" },
		"stream":            func(s *plugins.Settings) { s.HTTP, s.Stream = false, true },
		"fetch":             func(s *plugins.Settings) { s.Every, s.Fetch = time.Minute, "https://api.example.com/now?x=1" },
		"hosts":             func(s *plugins.Settings) { s.Allow.Hosts = []string{"api.example.com", "[::1]:8080"} },
	} {
		if _, err := made(func(s *plugins.Settings) { s.HTTP = true; change(s) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct {
		setting, about string
		change         func(*plugins.Settings)
	}{
		{"http", "at least one", func(s *plugins.Settings) { s.HTTP = false }},
		{"file", "name of a file", func(s *plugins.Settings) { s.File = "../x.sh" }},
		{"file", "name of a file", func(s *plugins.Settings) { s.File = ".hidden" }},
		{"every", "1s or more", func(s *plugins.Settings) { s.Every = time.Millisecond }},
		{"every", "1s or more", func(s *plugins.Settings) { s.Every = -time.Second }},
		{"cron", "leave one out", func(s *plugins.Settings) { s.Every, s.Cron = time.Second, "@daily" }},
		{"cron", "five fields", func(s *plugins.Settings) { s.Cron = "* * *" }},
		{"cron", "minute from 0 to 59", func(s *plugins.Settings) { s.Cron = "60 * * * *" }},
		{"cron", "hour from 0 to 23", func(s *plugins.Settings) { s.Cron = "0 8-7 * * *" }},
		{"cron", "day of the week", func(s *plugins.Settings) { s.Cron = "0 8 * * 7" }},
		{"cron", "month", func(s *plugins.Settings) { s.Cron = "0 8 * 0 *" }},
		{"cron", "minute", func(s *plugins.Settings) { s.Cron = "*/0 8 * * *" }},
		{"cron", "minute", func(s *plugins.Settings) { s.Cron = "1, 8 * * *" }},
		{"cron", "@every", func(s *plugins.Settings) { s.Cron = "@every 10ms" }},
		{"zone", "time zone", func(s *plugins.Settings) { s.Cron, s.Zone = "@daily", "Mars/Olympus" }},
		{"zone", "cron", func(s *plugins.Settings) { s.Zone = "Europe/Berlin" }},
		{"on", "wall.main.message", func(s *plugins.Settings) { s.On = "orders.*" }},
		{"on", "wall.main.message", func(s *plugins.Settings) { s.On = "wall.main" }},
		{"on", "wall.main.message", func(s *plugins.Settings) { s.On = "wall.a.b.c.d" }},
		{"on", "lower-case", func(s *plugins.Settings) { s.On = "wall.Main.message" }},
		{"on", "stand alone", func(s *plugins.Settings) { s.On = "wall.ma*.message" }},
		{"on", "at the end", func(s *plugins.Settings) { s.On = "wall.>.message" }},
		{"stream", "leave them out", func(s *plugins.Settings) { s.Stream = true }},
		{"fetch", "an address", func(s *plugins.Settings) { s.Every, s.Fetch = time.Second, "file:///etc/passwd" }},
		{"fetch", "every or cron", func(s *plugins.Settings) { s.Fetch = "https://a.example" }},
		{"timeout", "up to", func(s *plugins.Settings) { s.Timeout = 0 }},
		{"memory", "1MB", func(s *plugins.Settings) { s.Memory = 100 }},
		{"output", "up to 16MB", func(s *plugins.Settings) { s.Output = 17_000_000 }},
		{"concurrency", "1 to 64", func(s *plugins.Settings) { s.Concurrency = 65 }},
		{"retries", "0 to 20", func(s *plugins.Settings) { s.Retries = -1 }},
		{"allow.hosts.[0]", "a host", func(s *plugins.Settings) { s.Allow.Hosts = []string{"https://a.example"} }},
		{"allow.folders.[1]", "second folder", func(s *plugins.Settings) { s.Allow.Folders = []plugins.FolderSettings{{Path: "a/x"}, {Path: "b/x"}} }},
		{"allow.folders.[0]", "a guest", func(s *plugins.Settings) { s.Allow.Folders = []plugins.FolderSettings{{Path: "a", Guest: "../b"}} }},
		{"allow.environment", "variables", func(s *plugins.Settings) { s.Allow.Environment = map[string]string{"A=B": ""} }},
		{"config", "JSON", func(s *plugins.Settings) { s.Config = math.Inf(1) }},
	} {
		_, err := made(func(s *plugins.Settings) { s.HTTP = true; test.change(s) })
		var wrong *sources.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != test.setting || !strings.Contains(err.Error(), test.about) {
			t.Errorf("%v, want an error of %s about %q", err, test.setting, test.about)
		}
	}
}

func TestDefaults(t *testing.T) {
	p, err := plugins.Default(sources.Env{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	want := plugins.Limits{Time: 10 * time.Second, Memory: 1 << 20, Output: 1_000_000, Log: 1 << 20, Line: 512 << 10}
	if got := p.Limits(1 << 20); got != want || !p.Settings().HTTP || p.Name() != "a" {
		t.Errorf("the limits are %+v", got)
	}
	p, err = made(func(s *plugins.Settings) {
		s.HTTP, s.Memory = true, 5_000_000
		s.Allow.Folders = []plugins.FolderSettings{{Path: "var/feeds", Writable: true}, {Path: "/srv", Guest: "/data"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	folders := p.Allow().Folders
	if p.Limits(7).Memory != 5_000_000 || len(folders) != 2 || folders[1] != (plugins.Folder{Path: "/srv", Guest: "/data"}) ||
		folders[0] != (plugins.Folder{Path: filepath.FromSlash("/etc/wallcast/var/feeds"), Guest: "/feeds", Writable: true}) {
		t.Errorf("the folders are %+v", folders)
	}
	if err := p.Run(t.Context(), nil); err == nil {
		t.Error("it ran with nothing around it")
	}
	for to, want := range map[stream.Subject]string{
		{}:                               "wall.first.a",
		{Wall: "w"}:                      "wall.w.a",
		{Wall: "w", Kind: "k"}:           "wall.w.k",
		{Wall: "w", Kind: "k", Key: "x"}: "wall.w.k.x",
	} {
		if got := plugins.To(to, "a", "first").String(); got != want {
			t.Errorf("%+v goes to %s, want %s", to, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]plugins.Size{"64MB": 64e6, "1 KiB": 1024, "7": 7, "2gb": 2e9, "10B": 10} {
		var s, again plugins.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %d, %v", text, s, err)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s is written as %s", text, s)
		}
	}
	for _, text := range []string{"", "MB", "-1MB", "1.5MB", "many", "5000000000", "1TB"} {
		var s plugins.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, s)
		}
	}
}
