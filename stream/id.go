package stream

import (
	"fmt"
	"strconv"
	"strings"
)

// ID is the address of one stored event on a wall. Epoch stands for the life of
// the wall's store ([a-z0-9]+, renewed when the store was replaced), Seq counts
// the stored events from 1. An ID with Seq 0 is the position before the first
// event; the zero ID is none.
type ID struct {
	Epoch string
	Seq   uint64
}

// maxEpoch bounds what is read as an epoch; ours are shorter.
const maxEpoch = 32

// ParseID reads "<epoch>-<sequence>". Only what [ID.String] writes is read: no
// sign, no leading zero, so that an id has one spelling.
func ParseID(s string) (ID, error) {
	epoch, digits, ok := strings.Cut(s, "-")
	if !ok || epoch == "" || len(epoch) > maxEpoch || strings.Trim(epoch, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ID{}, fmt.Errorf("%.100q is no id; one looks like %q", s, "k3v9x2ab-42")
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(seq, 10) != digits {
		return ID{}, fmt.Errorf("%.100q is no id; one looks like %q", s, "k3v9x2ab-42")
	}
	return ID{epoch, seq}, nil
}

// String is "<epoch>-<sequence>", and "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return id.Epoch + "-" + strconv.FormatUint(id.Seq, 10)
}

// IsZero reports whether id is no id at all.
func (id ID) IsZero() bool { return id == ID{} }
