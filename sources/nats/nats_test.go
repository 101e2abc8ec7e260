package nats_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream/embed"
)

func rule(subject, kind string) nats.Rule {
	return nats.Rule{Wall: "main", Subject: subject, Kind: kind}
}

func TestASubjectThatAStreamHolds(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 100, "orders.>")
	s.publish("orders.eu.created", "before the rule")
	p := s.run(rule("orders.*.created", "order"))
	s.publish("orders.eu.created", "one", `{"text":"two"}`)
	s.publish("orders.eu.paid", "not meant")
	s.publish("orders.us.created", "three")
	p.shown("order one", `order {"text":"two"}`, "order three")
	if own := s.foreign(); len(own) != 0 {
		t.Errorf("streams of ours were made: %v", own)
	}
}

func TestASubjectThatNoStreamHolds(t *testing.T) {
	s := newSystem(t)
	p := s.run(rule("orders.*.created", "order"))
	s.publish("orders.eu.created", "one", "two")
	p.shown("order one", "order two")
	info, err := s.js.StreamInfo(only(t, s.foreign()))
	if err != nil {
		t.Fatal(err)
	}
	c := info.Config
	if !c.NoAck || c.MaxMsgs != 10000 || c.MaxBytes != 64<<20 || c.MaxAge != 24*time.Hour || c.Discard != client.DiscardOld {
		t.Errorf("the stream is not bounded as it should be: %+v", c)
	}
}

func only(t *testing.T, streams map[string]string) string {
	t.Helper()
	if len(streams) != 1 {
		t.Fatalf("streams of ours: %v, want one", streams)
	}
	for name := range streams {
		return name
	}
	return ""
}

func TestRequestsAreNotAnsweredByUs(t *testing.T) {
	s := newSystem(t)
	p := s.run(rule("time.>", "asked"))
	if answer, err := s.nc.Request("time.now", []byte("nobody is there"), 300*time.Millisecond); err == nil {
		t.Errorf("a request for which there is nobody was answered: %s", answer.Data)
	}
	if _, err := s.nc.Subscribe("time.now", func(m *client.Msg) {
		_ = m.Respond([]byte("noon")) // the request below says whether it came
	}); err != nil {
		t.Fatal(err)
	}
	answer, err := s.nc.Request("time.now", []byte("well?"), 5*time.Second)
	if err != nil || string(answer.Data) != "noon" {
		t.Errorf("answered %v, %v", answer, err)
	}
	p.shown("asked nobody is there", "asked well?")
}

func TestASubjectThatAStreamHoldsInPart(t *testing.T) {
	s := newSystem(t)
	s.stream("EUROPE", 100, "orders.eu.>")
	r := rule("orders.*.created", "order")
	p := s.begin(r)
	s.eventually("the status names the stream", func() bool {
		return strings.Contains(p.status(r).LastError, "EUROPE holds a part of it only (orders.eu.>)")
	})
	if own := s.foreign(); len(own) != 0 {
		t.Errorf("streams of ours were made: %v", own)
	}
	err := nats.Check(t.Context(), s.nc, []nats.Rule{rule("orders.eu.*", "x"), r})
	var part *nats.PartError
	if !errors.As(err, &part) || part.Rule != r || part.Stream != "EUROPE" {
		t.Errorf("Check: %v", err)
	}
	if strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("Check complains of more than the one rule: %v", err)
	}
	// The way out that the error names.
	s.stream("EUROPE", 100, "orders.>")
	s.eventually("the position is stored", func() bool {
		mark, err := p.store.LastMark(t.Context(), r.Name(), []string{"main"})
		return err == nil && mark.Count > 0
	})
	s.publish("orders.us.created", "one")
	p.shown("order one")
}

func TestStreamsThatForgetAreRefused(t *testing.T) {
	s := newSystem(t)
	for _, policy := range []client.RetentionPolicy{client.WorkQueuePolicy, client.InterestPolicy} {
		name := "S" + fmt.Sprint(int(policy))
		if _, err := s.js.AddStream(&client.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Retention: policy}); err != nil {
			t.Fatal(err)
		}
		err := nats.Check(t.Context(), s.nc, []nats.Rule{rule(name+".x", "x")})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", policy, err)
		}
	}
}

