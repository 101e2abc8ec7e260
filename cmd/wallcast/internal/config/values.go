package config

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size, in bytes.
type Bytes int64

// The units that a size may have, besides B.
const (
	KB  Bytes = 1000
	MB        = 1000 * KB
	GB        = 1000 * MB
	TB        = 1000 * GB
	KiB Bytes = 1024
	MiB       = 1024 * KiB
	GiB       = 1024 * MiB
	TiB       = 1024 * GiB
)

// sizes are tried in this order when a size is written.
var sizes = []struct {
	unit  string
	bytes Bytes
}{{"TiB", TiB}, {"TB", TB}, {"GiB", GiB}, {"GB", GB}, {"MiB", MiB}, {"MB", MB}, {"KiB", KiB}, {"KB", KB}, {"B", 1}}

var errBytes = errors.New("wants a size such as 256MB, 64KiB or 1GB")

// UnmarshalText reads a number with a unit: B, KB, MB, GB, TB (thousands), KiB,
// MiB, GiB, TiB (1024s); a number alone is bytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), Bytes(1)
	for _, size := range sizes {
		if len(number) > len(size.unit) && strings.EqualFold(number[len(number)-len(size.unit):], size.unit) {
			number, factor = strings.TrimSpace(number[:len(number)-len(size.unit)]), size.bytes
			break
		}
	}
	value, err := parseDecimal(number)
	if err != nil || value*float64(factor) >= math.MaxInt64 {
		return errBytes
	}
	*b = Bytes(math.Round(value * float64(factor)))
	return nil
}

// String is the size in the largest unit that leaves it a whole number.
func (b Bytes) String() string {
	for _, size := range sizes {
		if b != 0 && b%size.bytes == 0 {
			return strconv.FormatInt(int64(b/size.bytes), 10) + size.unit
		}
	}
	return "0B"
}

// MarshalText is String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// parseDecimal reads digits with at most one point: no sign, no exponent.
func parseDecimal(s string) (float64, error) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

const day = 24 * time.Hour

var errDuration = errors.New("wants a time such as 30s, 5m, 12h, 30d or 2w")

// durationUnits are the units of time.ParseDuration, and days and weeks.
var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day,
}

// ParseDuration reads a duration such as 1h30m, 30d or 2w. Days have 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, errDuration
	}
	total := 0.0
	for s != "" {
		digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
		value, err := parseDecimal(digits)
		s = s[len(digits):]
		letters := s
		if next := strings.IndexAny(s, "0123456789."); next >= 0 {
			letters = s[:next]
		}
		s = s[len(letters):]
		unit := durationUnits[letters]
		if err != nil || unit == 0 {
			return 0, errDuration
		}
		total += value * float64(unit)
	}
	if total >= math.MaxInt64 {
		return 0, errDuration
	}
	return time.Duration(math.Round(total)), nil
}

// formatDuration writes what ParseDuration reads, in the largest unit that leaves a whole number.
func formatDuration(d time.Duration) string {
	for _, unit := range []string{"d", "h", "m", "s"} {
		if u := durationUnits[unit]; d != 0 && d%u == 0 {
			return strconv.FormatInt(int64(d/u), 10) + unit
		}
	}
	return d.String()
}

// parseNetwork reads a network in CIDR form, or one address.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("wants a network such as 10.0.0.0/8, or one address")
	}
	return prefix.Masked(), nil
}
