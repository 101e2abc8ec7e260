package sse

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	maxKinds = 100              // in one filter
	maxWait  = 60 * time.Second // of one poll
)

// query is what a viewer asks for.
type query struct {
	poll   bool // JSON instead of an event stream
	rep    representation
	filter filter
	id     string // to resume after; empty for none
	last   int
	wait   time.Duration

	historyOnly bool // last counts no keyed cards that are older than the history
}

// parseQuery reads a request. Its error tells what would be right.
func parseQuery(r *http.Request) (query, error) {
	values := r.URL.Query()
	q := query{poll: wantsJSON(r.Header.Values("Accept")), id: r.Header.Get("Last-Event-ID")}
	if q.id == "" {
		q.id = values.Get("lastEventId")
	}
	switch as := values.Get("as"); {
	case as == "":
		q.rep = asPayload
	case as == "json":
		q.rep = asJSON
	case as == "html":
		q.rep = asHTML
	default:
		return query{}, fmt.Errorf(`as=%.40q is unknown; use "json" or "html", or leave it out for the payload as published`, as)
	}
	if q.poll {
		q.rep = pollRepresentation(q.rep)
	}
	var err error
	if q.filter, err = parseKinds(values["kinds"]); err != nil {
		return query{}, err
	}
	if s := values.Get("last"); s != "" {
		if q.last, err = strconv.Atoi(s); err != nil || q.last < 0 {
			return query{}, fmt.Errorf("last=%.40q is no number of events; use one like last=50", s)
		}
	}
	if s := values.Get("wait"); s != "" {
		if q.wait, err = time.ParseDuration(s); err != nil || q.wait < 0 {
			return query{}, fmt.Errorf("wait=%.40q is no duration; use one like wait=25s, at most %s", s, maxWait)
		}
		q.wait = min(q.wait, maxWait)
	}
	return q, nil
}

// pollRepresentation is what the objects of a poll hold: with as=html the card too.
func pollRepresentation(rep representation) representation {
	if rep == asHTML {
		return asJSONHTML
	}
	return asJSON
}

func parseKinds(lists []string) (filter, error) {
	var kinds filter
	for _, list := range lists {
		for kind := range strings.SplitSeq(list, ",") {
			kind = strings.TrimSpace(kind)
			if kind == "" || slices.Contains(kinds, kind) {
				continue
			}
			if err := stream.CheckKind(kind); err != nil {
				return nil, fmt.Errorf("kinds=%.100q: %w", list, err)
			}
			if kinds = append(kinds, kind); len(kinds) > maxKinds {
				return nil, fmt.Errorf("kinds names more than %d kinds", maxKinds)
			}
		}
	}
	return kinds, nil
}

// wantsJSON reports whether a client asks for JSON rather than for an event
// stream. One that takes anything gets the stream.
func wantsJSON(accept []string) bool {
	quality := map[string]float64{}
	for _, list := range accept {
		for part := range strings.SplitSeq(list, ",") {
			media, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			if err != nil {
				q = 1
			}
			quality[media] = max(quality[media], q)
		}
	}
	return quality["application/json"] > quality["text/event-stream"]
}

// problem answers with application/problem+json (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})) // a client that is gone gets no answer
}
