package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

const (
	picturesStream, picturePrefix = "PICTURES", "picture"

	// picturesBytes is what all pictures together may take; then those that were
	// put the longest ago go.
	picturesBytes = 256 << 20

	// pictureRenewal is after what time a picture that is put again counts as new.
	pictureRenewal = 24 * time.Hour
)

func (s *Store) openPictures(ctx context.Context) error {
	pictures := jetstream.StreamConfig{
		Name:              picturesStream,
		Description:       "Wallcast: pictures of events",
		Subjects:          []string{picturePrefix + ".*"},
		Storage:           jetstream.FileStorage,
		Replicas:          s.cfg.Replicas,
		MaxMsgsPerSubject: 1,
		MaxBytes:          picturesBytes,
		Duplicates:        100 * time.Millisecond,
	}
	if _, err := s.js.CreateOrUpdateStream(ctx, pictures); err != nil {
		return fmt.Errorf("opening the stream %s: %w", picturesStream, explain(err))
	}
	return nil
}

// PutPicture keeps a picture under a name that may stand in a subject.
func (s *Store) PutPicture(ctx context.Context, name string, picture []byte) error {
	subject := picturePrefix + "." + name
	held, err := s.lastPicture(ctx, subject)
	if err == nil && time.Since(held.Time) < pictureRenewal {
		return nil
	}
	if err != nil && !errors.Is(err, stream.ErrNotFound) {
		return err
	}
	if _, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: picture}); err != nil {
		return explain(err)
	}
	return nil
}

// Picture returns the picture of that name, or ErrNotFound.
func (s *Store) Picture(ctx context.Context, name string) ([]byte, error) {
	if !isToken(name) {
		return nil, stream.ErrNotFound
	}
	msg, err := s.lastPicture(ctx, picturePrefix+"."+name)
	if err != nil {
		return nil, err
	}
	return msg.Data, nil
}

// isToken reports whether a name can be one token of a subject.
func isToken(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>' {
			return false
		}
	}
	return name != ""
}

func (s *Store) lastPicture(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	handle, err := s.js.Stream(ctx, picturesStream)
	if err != nil {
		return nil, explain(err)
	}
	msg, err := handle.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return nil, explain(err)
	}
	return msg, nil
}
