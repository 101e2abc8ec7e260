package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/jetstream"
)

const (
	// defaultHookLimit is the largest body where a source says nothing.
	defaultHookLimit = 1 << 20

	hookBodyTimeout = time.Minute

	// struck stands where a secret was.
	struck = "[not kept]"

	// leastHidden is how short a text may be to be struck out of bodies.
	leastHidden = 4
)

// hookLog bounds what strangers can write to disk: refused deliveries are
// logged at this rate, and answered always.
type hookLog struct{ limit *rate.Limiter }

func newHookLog() *hookLog { return &hookLog{rate.NewLimiter(5, 50)} }

// receiveHook answers a request to /hooks/{name}.
func (p *program) receiveHook(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	source, ok := p.site.receiver(name)
	if !ok {
		if plugin, ok := p.pluginNamed(name); ok {
			p.firePlugin(w, r, plugin)
			return
		}
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no hook %.80q here; the configuration has them under sources.", name)}).Write(w)
		return
	}
	hook := source.receiver.Hook()
	body, problem := readHook(w, r, hook)
	if problem != nil {
		problem.Write(w)
		return
	}
	verdict := source.receiver.Receive(r, body)
	hook.Hide = slices.Concat(hook.Hide, verdict.Hide)
	maps.Copy(w.Header(), verdict.Header)
	if verdict.Refused == nil && verdict.Answer != nil {
		w.Header().Set("Content-Type", verdict.AnswerType)
		w.Header().Set("Cache-Control", "no-store")
		// Whether the answer arrives is the sender's to know.
		_, _ = w.Write(verdict.Answer)
		return
	}
	p.decide(r.Context(), w, source, verdict, deliveryOf(r, body, hook, verdict.ID))
}

// readHook reads a request's body.
func readHook(w http.ResponseWriter, r *http.Request, hook sources.Hook) ([]byte, *access.Problem) {
	// An error means that the connection has no deadlines, as in no server of ours.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookBodyTimeout))
	limit := hook.Limit
	if limit == 0 {
		limit = defaultHookLimit
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &access.Problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than the %d bytes that this hook accepts.", limit)}
	case err != nil:
		return nil, &access.Problem{Status: http.StatusBadRequest, Detail: "The body broke off."}
	}
	return body, nil
}

// deliveryOf is what is kept of a request: no secrets.
func deliveryOf(r *http.Request, body []byte, hook sources.Hook, id string) sources.Delivery {
	header := access.RedactHeader(r.Header)
	for name, values := range header {
		for i := range values {
			values[i] = hide(values[i], hook)
			// With the body beside it, a signature makes a request that can be sent again.
			if isSecret(name, hook) || strings.Contains(strings.ToLower(name), "signature") {
				values[i] = struck
			}
		}
	}
	return sources.Delivery{
		Time: time.Now(), From: access.CallerOf(r).Address.String(), Method: r.Method,
		Query: keptQuery(r.URL.RawQuery, hook), Header: header, Body: []byte(hide(string(body), hook)), ID: id,
	}
}

func isSecret(name string, hook sources.Hook) bool {
	return slices.ContainsFunc(hook.Secrets, func(secret string) bool { return strings.EqualFold(name, secret) })
}

// keptQuery is a query without secrets, and otherwise as it was sent: radio tools
// escape badly, and what they mean is for the source to find out.
func keptQuery(raw string, hook sources.Hook) string {
	pairs := strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil {
			decoded = name
		}
		if isSecret(strings.TrimSpace(decoded), hook) {
			pairs[i] = name + "=" + url.QueryEscape(struck)
		}
	}
	return hide(strings.Join(pairs, "&"), hook)
}

// hide strikes the hook's secrets out of a text, also as they stand in a query.
func hide(text string, hook sources.Hook) string {
	for _, secret := range hook.Hide {
		if len(secret) >= leastHidden {
			text = strings.ReplaceAll(text, secret, struck)
			text = strings.ReplaceAll(text, url.QueryEscape(secret), struck)
			text = strings.ReplaceAll(text, url.PathEscape(secret), struck)
		}
	}
	return text
}

