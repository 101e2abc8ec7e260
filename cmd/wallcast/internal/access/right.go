package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream"
)

// Verb is what a right lets its holder do.
type Verb string

// The verbs of the rights grammar.
const (
	Publish Verb = "publish" // store events under a subject
	Read    Verb = "read"    // read a private wall
	Retract Verb = "retract" // take events off a wall
	Admin   Verb = "admin"   // everything, on every wall
)

// Right is one thing that a token may do:
//
//	publish SUBJECT   SUBJECT is wall.<wall>.<kind>[.<key>] with NATS's wildcards: * for one part, > for
//	                  the rest; or a foreign subject that a wall's events rules name, for a NATS client
//	read WALL         WALL is a wall's name, or * for every wall
//	retract WALL
//	admin             all of the above everywhere
//
// A Right is made by [ParseRight]; the zero Right allows nothing.
type Right struct {
	Verb   Verb
	Object string // the subject filter or the wall; empty for admin
}

var errRight = errors.New(`not a right; one looks like "publish wall.main.>", "read main", "retract *" or "admin"`)

// ParseRight reads one right.
func ParseRight(s string) (Right, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Right{}, fmt.Errorf("%.100q is %w", s, errRight)
	}
	verb := Verb(words[0])
	switch verb {
	case Admin:
		if len(words) != 1 {
			return Right{}, fmt.Errorf("%.100q: admin stands alone, for it is about everything", s)
		}
		return Right{Verb: Admin}, nil
	case Publish, Read, Retract:
	default:
		return Right{}, fmt.Errorf("%.100q is %w", s, errRight)
	}
	if len(words) != 2 {
		return Right{}, fmt.Errorf("%.100q: %s wants one word after it: %w", s, verb, errRight)
	}
	check := checkWall
	if verb == Publish {
		check = checkFilter
	}
	if err := check(words[1]); err != nil {
		return Right{}, fmt.Errorf("%.100q: %w", s, err)
	}
	return Right{verb, words[1]}, nil
}

func checkWall(object string) error {
	if object == "*" {
		return nil
	}
	return stream.CheckName("wall", object)
}

// checkFilter checks "wall.<wall>.<kind>[.<key>]", of which any part after the
// first may be a wildcard, or a foreign subject.
func checkFilter(object string) error {
	parts := strings.Split(object, ".")
	if parts[0] != stream.WallPrefix {
		if err := nats.CheckSubject(object); err != nil {
			return fmt.Errorf("%q %w", object, err)
		}
		return nil
	}
	if len(parts) < 2 || len(parts) > 4 {
		return fmt.Errorf(`%q is no subject of events; one looks like "wall.main.push" or "wall.main.>"`, object)
	}
	checks := []func(string) error{
		func(s string) error { return stream.CheckName("wall", s) },
		stream.CheckKind,
		func(s string) error { return stream.CheckName("key", s) },
	}
	for i, part := range parts[1:] {
		last := i == len(parts)-2
		switch {
		case part == "*", part == ">" && last:
		case part == ">":
			return fmt.Errorf("%q: > means the rest and may only stand at the end", object)
		default:
			if err := checks[i](part); err != nil {
				return err
			}
		}
	}
	if last := parts[len(parts)-1]; len(parts) == 2 && last != ">" {
		return fmt.Errorf("%q names a wall and no kind; write %q for every kind of it", object, object+".>")
	}
	return nil
}

// String is the right as ParseRight reads it.
func (r Right) String() string {
	if r.Object == "" {
		return string(r.Verb)
	}
	return string(r.Verb) + " " + r.Object
}

// MarshalText is String.
func (r Right) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRight.
func (r *Right) UnmarshalText(text []byte) error {
	parsed, err := ParseRight(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// Rights are what somebody may do. The zero Rights allow nothing.
type Rights []Right

// Publish reports whether an event may be stored under subject.
func (r Rights) Publish(subject stream.Subject) bool {
	return slices.ContainsFunc(r, func(right Right) bool {
		return right.Verb == Admin || right.Verb == Publish && stream.Overlap(right.Object, subject.String())
	})
}

// Subjects lists the subjects that may be published to, with wildcards, as NATS
// takes permissions.
func (r Rights) Subjects() []string {
	var subjects []string
	for _, right := range r {
		switch right.Verb {
		case Admin:
			subjects = append(subjects, stream.WallPrefix+".>")
		case Publish:
			subjects = append(subjects, right.Object)
		}
	}
	return subjects
}

// Read reports whether the wall may be read although it is private.
func (r Rights) Read(wall string) bool { return r.on(Read, wall) }

// Retract reports whether events may be taken off the wall.
func (r Rights) Retract(wall string) bool { return r.on(Retract, wall) }

// Admin reports whether everything is allowed.
func (r Rights) Admin() bool {
	return slices.ContainsFunc(r, func(right Right) bool { return right.Verb == Admin })
}

func (r Rights) on(verb Verb, wall string) bool {
	return slices.ContainsFunc(r, func(right Right) bool {
		return right.Verb == Admin || right.Verb == verb && (right.Object == "*" || right.Object == wall)
	})
}
