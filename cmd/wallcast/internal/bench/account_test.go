package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// newTrack is a track of n events, stored under the sequences from first on.
func newTrack(n int, first uint64) *track {
	t := new(track)
	for i := range n {
		t.store(t.issue(), first+uint64(i))
	}
	return t
}

// balance is what an account comes to.
type balance struct{ received, doubled, disordered, lost, tail, told int }

func balanceOf(a *account, t *track) balance {
	m := a.missing(t)
	return balance{a.received, a.doubled, a.disordered, m.lost, m.tail, m.told}
}

func TestAccount(t *testing.T) {
	const n, first = 300, 11
	seq := func(i int) uint64 { return uint64(i) + first }
	all := func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
	for name, test := range map[string]struct {
		get  func(*account)
		want balance
	}{
		"everything": {func(a *account) {
			for i := range all {
				a.receive(i, seq(i))
			}
		}, balance{received: n}},
		"nothing": {func(*account) {}, balance{tail: n}},
		"one lost": {func(a *account) {
			for i := range all {
				if i != 70 {
					a.receive(i, seq(i))
				}
			}
		}, balance{received: n - 1, lost: 1}},
		"the last lost": {func(a *account) {
			for i := range n - 1 {
				a.receive(i, seq(i))
			}
		}, balance{received: n - 1, tail: 1}},
		"one doubled": {func(a *account) {
			for i := range all {
				a.receive(i, seq(i))
				if i == 127 {
					a.receive(i, seq(i))
				}
			}
		}, balance{received: n, doubled: 1}},
		"all doubled by a replay": {func(a *account) {
			for range 2 {
				for i := range all {
					a.receive(i, seq(i))
				}
			}
		}, balance{received: n, doubled: n}},
		"two swapped": {func(a *account) {
			for i := range all {
				switch i {
				case 64:
					a.receive(65, seq(65))
				case 65:
					a.receive(64, seq(64))
				default:
					a.receive(i, seq(i))
				}
			}
		}, balance{received: n, disordered: 1}},
		"a gap": {func(a *account) {
			for i := range 100 {
				a.receive(i, seq(i))
			}
			a.tell(seq(99), seq(150), false)
			for i := 150; i < n; i++ {
				if i != 200 {
					a.receive(i, seq(i))
				}
			}
		}, balance{received: 249, told: 50, lost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			a := new(account)
			a.join(first-1, 0)
			test.get(a)
			if got := balanceOf(a, newTrack(n, first)); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// What was stored before a viewer came is not for it, wherever its number lies.
func TestAccountOfLateViewer(t *testing.T) {
	for late := range 200 {
		tr := newTrack(200, 1)
		a := new(account)
		a.join(uint64(late), max(0, late-3)) // three were under way
		for i := late; i < 200; i++ {
			a.receive(i, uint64(i)+1)
		}
		if got, want := balanceOf(a, tr), (balance{received: 200 - late}); got != want {
			t.Fatalf("from %d on: got %+v, want %+v", late, got, want)
		}
	}
}

// Several publishers make numbers and sequences differ a little. That is no
// disorder, and an event of which nobody knows whether it was stored is missed
// by nobody.
func TestAccountOfSeveralPublishers(t *testing.T) {
	tr := new(track)
	order := make([]int, 1000)
	for i := range order {
		order[i] = tr.issue()
	}
	for i := 0; i+8 <= len(order); i += 8 {
		rand.Shuffle(8, func(a, b int) { order[i+a], order[i+b] = order[i+b], order[i+a] })
	}
	a := new(account)
	a.join(0, 0)
	for seq, index := range order {
		if index == 500 || index == 501 {
			tr.store(index, unstored)
			if index == 500 {
				continue
			}
		}
		tr.store(index, uint64(seq)+1)
		a.receive(index, uint64(seq)+1)
	}
	tr.store(501, unstored)
	if got, want := balanceOf(a, tr), (balance{received: 999}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(a.seen) > 16 || a.base == 0 {
		t.Errorf("the account keeps %d words from %d on", len(a.seen), a.base)
	}
}

// FuzzAccount does things to a stream and holds the account against a plain
// count of the same.
func FuzzAccount(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 3, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 2000 {
			t.Skip()
		}
		tr := newTrack(len(steps), 1)
		a := new(account)
		a.join(0, 0)
		var want balance
		got := map[int]bool{}
		last := -1
		enter := func(i int) {
			switch {
			case got[i]:
				want.doubled++
			case i < last:
				want.disordered++
				want.received++
			default:
				want.received++
			}
			got[i], last = true, max(last, i)
			a.receive(i, uint64(i)+1)
		}
		for i, step := range steps {
			switch step % 8 {
			case 1: // lost
			case 2:
				enter(i)
				enter(i)
			case 3: // an old one again, or for the first time
				enter(int(step) % (i + 1))
			default:
				enter(i)
			}
		}
		for i := range steps {
			switch {
			case got[i]:
			case i < last:
				want.lost++
			default:
				want.tail++
			}
		}
		if have := balanceOf(a, tr); have != want {
			t.Errorf("%v: got %+v, want %+v", steps, have, want)
		}
	})
}

func TestMarker(t *testing.T) {
	m := newMarking()
	for _, want := range []marker{{0, -1, 0}, {7, 3, time.Second}, {maxEvents, maxEvents, maxDuration}} {
		for _, size := range []int{minPayload, 200, 5000} {
			payload := m.payload(nil, want, size)
			if len(payload) != size {
				t.Errorf("a payload of %d bytes has %d", size, len(payload))
			}
			for _, around := range []string{"", `{"id":"e-1","data":"`, `<article class="bench-x"><p>`} {
				if got, ok := m.find(append([]byte(around), payload...)); !ok || got != want {
					t.Errorf("found %v, %v behind %q, want %v", got, ok, around, want)
				}
			}
		}
	}
	other := newMarking().payload(nil, marker{1, 1, 1}, 200)
	for _, foreign := range []string{"", "hello", "bench-", string(other), string(m.prefix), string(m.prefix) + "1-2", string(m.prefix) + "1-2-x;", string(m.prefix) + "1--3;"} {
		if got, ok := m.find([]byte(foreign)); ok {
			t.Errorf("found %v in %q", got, foreign)
		}
	}
}

func TestSequence(t *testing.T) {
	for id, want := range map[string]uint64{"k3v9-42": 42, "a-b-7": 7, "e-0": 0} {
		if got, ok := sequence([]byte(id)); !ok || got != want {
			t.Errorf("the sequence of %q is %d, %v", id, got, ok)
		}
	}
	for _, id := range []string{"", "-", "-1", "e-", "42", "e-x", "e-12345678901234567890"} {
		if got, ok := sequence([]byte(id)); ok {
			t.Errorf("%q has the sequence %d", id, got)
		}
	}
}

// One source address has too few ports for more than 28,000 viewers.
func TestSourceAddresses(t *testing.T) {
	c := &connector{address: netip.MustParseAddrPort("127.0.0.1:80"), loopback: true}
	for number, want := range map[int]string{0: "<nil>", 19_999: "<nil>", 20_000: "127.0.0.2:0", 59_999: "127.0.0.3:0", 6_000_000: "127.0.1.45:0"} {
		if got := fmt.Sprint(c.source(number)); got != want {
			t.Errorf("viewer %d connects from %s, want %s", number, got, want)
		}
	}
	c.loopback = false
	if got := c.source(50_000); got != nil {
		t.Errorf("elsewhere a viewer connects from %s", got)
	}
}

func TestHistogram(t *testing.T) {
	h, half := new(histogram), new(histogram)
	for i := range 100_000 {
		if i%2 == 0 {
			h.record(time.Duration(i) * time.Microsecond)
		} else {
			half.record(time.Duration(i) * time.Microsecond)
		}
	}
	h.add(half)
	if h.count() != 100_000 {
		t.Errorf("%d were counted", h.count())
	}
	for _, q := range []float64{0, .001, .5, .9, .99, .999, 1} {
		want := q * 100_000 * float64(time.Microsecond)
		if got := float64(h.quantile(q)); got < want*.98-2000 || got > want*1.02+2000 {
			t.Errorf("the %g quantile is %s", q, h.quantile(q))
		}
	}
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, time.Millisecond, time.Second, time.Hour} {
		b := bucket(d)
		if end := bucketEnd(b); end < d || float64(end-d) > float64(d)/64+1 || bucket(end) != b || bucket(end+1) != b+1 {
			t.Errorf("%d is in the bucket %d that ends at %d", d, b, end)
		}
	}
	h.record(1000 * time.Hour)
	h.record(-1)
	if h.quantile(1) != 1000*time.Hour || new(histogram).quantile(.5) != 0 {
		t.Error("the ends are wrong")
	}
}

// A latency is taken of what was published while the viewer was there.
func TestLatencyOfReplay(t *testing.T) {
	r := &run{marks: newMarking(), publishing: true, began: time.Now().Add(-time.Minute)}
	v := &viewer{run: r, track: newTrack(2, 1), tally: new(tally)}
	v.account.join(0, 0)
	v.greeted, v.response.state = 50*time.Second, inSize
	for i, sent := range []time.Duration{49 * time.Second, 59 * time.Second} {
		block := fmt.Sprintf("id: e-%d\ndata: %s\n\n", i+1, r.marks.payload(nil, marker{i, -1, sent}, 100))
		if err := v.take([]byte(block)); err != nil {
			t.Fatal(err)
		}
	}
	latency := &v.tally.latency
	if latency.count() != 1 || latency.quantile(1) < time.Second || latency.quantile(1) > 10*time.Second || v.tally.replayed.Load() != 1 || v.tally.delivered.Load() != 2 {
		t.Errorf("%d latencies up to %s, %d replayed", latency.count(), latency.quantile(1), v.tally.replayed.Load())
	}
}

// BenchmarkViewer is what one delivery costs the generator beside the system
// calls: the events of a full read.
func BenchmarkViewer(b *testing.B) {
	const events = 200
	r := &run{marks: newMarking(), publishing: true, began: time.Now()}
	tr := newTrack(events*b.N, 1)
	v := &viewer{run: r, track: tr, tally: new(tally)}
	v.account.join(0, 0)
	v.greeted, v.response.state, v.response.chunked = 1, inSize, true
	var piece []byte
	b.ReportAllocs()
	for n := range b.N {
		b.StopTimer()
		piece = piece[:0]
		for i := range events {
			block := fmt.Appendf(nil, "event: bench\nid: k3v9x2ab-%d\ndata: %s\n\n", events*n+i+1,
				r.marks.payload(nil, marker{events*n + i, -1, 2}, 200))
			piece = fmt.Appendf(piece, "%x\r\n%s\r\n", len(block), block)
		}
		b.StartTimer()
		if err := v.take(piece); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events*b.N), "ns/delivery")
	if v.account.received != events*b.N {
		b.Fatalf("%d events were received", v.account.received)
	}
}
