package access

import (
	"container/list"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is so many events in some time, which may also come all at once. The
// zero Rate is none.
type Rate struct {
	Events int
	Per    time.Duration
}

const day = 24 * time.Hour

var rateUnits = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": day, "day": day,
}

var errRate = errors.New("wants a rate such as 5/min, 1/s or 100/hour")

// UnmarshalText reads "5/min". Units are s, min, h and day.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit, ok := strings.Cut(string(text), "/")
	events, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31)
	per := rateUnits[strings.TrimSpace(unit)]
	if !ok || err != nil || events == 0 || per == 0 {
		return errRate
	}
	*r = Rate{int(events), per}
	return nil
}

// String is the rate as the configuration has it; "" for the zero Rate.
func (r Rate) String() string {
	for _, unit := range []string{"s", "min", "h", "day"} {
		if rateUnits[unit] == r.Per {
			return fmt.Sprintf("%d/%s", r.Events, unit)
		}
	}
	return ""
}

// MarshalText is String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// maxLimiters bounds the memory for those who were seen lately, some 200 bytes
// each. Who has not been seen for longest is forgotten first.
const maxLimiters = 20_000

// limiters count what each of many does. The zero value is ready.
type limiters struct {
	mu     sync.Mutex
	byKey  map[limitKey]*list.Element // of *limited
	recent list.List                  // the latest first
}

// limitKey is who is limited, and where.
type limitKey struct{ what, who string }

type limited struct {
	key     limitKey
	rate    Rate
	limiter *rate.Limiter
}

// take counts one event and returns 0, or how long to wait if that is too many.
func (l *limiters) take(key limitKey, r Rate, now time.Time) time.Duration {
	if r.Events <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.limiter(key, r)
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// limiter returns the one that counts for key. The caller holds the lock.
func (l *limiters) limiter(key limitKey, r Rate) *rate.Limiter {
	if element := l.byKey[key]; element != nil {
		if known := element.Value.(*limited); known.rate == r {
			l.recent.MoveToFront(element)
			return known.limiter
		}
		l.recent.Remove(element) // the configuration has another rate now
	}
	if l.byKey == nil {
		l.byKey = map[limitKey]*list.Element{}
	}
	fresh := &limited{key, r, rate.NewLimiter(rate.Every(r.Per/time.Duration(r.Events)), r.Events)}
	l.byKey[key] = l.recent.PushFront(fresh)
	if l.recent.Len() > maxLimiters {
		oldest := l.recent.Back()
		delete(l.byKey, oldest.Value.(*limited).key)
		l.recent.Remove(oldest)
	}
	return fresh.limiter
}
