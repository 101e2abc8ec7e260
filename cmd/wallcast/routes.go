package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/pictures"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/publish"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/views"
)

// routes is everything that the program answers. Who is calling was found out
// before, by access.Guard or access.Operator.
func (p *program) routes() http.Handler {
	posts := p.countPosts(&publish.Handler{
		Publisher: p.store, Moderator: p.store, Holds: p.holds, May: p.mayPost, Limit: p.site.limit, Log: p.log,
		Scope: func(r *http.Request) string { return access.CallerOf(r).Scope() },
	})
	events := methods{
		http.MethodGet:  http.HandlerFunc(p.serveEvents),
		http.MethodHead: http.HandlerFunc(p.serveEvents),
		http.MethodPost: posts,
	}
	event := methods{http.MethodPost: posts, http.MethodDelete: http.HandlerFunc(p.retract)}
	page := gzhttp.GzipHandler(http.HandlerFunc(p.page))

	mux := http.NewServeMux()
	mux.Handle("/walls/{wall}/events", p.guard.Wall(events))
	// A kind and an id stand at the same place of the address; the method says
	// which of them it is.
	mux.Handle("/walls/{wall}/events/{kind}", p.guard.Wall(event))
	mux.Handle("/walls/{wall}/events/{kind}/{key}", p.guard.Wall(methods{http.MethodPost: posts}))
	mux.Handle("/walls/{wall}", p.guard.Wall(methods{http.MethodGet: page, http.MethodHead: page}))
	mux.Handle("GET /assets/", views.Assets())
	p.onair.Register(mux)
	mux.Handle("GET "+pictures.Path+"{name}", p.gallery)
	mux.HandleFunc("GET /{$}", p.front)
	mux.HandleFunc("GET /healthz", p.health)
	mux.HandleFunc("GET /readyz", p.ready)
	mux.HandleFunc("GET /metrics", p.metrics)
	mux.HandleFunc("/hooks/{name}", p.receiveHook)
	mux.HandleFunc("GET /control/hooks/{name}", p.listDeliveries)
	mux.HandleFunc("GET /control/hooks/{name}/{delivery}", p.showDelivery)
	mux.HandleFunc("POST /control/hooks/{name}/{delivery}/replay", p.replayDelivery)
	mux.HandleFunc("GET /control/plugins", p.listPlugins)
	mux.HandleFunc("GET /control/plugins/{name}/logs", p.pluginLogs)
	mux.HandleFunc("GET /control/plugins/{name}/dead", p.listDead)
	mux.HandleFunc("GET /control/plugins/{name}/dead/{number}", p.showDead)
	mux.HandleFunc("POST /control/plugins/{name}/dead/{number}/replay", p.replayDead)
	mux.HandleFunc("GET /control/held", p.listHeld)
	mux.HandleFunc("POST /control/held/{wall}/{number}", p.approveHeld)
	mux.HandleFunc("DELETE /control/held/{wall}/{number}", p.dropHeld)
	mux.HandleFunc("GET /control/walls", p.wallStatus)
	mux.HandleFunc("GET /control/sources", p.sourceStatus)
	mux.HandleFunc("POST /control/links", p.makeLink)
	mux.HandleFunc("/", notFound)
	return securityHeaders(mux)
}

// methods answers by method. OPTIONS is answered by the guard.
type methods map[string]http.Handler

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := m[r.Method]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		if m[method] != nil {
			allowed = append(allowed, method)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	detail := fmt.Sprintf("%.20s is not supported here, only %s.", r.Method, strings.Join(allowed, ", "))
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		detail += postHint
	}
	(&access.Problem{Status: http.StatusMethodNotAllowed, Detail: detail}).Write(w)
}

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// postHint is for who publishes to the wrong address.
const postHint = " Events are posted to /walls/NAME/events."

func notFound(w http.ResponseWriter, r *http.Request) {
	detail := fmt.Sprintf("There is nothing at %.200q; a wall is at /walls/NAME.", r.URL.Path)
	if r.Method == http.MethodPost {
		detail += postHint
	}
	(&access.Problem{Status: http.StatusNotFound, Detail: detail}).Write(w)
}

func (p *program) serveEvents(w http.ResponseWriter, r *http.Request) {
	p.streams.ServeEvents(w, r, r.PathValue("wall"))
}

