package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

const pluginHelp = `
  wallcast plugin list               how the plugins are doing
  wallcast plugin logs NAME          what one has logged last
  wallcast plugin dead NAME [N]      the triggers that it has failed on; one of them in full
  wallcast plugin replay NAME N      runs it again for one of them, or for all`

func setupPlugin(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	most := flags.IntP("number", "n", 20, "how many dead letters to list")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		if *most < 1 || *most > maxListed {
			return usagef("--number wants 1 to %d", maxListed)
		}
		do, err := pluginAction(inv.args, *most)
		if err != nil {
			return err
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		return do(ctx, inv, r)
	}
}

// pluginAction reads the arguments.
func pluginAction(args []string, most int) (func(context.Context, *invocation, *remote) error, error) {
	if len(args) == 0 || len(args) == 1 && args[0] == "list" {
		return listPlugins, nil
	}
	if len(args) < 2 {
		return nil, usagef("wallcast plugin takes list, logs NAME, dead NAME, or replay NAME N, not %q", strings.Join(args, " "))
	}
	path := "/control/plugins/" + url.PathEscape(args[1])
	switch {
	case args[0] == "logs" && len(args) == 2:
		return func(ctx context.Context, inv *invocation, r *remote) error { return showLogs(ctx, inv, r, path) }, nil
	case args[0] == "dead" && len(args) == 2:
		return func(ctx context.Context, inv *invocation, r *remote) error {
			return listDead(ctx, inv, r, path, most)
		}, nil
	case args[0] == "dead" && len(args) == 3, args[0] == "replay" && len(args) == 3:
		if args[0] == "replay" && args[2] == "all" {
			return func(ctx context.Context, inv *invocation, r *remote) error { return replayAll(ctx, inv, r, path) }, nil
		}
		number, err := strconv.ParseUint(args[2], 10, 64)
		if err != nil {
			return nil, usagef("dead letters are named by their numbers, not %q", args[2])
		}
		if args[0] == "dead" {
			return func(ctx context.Context, inv *invocation, r *remote) error {
				return showDead(ctx, inv, r, path, number)
			}, nil
		}
		return func(ctx context.Context, inv *invocation, r *remote) error {
			return replayOne(ctx, inv, r, path, number)
		}, nil
	}
	return nil, usagef("wallcast plugin takes list, logs NAME, dead NAME [N], replay NAME N, or replay NAME all")
}

// get asks the program for something.
func (r *remote) get(ctx context.Context, path string, v any) error {
	req, err := r.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return r.do(req, v)
}

func listPlugins(ctx context.Context, inv *invocation, r *remote) error {
	var list pluginList
	if err := r.get(ctx, "/control/plugins", &list); err != nil {
		return err
	}
	for _, note := range list.Notes {
		fmt.Fprintln(inv.stderr, "warning:", forTerminal(note, ""))
	}
	if len(list.Plugins) == 0 {
		fmt.Fprintln(inv.stdout, "there are no plugins; wallcast new NAME --lang sh writes one")
		return nil
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tFILE\tSTATE\tSINCE\tTO\tEVENTS\tLAST EVENT\tPROBLEM")
	for _, p := range list.Plugins {
		problem, events, last := cmp.Or(p.Problem, p.Card), uint64(0), "never"
		if s := p.Source; s != nil {
			events, last = s.Events, ago(s.LastEvent)
			for _, other := range []string{s.Warning, s.LastError} {
				if problem == "" {
					problem = other
				}
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.Name, inLine(p.File, 30), p.State, ago(p.Since), p.To, events, last, forTerminal(problem, ""))
	}
	return table.Flush()
}

func showLogs(ctx context.Context, inv *invocation, r *remote, path string) error {
	var answer struct{ Lines []plugins.LogLine }
	if err := r.get(ctx, path+"/logs", &answer); err != nil {
		return err
	}
	if len(answer.Lines) == 0 {
		fmt.Fprintln(inv.stderr, "it has logged nothing since wallcast was started")
	}
	for _, l := range answer.Lines {
		mark := " "
		if l.Own {
			mark = "!" // Wallcast says it
		}
		fmt.Fprintf(inv.stdout, "%s %s %s %s\n", l.Time.Local().Format("15:04:05.000"), inLine(l.Call, 20), mark, forTerminal(l.Text, "\t"))
	}
	return nil
}

func listDead(ctx context.Context, inv *invocation, r *remote, path string, most int) error {
	dead, err := r.dead(ctx, path, most)
	if err != nil {
		return err
	}
	if len(dead) == 0 {
		fmt.Fprintln(inv.stdout, "it has failed on nothing")
		return nil
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tSINCE\tTRIGGER\tATTEMPTS\tREASON\tERROR")
	for _, d := range dead {
		fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%s\t%s\n", d.Number, ago(d.Time), d.Work.Kind, d.Attempts, d.Reason, inLine(d.Error, 2*listedText))
	}
	return table.Flush()
}

func (r *remote) dead(ctx context.Context, path string, most int) ([]deadLetter, error) {
	var answer struct{ Dead []deadLetter }
	err := r.get(ctx, fmt.Sprintf("%s/dead?n=%d", path, most), &answer)
	return answer.Dead, err
}

func showDead(ctx context.Context, inv *invocation, r *remote, path string, number uint64) error {
	var d deadLetter
	if err := r.get(ctx, fmt.Sprintf("%s/dead/%d", path, number), &d); err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d: %s, set off at %s\nfailed %d times, the last time at %s (%s): %s\n", d.Number, d.Work.Kind, d.Work.Time.Local().Format("2006-01-02 15:04:05"),
		d.Attempts, d.Time.Local().Format("2006-01-02 15:04:05"), d.Reason, d.Error)
	if d.Stderr != "" {
		fmt.Fprintf(&out, "\nwhat it logged:\n%s\n", strings.TrimRight(d.Stderr, "\n"))
	}
	fmt.Fprintf(&out, "\nwhat it got:\n%s\n", bodyText(d.Body))
	_, err := fmt.Fprint(inv.stdout, forTerminal(stream.Text([]byte(out.String())), "\n\t"))
	return err
}

func replayOne(ctx context.Context, inv *invocation, r *remote, path string, number uint64) error {
	req, err := r.request(ctx, http.MethodPost, fmt.Sprintf("%s/dead/%d/replay", path, number), nil)
	if err != nil {
		return err
	}
	if err := r.do(req, nil); err != nil {
		return err
	}
	fmt.Fprintf(inv.stdout, "replayed %d\n", number)
	return nil
}

func replayAll(ctx context.Context, inv *invocation, r *remote, path string) error {
	dead, err := r.dead(ctx, path, maxListed)
	if err != nil {
		return err
	}
	for _, d := range dead {
		if err := replayOne(ctx, inv, r, path, d.Number); err != nil {
			return err
		}
	}
	if len(dead) == 0 {
		fmt.Fprintln(inv.stdout, "it has failed on nothing")
	}
	return nil
}
