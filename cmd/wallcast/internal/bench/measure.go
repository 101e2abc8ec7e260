package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Observed is a process that is measured, by way of Linux's /proc.
type Observed struct{ PID int }

// clockTick is the unit of the times in /proc/PID/stat, the same on every Linux.
const clockTick = time.Second / 100

// CPU is the time that all threads have run, in steps of 10 ms.
func (o Observed) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(o.path("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses, whatever is in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is shorter than known", o.path("stat"))
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// Memory is what the process holds resident, in bytes: all of it, and what is
// its own and not from files.
func (o Observed) Memory() (resident, anonymous int64, err error) {
	status, err := os.ReadFile(o.path("status"))
	if err != nil {
		return 0, 0, err
	}
	if resident, err = kilobytes(status, "VmRSS:"); err != nil {
		return 0, 0, err
	}
	anonymous, err = kilobytes(status, "RssAnon:")
	return resident, anonymous, err
}

func (o Observed) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(o.PID), name)
}

func kilobytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("there is no %s in /proc", name)
}

// computerBusy is the time that all processors have been busy with anything.
func computerBusy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(first) // cpu user nice system idle iowait irq softirq steal …
	busy := time.Duration(0)
	for _, i := range []int{1, 2, 3, 6, 7} {
		if i >= len(fields) {
			return 0, fmt.Errorf("/proc/stat is shorter than known")
		}
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, err
		}
		busy += time.Duration(n) * clockTick
	}
	return busy, nil
}

// tickTime is how often the generator looks how late its timers are.
const tickTime = 10 * time.Millisecond

// watchLag records until ctx ends how late a timer of the generator's own
// fires: what it adds to every latency that it measures.
func watchLag(ctx context.Context, lag *histogram) {
	for {
		due := time.Now().Add(tickTime)
		timer := time.NewTimer(tickTime)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			lag.record(max(0, time.Since(due)))
		}
	}
}
