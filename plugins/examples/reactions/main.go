// Reactions counts reactions and shows the numbers on one card, which it replaces.
//
// The same program runs as a process and as a WebAssembly module:
//
//	go build -o plugins/reactions ./plugins/examples/reactions && wallcast trust reactions
//	GOOS=wasip1 GOARCH=wasm go build -o plugins/reactions.wasm ./plugins/examples/reactions
//
// In wallcast.yaml:
//
//	sources:
//	  reactions:
//	    plugin: {on: wall.main.reaction, config: {title: "How do you like it?"}}
//	    to: wall.main.reactions
//
// A reaction is a short text, posted for example with
//
//	curl -d '👍' localhost:8080/walls/main/events/reaction
//
// The numbers are the plugin's cursor: it has no files, and the cursor moves only
// once the card is stored. With concurrency 1, the default, none is lost.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	maxReactions = 40 // different ones; a cursor has at most 2048 bytes
	maxLength    = 32 // bytes of one in JSON, with its quotes
	shown        = 8
)

// trigger is what of a trigger matters here.
type trigger struct {
	Trigger string `json:"trigger"`
	Cursor  counts `json:"cursor"`
	Config  struct {
		Title string `json:"title"`
	} `json:"config"`
	Input *struct {
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	} `json:"input"`
}

// counts is the cursor.
type counts struct {
	Last   string         `json:"last"`   // the id of the last reaction
	Number map[string]int `json:"number"` // of each reaction
}

// event is a line of output.
type event struct {
	ID   string `json:"id"`
	Key  string `json:"key"`
	Data card   `json:"data"`
}

type card struct {
	Title  string         `json:"title,omitempty"`
	Text   string         `json:"text"`
	Number map[string]int `json:"number"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var t trigger
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return fmt.Errorf("reading the trigger: %w", err)
	}
	if t.Trigger != "on" || t.Input == nil {
		return errors.New("it counts events: the plugin needs the setting on, such as wall.main.reaction")
	}
	if t.Input.ID == t.Cursor.Last {
		return nil // it was counted already, and the trigger came again
	}
	if !t.Cursor.count(reaction(t.Input.Data)) {
		fmt.Fprintf(os.Stderr, "%s is no short text, or one reaction too many\n", t.Input.ID)
		return nil
	}
	t.Cursor.Last = t.Input.ID

	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	// One key is one card. The id makes it one event, however often it is tried.
	if err := lines.Encode(event{ID: t.Input.ID, Key: "reactions", Data: card{t.Config.Title, t.Cursor.String(), t.Cursor.Number}}); err != nil {
		return err
	}
	return lines.Encode(map[string]counts{"cursor": t.Cursor})
}

// reaction returns the text of an event, which is flat or an object's text.
func reaction(data json.RawMessage) string {
	var flat string
	if json.Unmarshal(data, &flat) == nil {
		return strings.TrimSpace(flat)
	}
	var object struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(data, &object) // without a text it is no reaction
	return strings.TrimSpace(object.Text)
}

// count counts a reaction, and reports whether it is one.
func (c *counts) count(reaction string) bool {
	encoded, err := json.Marshal(reaction)
	_, known := c.Number[reaction]
	if err != nil || reaction == "" || len(encoded) > maxLength || !known && len(c.Number) >= maxReactions {
		return false
	}
	if c.Number == nil {
		c.Number = map[string]int{}
	}
	c.Number[reaction]++
	return true
}

// String returns the most frequent reactions with their numbers.
func (c *counts) String() string {
	all := slices.SortedFunc(maps.Keys(c.Number), func(a, b string) int {
		return cmp.Or(c.Number[b]-c.Number[a], strings.Compare(a, b))
	})
	var parts []string
	for _, reaction := range all[:min(shown, len(all))] {
		parts = append(parts, fmt.Sprintf("%s %d", reaction, c.Number[reaction]))
	}
	return strings.Join(parts, "   ")
}
