package nats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

const (
	// ownStream is an empty stream; those that begin with its name and "_" hold
	// foreign subjects.
	ownStream = "FOREIGN"
	ownMark   = "wallcast-foreign" // in the metadata of a stream of ours

	keepMessages = 10_000
	keepBytes    = 64 << 20
	keepAge      = 24 * time.Hour

	// errSubjectOverlap is a code of JetStream's that its client does not name.
	errSubjectOverlap jetstream.ErrorCode = 10065
)

// PartError says that a rule can't be followed as things are on the server.
type PartError struct {
	Rule   Rule
	Stream string // that is in the way
	Err    error
}

func (e *PartError) Error() string {
	return fmt.Sprintf("the foreign subject %q: the stream %s %v", e.Rule.Subject, e.Stream, e.Err)
}

// Unwrap returns the cause.
func (e *PartError) Unwrap() error { return e.Err }

// Check reports which of rules can't be followed because of the streams that
// are on the server now: a *PartError for each, joined. It changes nothing there.
func Check(ctx context.Context, nc *client.Conn, rules []Rule) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("using JetStream: %w", err)
	}
	var all []error
	for _, r := range rules {
		held, err := overlapping(ctx, js, r.Subject)
		if err != nil {
			return err
		}
		if _, _, err := choose(r, held); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// Prune deletes the streams of ours that no rule needs any more. All processes
// on a server are expected to have the same rules.
func Prune(ctx context.Context, nc *client.Conn, rules []Rule) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("using JetStream: %w", err)
	}
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if !strings.HasPrefix(name, ownStream+"_") {
			continue
		}
		s, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // another process was quicker
		}
		if err != nil {
			return fmt.Errorf("reading the stream %s: %w", name, err)
		}
		if info := s.CachedInfo(); !own(info) || needed(info, rules) {
			continue
		}
		if err := js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("deleting the stream %s, which no rule needs: %w", name, err)
		}
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("listing the streams: %w", err)
	}
	return nil
}

// needed reports whether a rule reads the stream, or may have to: one that was
// retired is read to its end, and its age empties it at last.
func needed(info *jetstream.StreamInfo, rules []Rule) bool {
	if retired(info) {
		return len(rules) > 0 && info.State.Msgs > 0
	}
	return slices.ContainsFunc(rules, func(r Rule) bool { return overlaps(info, r.Subject) })
}

func own(info *jetstream.StreamInfo) bool {
	return strings.HasPrefix(info.Config.Name, ownStream+"_") && info.Config.Metadata[ownMark] != ""
}

// retired reports whether the stream of ours has given its subjects to another.
func retired(info *jetstream.StreamInfo) bool {
	return slices.Equal(info.Config.Subjects, []string{info.Config.Name})
}

func overlaps(info *jetstream.StreamInfo, subject string) bool {
	return slices.ContainsFunc(info.Config.Subjects, func(s string) bool { return stream.Overlap(s, subject) })
}

// overlapping lists the streams that hold something of subject.
func overlapping(ctx context.Context, js jetstream.JetStream, subject string) ([]*jetstream.StreamInfo, error) {
	var held []*jetstream.StreamInfo
	list := js.ListStreams(ctx, jetstream.WithStreamListSubject(subject))
	for info := range list.Info() {
		if overlaps(info, subject) {
			held = append(held, info)
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("looking for the stream that holds %q: %w", subject, err)
	}
	return held, nil
}

// choose returns the stream, of those that hold something of the rule's subject,
// that holds all of it. Where there is none it returns the streams of ours that
// have to be widened, if any.
func choose(r Rule, held []*jetstream.StreamInfo) (holder *jetstream.StreamInfo, widen []*jetstream.StreamInfo, err error) {
	for _, info := range held {
		if stream.Covers(info.Config.Subjects, r.Subject) {
			return info, nil, readable(r, info)
		}
		if !own(info) {
			return nil, nil, &PartError{r, info.Config.Name, fmt.Errorf(
				"holds a part of it only (%s); name what it holds, or let it hold all",
				strings.Join(info.Config.Subjects, ", "))}
		}
		widen = append(widen, info)
	}
	return nil, widen, nil
}

// readable refuses a stream that can't be gone back to.
func readable(r Rule, info *jetstream.StreamInfo) error {
	switch cfg := info.Config; {
	case cfg.Retention != jetstream.LimitsPolicy:
		return &PartError{r, cfg.Name, fmt.Errorf(
			"holds it, and forgets messages once they were acknowledged (retention %s); only one with retention limits can be read again after a break",
			strings.ToLower(cfg.Retention.String()))}
	case cfg.SubjectTransform != nil && (cfg.SubjectTransform.Source == "" || stream.Overlap(cfg.SubjectTransform.Source, r.Subject)):
		return &PartError{r, cfg.Name, errors.New("holds it, and stores it under other subjects (subject_transform)")}
	}
	return nil
}

// hold returns the stream that holds all of the rule's subject. One of ours that
// holds a part is widened. Where none holds anything, one is made or, without
// orMake, nil returned.
func (s *source) hold(ctx context.Context, js jetstream.JetStream, orMake bool) (*jetstream.StreamInfo, error) {
	if s.named != "" {
		return s.holdNamed(ctx, js)
	}
	for attempt := 1; ; attempt++ {
		held, err := overlapping(ctx, js, s.rule.Subject)
		if err != nil {
			return nil, err
		}
		holder, widen, err := choose(s.rule, held)
		if err != nil || holder != nil {
			return holder, err
		}
		switch {
		case len(widen) > 0:
			holder, err = widened(ctx, js, s.rule, widen)
		case orMake:
			holder, err = s.create(ctx, js)
		default:
			return nil, nil
		}
		// Another source may have been quicker, with a subject that overlaps.
		var api *jetstream.APIError
		if attempt < 5 && errors.As(err, &api) && api.ErrorCode == errSubjectOverlap {
			continue
		}
		return holder, err
	}
}

// holdNamed returns the stream that the source was told to read.
func (s *source) holdNamed(ctx context.Context, js jetstream.JetStream) (*jetstream.StreamInfo, error) {
	found, err := js.Stream(ctx, s.named)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("there is no stream %s on the server; correct the setting stream, or leave it out to receive without replay", s.named)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the stream %s: %w", s.named, err)
	}
	info := found.CachedInfo()
	if !stream.Covers(info.Config.Subjects, s.rule.Subject) {
		return nil, &PartError{s.rule, s.named, fmt.Errorf("doesn't hold all of it (%s); name what it holds", strings.Join(info.Config.Subjects, ", "))}
	}
	return info, readable(s.rule, info)
}