// decide answers a delivery, keeping it first.
func (p *program) decide(ctx context.Context, w http.ResponseWriter, source hookSource, v sources.Verdict, d sources.Delivery) {
	ctx = context.WithoutCancel(ctx) // what was sent is not taken back by hanging up
	if v.Refused != nil {
		d.Status, d.Outcome = v.Status, v.Refused.Error()
		if d.Status == 0 {
			d.Status = http.StatusBadRequest
		}
		p.logRefused(ctx, source.name, d)
		(&access.Problem{Status: d.Status, Detail: v.Reason}).Write(w)
		return
	}
	events, err := source.events(ctx, d)
	if err == nil {
		err = p.fits(source, events)
	}
	if err != nil {
		d.Status, d.Outcome = http.StatusUnprocessableEntity, err.Error()
		p.logRefused(ctx, source.name, d)
		(&access.Problem{Status: d.Status, Detail: err.Error()}).Write(w)
		return
	}
	d.Status, d.Outcome = http.StatusAccepted, "accepted: "+count(len(events), "event")+d.Outcome
	number, repeat, err := p.store.PutDelivery(ctx, source.name, d, true)
	switch {
	case errors.Is(err, stream.ErrTooLarge):
		(&access.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The request is larger than the NATS server accepts (its max_payload)."}).Write(w)
	case err != nil:
		p.log.Error("a delivery was not kept", "hook", source.name, "error", err)
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Detail: "The store did not acknowledge the delivery; send it again."}).Write(w)
	case repeat:
		writeJSON(w, http.StatusOK, hookAnswer{number, "received before"})
	default:
		writeJSON(w, http.StatusAccepted, hookAnswer{number, d.Outcome})
	}
}

// fits returns why one of a hook's events can't be stored, whatever is tried: its
// sender should hear of it, as of a mistake in the map.
func (p *program) fits(source hookSource, events []sources.Event) error {
	for i, e := range events {
		subject, err := source.instance.Subject(e)
		if err != nil {
			return fmt.Errorf("event %d can't be stored: %w", i+1, err)
		}
		if limit, ok := p.site.limit(subject.Wall); ok && len(e.Data) > limit {
			return fmt.Errorf("event %d has %d bytes, and the wall %s accepts %d; let the source's map take less of it, or raise the wall's payload", i+1, len(e.Data), subject.Wall, limit)
		}
	}
	return nil
}

// hookAnswer is what a sender is told.
type hookAnswer struct {
	Delivery uint64 `json:"delivery"`
	Outcome  string `json:"outcome"`
}

func (p *program) logRefused(ctx context.Context, name string, d sources.Delivery) {
	if !p.hookLog.limit.Allow() {
		return
	}
	if _, _, err := p.store.PutDelivery(ctx, name, d, false); err != nil {
		p.log.Warn("a refused delivery was not logged", "hook", name, "error", err)
	}
}

// hookDelivery is a delivery as commands and pages get it.
type hookDelivery struct {
	ID string `json:"id"` // its number; that of a refused one has an r before it
	jetstream.Logged
}

// deliveryID reads a hookDelivery's ID.
func deliveryID(text string) (number uint64, accepted bool, err error) {
	digits, refused := strings.CutPrefix(text, "r")
	number, err = strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%.40q is no delivery; they are numbers, those of refused ones with an r before", text)
	}
	return number, !refused, nil
}

const maxListed = 1000

// listDeliveries answers with a hook's last deliveries, without their bodies.
func (p *program) listDeliveries(w http.ResponseWriter, r *http.Request) {
	source, ok := p.hookFor(w, r)
	if !ok {
		return
	}
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 || n > maxListed {
		n = 20
	}
	log, err := p.store.Deliveries(r.Context(), source.name, n)
	if err != nil {
		p.storeProblem(w, "the deliveries were not read", err)
		return
	}
	all := make([]hookDelivery, len(log))
	for i, d := range log {
		d.Body = nil
		all[i] = hookDelivery{logID(d), d}
	}
	writeJSON(w, http.StatusOK, map[string][]hookDelivery{"deliveries": all})
}