// front sends a visitor to the first wall.
func (p *program) front(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/walls/"+p.site.first(), http.StatusFound)
}

const (
	// pageEvents is how much of the history a page is given; it shows the last
	// thirty of the timeline and what the other slots hold.
	pageEvents = 200

	pageTimeout = 10 * time.Second
)

func (p *program) page(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("wall")
	wall, ok := p.site.wall(name)
	if !ok {
		notFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	snapshot, err := p.streams.Snapshot(ctx, name, pageEvents, nil)
	if err != nil {
		p.log.Error("a page could not be made", "wall", name, "error", err)
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Detail: "The store can't be read at the moment; the wall will be back."}).Write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", views.ContentSecurityPolicy(wall.view, p.guard.FrameAncestors(name)))
	// Not no-store: that would keep the page out of the back/forward cache.
	h.Set("Cache-Control", "private, no-cache")
	page := views.Page{
		Wall: wall.view, Head: snapshot.Head, Events: snapshot.Events, Cards: snapshot.Cards,
		Now: time.Now(), Build: build(), BaseURL: requestBase(p, r), View: r.URL.Query().Get("view"),
	}
	if grant := r.URL.Query().Get(access.GrantParameter); grant != "" {
		page.Query = url.Values{access.GrantParameter: {grant}}.Encode()
	}
	if local := baseURL(p.site.config(), p.listeners[0]); len(snapshot.Events) == 0 {
		page.Publish = curlLine(local, name, len(p.site.config().Tokens) > 0)
	}
	if err := views.PageComponent(page).Render(r.Context(), w); err != nil && r.Context().Err() == nil {
		p.log.Error("a page broke off", "wall", name, "error", err)
	}
}

// requestBase is scheme and host as the visitor sees them.
func requestBase(p *program, r *http.Request) string {
	if base := p.site.config().URL.String(); base != "" {
		return base
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func (p *program) retract(w http.ResponseWriter, r *http.Request) {
	wall := r.PathValue("wall")
	if !p.site.has(wall) {
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no wall %.80q here.", wall)}).Write(w)
		return
	}
	if problem := p.guard.MayRetract(r, wall); problem != nil {
		problem.Write(w)
		return
	}
	id, err := stream.ParseID(r.PathValue("kind"))
	if err != nil {
		(&access.Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("The address is /walls/WALL/events/ID, and %v.", err)}).Write(w)
		return
	}
	_, err = p.store.Retract(context.WithoutCancel(r.Context()), wall, id)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, stream.ErrNotFound):
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("The wall %s holds no event %s; it was retracted already, or its time was over.", wall, id)}).Write(w)
	default:
		p.log.Error("an event was not retracted", "wall", wall, "event", id, "error", err)
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second, Detail: "The store did not answer; try again, that is safe."}).Write(w)
	}
}

// health says that the process answers.
func (p *program) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "build": build()})
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	// Problem is why it is not ready.
	Problem string `json:"problem,omitempty"`
	// Notes are no reason not to be ready: sources in trouble, and what only the
	// operator of an existing NATS server can do.
	Notes []string `json:"notes,omitempty"`
}

// ready says whether walls can be served.
func (p *program) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	answer := readiness{Ready: true, Notes: externalNotes(p.site.config())}
	for _, s := range p.sources.Status() {
		if s.Warning != "" {
			// What exactly is for those who may administrate: it can hold paths.
			answer.Notes = append(answer.Notes, fmt.Sprintf("the source %s has a problem; wallcast sources says which", s.Name))
		}
	}
	deployed, _ := p.deployer.Status()
	for _, d := range deployed {
		if d.Problem != "" {
			answer.Notes = append(answer.Notes, fmt.Sprintf("the plugin %s has a problem; wallcast plugin list says which", d.Name))
		}
	}
	status := http.StatusOK
	if p.stopping.Load() {
		answer.Ready, answer.Problem, status = false, "the program is stopping", http.StatusServiceUnavailable
	} else if _, err := p.store.State(ctx, p.site.first()); err != nil {
		p.log.Warn("not ready", "error", err)
		answer.Ready, answer.Problem, status = false, "the store can't be read", http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

// sourceStatus is how the sources are doing, for those who may administrate.
func (p *program) sourceStatus(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string][]sources.Status{"sources": p.sources.Status()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the caller has gone.
	_ = json.NewEncoder(w).Encode(v)
}