// create makes a stream of ours for the rule's subject.
func (s *source) create(ctx context.Context, js jetstream.JetStream) (*jetstream.StreamInfo, error) {
	sum := sha256.Sum256([]byte(s.rule.Subject))
	cfg := jetstream.StreamConfig{
		Name:        ownStream + "_" + hex.EncodeToString(sum[:6]),
		Description: "Wallcast: holds foreign subjects for a wall's rules. Delete it to let a stream of yours hold them.",
		Subjects:    []string{s.rule.Subject},
		Storage:     jetstream.FileStorage,
		Replicas:    s.replicas,
		Discard:     jetstream.DiscardOld,
		MaxMsgs:     keepMessages,
		MaxBytes:    keepBytes,
		MaxAge:      keepAge,
		NoAck:       true, // it would answer requests in the place of whom they are for
		// A stream with a source has no deduplication unless it is asked for, and
		// there is no other way to have none.
		Sources:  []*jetstream.StreamSource{{Name: ownStream}},
		Metadata: map[string]string{ownMark: "1"},
	}
	empty := jetstream.StreamConfig{
		Name:        ownStream,
		Description: "Wallcast: empty; the streams " + ownStream + "_* name it as their source, which keeps them from dropping what looks like a repeat",
		Subjects:    []string{ownStream + ".none"},
		Storage:     jetstream.FileStorage,
		Replicas:    s.replicas,
		MaxMsgs:     1,
		NoAck:       true,
	}
	changing.Lock()
	defer changing.Unlock()
	if _, err := js.CreateOrUpdateStream(ctx, empty); err != nil {
		return nil, fmt.Errorf("making the stream %s: %w", empty.Name, err)
	}
	made, err := js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("making the stream %s for the foreign subject %q: %w", cfg.Name, s.rule.Subject, err)
	}
	return made.CachedInfo(), nil
}

// changing is held while streams are made or changed: a server checks a new
// configuration against the others' without a lock (2.15.2), and the one in this
// process would read one that is being changed.
var changing sync.Mutex

// widened makes the first of several streams of ours hold all that they hold
// and the rule's subject, too. The others keep what they have stored.
func widened(ctx context.Context, js jetstream.JetStream, r Rule, streams []*jetstream.StreamInfo) (*jetstream.StreamInfo, error) {
	changing.Lock()
	defer changing.Unlock()
	subjects := []string{r.Subject}
	for _, info := range streams {
		subjects = append(subjects, info.Config.Subjects...)
	}
	for _, info := range streams[1:] {
		cfg := info.Config
		cfg.Subjects = []string{cfg.Name}
		if _, err := js.UpdateStream(ctx, cfg); err != nil {
			return nil, fmt.Errorf("taking %q from the stream %s: %w", info.Config.Subjects, cfg.Name, err)
		}
	}
	cfg := streams[0].Config
	cfg.Subjects = stream.Disjoint(subjects)
	updated, err := js.UpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("letting the stream %s hold %q: %w", cfg.Name, cfg.Subjects, err)
	}
	return updated.CachedInfo(), nil
}
