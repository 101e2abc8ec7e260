package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// Handler stores what is posted. All fields must be set, but for Moderator where
// Holds never says so.
type Handler struct {
	Publisher stream.Publisher
	Moderator stream.Moderator

	// Holds reports whether what the caller posts waits for a moderator.
	Holds func(*http.Request, stream.Subject) bool

	// May returns why the caller may not store an event under the subject, or nil.
	May func(*http.Request, stream.Subject) *access.Problem

	// Scope names the caller, so that nobody's idempotency key clashes with
	// another's.
	Scope func(*http.Request) string

	// Limit returns how many bytes a payload of the wall may have, and whether
	// there is such a wall.
	Limit func(wall string) (int, bool)

	Log *slog.Logger
}

// retryAfter is what a publisher is told when the store can't take the event.
const retryAfter = 2 * time.Second

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = time.Minute

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// An error means that the connection has no deadlines, as in no server of ours.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	receipt, problem := h.publish(r)
	if problem != nil {
		problem.Write(w)
		return
	}
	wall := r.PathValue("wall")
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" || strings.HasPrefix(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/walls/"+wall, http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if receipt.Held > 0 {
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(map[string]any{"held": receipt.Held, "detail": "The post waits for approval."})
		return
	}
	w.Header().Set("Location", "/walls/"+wall+"/events/"+receipt.ID.String())
	w.WriteHeader(http.StatusCreated)
	// Whether the answer arrives is not ours to know: the event is stored.
	_ = json.NewEncoder(w).Encode(map[string]string{"id": receipt.ID.String()})
}

func (h *Handler) publish(r *http.Request) (stream.Receipt, *access.Problem) {
	wall := r.PathValue("wall")
	limit, ok := h.Limit(wall)
	if !ok {
		return stream.Receipt{}, unknownWall(wall)
	}
	subject, err := stream.NewSubject(wall, r.PathValue("kind"), r.PathValue("key"))
	if err != nil {
		return stream.Receipt{}, &access.Problem{Status: http.StatusBadRequest,
			Detail: fmt.Sprintf("The address is /walls/WALL/events/KIND/KEY, and %v.", err)}
	}
	p, err := read(r, limit)
	if err != nil {
		return stream.Receipt{}, asProblem(err)
	}
	if r.PathValue("kind") == "" && p.kind != "" {
		subject.Kind = p.kind
	}
	if problem := h.May(r, subject); problem != nil {
		return stream.Receipt{}, problem
	}
	draft := p.draft
	draft.Subject = subject
	if p.repeat != "" {
		draft.DedupeID = fmt.Sprintf("http %q %s %s", h.Scope(r), subject, p.repeat)
	}
	// A publisher that goes away does not take back what it has sent.
	store := h.Publisher.Publish
	if h.Holds(r, subject) {
		store = h.Moderator.Hold
	}
	receipt, err := store(context.WithoutCancel(r.Context()), draft)
	if err != nil {
		return stream.Receipt{}, h.explain(wall, limit, err)
	}
	return receipt, nil
}

func unknownWall(wall string) *access.Problem {
	return &access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no wall %.80q here; the configuration has the walls under walls.", wall)}
}

// explain makes an answer of what the store said.
func (h *Handler) explain(wall string, limit int, err error) *access.Problem {
	switch {
	case errors.Is(err, stream.ErrTooLarge):
		return tooLarge(limit)
	case errors.Is(err, stream.ErrUnknownWall):
		return unknownWall(wall)
	case errors.Is(err, stream.ErrFull):
		h.Log.Error("the store is full", "wall", wall, "error", err)
		return &access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
			Detail: "The store is full and did not take the event; its operator has to make room."}
	}
	h.Log.Error("an event was not stored", "wall", wall, "error", err)
	return &access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		Detail: "The store did not acknowledge the event. It may be stored or not; a retry with an Idempotency-Key stores it once."}
}

func tooLarge(limit int) *access.Problem {
	return &access.Problem{Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("The payload is larger than the %d bytes that this wall accepts; payload, among the wall's settings, can allow more.", limit)}
}

// asProblem makes an answer of what is wrong with a request.
func asProblem(err error) *access.Problem {
	var problem *access.Problem
	if errors.As(err, &problem) {
		return problem
	}
	return &access.Problem{Status: http.StatusBadRequest, Detail: err.Error()}
}
