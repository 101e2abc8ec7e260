package plugins

import (
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	keptLines   = 500
	longestLine = 1024

	// tailBytes is how much of what a call has logged goes with a dead letter.
	tailBytes = 8 << 10
)

// LogLine is a line that a plugin has logged, or that Wallcast has to say of its
// output.
type LogLine struct {
	Time time.Time `json:"time"`
	Call string    `json:"call"`          // the trigger's id
	Text string    `json:"text"`          // at most 1024 bytes
	Own  bool      `json:"own,omitempty"` // Wallcast says it
}

// Journal keeps a plugin's last 500 lines, in memory. The zero Journal is empty.
// Its methods may be called concurrently.
type Journal struct {
	mu    sync.Mutex
	lines []LogLine
	next  int // where the next line goes, once there are keptLines
}

// Logs returns the lines that are kept, oldest first.
func (j *Journal) Logs() []LogLine {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(append([]LogLine{}, j.lines[j.next:]...), j.lines[:j.next]...)
}

func (j *Journal) add(call string, text []byte, own bool) {
	line := LogLine{Time: time.Now(), Call: call, Text: clip([]byte(stream.Text(text)), longestLine), Own: own}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) < keptLines {
		j.lines = append(j.lines, line)
		return
	}
	j.lines[j.next] = line
	j.next = (j.next + 1) % keptLines
}

// tail is the end of what a call has logged.
type tail struct{ text []byte }

func (t *tail) add(line []byte) {
	t.text = append(append(t.text, line...), '\n')
	if len(t.text) > 2*tailBytes {
		t.text = append(t.text[:0], t.text[len(t.text)-tailBytes:]...)
	}
}

func (t *tail) String() string { return stream.Text(t.text[max(0, len(t.text)-tailBytes):]) }
