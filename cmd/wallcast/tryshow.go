package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// excerpt is the beginning of a payload on one line.
func excerpt(data []byte) string {
	const most = 200
	text := oneLine(stream.Text(data))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// sum says what would have been stored.
func (t *trial) sum() {
	switch {
	case t.emitted == 0:
		fmt.Fprintln(t.notes, "no event came")
		return
	case t.made == 0:
		fmt.Fprintf(t.notes, "%s came, and nothing would be stored\n", count(t.emitted, "event"))
		return
	}
	var parts []string
	for _, subject := range t.where {
		parts = append(parts, fmt.Sprintf("%d as %s", t.counts[subject], subject))
	}
	what := "would be stored"
	if t.instance.Hold {
		what = "would wait for a moderator"
	}
	fmt.Fprintf(t.notes, "%s %s: %s\n", count(t.made, "event"), what, strings.Join(parts, ", "))
	if r := access.Rate(t.instance.Rate); r.Events > 0 {
		fmt.Fprintf(t.notes, "no more than %s are stored; others wait\n", r)
	}
}

// show prints an event that would be stored, or says why it would not.
func (t *trial) show(e sources.Event) error {
	subject, err := t.instance.Subject(e)
	if err != nil {
		return err
	}
	wall, _ := t.site.wall(subject.Wall)
	if limit := int(wall.config.Payload); limit > 0 && len(e.Data) > limit {
		return fmt.Errorf("%w: it has %d bytes, and the wall %s takes %d", stream.ErrTooLarge, len(e.Data), subject.Wall, limit)
	}
	t.made++
	if t.counts[subject.String()]++; t.counts[subject.String()] == 1 {
		t.where = append(t.where, subject.String())
	}
	card, err := t.site.card(stream.Event{
		ID: stream.ID{Epoch: "try", Seq: uint64(t.made)}, Subject: subject, Time: e.Time, Source: t.instance.Name, Data: e.Data,
	})
	if err != nil {
		return err
	}
	if t.json {
		return t.showJSON(e, subject, card)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", subject)
	if e.ID != "" {
		fmt.Fprintf(&b, "  id    %s\n", oneLine(e.ID))
	}
	fmt.Fprintf(&b, "  time  %s\n  data  %s\n", e.Time.UTC().Format(time.RFC3339), oneLine(stream.Text(e.Data)))
	label := "  card  "
	text := cardText(card)
	if t.html {
		text = []string{string(card)}
	}
	for _, line := range text {
		fmt.Fprintf(&b, "%s%s\n", label, line)
		label = "        "
	}
	b.WriteByte('\n')
	_, err = t.out.Write(b.Bytes())
	return err
}

// shown is an event as --json prints it.
type shown struct {
	Subject string    `json:"subject"`
	ID      string    `json:"id,omitempty"`
	Time    time.Time `json:"time"`
	Data    any       `json:"data"`
	Hold    bool      `json:"hold,omitempty"`
	HTML    string    `json:"html,omitempty"`
}

func (t *trial) showJSON(e sources.Event, subject stream.Subject, card []byte) error {
	s := shown{Subject: subject.String(), ID: e.ID, Time: e.Time.UTC(), Data: stream.Text(e.Data), Hold: t.instance.Hold}
	if stream.IsObject(e.Data) {
		s.Data = json.RawMessage(e.Data)
	}
	if t.html {
		s.HTML = string(card)
	}
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(s)
}
