package feed

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/wallcast/wallcast/sources/internal/web"
)

// most is how many items are told apart from new ones. A cursor travels in a
// header of each event, so it is short.
const most = 300

// mark stands for an item: five bytes of its id's sum, three of its content's.
// With 300 of them, a new item is taken for an old one once in 3.6 billion, and
// an edit is missed once in 16 million.
type mark [8]byte

func (m mark) id() [5]byte { return [5]byte(m[:5]) }

func markOf(i item) mark {
	id, content := sha256.Sum256([]byte(i.id)), i.sum()
	return mark(append(append([]byte(nil), id[:5]...), content[:3]...))
}

// cursor is which items of a feed were seen. The validators are set once all of
// what they stand for is stored: with them an answer says that nothing is new.
type cursor struct {
	Target string    `json:"target"`          // sum of the address
	Seen   seen      `json:"seen"`            // the most recently present first
	Passed time.Time `json:"passed,omitzero"` // items of then or before that are not in seen are too old to be told apart
	web.Validators
}

// seen is the marks of items. It is written as one text.
type seen []mark

// MarshalText implements encoding.TextMarshaler.
func (s seen) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, len(s)*len(mark{}))
	for _, p := range s {
		raw = append(raw, p[:]...)
	}
	return base64.RawURLEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *seen) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.AppendDecode(nil, text)
	*s = nil
	for ; len(raw) >= len(mark{}) && len(*s) < most; raw = raw[len(mark{}):] {
		*s = append(*s, mark(raw[:len(mark{})]))
	}
	return err
}

// find is where the item with that id is; -1 where it is not.
func (s seen) find(id [5]byte) int {
	for i, p := range s {
		if p.id() == id {
			return i
		}
	}
	return -1
}

// with is s with p in front of all, or in the place of the same item's former.
func (s seen) with(p mark) seen {
	if i := s.find(p.id()); i >= 0 {
		next := append(seen(nil), s...)
		next[i] = p
		return next
	}
	next := append(make(seen, 0, len(s)+1), p)
	next = append(next, s...)
	return next[:min(len(next), most)]
}

// present is s with the items that a feed has now in front, in the feed's order:
// they are the last to be forgotten.
func (s seen) present(now []mark) seen {
	next := make(seen, 0, len(s))
	taken := map[[5]byte]bool{}
	for _, p := range now {
		if i := s.find(p.id()); i >= 0 && !taken[p.id()] {
			taken[p.id()] = true
			next = append(next, s[i])
		}
	}
	for _, p := range s {
		if !taken[p.id()] {
			next = append(next, p)
		}
	}
	return next
}

// parseCursor reads a cursor. One that the source has not made counts as none.
func parseCursor(raw json.RawMessage) (c cursor, known bool) {
	if json.Unmarshal(raw, &c) != nil || c.Target == "" {
		return cursor{}, false
	}
	return c, true
}

func (c cursor) raw() (json.RawMessage, error) { return json.Marshal(c) }
