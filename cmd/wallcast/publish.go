package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/stream"
)

const publishHelp = `
DATA is flat text or a JSON object; without it, or as "-", it is read from
standard input. The id of the event is printed once it is stored.

  wallcast publish hello
  wallcast publish --to wall.main.friend '{"text":"joined"}'
  tail -F app.log | wallcast publish --lines`

func setupPublish(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	to := flags.String("to", "", "the event's `SUBJECT`, wall.<wall>.<kind>[.<key>] (default: kind message on the first wall)")
	key := flags.String("idempotency-key", "", "publish once, however often the command is repeated with this `KEY`")
	lines := flags.Bool("lines", false, "every line of standard input is an event")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		switch {
		case len(inv.args) > 1:
			return usagef("wallcast publish takes one DATA, and got %d; put it in quotes", len(inv.args))
		case *lines && (len(inv.args) > 0 || *key != ""):
			return usagef("with --lines the events come from standard input, and have no common key")
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		subject, err := r.subject(ctx, *to)
		if err != nil {
			return err
		}
		if *lines {
			return publishLines(ctx, inv, r, subject)
		}
		data, err := publishData(inv)
		if err != nil {
			return err
		}
		return r.publish(ctx, inv.stdout, subject, data, *key)
	}
}

// subject is the one that --to names, or that of a message on the first wall.
func (r *remote) subject(ctx context.Context, to string) (stream.Subject, error) {
	if to == "" {
		wall, err := r.wallOr(ctx, "")
		return stream.Subject{Wall: wall, Kind: stream.Message}, err
	}
	subject, err := stream.ParseSubject(to)
	if err != nil {
		return stream.Subject{}, usagef("--to: %v", err)
	}
	return subject, nil
}

func publishData(inv *invocation) ([]byte, error) {
	if len(inv.args) == 1 && inv.args[0] != "-" {
		return []byte(inv.args[0]), nil
	}
	data, err := io.ReadAll(inv.stdin)
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	return []byte(strings.TrimRight(string(data), "\r\n")), nil
}

func publishLines(ctx context.Context, inv *invocation, r *remote, subject stream.Subject) error {
	input := bufio.NewReader(inv.stdin)
	for {
		line, err := input.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			if err := r.publish(ctx, inv.stdout, subject, []byte(line), ""); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
	}
}

// publish stores one event and prints its id.
func (r *remote) publish(ctx context.Context, out io.Writer, s stream.Subject, data []byte, key string) error {
	path := "/walls/" + s.Wall + "/events/" + s.Kind
	if s.Keyed() {
		path += "/" + s.Key
	}
	req, err := r.request(ctx, http.MethodPost, path, data)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	var answer struct{ ID string }
	if err := r.do(req, &answer); err != nil {
		return err
	}
	fmt.Fprintln(out, answer.ID)
	return nil
}
