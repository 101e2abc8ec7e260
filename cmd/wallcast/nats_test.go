package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// natsWall serves a wall with a listener for NATS clients and a token for one of
// them, named ci. It returns the listener's address and the secret.
func natsWall(t *testing.T, rights ...string) (p *process, address, secret string) {
	t.Helper()
	secret, entry := token(t, "ci", rights...)
	address = freeAddress(t)
	p = serveConfig(t, t.TempDir(), freeAddress(t), townWall+
		"  other: {}\n"+"nats: {listen: \""+address+"\"}\ntokens:\n  "+entry+"\n")
	return p, address, secret
}

// natsClient connects as a producer does.
func natsClient(t *testing.T, address, name, secret string, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+address, append(options, nats.UserInfo(name, secret), nats.CustomInboxPrefix("_INBOX."+name))...)
	if err != nil {
		t.Fatal("connecting a NATS client: ", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestNATSClientPublishes(t *testing.T) {
	p, address, secret := natsWall(t, "publish wall.main.push", "publish wall.main.song.*")
	refused := make(chan error, 10)
	nc := natsClient(t, address, "ci", secret, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	l := newListener(t)
	resp, err := http.Get(p.url + "/walls/main/events?last=10")
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { readBlocks(resp.Body, l) })
	t.Cleanup(func() {
		resp.Body.Close()
		reading.Wait()
	})

	// As "nats pub" does, and as a client does that wants to know.
	if err := nc.Publish("wall.main.push", []byte("pushed")); err != nil {
		t.Fatal(err)
	}
	answer, err := nc.Request("wall.main.song.jazz", []byte(`{"title":"Blue Hour"}`), 5*time.Second)
	if err != nil {
		t.Fatal("publishing with an acknowledgement: ", err)
	}
	var ack struct {
		Stream string
		Seq    uint64
		Error  any
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Seq != 2 || ack.Error != nil {
		t.Errorf("the acknowledgement is %s", answer.Data)
	}
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is a repeat
		if _, err := js.Publish("wall.main.push", []byte("once"), nats.MsgId("a")); err != nil {
			t.Fatal("publishing with a message id: ", err)
		}
	}
	for _, subject := range []string{"wall.main.alert", "wall.other.push", "wall.main.song", "ctl.main.retract", "wall.main.push.a.b"} {
		if err := nc.Publish(subject, []byte("refused")); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("publishing to %s was answered %v", subject, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("publishing to %s was not refused", subject)
		}
	}
	if _, err := nc.SubscribeSync("wall.main.>"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribing was answered %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a producer may read the wall over NATS")
	}
	if err := nc.Publish("wall.main.push", []byte("the last")); err != nil {
		t.Fatal(err)
	}
	epoch := l.epoch()
	id := func(seq int) string { return fmt.Sprintf("%s-%d", epoch, seq) }
	l.want([]heard{{"push", id(1), "pushed"}, {"song", id(2), `{"title":"Blue Hour"}`}, {"push", id(3), "once"}, {"push", id(4), "the last"}})

	// The same token over HTTP, and nobody without one.
	bearer := []string{"Authorization", "Bearer " + secret}
	p.publish("push", "over HTTP", bearer...)
	if status, answer := p.request(http.MethodPost, "alert", "text/plain", "refused", bearer...); status != http.StatusForbidden {
		t.Errorf("a token without the right was answered %d %s", status, answer)
	}
	if status, answer := p.request(http.MethodPost, "push", "text/plain", "refused"); status != http.StatusUnauthorized {
		t.Errorf("a post without a token was answered %d %s", status, answer)
	}
	for _, c := range [][2]string{{"ci", "wc_wrong"}, {"other", secret}, {"", ""}, {"wallcast", ""}} {
		if nc, err := nats.Connect("nats://"+address, nats.UserInfo(c[0], c[1])); err == nil {
			nc.Close()
			t.Errorf("NATS let %q in with the secret %q", c[0], c[1])
		} else if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%q was refused with %v", c[0], err)
		}
	}
}
