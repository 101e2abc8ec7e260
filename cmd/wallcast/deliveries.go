package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/stream"
)

const hookHelp = `
  wallcast hook NAME             lists the last deliveries to /hooks/NAME, refused ones too
  wallcast hook NAME show N      prints one: headers, body, what became of it
  wallcast hook NAME replay N    takes it for a new one, as after a setting was mended

Secrets are not kept, so they are not shown either.`

func setupHook(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	most := flags.IntP("number", "n", 20, "how many deliveries to list")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		method, path, err := hookRequest(inv.args, *most)
		if err != nil {
			return err
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		req, err := r.request(ctx, method, path, nil)
		if err != nil {
			return err
		}
		switch {
		case len(inv.args) == 1:
			var answer struct{ Deliveries []hookDelivery }
			if err := r.do(req, &answer); err != nil {
				return err
			}
			return printDeliveries(inv, answer.Deliveries)
		case method == http.MethodGet:
			var d hookDelivery
			if err := r.do(req, &d); err != nil {
				return err
			}
			printDelivery(inv, d)
			return nil
		}
		var answer hookAnswer
		if err := r.do(req, &answer); err != nil {
			return err
		}
		fmt.Fprintf(inv.stdout, "replayed as %d: %s\n", answer.Delivery, answer.Outcome)
		return nil
	}
}

// hookRequest reads the arguments.
func hookRequest(args []string, most int) (method, path string, err error) {
	if len(args) == 0 {
		return "", "", usagef("wallcast hook takes the NAME of a source that is posted to")
	}
	path = "/control/hooks/" + url.PathEscape(args[0])
	if len(args) == 1 {
		if most < 1 || most > maxListed {
			return "", "", usagef("--number wants 1 to %d", maxListed)
		}
		return http.MethodGet, fmt.Sprintf("%s?n=%d", path, most), nil
	}
	if len(args) != 3 || args[1] != "show" && args[1] != "replay" {
		return "", "", usagef("wallcast hook takes NAME, NAME show N, or NAME replay N")
	}
	if _, _, err := deliveryID(args[2]); err != nil {
		return "", "", usagef("%v", err)
	}
	path += "/" + args[2]
	if args[1] == "show" {
		return http.MethodGet, path, nil
	}
	return http.MethodPost, path + "/replay", nil
}

func printDeliveries(inv *invocation, all []hookDelivery) error {
	if len(all) == 0 {
		fmt.Fprintln(inv.stdout, "nothing was delivered yet")
		return nil
	}
	table := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DELIVERY\tSINCE\tFROM\tSTATUS\tOUTCOME")
	for _, d := range all {
		outcome := d.Outcome
		if d.Replays > 0 {
			outcome += fmt.Sprintf(" (a replay of %d)", d.Replays)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", d.ID, ago(d.Time), d.From, d.Status, inLine(outcome, 2*listedText))
	}
	return table.Flush()
}

func printDelivery(inv *invocation, d hookDelivery) {
	var out strings.Builder
	fmt.Fprintf(&out, "%s from %s at %s\nanswered %d: %s\n\n%s /hooks/…", d.ID, d.From, d.Time.Format("2006-01-02 15:04:05 -0700"), d.Status, d.Outcome, d.Method)
	if d.Query != "" {
		fmt.Fprintf(&out, "?%s", d.Query)
	}
	fmt.Fprintln(&out)
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(d.Header[name], ", "))
	}
	fmt.Fprintf(&out, "\n%s\n", bodyText(d.Body))
	fmt.Fprint(inv.stdout, forTerminal(out.String(), "\n\t"))
}

func bodyText(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "(no body)"
	}
	return stream.Text(body)
}
