package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// heldEvent is a held event as commands and pages get it.
type heldEvent struct {
	Number uint64    `json:"number"`
	Wall   string    `json:"wall"`
	Kind   string    `json:"kind"`
	Key    string    `json:"key,omitempty"`
	Time   time.Time `json:"time"`
	Source string    `json:"source,omitempty"`
	Data   string    `json:"data"`
}

// holds reports whether a post waits for a moderator: one of somebody who may
// post only because anyone may.
func (p *program) holds(r *http.Request, subject stream.Subject) bool {
	wall, _ := p.site.wall(subject.Wall)
	return wall.config.Post.Hold && !access.CallerOf(r).Rights.Publish(subject)
}

// listHeld answers with what waits for a moderator, on one wall or on all.
func (p *program) listHeld(w http.ResponseWriter, r *http.Request) {
	wall := r.URL.Query().Get("wall")
	may := p.guard.MayAdmin
	if wall != "" {
		may = func(r *http.Request) *access.Problem { return p.guard.MayRetract(r, wall) }
	}
	if problem := may(r); problem != nil {
		problem.Write(w)
		return
	}
	all, err := p.store.Held(r.Context(), wall)
	switch {
	case errors.Is(err, stream.ErrUnknownWall):
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no wall %.80q here.", wall)}).Write(w)
		return
	case err != nil:
		p.storeProblem(w, "what is held was not read", err)
		return
	}
	held := make([]heldEvent, len(all))
	for i, h := range all {
		e := h.Event
		held[i] = heldEvent{h.Number, e.Subject.Wall, e.Subject.Kind, e.Subject.Key, e.Time, e.Source, stream.Text(e.Data)}
	}
	writeJSON(w, http.StatusOK, map[string][]heldEvent{"held": held})
}

// approveHeld puts a held event on its wall.
func (p *program) approveHeld(w http.ResponseWriter, r *http.Request) {
	p.moderate(w, r, func(ctx context.Context, wall string, number uint64) error {
		id, err := p.store.Approve(ctx, wall, number)
		if err == nil {
			writeJSON(w, http.StatusOK, map[string]string{"id": id.String()})
		}
		return err
	})
}

// dropHeld deletes a held event.
func (p *program) dropHeld(w http.ResponseWriter, r *http.Request) {
	p.moderate(w, r, func(ctx context.Context, wall string, number uint64) error {
		err := p.store.Drop(ctx, wall, number)
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	})
}

// moderate answers a decision about a held event. Who may take events off a wall
// may also say which come to it.
func (p *program) moderate(w http.ResponseWriter, r *http.Request, decide func(context.Context, string, uint64) error) {
	wall := r.PathValue("wall")
	if problem := p.guard.MayRetract(r, wall); problem != nil {
		problem.Write(w)
		return
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		(&access.Problem{Status: http.StatusBadRequest, Detail: "Held events are named by their numbers, as in /control/held/WALL/12."}).Write(w)
		return
	}
	err = decide(context.WithoutCancel(r.Context()), wall, number)
	switch {
	case err == nil:
	case errors.Is(err, stream.ErrNotFound), errors.Is(err, stream.ErrUnknownWall):
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("Nothing waits under the number %d for the wall %.80s; it was decided already, or its time was over.", number, wall)}).Write(w)
	default:
		p.storeProblem(w, "a held event was not decided", err)
	}
}

const heldHelp = `
  wallcast held                   lists what waits for a decision
  wallcast held approve 12 15     puts events on their wall
  wallcast held drop 13           deletes events
  wallcast held approve all       and the same for drop`

func setupHeld(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	wall := flags.String("wall", "", "only this `WALL`'s")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		method, numbers, err := heldDecision(inv.args)
		if err != nil {
			return err
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		if *wall == "" {
			*wall = r.wall
		}
		req, err := r.request(ctx, http.MethodGet, "/control/held?"+url.Values{"wall": {*wall}}.Encode(), nil)
		if err != nil {
			return err
		}
		var answer struct{ Held []heldEvent }
		if err := r.do(req, &answer); err != nil {
			return err
		}
		if method == "" {
			return printHeld(inv, answer.Held)
		}
		return r.decideHeld(ctx, inv, method, numbers, answer.Held)
	}
}

// heldDecision reads the arguments: no method means to list, no numbers all.
func heldDecision(args []string) (method string, numbers []uint64, err error) {
	if len(args) == 0 || len(args) == 1 && args[0] == "list" {
		return "", nil, nil
	}
	switch args[0] {
	case "approve":
		method = http.MethodPost
	case "drop":
		method = http.MethodDelete
	default:
		return "", nil, usagef("wallcast held takes approve or drop, not %q", args[0])
	}
	if len(args) == 2 && args[1] == "all" {
		return method, nil, nil
	}
	for _, arg := range args[1:] {
		number, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return "", nil, usagef("wallcast held %s takes numbers, or all, not %q", args[0], arg)
		}
		numbers = append(numbers, number)
	}
	if numbers == nil {
		return "", nil, usagef("wallcast held %s takes the numbers of events, or all", args[0])
	}
	return method, numbers, nil
}

func (r *remote) decideHeld(ctx context.Context, inv *invocation, method string, numbers []uint64, held []heldEvent) error {
	walls := map[uint64]string{}
	for _, h := range held {
		walls[h.Number] = h.Wall
	}
	if numbers == nil {
		for _, h := range held {
			numbers = append(numbers, h.Number)
		}
	}
	for _, number := range numbers {
		wall, ok := walls[number]
		if !ok {
			return fmt.Errorf("nothing waits under the number %d", number)
		}
		req, err := r.request(ctx, method, fmt.Sprintf("/control/held/%s/%d", url.PathEscape(wall), number), nil)
		if err != nil {
			return err
		}
		if method == http.MethodDelete {
			if err := r.do(req, nil); err != nil {
				return err
			}
			fmt.Fprintf(inv.stdout, "dropped %d\n", number)
			continue
		}
		var answer struct{ ID string }
		if err := r.do(req, &answer); err != nil {
			return err
		}
		fmt.Fprintf(inv.stdout, "approved %d: %s on %s\n", number, answer.ID, wall)
	}
	return nil
}

const listedText = 60 // characters of a payload in a list

func printHeld(inv *invocation, held []heldEvent) error {
	if len(held) == 0 {
		fmt.Fprintln(inv.stdout, "nothing waits for a decision")
		return nil
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tWALL\tKIND\tSINCE\tFROM\tDATA")
	for _, h := range held {
		kind := h.Kind
		if h.Key != "" {
			kind += "." + h.Key
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", h.Number, h.Wall, kind, ago(h.Time), inLine(h.Source, 20), inLine(h.Data, listedText))
	}
	return table.Flush()
}

// inLine is a text for a list: one line of at most so many characters.
func inLine(text string, most int) string {
	text = strings.Join(strings.Fields(forTerminal(text, "")), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