func logID(d jetstream.Logged) string {
	if d.Accepted {
		return strconv.FormatUint(d.Number, 10)
	}
	return "r" + strconv.FormatUint(d.Number, 10)
}

// showDelivery answers with one delivery.
func (p *program) showDelivery(w http.ResponseWriter, r *http.Request) {
	if source, ok := p.hookFor(w, r); ok {
		if d, ok := p.deliveryFor(w, r, source); ok {
			writeJSON(w, http.StatusOK, hookDelivery{logID(d), d})
		}
	}
}

// replayDelivery takes a delivery for a new one: as when the settings that
// refused it, or its map, have been mended.
func (p *program) replayDelivery(w http.ResponseWriter, r *http.Request) {
	source, ok := p.hookFor(w, r)
	if !ok {
		return
	}
	old, ok := p.deliveryFor(w, r, source)
	if !ok {
		return
	}
	d := old.Delivery
	d.ID, d.Number, d.Time, d.Replays, d.Outcome = "", 0, time.Now(), old.Number, ""
	if !old.Accepted {
		d.Outcome = "; who sent it is not proved"
	}
	p.decide(r.Context(), w, source, sources.Verdict{}, d)
}

// hookFor finds the hook of a request by an administrator.
func (p *program) hookFor(w http.ResponseWriter, r *http.Request) (hookSource, bool) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return hookSource{}, false
	}
	name := r.PathValue("name")
	source, ok := p.site.receiver(name)
	if !ok {
		detail := fmt.Sprintf("There is no hook %.80q here", name)
		if known := p.site.receivers(); len(known) > 0 {
			detail += "; there is " + strings.Join(known, ", ")
		}
		(&access.Problem{Status: http.StatusNotFound, Detail: detail + "."}).Write(w)
	}
	return source, ok
}

func (p *program) deliveryFor(w http.ResponseWriter, r *http.Request, source hookSource) (jetstream.Logged, bool) {
	number, accepted, err := deliveryID(r.PathValue("delivery"))
	if err != nil {
		(&access.Problem{Status: http.StatusBadRequest, Detail: err.Error()}).Write(w)
		return jetstream.Logged{}, false
	}
	d, err := p.store.Delivery(r.Context(), source.name, number, accepted)
	if errors.Is(err, stream.ErrNotFound) {
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("The hook %s has no delivery %s; they are kept for a week.", source.name, r.PathValue("delivery"))}).Write(w)
		return jetstream.Logged{}, false
	}
	if err != nil {
		p.storeProblem(w, "a delivery was not read", err)
		return jetstream.Logged{}, false
	}
	return jetstream.Logged{Delivery: d, Accepted: accepted}, true
}

// storeProblem answers that the store did not.
func (p *program) storeProblem(w http.ResponseWriter, what string, err error) {
	p.log.Error(what, "error", err)
	(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second, Detail: "The store did not answer; try again, that is safe."}).Write(w)
}

// hookSource is a source that is posted to.
type hookSource struct {
	name     string
	receiver sources.Receiver
	instance sources.Instance
}

// events are what a delivery makes: of a delivery that makes a mistake its
// sender learns at once, so that it shows where the hook was set up.
func (s hookSource) events(ctx context.Context, d sources.Delivery) ([]sources.Event, error) {
	parsed, err := s.receiver.Parse(d)
	if err != nil {
		return nil, err
	}
	var events []sources.Event
	for _, e := range parsed {
		made, err := s.instance.Made(ctx, e)
		if err != nil {
			return nil, err
		}
		events = append(events, made...)
	}
	return events, nil
}

// receiver returns the source whose hook has that name.
func (s *site) receiver(name string) (hookSource, bool) {
	source, ok := s.now.Load().hooks[name]
	return source, ok
}

// receivers lists the names of all hooks.
func (s *site) receivers() []string {
	var names []string
	for name := range s.now.Load().hooks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
