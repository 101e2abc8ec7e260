package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/stream"
)

// remote is a running program that a command talks to.
type remote struct {
	client *http.Client
	base   string
	token  string
	wall   string // the one that --url names; may be empty
	data   string // the data folder of the program that runs here; empty with --url
}

// remoteFlags are the flags of commands that talk to a running program.
type remoteFlags struct{ url, token *string }

func declareRemote(flags *pflag.FlagSet) remoteFlags {
	return remoteFlags{
		flags.String("url", "", "talk to the wallcast at this `URL`, instead of the one that runs here; a wall's address names the wall, too"),
		flags.String("token", "", "with --url: the token's `SECRET`; better kept in WALLCAST_TOKEN, where other users don't see it"),
	}
}

// connect finds the running program: the one at --url, or the one that has the
// data folder.
func (f remoteFlags) connect(inv *invocation) (*remote, error) {
	if *f.url != "" {
		return f.connectURL()
	}
	if *f.token != "" {
		return nil, usagef("--token goes with --url; the wallcast that runs here needs none")
	}
	folder, err := inv.dataFolder()
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("finding the folder %s: %w", folder, err)
	}
	path := socketPath(data)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		short, done, err := shortSocketPath(path)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", short)
		return c, errors.Join(err, done())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	return &remote{client: client, base: "http://wallcast", data: data}, nil
}

// dataFolder is where the program that runs here keeps its data. With --data the
// configuration is not needed, nor the environment that it may refer to.
func (inv *invocation) dataFolder() (string, error) {
	if inv.data != "" {
		return inv.data, nil
	}
	cfg, err := inv.loadOrDemo()
	if err != nil {
		return "", err
	}
	return cfg.Data, nil
}

// connectURL takes the address of a wallcast, or of one of its walls.
func (f remoteFlags) connectURL() (*remote, error) {
	address := *f.url
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usagef("--url: %q is no address; one looks like https://wall.example.com", *f.url)
	}
	wall := ""
	if rest, ok := strings.CutPrefix(u.Path, "/walls/"); ok {
		wall, _, _ = strings.Cut(rest, "/")
		if err := stream.CheckName("wall", wall); err != nil {
			return nil, usagef("--url: %v", err)
		}
	}
	token := *f.token
	if token == "" {
		token = os.Getenv("WALLCAST_TOKEN")
	}
	return &remote{client: http.DefaultClient, base: u.Scheme + "://" + u.Host, token: token, wall: wall}, nil
}

// loadOrDemo loads the configuration or, where there is none, the demo's.
func (inv *invocation) loadOrDemo() (*config.Config, error) {
	if inv.config == "" {
		if _, err := os.Stat(configFile); errors.Is(err, os.ErrNotExist) {
			return inv.readDemo()
		}
	}
	return inv.load()
}

// wallOr is the named wall or, if none is named, the one of --url or the program's
// first, to which its front page leads.
func (r *remote) wallOr(ctx context.Context, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if r.wall != "" {
		return r.wall, nil
	}
	req, err := r.request(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return "", err
	}
	client := *r.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return "", r.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return "", answerError(resp)
	}
	to, err := resp.Location()
	if err != nil || !strings.HasPrefix(to.Path, "/walls/") {
		return "", fmt.Errorf("%s does not say which wall is its first; name one", r.base)
	}
	return strings.TrimPrefix(to.Path, "/walls/"), nil
}

// request makes a request of the program.
func (r *remote) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	return req, nil
}

// do sends a request and decodes the JSON answer into v, unless v is nil.
func (r *remote) do(req *http.Request, v any) error {
	resp, err := r.client.Do(req)
	if err != nil {
		return r.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return answerError(resp)
	}
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", r.base, err)
	}
	return nil
}

// explain makes a sentence of an error that kept a request from being answered.
func (r *remote) explain(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the method and the address of the request
	}
	switch {
	case r.data == "":
		return fmt.Errorf("%s does not answer: %w", r.base, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("the wallcast on the data folder %s is run by another user; become that one, or use --url and a token", r.data)
	}
	return fmt.Errorf("no wallcast is running on the data folder %s; start it, or name another one with -c, --data or --url", r.data)
}

// answerError is what the program answered instead of doing it.
func answerError(resp *http.Response) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		return errors.New(problem.Detail)
	}
	return fmt.Errorf("the server answered %s", resp.Status)
}
