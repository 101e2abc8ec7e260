package stream

import (
	"errors"
	"fmt"
	"strings"
)

// MaxName is the longest name of a wall, kind, key, source, plugin or token, in bytes.
const MaxName = 63

// Message is the kind of an event that names none. A browser receives it as an
// unnamed SSE message.
const Message = "message"

// The first tokens of our subjects.
const (
	WallPrefix    = "wall"
	ControlPrefix = "ctl"
)

// CheckName reports why s can't be a name ([a-z0-9][a-z0-9-]{0,62}). What says
// what is being named, as "wall" or "key", for the error's text.
func CheckName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s has no name; use lower-case letters, digits and hyphens", what)
	case len(s) > MaxName:
		return fmt.Errorf("the %s's name is %d bytes long; %d are allowed", what, len(s), MaxName)
	case s[0] == '-':
		return fmt.Errorf("the %s's name %q starts with a hyphen; start with a letter or a digit", what, s)
	}
	for i := 0; i < len(s); i++ {
		if !nameByte(s[i]) {
			return fmt.Errorf("the %s's name %q may hold lower-case letters, digits and hyphens only", what, s)
		}
	}
	return nil
}

// CheckKind is CheckName for a kind. "open" and "error" are refused as well: a
// browser's EventSource raises events of its own under these names.
func CheckKind(s string) error {
	if s == "open" || s == "error" {
		return fmt.Errorf("%q can't be a kind: a browser's EventSource uses the name itself", s)
	}
	return CheckName("kind", s)
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
}

// Subject is the address of an event: a wall, a kind and, for a card that is
// replaced by its newer versions, a key. The zero Subject is no address.
type Subject struct {
	Wall, Kind, Key string // Key is empty for an event that is its own card
}

// NewSubject makes a Subject of its parts. An empty kind means [Message]; an
// empty key means none.
func NewSubject(wall, kind, key string) (Subject, error) {
	if kind == "" {
		kind = Message
	}
	if err := CheckName("wall", wall); err != nil {
		return Subject{}, err
	}
	if err := CheckKind(kind); err != nil {
		return Subject{}, err
	}
	if key != "" {
		if err := CheckName("key", key); err != nil {
			return Subject{}, err
		}
	}
	return Subject{wall, kind, key}, nil
}

var errNotEventSubject = errors.New(`not the subject of an event; one looks like "wall.main.message" or "wall.main.song.jazz"`)

// ParseSubject reads "wall.<wall>.<kind>[.<key>]".
func ParseSubject(s string) (Subject, error) {
	first, rest, _ := strings.Cut(s, ".")
	if first != WallPrefix {
		return Subject{}, fmt.Errorf("%q: %w", s, errNotEventSubject)
	}
	parts := strings.Split(rest, ".")
	if len(parts) < 2 || len(parts) > 3 || parts[1] == "" || len(parts) == 3 && parts[2] == "" {
		return Subject{}, fmt.Errorf("%q: %w", s, errNotEventSubject)
	}
	key := ""
	if len(parts) == 3 {
		key = parts[2]
	}
	subject, err := NewSubject(parts[0], parts[1], key)
	if err != nil {
		return Subject{}, fmt.Errorf("%q: %w", s, err)
	}
	return subject, nil
}

// String is the NATS subject, "wall.<wall>.<kind>[.<key>]".
func (s Subject) String() string {
	if s.Key == "" {
		return WallPrefix + "." + s.Wall + "." + s.Kind
	}
	return WallPrefix + "." + s.Wall + "." + s.Kind + "." + s.Key
}

// Keyed reports whether newer events of the same subject replace the card.
func (s Subject) Keyed() bool { return s.Key != "" }
