//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// comparison is a run of the measurements.
type comparison struct {
	program string // wallcast
	folder  string // for everything that is stored
	size    size
	rounds  int // 0: as many as each trial wants
	out     io.Writer
	log     io.Writer // progress and what went wrong

	trial string // that is being made
	notes []note
	wrong []string // that a server did
}

// note is what is to be said of a trial's last round.
type note struct {
	trial string
	who   contender
	text  string
}

// run makes the trials whose name matches and prints the table. A trial that can't
// be made is said so, and the others are made.
func (c *comparison) run(ctx context.Context, wanted *regexp.Regexp) error {
	began := time.Now()
	fmt.Fprintf(c.out, "%s, %d processors\n", runtime.Version(), runtime.NumCPU())
	fmt.Fprintf(c.out, "%-46s %-18s %11s %11s %7s  %s\n", "", "", plainHub, wallcast, "ratio", "to reach")
	for _, t := range trials {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !wanted.MatchString(t.name) {
			continue
		}
		found, err := c.try(ctx, t)
		if err != nil {
			c.wrong = append(c.wrong, fmt.Sprintf("%s: %v", t.name, err))
			continue
		}
		for i, r := range t.rows {
			c.print(r, found[i])
		}
	}
	fmt.Fprintln(c.out)
	for _, n := range c.notes {
		fmt.Fprintf(c.out, "%s, %s: %s\n", n.trial, n.who, n.text)
	}
	fmt.Fprintf(c.out, "It took %s.\n", time.Since(began).Round(time.Second))
	if len(c.wrong) > 0 {
		return errors.New(strings.Join(c.wrong, "\n"))
	}
	return nil
}

// try makes a trial, the contenders in turns.
func (c *comparison) try(ctx context.Context, t trial) ([]figures, error) {
	rounds := t.rounds
	if c.rounds > 0 {
		rounds = c.rounds
	}
	values := make([]struct{ plain, ours, ratios []float64 }, len(t.rows))
	for n := range rounds {
		var plain, ours []float64
		var err error
		if !t.alone {
			if plain, err = c.once(ctx, t, n, plainHub); err != nil {
				return nil, err
			}
		}
		if ours, err = c.once(ctx, t, n, wallcast); err != nil {
			return nil, err
		}
		for i := range t.rows {
			v := &values[i]
			v.ours = append(v.ours, ours[i])
			if !t.alone {
				v.plain = append(v.plain, plain[i])
				v.ratios = append(v.ratios, ours[i]/plain[i])
			}
		}
	}
	found := make([]figures, len(t.rows))
	for i, v := range values {
		found[i] = figures{median(v.plain), median(v.ours), median(v.ratios)}
	}
	return found, nil
}

func (c *comparison) once(ctx context.Context, t trial, round int, who contender) ([]float64, error) {
	fmt.Fprintf(c.log, "%s, round %d, %s\n", t.name, round+1, who)
	c.trial = t.name
	found, err := t.measure(c, ctx, who)
	if err != nil {
		return nil, fmt.Errorf("measuring the %s: %w", who, err)
	}
	return found, nil
}

// median is the middle of values; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (c *comparison) print(r row, f figures) {
	plain, ratio, verdict := "–", "", r.reach
	if f.plain != 0 {
		plain, ratio = short(f.plain), strconv.FormatFloat(f.ratio, 'f', 2, 64)
	}
	if r.reached != nil && !r.reached(f) {
		verdict += " MISSED"
	}
	line := fmt.Sprintf("%-46s %-18s %11s %11s %7s  %s", r.what, r.unit, plain, short(f.ours), ratio, verdict)
	fmt.Fprintln(c.out, strings.TrimRight(line, " "))
}

// short writes a number with three digits that count.
func short(f float64) string {
	switch {
	case f >= 1e6:
		return strconv.FormatFloat(f/1e6, 'f', 2, 64) + " M"
	case f >= 1e4:
		return strconv.FormatFloat(f/1e3, 'f', 0, 64) + " k"
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

// note keeps what is to be said under the table, in the place of what was said of
// the round before.
func (c *comparison) note(who contender, format string, args ...any) {
	n := note{c.trial, who, fmt.Sprintf(format, args...)}
	for i, old := range c.notes {
		if old.trial == n.trial && old.who == n.who {
			c.notes[i] = n
			return
		}
	}
	c.notes = append(c.notes, n)
}

// check enters what the viewers of a server complain of.
func (c *comparison) check(who contender, viewers int, t tally) {
	if t.Wrong > 0 {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %d of %d viewers of the %s missed events or got them twice; %s", c.trial, t.Wrong, viewers, who, t.Why))
	}
}
