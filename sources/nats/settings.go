package nats

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// Type is the source type "nats".
var Type = sources.Type{
	Name: "nats",
	Doc:  "A subject of another NATS server, with replay from a JetStream stream or as it is published.",
	New:  func() sources.Settings { return &Settings{From: fromNew} },
}

const (
	fromNew = "new"
	fromAll = "all"
)

// Settings are the settings of a nats source.
type Settings struct {
	URL      []string `yaml:"url" doc:"Servers of one NATS system, such as nats://nats.example.com or tls://nats.example.com."`
	Subject  string   `yaml:"subject" doc:"The subject, with NATS's wildcards * and >."`
	Stream   string   `yaml:"stream" doc:"The JetStream stream there to read it from, which loses nothing. Without it messages are received as they are published, and those that come while nobody is connected are lost."`
	From     string   `yaml:"from" doc:"With stream: where the very first run begins, with new messages or with all that the stream holds." enum:"new all"`
	Kind     string   `yaml:"kind" doc:"Kind of the events, or kind.key, where {{wildcard(1)}} stands for what the first * matched. Without it they have that of the setting to."`
	Creds    string   `yaml:"creds" doc:"Credentials file, relative to the configuration file's folder."`
	NKey     string   `yaml:"nkey" doc:"File with the seed of an NKey, relative to the configuration file's folder."`
	User     string   `yaml:"user" doc:"User name."`
	Password string   `yaml:"password" doc:"The user's password."`
	Token    string   `yaml:"token" doc:"Token."`
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	wrong := func(setting, format string, args ...any) (sources.Source, error) {
		return nil, &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
	}
	if len(s.URL) == 0 {
		return wrong("url", "name the server, such as nats://nats.example.com")
	}
	for _, address := range s.URL {
		if err := checkServer(address); err != nil {
			return wrong("url", "%w", err)
		}
	}
	if err := stream.CheckFilter(s.Subject); err != nil {
		return wrong("subject", "%q %w", s.Subject, err)
	}
	if strings.ContainsAny(s.Stream, " \t\r\n.*>/\\") {
		return wrong("stream", "%q is no name of a stream", s.Stream)
	}
	if s.From != fromNew && s.From != fromAll {
		return wrong("from", "%q is neither new nor all", s.From)
	}
	if s.From == fromAll && s.Stream == "" {
		return wrong("from", "all needs the setting stream: without one nothing is held that could be read")
	}
	if s.Kind != "" {
		if err := checkTemplate(s.Subject, s.Kind); err != nil {
			return wrong("kind", "%w", err)
		}
	}
	if s.Password != "" && s.User == "" {
		return wrong("user", "there is a password and no user")
	}
	at := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(env.Folder, path)
	}
	settings := *s
	settings.Creds, settings.NKey = at(s.Creds), at(s.NKey)
	return &remote{Settings: settings, name: env.Name, dial: env.Network.Dial, least: leastReconnect, most: mostReconnect}, nil
}

func checkServer(address string) error {
	if !strings.Contains(address, "://") {
		address = "nats://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("it is no address such as nats://nats.example.com") // the error repeats it, with its password
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
		return nil
	}
	return fmt.Errorf("the scheme %s:// is none of nats://, tls://, ws:// and wss://", u.Scheme)
}

// sum stands for what is read, so that something else begins anew.
func (s *Settings) sum() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{s.Stream, s.Subject}, s.URL...), "\n")))
	return hex.EncodeToString(sum[:6])
}
