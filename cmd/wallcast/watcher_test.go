package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
)

// What a viewer can see.
const (
	sawEvent    = "event"
	sawGap      = "gap"
	sawPosition = "position" // everything up to there was considered
)

// sight is one thing that a viewer saw, in order.
type sight struct {
	what   string
	seq    uint64 // of a gap: the oldest that is held
	event  written
	reason string // of a gap
}

// watcher is a viewer that drops, is cut off, and resumes, with the id that a
// browser would have.
type watcher struct {
	*trial
	name    string
	rng     *rand.Rand
	kinds   []string // its filter; none: everything
	asJSON  bool
	byQuery bool // resumes with ?lastEventId=
	polls   bool // JSON instead of an event stream
	lazy    bool // stays away for long

	client *http.Client
	last   string // the id to resume with
	from   uint64 // its first position
	log    []sight
	ended  bool // it got the last event that is for it
	visits int
	gaps   int
}

// watch comes back again and again until it has seen the end.
func (v *watcher) watch(ctx context.Context) {
	v.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableKeepAlives: v.rng.IntN(2) == 0}}
	defer v.client.CloseIdleConnections()
	for !v.ended && ctx.Err() == nil {
		v.visits++
		visit, leave := context.WithCancel(ctx)
		if !v.calm() { // it leaves by itself
			time.AfterFunc(time.Duration(v.rng.IntN(1500))*time.Millisecond, leave)
		}
		if v.polls {
			v.poll(visit)
		} else {
			v.stream(visit)
		}
		leave()
		v.stayAway(ctx)
	}
	if !v.ended {
		v.t.Errorf("%s: the time is over at %s, after %d events and %d visits", v.name, v.last, len(v.log), v.visits)
	}
}

// stayAway lets some time pass before the viewer comes back.
func (v *watcher) stayAway(ctx context.Context) {
	if v.lazy && v.last != "" {
		v.ledger.await(v.rng.IntN(2*int(v.keep)+100), v.calmed)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(5+v.rng.IntN(40)) * time.Millisecond):
	}
}

// request asks for the wall at one of the programs that serve it.
func (v *watcher) request(ctx context.Context, query url.Values) *http.Request {
	base := "http://" + v.web[v.rng.IntN(len(v.web))].address()
	if len(v.kinds) > 0 {
		query.Set("kinds", strings.Join(v.kinds, ","))
	}
	if v.byQuery && v.last != "" {
		query.Set("lastEventId", v.last)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/walls/main/events?"+query.Encode(), nil)
	if err != nil {
		v.t.Error(err)
		return nil
	}
	if !v.byQuery && v.last != "" {
		req.Header.Set("Last-Event-ID", v.last)
	}
	return req
}

func (v *watcher) stream(ctx context.Context) {
	query := url.Values{}
	if v.asJSON {
		query.Set("as", "json")
	}
	resp, err := v.client.Do(v.request(ctx, query))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		v.t.Errorf("%s: an event stream was answered %s, which ends a browser's for good", v.name, resp.Status)
		return
	}
	for e, err := range gosse.Read(resp.Body, &gosse.ReadConfig{MaxEventSize: 1 << 20}) {
		if err != nil {
			return
		}
		v.see(e)
		if v.ended {
			return
		}
	}
}

// see takes one block of a stream.
func (v *watcher) see(e gosse.Event) {
	if e.LastEventID == "" { // a bye before the stream began
		return
	}
	asked := v.last
	v.last = e.LastEventID
	seq := v.ledger.seq(e.LastEventID)
	switch e.Type {
	case "wall:hello":
		switch asked {
		case "":
			v.begin(seq)
		case e.LastEventID:
		default: // a connection that is cut right here would hide a gap
			v.t.Errorf("%s came with %s, and the hello says %s", v.name, asked, e.LastEventID)
		}
	case "wall:ping", "wall:bye":
		v.note(sight{what: sawPosition, seq: seq})
	case "wall:gap":
		v.noteGap([]byte(e.Data))
	case "wall:kind":
	default:
		if strings.HasPrefix(e.Type, "wall:") {
			v.t.Errorf("%s got an unexpected %s %s", v.name, e.Type, e.Data)
			return
		}
		event := written{kind: e.Type, text: e.Data}
		if e.Type == "" {
			event.kind = stream.Message
		}
		if v.asJSON {
			event = v.decode(e.LastEventID, []byte(e.Data))
		}
		v.note(sight{what: sawEvent, seq: seq, event: event})
	}
}

// object is an event as JSON.
type object struct {
	ID, Kind, Key string
	Data          json.RawMessage
}

func (o object) written() (written, error) {
	e := written{kind: o.Kind, key: o.Key}
	return e, json.Unmarshal(o.Data, &e.text)
}

func (v *watcher) decode(id string, data []byte) written {
	var o object
	err := json.Unmarshal(data, &o)
	if err == nil && o.ID != id {
		err = errors.New("the object has another id")
	}
	e, textErr := o.written()
	if err = errors.Join(err, textErr); err != nil {
		v.t.Errorf("%s: %s: %.100q: %v", v.name, id, data, err)
	}
	return e
}

func (v *watcher) begin(seq uint64) {
	v.from = seq
	v.begun.Done()
}

func (v *watcher) note(s sight) {
	v.log = append(v.log, s)
	v.ended = v.ended || s.what == sawEvent && s.event.text == endOf(v.lastKind())
}

// lastKind is the kind that the last event for the viewer has.
func (v *watcher) lastKind() string {
	last := ""
	for _, kind := range endingKinds {
		if v.wants(kind) {
			last = kind
		}
	}
	return last
}

func (v *watcher) noteGap(data []byte) {
	var gap struct{ From, First, Reason string }
	if err := json.Unmarshal(data, &gap); err != nil {
		v.t.Errorf("%s: gap %s: %v", v.name, data, err)
		return
	}
	v.gaps++
	v.log = append(v.log, sight{what: sawGap, seq: v.ledger.seq(gap.First), reason: gap.Reason})
}

// pollAnswer is what a poll gets.
type pollAnswer struct {
	Events []object
	Next   string
	Gap    json.RawMessage
}

// poll asks once, and waits for news.
func (v *watcher) poll(ctx context.Context) {
	req := v.request(ctx, url.Values{"wait": {"1s"}})
	req.Header.Set("Accept", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return
	}
	var answer pollAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return
	}
	if resp.StatusCode != http.StatusOK {
		v.t.Errorf("%s: a poll was answered %s", v.name, resp.Status)
		return
	}
	if v.last == "" {
		v.begin(v.ledger.seq(answer.Next))
	}
	if answer.Gap != nil {
		v.noteGap(answer.Gap)
	}
	for _, o := range answer.Events {
		e, err := o.written()
		if err != nil {
			v.t.Errorf("%s: %s: %v", v.name, o.ID, err)
		}
		v.note(sight{what: sawEvent, seq: v.ledger.seq(o.ID), event: e})
	}
	v.note(sight{what: sawPosition, seq: v.ledger.seq(answer.Next)})
	v.last = answer.Next
}

// String tells a viewer's part in a trial.
func (v *watcher) String() string {
	return fmt.Sprintf("%s: %d visits, %d sights, %d gaps", v.name, v.visits, len(v.log), v.gaps)
}