func TestWildcardsToKindAndKey(t *testing.T) {
	s := newSystem(t)
	p := s.run(
		rule("orders.*.*", "order-{{wildcard(2)}}.{{ Wildcard(1) }}"),
		rule("log.*.>", "{{wildcard(1)}}"),
	)
	s.publish("orders.eu.created", "1")
	s.publish("orders.EU_West.Created", "2")
	p.shown("order-created.eu 1", "order-created.eu-west 2")
	s.publish("log.error.disk.full", "3")
	s.publish("log.___.x", "4")
	s.publish("log."+strings.Repeat("x", 80)+".y", "5")
	p.shown("order-created.eu 1", "order-created.eu-west 2", "kind-error 3", "unnamed 4", strings.Repeat("x", 63)+" 5")
}

func TestAttributesAreKept(t *testing.T) {
	s := newSystem(t)
	p := s.run(rule("orders.>", "order"))
	msg := client.NewMsg("orders.new")
	msg.Data = []byte("one")
	msg.Header = client.Header{"ce-id": {"A 7"}, "ce-source": {"/shop"}, "ce-type": {"com.example.order"}, "ce-time": {"2020-02-03T04:05:06.7Z"}}
	if err := s.nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.publish("orders.new", "two\xff")
	p.shown("order one", "order two\uFFFD")
	got := p.events("main")
	if want := time.Date(2020, 2, 3, 4, 5, 6, 7e8, time.UTC); !got[0].Time.Equal(want) || got[0].Source != "/shop" {
		t.Errorf("at %v from %q, want %v from /shop", got[0].Time, got[0].Source, want)
	}
	if age := got[1].Time.Sub(began).Abs(); age > 10*time.Second {
		t.Errorf("without ce-time: at %v, want when it was stored", got[1].Time)
	}
	header := func(seq uint64) client.Header {
		t.Helper()
		raw, err := s.js.GetMsg("WALL_main", seq)
		if err != nil {
			t.Fatal(err)
		}
		return raw.Header
	}
	if h := header(got[0].ID.Seq); h.Get("ce-id") != "A 7" || h.Get("ce-type") != "com.example.order" {
		t.Errorf("headers %v", h)
	}
	info, err := s.js.StreamInfo(only(t, s.foreign()))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%s@%d:2", info.Config.Name, info.Created.UnixNano()); header(got[1].ID.Seq).Get("ce-id") != want {
		t.Errorf("ce-id %q, want %q", header(got[1].ID.Seq).Get("ce-id"), want)
	}
}

func TestWhatCanNotBeShownIsSkipped(t *testing.T) {
	s := newSystem(t)
	r := rule("orders.>", "order")
	p := s.run(r)
	s.publish("orders.new", "one", strings.Repeat("x", 1001))
	p.warns(r, `the message 2 of the stream FOREIGN_`)
	s.publish("orders.new", "")
	p.warns(r, `no payload`)
	s.publish("orders.new", "two")
	p.shown("order one", "order two")
	s.eventually("the warning is over", func() bool { return p.status(r).Warning == "" })
	if n := p.status(r).Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestTwoPublishersMayCountAlike(t *testing.T) {
	s := newSystem(t)
	p := s.run(rule("orders.>", "order"))
	var want []string
	for i := range 20 {
		for _, origin := range []string{"eu", "us"} {
			msg := client.NewMsg("orders." + origin)
			msg.Data = fmt.Appendf(nil, "%s %d", origin, i)
			msg.Header.Set(client.MsgIdHdr, fmt.Sprint(i))
			if err := s.nc.PublishMsg(msg); err != nil {
				t.Fatal(err)
			}
			want = append(want, "order "+string(msg.Data))
		}
	}
	p.shown(want...)
}

func TestThePositionIsFixedBeforeAnythingCame(t *testing.T) {
	for _, held := range []bool{true, false} {
		s := newSystem(t)
		if held {
			s.stream("ORDERS", 100, "orders.>")
			s.publish("orders.new", "before the rule")
		}
		r := rule("orders.>", "order")
		for range 2 { // nothing came in the second run, either
			s.run(r).crash()
		}
		s.publish("orders.new", "one", "two")
		p := s.run(r)
		p.shown("order one", "order two")
	}
}

// Each message is shown once, wherever the program was cut, with a window of
// deduplication that helps nobody.
func TestNeitherLostNorRepeated(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprintf("held=%t", held), func(t *testing.T) {
			s := newSystem(t)
			if held {
				s.stream("ORDERS", 100000, "orders.>")
			}
			r := rule("orders.>", "order")
			p := s.run(r)
			payloads, want := numbered("order", 1, 1200)
			var publishing sync.WaitGroup
			publishing.Go(func() {
				for _, part := range [][]string{payloads[:300], payloads[300:800], payloads[800:]} {
					s.publish("orders.new", part...)
				}
			})
			for round := range 8 {
				info, err := s.js.StreamInfo("WALL_main")
				if err != nil {
					t.Fatal(err)
				}
				info.Config.Duplicates = 100 * time.Millisecond
				if _, err := s.js.UpdateStream(&info.Config); err != nil {
					t.Fatal(err)
				}
				s.eventually("some more is shown", func() bool {
					now, err := s.js.StreamInfo("WALL_main")
					return err == nil && now.State.Msgs >= min(info.State.Msgs+uint64(20*round)+1, 1200)
				})
				if round%2 == 0 {
					p.crash()
				} else {
					p.stop()
				}
				time.Sleep(150 * time.Millisecond) // the outage outlasts the window
				p = s.run(r)
			}
			publishing.Wait()
			p.shown(want...)
		})
	}
}

