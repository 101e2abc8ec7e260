// Package pictures serves the pictures of events from the program's own host:
// those that sources bring, such as covers out of a music player, and those that
// lie elsewhere. So a page on https shows them whatever their server speaks, the
// viewers' addresses stay with us, and a picture is fetched once for all.
//
// Only raster images are kept and served, told by their content and not by what
// a server says of them. The address of a picture holds a MAC: nobody can have
// us fetch what no event has named, nor find a picture by trying.
package pictures

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	// Limit is how large a picture may be, in bytes.
	Limit = 4 << 20

	// Path is where a Gallery is to be served.
	Path = "/pictures/"

	remoteName = "remote"

	// fetchTimeout bounds how long a viewer waits for a picture from elsewhere,
	// and failedFor for how long one that failed is not asked for again.
	fetchTimeout = 15 * time.Second
	failedFor    = 5 * time.Minute
	maxFailed    = 1000
	fetchers     = 8
)

// Store keeps pictures by name.
type Store interface {
	// PutPicture keeps a picture.
	PutPicture(ctx context.Context, name string, picture []byte) error

	// Picture returns a picture; stream.ErrNotFound when none has that name.
	Picture(ctx context.Context, name string) ([]byte, error)
}

// Gallery is a sources.Pictures. It may be used concurrently. Until it is opened
// it keeps and serves nothing.
type Gallery struct {
	mu     sync.Mutex
	store  Store
	client *http.Client
	key    []byte
	log    *slog.Logger
	failed map[string]time.Time

	fetching singleflight.Group
	slots    chan struct{}
}

var _ sources.Pictures = (*Gallery)(nil)

// New returns a Gallery that is not open.
func New() *Gallery {
	return &Gallery{log: slog.New(slog.DiscardHandler), failed: map[string]time.Time{}, slots: make(chan struct{}, fetchers)}
}

// Open has pictures kept in store and fetched by client, which should connect to
// public addresses alone. All processes that share a store share the key.
func (g *Gallery) Open(store Store, client *http.Client, key []byte, log *slog.Logger) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.store, g.client, g.key, g.log = store, client, key, log
}

func (g *Gallery) opened() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.store != nil
}

var errClosed = errors.New("the program has no place for pictures yet")

// Put implements sources.Pictures. The media type is told by the content.
func (g *Gallery) Put(ctx context.Context, picture []byte, _ string) (string, error) {
	if !g.opened() {
		return "", errClosed
	}
	if len(picture) > Limit {
		return "", fmt.Errorf("the picture has %d bytes; %d are kept", len(picture), Limit)
	}
	if mediaType(picture) == "" {
		return "", errors.New("what should be a picture is no JPEG, PNG, GIF, WebP or AVIF")
	}
	name := g.mac("picture", string(picture))
	if err := g.store.PutPicture(ctx, name, picture); err != nil {
		return "", fmt.Errorf("keeping a picture: %w", err)
	}
	return Path + name, nil
}

// Remote implements sources.Pictures.
func (g *Gallery) Remote(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || !g.opened() {
		return ""
	}
	address = u.String()
	return Path + remoteName + "?" + url.Values{"url": {address}, "mac": {g.mac("remote", address)}}.Encode()
}

// Page returns where a page finds a picture that an event names: one that is here
// already, or one elsewhere. It is "" for what may not be shown.
func (g *Gallery) Page(address string) string {
	if !strings.HasPrefix(address, "/") {
		return g.Remote(address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "" || u.Path != path.Clean(u.Path) || !strings.HasPrefix(u.Path, Path) {
		return ""
	}
	return u.String()
}

func (g *Gallery) mac(purpose, content string) string {
	h := hmac.New(sha256.New, g.key)
	fmt.Fprintf(h, "%s %d ", purpose, len(content)) // a hash takes all that is written
	io.WriteString(h, content)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// ServeHTTP serves a picture below [Path].
func (g *Gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var picture []byte
	err := errClosed
	if g.opened() {
		if name == remoteName {
			picture, err = g.remote(r.Context(), r.URL.Query().Get("url"), r.URL.Query().Get("mac"))
		} else {
			picture, err = g.store.Picture(r.Context(), name)
		}
	}
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType(picture))
	// What the address names never changes, or is as good for a day.
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
}

func (g *Gallery) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	problem := &access.Problem{Status: http.StatusNotFound, Detail: "There is no such picture here."}
	if !errors.Is(err, stream.ErrNotFound) && !errors.Is(err, errForged) {
		problem.Detail = "The picture can't be had at the moment."
		problem.Status = http.StatusBadGateway
		g.log.Debug("a picture was not served", "error", access.RedactText(err.Error()))
	}
	problem.Write(w)
}

var errForged = errors.New("the address of the picture is not one of ours")

// remote returns the picture at an address elsewhere.
func (g *Gallery) remote(ctx context.Context, address, mac string) ([]byte, error) {
	if !hmac.Equal([]byte(mac), []byte(g.mac("remote", address))) {
		return nil, errForged
	}
	name := g.mac("fetched", address)
	picture, err := g.store.Picture(ctx, name)
	if err == nil || !errors.Is(err, stream.ErrNotFound) {
		return picture, err
	}
	if g.hasFailed(name) {
		return nil, errors.New("it could not be fetched a moment ago")
	}
	result := g.fetching.DoChan(name, func() (any, error) {
		// Others wait for it, too: one that goes away doesn't end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		picture, err := g.fetch(ctx, address)
		if err == nil {
			err = g.store.PutPicture(ctx, name, picture)
		}
		if err != nil {
			g.noteFailed(name)
		}
		return picture, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-result:
		picture, _ := got.Val.([]byte)
		return picture, got.Err
	}
}

func (g *Gallery) fetch(ctx context.Context, address string) ([]byte, error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "image/avif,image/webp,image/png,image/jpeg,image/gif")
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	picture, err := io.ReadAll(io.LimitReader(resp.Body, Limit+1))
	switch {
	case err != nil:
		return nil, err
	case len(picture) > Limit:
		return nil, fmt.Errorf("the picture at %s has more than %d bytes", req.URL.Host, Limit)
	case mediaType(picture) == "":
		return nil, fmt.Errorf("what %s sent is no picture that pages show", req.URL.Host)
	}
	return picture, nil
}

func (g *Gallery) hasFailed(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.failed[name]) < failedFor
}

func (g *Gallery) noteFailed(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.failed) >= maxFailed {
		clear(g.failed) // at worst some are tried again too early
	}
	g.failed[name] = time.Now()
}

// mediaType tells a raster image by its content; "" for anything else.
func mediaType(picture []byte) string {
	if len(picture) > 12 && string(picture[4:8]) == "ftyp" && (string(picture[8:12]) == "avif" || string(picture[8:12]) == "avis") {
		return "image/avif"
	}
	switch t := http.DetectContentType(picture); t {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return t
	}
	return ""
}
