package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// cursor is how far a file source has come. Only the part of its mode is set.
type cursor struct {
	Path   string     `json:"path"` // a sum of the configured path: another file begins anew
	Replay *replayed  `json:"replay,omitempty"`
	Follow *followed  `json:"follow,omitempty"`
	Value  *valueSeen `json:"value,omitempty"`
}

// replayed is the line that was emitted last.
type replayed struct {
	Line int    `json:"line"` // from 1
	Sum  string `json:"sum"`
}

// followed is a place in a file that was followed, and how to know the file
// again under whatever name it has.
type followed struct {
	Inode  string    `json:"inode,omitempty"` // empty where no file was open
	Born   string    `json:"born,omitempty"`  // when the inode was taken, where the system tells
	Offset int64     `json:"offset"`
	Print  string    `json:"print"` // of what stands before Offset, see position
	Time   time.Time `json:"time"`  // the file's time of modification; what was rotated since is newer
}

// valueSeen is the value that was emitted last.
type valueSeen struct {
	Sum string `json:"sum"`
}

// parseCursor reads a cursor of the input. One that is not of this path counts as none.
func (in input) parseCursor(raw json.RawMessage) cursor {
	var c cursor
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Path != sum([]byte(in.configured)) {
		return cursor{}
	}
	if c.Follow != nil && (c.Follow.Offset < 0 || c.Follow.Offset > 0 && c.Follow.Print == "") {
		c.Follow = nil
	}
	return c
}

// cursorOf is the cursor with one part set.
func (in input) cursorOf(c cursor) json.RawMessage {
	c.Path = sum([]byte(in.configured))
	raw, err := json.Marshal(c)
	if err != nil { // a time beyond the year 9999, which a file system may hold
		c.Follow.Time = time.Time{}
		raw, _ = json.Marshal(c)
	}
	return raw
}

// sum is short enough for a header and long enough to tell texts apart.
func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:12])
}