func TestEvictedWhileAway(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 5, "orders.>")
	r := rule("orders.>", "order")
	p := s.run(r)
	s.publish("orders.new", "1", "2")
	p.shown("order 1", "order 2")
	p.crash()
	payloads, _ := numbered("", 3, 22)
	s.publish("orders.new", payloads...)
	p = s.begin(r)
	p.shown("order 1", "order 2", "order 18", "order 19", "order 20", "order 21", "order 22")

	p.crash() // and with nothing left that would take the warning back
	s.publish("orders.new", "23", "24", "25")
	if err := s.js.PurgeStream("ORDERS"); err != nil {
		t.Fatal(err)
	}
	p = s.begin(r)
	p.warns(r, "the stream ORDERS has deleted up to 3 messages of \"orders.>\" before they could be read (23 to 25)")
	s.publish("orders.new", "26")
	p.shown("order 1", "order 2", "order 18", "order 19", "order 20", "order 21", "order 22", "order 26")
}

func TestWhatTheRuleDoesNotMatchIsNoLoss(t *testing.T) {
	s := newSystem(t)
	s.stream("ORDERS", 5, "orders.>")
	r := rule("orders.new", "order")
	p := s.run(r)
	p.stop()
	p = s.begin(r) // one that may save its position soon
	payloads, _ := numbered("", 1, 50)
	s.publish("orders.old", payloads...)
	s.eventually("the position has moved on", func() bool {
		mark, err := p.store.LastMark(t.Context(), r.Name(), []string{"main"})
		return err == nil && strings.Contains(string(mark.Cursor), `"seq":50`)
	})
	p.crash()
	p = s.run(r)
	s.publish("orders.new", "one")
	p.shown("order one")
	if st := p.status(r); st.Warning != "" || st.LastError != "" {
		t.Errorf("status %+v", st)
	}
}

// A producer that comes over the listener lives in another account; what it
// publishes comes by way of an import.
func TestAProducerOfTheEmbeddedServer(t *testing.T) {
	server, err := embed.Start(embed.Config{
		Folder: t.TempDir(), Listen: "127.0.0.1:0", Unsynced: true,
		Authenticate: func(string, string) ([]string, bool) { return []string{"orders.>"}, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s := &system{t: t, server: server}
	s.nc = s.connect()
	if s.js, err = s.nc.JetStream(); err != nil {
		t.Fatal(err)
	}
	rules := []nats.Rule{rule("orders.eu.*", "order"), {Wall: "other", Subject: "orders.>", Kind: "all"}}
	shop, err := client.Connect(server.ClientURL(), client.UserInfo("shop", "x"), client.CustomInboxPrefix("_INBOX.shop"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shop.Close)
	if err := server.SetForeign(nats.Subjects(rules)); err != nil {
		t.Fatal(err)
	}
	p := s.run(rules...)
	if _, err := shop.Request("orders.eu.new", []byte("one"), 300*time.Millisecond); err == nil {
		t.Error("a request was answered by us")
	}
	if err := shop.Publish("orders.eu.new", []byte("two")); err != nil {
		t.Fatal(err)
	}
	p.shown("order one", "order two")
	p.shownOn("other", "all one", "all two")
}
