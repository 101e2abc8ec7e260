package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

func setupRetract(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	wall := flags.String("wall", "", "the event's `WALL` (default: the first)")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast retract takes the ID of one event")
		}
		id, err := stream.ParseID(inv.args[0])
		if err != nil {
			return usagef("%v", err)
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		name, err := r.wallOr(ctx, *wall)
		if err != nil {
			return err
		}
		req, err := r.request(ctx, http.MethodDelete, "/walls/"+url.PathEscape(name)+"/events/"+id.String(), nil)
		if err != nil {
			return err
		}
		return r.do(req, nil)
	}
}

func setupSources(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		req, err := r.request(ctx, http.MethodGet, "/control/sources", nil)
		if err != nil {
			return err
		}
		var answer struct{ Sources []sources.Status }
		if err := r.do(req, &answer); err != nil {
			return err
		}
		table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tTYPE\tSTATE\tSINCE\tEVENTS\tLAST EVENT\tRESTARTS\tPROBLEM")
		for _, s := range answer.Sources {
			problem := s.Warning
			if problem == "" {
				problem = s.LastError
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\n", s.Name, s.Type, s.State, ago(s.Since), s.Events, ago(s.LastEvent), s.Restarts, problem)
		}
		return table.Flush()
	}
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return time.Since(t).Round(time.Second).String() + " ago"
}
