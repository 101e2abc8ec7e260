package plugins

import (
	"errors"
	"strconv"
	"strings"
)

// Size is a size in bytes, written as 64MB or 256KiB.
type Size int64

var units = []struct {
	name  string
	bytes Size
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

var errSize = errors.New("wants a size such as 64MB or 256KiB")

// UnmarshalText reads a whole number with a unit: B, KB, MB, GB (thousands), KiB,
// MiB, GiB (1024s); a number alone is bytes.
func (s *Size) UnmarshalText(text []byte) error {
	digits, factor := strings.TrimSpace(string(text)), Size(1)
	for _, u := range units {
		if n := len(digits) - len(u.name); n > 0 && strings.EqualFold(digits[n:], u.name) {
			digits, factor = strings.TrimSpace(digits[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return errSize
	}
	*s = Size(n) * factor
	return nil
}

// String is the size in the largest unit that leaves it a whole number.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
