package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// leaseTTL is how long a lease outlives a holder that has vanished.
	leaseTTL = 15 * time.Second

	// leaseRenewal leaves room for two more tries before leaseMargin.
	leaseRenewal = 4 * time.Second

	// leaseMargin is when a holder that could not renew stops to rely on its
	// lease: well before anyone else can get it.
	leaseMargin = 12 * time.Second

	leaseRetry = time.Second
)

// Lease implements sources.Store. It waits until this process alone holds the
// lease of that name. The lease is kept until it is released, also when ctx
// ends before: whoever holds it may have an event on its way then, and the next
// holder begins by reading the newest one.
func (s *Store) Lease(ctx context.Context, name string) (context.Context, func(), error) {
	for {
		revision, err := s.leases.Create(ctx, name, []byte(s.self))
		if err == nil {
			held, release := s.hold(ctx, name, revision)
			return held, release, nil
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, nil, fmt.Errorf("taking the lease %s: %w", name, explain(err))
		}
		pause(ctx, leaseRetry/2+rand.N(leaseRetry))
	}
}

// hold renews a lease until it is released or lost.
func (s *Store) hold(ctx context.Context, name string, revision uint64) (context.Context, func()) {
	held, lose := context.WithCancel(ctx)
	kept, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer lose()
		s.renew(kept, name, revision)
	}()
	return held, func() {
		lose()
		giveUp()
		<-done
	}
}

func (s *Store) renew(ctx context.Context, name string, revision uint64) {
	renewed := time.Now()
	for {
		pause(ctx, leaseRenewal)
		if ctx.Err() != nil {
			s.giveBack(ctx, name, revision)
			return
		}
		attempt, cancel := context.WithDeadline(ctx, renewed.Add(leaseMargin))
		started := time.Now()
		next, err := s.leases.Update(attempt, name, []byte(s.self), revision)
		cancel()
		switch {
		case err == nil:
			revision, renewed = next, started
		case errors.Is(err, jetstream.ErrKeyExists), time.Since(renewed) >= leaseMargin:
			s.log.Warn("a lease is lost", "lease", name, "error", err)
			return
		}
	}
}

// giveBack lets another process take the lease at once.
func (s *Store) giveBack(ctx context.Context, name string, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.leases.Delete(ctx, name, jetstream.LastRevision(revision)); err != nil {
		s.log.Debug("a lease was not given back and will run out", "lease", name, "error", err)
	}
}
