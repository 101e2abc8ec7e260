package publish_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

const keyed = "Idempotency-Key: build-42"

func newToken(t *testing.T, name, right string) (token access.Token, header string) {
	t.Helper()
	allow, err := access.ParseRight(right)
	if err != nil {
		t.Fatal(err)
	}
	secret := access.NewSecret()
	return access.Token{Name: name, Hash: access.HashSecret(secret), Allow: access.Rights{allow}}, "Authorization: Bearer " + secret
}

func TestRepeat(t *testing.T) {
	s := open(t)
	first := s.post(t, "", "hello", keyed)
	for _, body := range []string{"hello", "something else"} {
		if again := s.post(t, "", body, keyed); again.status != http.StatusCreated || again.id != first.id {
			t.Errorf("%q again: %d %s, want %s", body, again.status, again.id, first.id)
		}
	}
	if n := s.last(t, "main"); n != 1 {
		t.Errorf("%d events are stored", n)
	}
	// What is no repeat: another key, none, another address, another wall.
	ids := map[stream.ID]bool{first.id: true}
	for _, a := range []answer{
		s.post(t, "", "hello", "Idempotency-Key: build-43"), s.post(t, "", "hello"), s.post(t, "", "hello"),
		s.post(t, "friend", "hello", keyed), s.post(t, "friend/ana", "hello", keyed), s.post(t, "/walls/news/events", "hello", keyed),
	} {
		if a.status != http.StatusCreated || ids[a.id] {
			t.Errorf("%d %s %s", a.status, a.id, a.detail)
		}
		ids[a.id] = true
	}
}

func TestNobodySuppressesAnothersEvent(t *testing.T) {
	ci, asCI := newToken(t, "ci", "publish wall.>")
	bot, asBot := newToken(t, "bot", "publish wall.>")
	s := open(t, ci, bot)
	for _, headers := range [][]string{{keyed}, binaryMode()} {
		a := s.post(t, "", "from ci", append(headers, asCI)...)
		b := s.post(t, "", "from bot", append(headers, asBot)...)
		again := s.post(t, "", "from ci", append(headers, asCI)...)
		if a.status != http.StatusCreated || b.status != http.StatusCreated || a.id == b.id || again.id != a.id {
			t.Errorf("%v: %v, another publisher's %v, again %v", headers, a.id, b.id, again.id)
		}
	}
	// A key cannot be made to look like a CloudEvent's id, or another's scope.
	s.post(t, "", "x", append(binaryMode("ce-id: i", "ce-source: s"), asCI)...)
	before := s.last(t, "main")
	s.post(t, "", "x", asCI, `Idempotency-Key: cloudevent "s" "i"`)
	s.post(t, "", "x", asBot, `Idempotency-Key: token ci build-42`)
	if n := s.last(t, "main"); n != before+2 {
		t.Errorf("%d of 2 events are stored", n-before)
	}
}

func TestConcurrentRepeats(t *testing.T) {
	s := open(t)
	const posts = 20
	answers := make([]answer, posts)
	var all sync.WaitGroup
	for i := range posts {
		all.Go(func() { answers[i] = s.post(t, "", "hello", keyed) })
	}
	all.Wait()
	for _, a := range answers {
		if a.status != http.StatusCreated || a.id != answers[0].id {
			t.Errorf("%d %s %s, want %s", a.status, a.id, a.detail, answers[0].id)
		}
	}
	if n := s.last(t, "main"); n != 1 {
		t.Errorf("%d events are stored", n)
	}
}

func TestWithoutTheRightNothingIsStored(t *testing.T) {
	ci, asCI := newToken(t, "ci", "publish wall.main.push")
	s := open(t, ci)
	if a := s.post(t, "push", "x", asCI); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.detail)
	}
	// The kind that counts is the one that the event gets, wherever it is said.
	if a := s.post(t, "", "x", append(binaryMode("ce-type: push"), asCI)...); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.detail)
	}
	for _, c := range []struct {
		address string
		headers []string
		want    int
	}{
		{"", []string{asCI}, 403}, {"push/key", []string{asCI}, 403}, {"/walls/news/events/push", []string{asCI}, 403},
		{"", append(binaryMode("ce-type: alert"), asCI), 403}, {"push", nil, 401}, {"push", []string{asCI + "x"}, 401},
	} {
		if a := s.post(t, c.address, "x", c.headers...); a.status != c.want || a.detail == "" {
			t.Errorf("%q %q: %d %s", c.address, c.headers, a.status, a.detail)
		}
	}
	if n := s.last(t, "main") + s.last(t, "news"); n != 2 {
		t.Errorf("%d events are stored", n)
	}
}
