package jetstream_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
)

func delivery(id, body string) sources.Delivery {
	return sources.Delivery{
		Time: time.Now(), From: "192.0.2.1", Method: "POST", Query: "a=1", Header: http.Header{"X-Event": {"push"}},
		Body: []byte(body), Status: 202, Outcome: "accepted", ID: id,
	}
}

func (p *program) put(t *testing.T, hook, id, body string, accepted bool) (uint64, bool) {
	t.Helper()
	number, repeat, err := p.PutDelivery(t.Context(), hook, delivery(id, body), accepted)
	if err != nil {
		t.Fatal(err)
	}
	return number, repeat
}

func (p *program) next(t *testing.T, hook string, after uint64) sources.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	d, err := p.NextDelivery(ctx, hook, after)
	if err != nil {
		t.Fatalf("the delivery after %d: %v", after, err)
	}
	return d
}

func TestDeliveriesAreKeptInOrderAndOnce(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	first, _ := p.put(t, "github", "1", "one", true)
	p.put(t, "gitlab", "1", "of another hook, with the same id", true)
	p.put(t, "github", "x", "refused", false)
	if again, repeat := p.put(t, "github", "1", "one again", true); !repeat || again != first {
		t.Errorf("a redelivery has the number %d, repeat %t; the first has %d", again, repeat, first)
	}
	p.put(t, "github", "", "two", true)
	p.put(t, "github", "", "two", true) // without an id two are two
	p.stop()

	p = run(t, folder, main)
	if _, repeat := p.put(t, "github", "1", "one", true); !repeat {
		t.Error("a redelivery after a restart was kept")
	}
	var got []string
	after := uint64(0)
	for range 3 {
		d := p.next(t, "github", after)
		got = append(got, fmt.Sprintf("%s %s %s %s", d.Body, d.Method, d.Query, d.Header.Get("X-Event")))
		after = d.Number
	}
	if want := []string{"one POST a=1 push", "two POST a=1 push", "two POST a=1 push"}; !slices.Equal(got, want) {
		t.Errorf("deliveries %q, want %q", got, want)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if d, err := p.NextDelivery(short, "github", after); err == nil {
		t.Errorf("one more delivery: %+v", d)
	}
}

func TestADeliveryWakesItsSource(t *testing.T) {
	p := run(t, t.TempDir(), main)
	got := make(chan sources.Delivery, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for after := uint64(0); ; {
			d, err := p.NextDelivery(ctx, "hook", after)
			if err != nil {
				return
			}
			after = d.Number
			got <- d
		}
	}()
	defer func() { cancel(); <-ended }()
	began := time.Now()
	for i := range 100 {
		p.put(t, "hook", "", fmt.Sprint(i), true)
	}
	for i := range 100 {
		if d := <-got; string(d.Body) != fmt.Sprint(i) {
			t.Fatalf("the delivery %d is %q", i, d.Body)
		}
	}
	// Without being told, the source would look again after half a minute only.
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("a hundred deliveries took %v: their source is not told of them", took)
	}
}

func TestDeliveriesOfAnOlderStore(t *testing.T) {
	p := run(t, t.TempDir(), main)
	p.put(t, "hook", "", "old", true)
	got := make(chan sources.Delivery, 1)
	go func() {
		d, err := p.NextDelivery(t.Context(), "hook", 4711)
		if err == nil {
			got <- d
		}
	}()
	for {
		p.put(t, "hook", "", "new", true)
		select {
		case d := <-got:
			if string(d.Body) != "new" {
				t.Errorf("a source that is ahead of the store got %q", d.Body)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestTheLogOfDeliveries(t *testing.T) {
	p := run(t, t.TempDir(), main)
	p.put(t, "hook", "", "one", true)
	p.put(t, "other", "", "of another hook", true)
	p.put(t, "hook", "", "no", false)
	n, _ := p.put(t, "hook", "", "two", true)
	log, err := p.Deliveries(t.Context(), "hook", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range log {
		got = append(got, fmt.Sprintf("%s %t", e.Body, e.Accepted))
	}
	if want := []string{"one true", "no false", "two true"}; !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
	if log, err = p.Deliveries(t.Context(), "hook", 2); err != nil || len(log) != 2 || string(log[1].Body) != "two" {
		t.Errorf("the last two are %+v, %v", log, err)
	}
	d, err := p.Delivery(t.Context(), "hook", n, true)
	if err != nil || string(d.Body) != "two" {
		t.Errorf("the delivery %d is %+v, %v", n, d, err)
	}
	if d, err := p.Delivery(t.Context(), "hook", 1, false); err != nil || string(d.Body) != "no" {
		t.Errorf("the refused delivery is %+v, %v", d, err)
	}
	for _, missing := range []uint64{0, n - 1000, n + 1000} {
		if _, err := p.Delivery(t.Context(), "hook", missing, true); err == nil {
			t.Errorf("there is a delivery %d", missing)
		}
	}
}
