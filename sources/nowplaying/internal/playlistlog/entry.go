package playlistlog

import (
	"bytes"
	"strconv"
	"time"
)

const (
	// timeForm is how an entry begins.
	timeForm = "02/Jan/2006:15:04:05 -0700"

	// maxTitle is far more than a title, in bytes. What is longer is cut.
	maxTitle = 4 << 10
)

// entry is what the log says of one change.
type entry struct {
	at        time.Time
	mount     string
	listeners int
	title     []byte // as the source client sent it
}

// parse reads the first line of an entry. It reports false for any other line,
// which goes on with the title of the entry before.
func parse(line []byte) (entry, bool) {
	parts := bytes.SplitN(bytes.TrimRight(line, "\r"), []byte("|"), 4)
	if len(parts) != 4 || len(parts[0]) != len(timeForm) || !bytes.HasPrefix(parts[1], []byte("/")) {
		return entry{}, false
	}
	at, err := time.Parse(timeForm, string(parts[0]))
	if err != nil {
		return entry{}, false
	}
	listeners, err := strconv.ParseUint(string(parts[2]), 10, 31)
	if err != nil {
		return entry{}, false
	}
	e := entry{at: at, mount: trimMount(string(parts[1])), listeners: int(listeners)}
	e.extend(parts[3])
	return e, true
}

// extend adds a line to the title.
func (e *entry) extend(line []byte) {
	if n := len(e.title); n > 0 && n < maxTitle {
		e.title = append(e.title, '\n')
	}
	e.title = append(e.title, line[:min(len(line), maxTitle-len(e.title))]...)
}
