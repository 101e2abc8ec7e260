package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/bench"
)

const benchHelp = `
It holds many viewers open on one wall, publishes to it, and says how late the
events came, what the server needed, and whether every viewer got every event
once and in order; if not, it ends with 1. It serves a wall for the test itself,
as a process of its own on a folder that it removes again (--data and --listen say
where, -c does not count), or tests the one at --url: then its events stay on that wall.
Without a right to publish there (the token in WALLCAST_TOKEN) it only watches.

  wallcast bench --viewers 10000 --rate 5
  wallcast bench --viewers 1000 --rate 0                 as fast as it goes
  wallcast bench --storm 30% --slow 5% --stuck 5%        on a bad day
  wallcast bench --url https://wall.example.com/walls/main --viewers 500 --json`

func setupBench(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	o := bench.Options{}
	flags.IntVar(&o.Viewers, "viewers", 1000, "hold `N` viewers open")
	flags.Float64Var(&o.Rate, "rate", 20, "publish `N` events a second; 0: as fast as they are acknowledged")
	flags.IntVar(&o.Payload, "payload", 200, "make each event so many `BYTES` long")
	flags.DurationVar(&o.Duration, "duration", 10*time.Second, "publish for this `TIME`")
	flags.IntVar(&o.Publishers, "publishers", 16, "keep `N` posts under way at a time")
	flags.Var((*share)(&o.Storm), "storm", "cut this `SHARE` of the viewers every so often, such as 30%; they come back at once")
	flags.DurationVar(&o.StormEvery, "storm-every", 5*time.Second, "the `TIME` between two storms")
	flags.Var((*share)(&o.Slow), "slow", "this `SHARE` of the viewers reads slowly")
	flags.Var((*share)(&o.Stuck), "stuck", "this `SHARE` of the viewers stops reading, and catches up in the end")
	flags.Var((*share)(&o.Filtered), "filtered", "this `SHARE` of the viewers wants only one of two kinds")
	flags.StringSliceVar(&o.As, "as", []string{"raw"}, "the `FORM` that the viewers get: raw, json or html; of several they take turns")
	flags.StringVar(&o.Kind, "kind", "bench", "the `KIND` of the events")
	flags.IntVar(&o.Ahead, "ahead", 256, "with --rate 0: publish at most `N` events ahead of the viewers")
	flags.DurationVar(&o.Idle, "idle", 2*time.Second, "let the viewers be idle for this `TIME` first, then measure the memory")
	flags.IntVar(&o.PID, "pid", 0, "with --url: measure the process `PID` of this computer, which serves that wall")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	existing := remoteFlags{
		flags.String("url", "", "test the wall at this `URL`"),
		flags.String("token", "", "with --url: the token's `SECRET`; better kept in WALLCAST_TOKEN, where other users don't see it"),
	}
	return func(ctx context.Context, inv *invocation) error {
		if err := o.Check(); err != nil {
			return usagef("%v", err)
		}
		if err := existing.benchTarget(ctx, inv, &o); err != nil {
			return err
		}
		progress := &progressLine{out: inv.stderr, rewrite: terminal(inv.stderr)}
		o.Notes, o.Progress = inv.stderr, progress.show
		report, err := bench.Run(ctx, o)
		progress.end()
		if err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(inv.stdout)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
		} else {
			err = report.WriteText(inv.stdout)
		}
		if problem := report.Problem(); problem != "" && err == nil {
			return errors.New(problem)
		}
		return err
	}
}

// benchTarget says what is tested: the wall at --url, or one that is started for
// it.
func (f remoteFlags) benchTarget(ctx context.Context, inv *invocation, o *bench.Options) error {
	if *f.url != "" {
		r, err := f.connectURL()
		if err != nil {
			return err
		}
		wall, err := r.wallOr(ctx, "")
		if err != nil {
			return err
		}
		o.Target = bench.Target{Base: r.base, Wall: wall, Token: r.token}
		return nil
	}
	if *f.token != "" || o.PID != 0 {
		return usagef("--token and --pid go with --url")
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program's own file: %w", err)
	}
	o.Own = &bench.Own{Program: program, Folder: inv.data, Listen: inv.listen}
	return nil
}

// share is a flag for a part of a whole: 30% or 0.3.
type share float64

func (s *share) String() string { return strconv.FormatFloat(100*float64(*s), 'g', -1, 64) + "%" }
func (s *share) Type() string   { return "share" }

func (s *share) Set(text string) error {
	digits, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent {
		f /= 100
	}
	if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		return errors.New("a share is from 0% to 100%")
	}
	*s = share(f)
	return nil
}

// progressLine shows how far a load test is: on a terminal in one line that is
// written anew, elsewhere in one now and then.
type progressLine struct {
	out     io.Writer
	rewrite bool
	shown   int
}

// progressEvery is how many reports one line stands for that is not rewritten.
const progressEvery = 5

func (p *progressLine) show(now bench.Progress) {
	p.shown++
	switch {
	case p.rewrite:
		fmt.Fprintf(p.out, "\r\x1b[2K%s", now)
	case p.shown%progressEvery == 0:
		fmt.Fprintln(p.out, now)
	}
}

// end leaves the terminal's line to what comes next.
func (p *progressLine) end() {
	if p.rewrite && p.shown > 0 {
		fmt.Fprint(p.out, "\r\x1b[2K")
	}
}

// terminal reports whether somebody watches what is written to w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
