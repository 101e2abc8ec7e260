package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/stream"
)

const tokenHelp = `
It prints the secret, once, the entry for wallcast.yaml, which holds only the
secret's hash, and lines that publish with it. A right is one of
  publish SUBJECT   such as "publish wall.main.push" or "publish wall.main.>"
  read WALL         of a private wall; * for every wall
  retract WALL
  admin             everything

  wallcast token ci --allow "publish wall.main.push"`

func setupToken(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	allow := flags.StringArray("allow", nil, "a `RIGHT`; may be given several times")
	return func(_ context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast token takes the NAME of who gets it")
		}
		name := inv.args[0]
		if err := stream.CheckName("token", name); err != nil {
			return usagef("%v", err)
		}
		if len(*allow) == 0 {
			return usagef(`say what the token allows, as in --allow "publish wall.main.push"`)
		}
		var rights access.Rights
		var quoted []string
		for _, text := range *allow {
			right, err := access.ParseRight(text)
			if err != nil {
				return usagef("--allow: %v", err)
			}
			rights = append(rights, right)
			quoted = append(quoted, fmt.Sprintf("%q", right))
		}
		secret := access.NewSecret()
		fmt.Fprintf(inv.stdout, "The secret, shown this once:\n\n  %s\n\nPut this below tokens: in wallcast.yaml:\n\n  %s: {hash: %q, allow: [%s]}\n",
			secret, name, access.HashSecret(secret), strings.Join(quoted, ", "))
		if subjects := rights.Subjects(); len(subjects) > 0 {
			cfg, err := inv.loadOrDemo()
			if err != nil { // a token may be what the configuration waits for
				fmt.Fprintf(inv.stderr, "note: the lines below have default addresses, because of the configuration: %v\n", oneLine(err.Error()))
				if cfg, err = inv.readDemo(); err != nil {
					return err
				}
			}
			publishingLines(inv.stdout, cfg, name, secret, subjects[0])
		}
		return nil
	}
}

// publishingLines prints lines that publish with a token to a subject that it
// allows, over HTTP and over NATS.
func publishingLines(w io.Writer, cfg *config.Config, name, secret, allowed string) {
	subject := exampleSubject(cfg, allowed)
	fmt.Fprintf(w, "\nThen this publishes:\n\n")
	if s, err := stream.ParseSubject(subject); err == nil {
		path := "/walls/" + s.Wall + "/events/" + s.Kind
		if s.Key != "" {
			path += "/" + s.Key
		}
		fmt.Fprintf(w, "  curl -H 'Authorization: Bearer %s' -d 'hello' %s%s\n", secret, baseForOthers(cfg), path)
	}
	if cfg.NATS.External() {
		fmt.Fprintf(w, "\nThe walls are in a NATS of its own; who runs it gives its clients what they need\nto publish to %s.\n", subject)
		return
	}
	listen := cfg.NATS.Listen
	if listen == "" {
		listen = "127.0.0.1:4222"
	}
	if cfg.NATS.Listen == "" {
		fmt.Fprintf(w, "\nAnd so do NATS clients, with this in wallcast.yaml: nats: {listen: %q}\n\n", listen)
	}
	fmt.Fprintf(w, "  nats --server nats://%s --user %s --password %s --inbox-prefix _INBOX.%s pub %s 'hello'\n",
		dialable(listen), name, secret, name, subject)
}

// exampleSubject is a subject that a filter matches.
func exampleSubject(cfg *config.Config, filter string) string {
	parts := strings.Split(filter, ".")
	if parts[0] != stream.WallPrefix {
		return strings.NewReplacer("*", "example", ">", "example").Replace(filter)
	}
	for i, example := range []string{stream.WallPrefix, cfg.Walls[0].Name, stream.Message, "example"} {
		if i < len(parts) && (parts[i] == "*" || parts[i] == ">") {
			parts[i] = example
			if filter == stream.WallPrefix+".>" && i == 1 {
				parts = append(parts, stream.Message)
			}
		}
	}
	return strings.Join(parts, ".")
}

// baseForOthers is where the program is reached: as the configuration says, and
// else on this computer.
func baseForOthers(cfg *config.Config) string {
	if cfg.URL != (config.URL{}) {
		return cfg.URL.String()
	}
	scheme := "http"
	if cfg.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + strings.Replace(dialable(cfg.Listen[0]), "127.0.0.1:", "localhost:", 1)
}

// dialable is an address to listen on as one that can be dialed here.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
