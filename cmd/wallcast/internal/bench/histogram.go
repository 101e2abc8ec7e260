package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts durations in buckets that are 1.6 % wide, so that what it
// says of a percentile is off by no more. It may be used concurrently; the zero
// histogram is empty. It is a few lines, and needs no lock where many viewers
// record at once: reason enough not to import one.
type histogram struct {
	counts [buckets]atomic.Uint64
	most   atomic.Int64
}

const (
	subBuckets = 64 // between a power of two and the next
	subBits    = 6
	octaves    = 37 // up to about two and a half hours
	buckets    = octaves * subBuckets
)

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min((shift+1)*subBuckets+int(v>>shift)-subBuckets, buckets-1)
}

// bucketEnd is the longest duration that a bucket counts.
func bucketEnd(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i)
	}
	shift := i/subBuckets - 1
	return time.Duration((uint64(i%subBuckets)+subBuckets+1)<<shift - 1)
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucket(d)].Add(1)
	for {
		most := h.most.Load()
		if int64(d) <= most || h.most.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

// add counts what another histogram has.
func (h *histogram) add(other *histogram) {
	for i := range other.counts {
		if n := other.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.most.Store(max(h.most.Load(), other.most.Load()))
}

func (h *histogram) count() int {
	n := uint64(0)
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return int(n)
}

// quantile is the duration that a share q of the recorded ones do not exceed; 0
// when there is none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count()))
	sum := uint64(0)
	for i := range h.counts {
		if sum += h.counts[i].Load(); sum > rank {
			return min(bucketEnd(i), time.Duration(h.most.Load()))
		}
	}
	return time.Duration(h.most.Load())
}
