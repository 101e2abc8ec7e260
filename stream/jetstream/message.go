package jetstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/wallcast/wallcast/stream"
)

// Headers of an event. Those with "ce-" carry CloudEvents' attributes under the
// names that its NATS protocol binding gives them.
const (
	headerID      = "ce-id"
	headerSource  = "ce-source"
	headerType    = "ce-type"
	headerTime    = "ce-time"
	headerSubject = "ce-subject"

	headerHops    = "Wallcast-Hops"
	headerHopsMAC = "Wallcast-Hops-Mac"

	headerMark    = "Wallcast-Mark"
	headerMarkMAC = "Wallcast-Mark-Mac"

	// What NATS adds to a message that it republishes.
	headerSequence = "Nats-Sequence"

	// headerExpected begins the headers by which a producer states what it
	// expects of the wall's stream.
	headerExpected = "Nats-Expected-"
)

// maxHeader bounds what is read of a header that a producer has written.
const maxHeader = 512

// encode makes the message of a draft.
func (s *Store) encode(d stream.Draft) (*nats.Msg, error) {
	msg := nats.NewMsg(d.Subject.String())
	msg.Data = d.Data
	when := d.Time
	if when.IsZero() {
		when = time.Now()
	}
	id, kind := d.EventID, d.Type
	if id == "" {
		id = nuid.Next()
	}
	if kind == "" {
		kind = d.Subject.Kind
	}
	msg.Header.Set(headerID, headerText(id))
	msg.Header.Set(headerType, headerText(kind))
	msg.Header.Set(headerTime, when.UTC().Format(time.RFC3339Nano))
	if d.Source != "" {
		msg.Header.Set(headerSource, headerText(d.Source))
	}
	if d.Subject.Key != "" {
		msg.Header.Set(headerSubject, d.Subject.Key)
	}
	if d.DedupeID != "" {
		msg.Header.Set(nats.MsgIdHdr, s.dedupeID(d.Subject.Wall, d.DedupeID))
	}
	if d.Hops > 0 {
		hops := strconv.Itoa(d.Hops)
		msg.Header.Set(headerHops, hops)
		msg.Header.Set(headerHopsMAC, hopsMAC(s.key, msg.Subject, msg.Header, msg.Data))
	}
	if d.Mark != nil {
		mark, err := json.Marshal(d.Mark)
		if err != nil {
			return nil, fmt.Errorf("the cursor of the source %s: %w", d.Mark.Source, err)
		}
		msg.Header.Set(headerMark, string(mark))
		msg.Header.Set(headerMarkMAC, s.mac("mark", d.Subject.Wall, string(mark)))
	}
	return msg, nil
}

// dedupeID hides what a caller's id is made of, so that no producer can guess
// another's and have its event taken for a repeat.
func (s *Store) dedupeID(wall, id string) string { return s.mac("dedupe", wall, id) }

func (s *Store) mac(parts ...string) string { return mac(s.key, parts...) }

func mac(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// mark returns the mark that an event carries, if it is one of ours: any
// producer could write the header, and would move another source's cursor.
func (s *Store) mark(wall string, h nats.Header) (stream.Mark, bool) {
	text := h.Get(headerMark)
	if text == "" || !hmac.Equal([]byte(h.Get(headerMarkMAC)), []byte(s.mac("mark", wall, text))) {
		return stream.Mark{}, false
	}
	var m stream.Mark
	if json.Unmarshal([]byte(text), &m) != nil {
		return stream.Mark{}, false
	}
	return m, true
}

// hopsMAC vouches for an event's hops and source, so that no producer can have its
// events taken for a plugin's: plugins that are to see them would not.
func hopsMAC(key []byte, subject string, h nats.Header, data []byte) string {
	return mac(key, "hops", subject, h.Get(headerHops), h.Get(headerSource), string(data))
}

// hops are those of a stored event, if they are ours.
func (w *wall) hops(m stored) int {
	n, err := strconv.Atoi(m.header.Get(headerHops))
	if err != nil || n < 0 || !hmac.Equal([]byte(m.header.Get(headerHopsMAC)), []byte(hopsMAC(w.key, m.subject, m.header, m.data))) {
		return 0
	}
	return n
}

// stored is a message as it lies in a stream.
type stored struct {
	subject string
	header  nats.Header
	data    []byte
	seq     uint64
	time    time.Time
}

// decode reads a message of the wall's stream. What it can't read becomes an
// odd entry: nobody is shown it, and it hides nothing else.
func (w *wall) decode(m stored) stream.Event {
	e := stream.Event{ID: w.id(m.seq), Time: m.time, Data: m.data}
	if name, ok := strings.CutPrefix(m.subject, stream.ControlPrefix+"."+w.name+"."); ok {
		return decodeControl(e, name)
	}
	subject, err := stream.ParseSubject(m.subject)
	if err != nil || subject.Wall != w.name {
		return e
	}
	e.Subject = subject
	e.Source, e.Hops = headerText(m.header.Get(headerSource)), w.hops(m)
	if t, err := time.Parse(time.RFC3339Nano, m.header.Get(headerTime)); err == nil && t.Year() > 0 && t.Year() <= 9999 {
		e.Time = t.UTC()
	}
	return e
}

// retraction is the payload of the control event Retract.
type retraction struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`        // of the event
	Card    bool   `json:"card,omitempty"` // the event was its card's newest version: the older ones go, too
}

func decodeControl(e stream.Event, name string) stream.Event {
	var r retraction
	if name != stream.Retract || json.Unmarshal(e.Data, &r) != nil {
		return e
	}
	target, err := stream.ParseID(r.ID)
	if err != nil {
		return e
	}
	e.Control, e.Target = name, target
	return e
}

// decodeCard reads a message of CARDS, which NATS has republished from the
// wall's stream.
func (w *wall) decodeCard(m stored) (stream.Event, bool) {
	rest, ok := strings.CutPrefix(m.subject, cardPrefix+".")
	seq := cardVersion(m.header)
	if !ok || seq == 0 {
		return stream.Event{}, false
	}
	m.subject, m.seq = stream.WallPrefix+"."+rest, seq
	e := w.decode(m)
	return e, e.Subject.Keyed()
}

// cardVersion is the sequence in the wall's stream of a message of CARDS; 0 when
// it has none. NATS adds its header behind those of the producer, who may have
// sent one of that name, too.
func cardVersion(h nats.Header) uint64 {
	all := h.Values(headerSequence)
	if len(all) == 0 {
		return 0
	}
	seq, err := strconv.ParseUint(all[len(all)-1], 10, 64)
	if err != nil {
		return 0
	}
	return seq
}

// headerText makes a header's value harmless: valid UTF-8 without control
// characters, of bounded length.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, stream.Text([]byte(s)))
	if len(s) > maxHeader {
		s = strings.ToValidUTF8(s[:maxHeader], "")
	}
	return strings.TrimSpace(s)
}
