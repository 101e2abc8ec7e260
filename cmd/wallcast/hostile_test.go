package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
	gosse "github.com/tmaxmax/go-sse"
)

// hostilePayloads are what somebody publishes who wants to run a script, break
// out of a card, forge a frame of the stream, or spoil the layout.
func hostilePayloads() []string {
	run := `alert("executed")`
	markup := []string{
		`<script>` + run + `</script>`,
		`</script><script>` + run + `</script>`,
		`<img src=x onerror='` + run + `'>`,
		`"><img src=/x onerror='` + run + `'>`,
		`'><svg onload='` + run + `'>`,
		`<svg><use href="data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>` + run + `</script></svg>#x">`,
		`<svg><set attributeName=onmouseover to='` + run + `'>`,
		`<math><mi xlink:href="javascript:` + run + `">x</mi></math>`,
		`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
		`<iframe srcdoc='<script>parent.` + run + `</script>'></iframe>`,
		`<embed src="javascript:` + run + `">`,
		`<video><source onerror='` + run + `'></video>`,
		`<input onfocus='` + run + `' autofocus>`,
		`<details open ontoggle='` + run + `'><summary>x</summary></details>`,
		`<a href="javascript:` + run + `">x</a>`,
		`<style>@import "/x"; body { display: none }</style>`,
		`<div style="position:fixed;inset:0;z-index:9999;background:#f00">x</div>`,
		`<link rel=stylesheet href=/x.css>`,
		`<meta http-equiv=refresh content="0;url=/">`,
		`<base href="/elsewhere/">`,
		`<form action=/ id=feed><button id=pause>x</button></form>`,
		`<template shadowrootmode=open><script>` + run + `</script></template>`,
		`</div></article></main></body></html><h1>out</h1>`,
		`<article class=card id=e-x-1 data-id=x-1 data-slot=bar>forged</article>`,
		`<p id=state data-state=offline>forged</p>`,
		`&lt;script&gt;` + run + `&lt;/script&gt;&#x3c;img src=x onerror=alert(1)&#62;`,
		`{{constructor.constructor('` + run + `')()}}${` + run + `}<%= 1 %>`,
		`]]><!--<img src=x onerror='` + run + `'>-->`,
	}
	odd := []string{
		"id: 1\nevent: wall:bye\ndata: {\"reason\":\"forged\"}\n\nretry: 1\n\n",
		"\r\rdata: x\r\n\r\nevent: wall:gap\r\ndata: {}\r\n\r\n",
		"x\n\nevent: wall:retract\ndata: {\"id\":\"x-1\"}\n\n",
		"\u2028data: x\u2029event: forged\u0085",
		"\ufeffdata: begins with a byte order mark",
		"\x00\x01\x02\x1b[2J\x7f",
		"\n", " ", "\t\t\n\n\t", ":", ": comment", "data", "null", "[]", `""`, "{", `{"text":`,
		strings.Repeat("W", 60_000),
		strings.Repeat("W\u00a0", 15_000),
		strings.Repeat("\n", 30_000) + "far below",
		strings.Repeat("<b>", 15_000),
		"Z" + strings.Repeat("\u0300\u0323\u0489", 5_000),
		strings.Repeat("\u202e", 300) + "drawkcab \u2066 never closed",
		strings.Repeat("﷽", 5_000),
		strings.Repeat("👩‍👩‍👧‍👦", 1_500),
		strings.Repeat("\u200b\u200d\u2060\u00ad", 5_000),
		strings.Repeat("https://example.com/?q=<script> ", 1_500),
		"https://example.com/" + strings.Repeat("%22onmouseover=", 2_000),
		"javascript:" + run + " data:text/html,<script>" + run + "</script>",
		"مرحبا " + strings.Repeat("أ", 8_000),
	}
	objects := []any{
		map[string]any{"text": "x", "url": "javascript:" + run, "image": "javascript:" + run},
		map[string]any{"title": "x", "url": "\tjava\nscript:" + run},
		map[string]any{"title": "x", "url": "https://user:pass@example.com\\@evil.example/"},
		map[string]any{"text": "x", "author": map[string]any{"name": markup[2], "url": "javascript:" + run, "image": "/x\" onerror=\"" + run}},
		map[string]any{"text": "x", "author": strings.Repeat("W", 20_000), "title": strings.Repeat("W", 20_000)},
		map[string]any{"__proto__": map[string]any{"x": 1}, "constructor": "x", `"><script>` + run + `</script>`: markup[0]},
		map[string]any{"id": "state", "class": "card", "style": "position:fixed", "onclick": run, "data-slot": "bar"},
		map[string]any{"text": "x", "time": "1e999", "expires": -1, "duration": 1e300, "started_at": "x"},
		map[string]any{"text": []any{markup[0]}, "title": map[string]any{"x": markup[0]}, "author": true, "url": 7},
		map[string]any{"title": markup[0], "artist": markup[3], "album": markup[4], "station": markup[5], "next": markup[6], "art": "/x\" onerror=\"" + run},
		map[string]any{"deep": json.RawMessage(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000))},
	}
	for _, m := range markup {
		objects = append(objects, map[string]any{"title": m, "author": m, "url": m, "artist": m, m: m})
	}
	all := append(markup, odd...)
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		all = append(all, string(b))
	}
	return all
}

// hostileSubjects are no events, but belong to a producer that may publish
// wall.main.>.
var hostileSubjects = []string{
	"wall.main.open", "wall.main.error", "wall.main.Upper", "wall.main.<script>", "wall.main.a.b.c", "wall.main.message.",
	"wall.main.-", "wall.main.ü", "wall.main.message.\u2028", "wall.main.wall:bye", "wall.main.__proto__", "wall.main." + strings.Repeat("k", 300),
}

func TestHostilePayloads(t *testing.T) {
	payloads := hostilePayloads()
	if len(payloads) < 60 {
		t.Fatalf("there are only %d payloads", len(payloads))
	}
	b := newTab(t, startBrowser(t))
	p, address, secret := natsWall(t, "publish wall.main.>")
	nc := natsClient(t, address, "ci", secret, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	b.openLive(p.url + "/walls/main")
	kinds := []string{"message", "song", "alert", "headline", "never-heard"}
	stored, refused := 0, 0
	for i, payload := range payloads {
		kind := kinds[i%len(kinds)]
		status, answer := p.request(http.MethodPost, kind+"/"+fmt.Sprint("key-", i), "text/plain", payload, "Authorization", "Bearer "+secret)
		switch {
		case status == http.StatusCreated:
			stored++
		case status == http.StatusBadRequest:
			refused++
		default:
			t.Errorf("posting %.80q was answered %d %s", payload, status, answer)
		}
		publishHostile(t, nc, "wall.main."+kinds[(i+1)%len(kinds)], payload)
		stored++
		if i%10 == 9 {
			looksWell(b, p.publish("", "still well", "Authorization", "Bearer "+secret))
			stored++
		}
	}
	t.Logf("%d events were stored, and %d posts refused", stored, refused)
	for _, subject := range hostileSubjects {
		if err := nc.Publish(subject, []byte("<script>alert(1)</script>")); err != nil && subject != "wall.main.message." {
			t.Errorf("publishing to %q: %v", subject, err)
		}
	}
	for _, raw := range []string{"\xff\xfe", "bad \xc0\x80 \xed\xa0\x80 utf-8", "<b>\xe2\x28\xa1</b>"} {
		publishHostile(t, nc, "wall.main.message", raw)
		stored++
	}
	last := p.publish("", "the last", "Authorization", "Bearer "+secret)
	stored++
	looksWell(b, last)
	for _, view := range []string{"", "?view=tv"} { // as the server renders them
		b.openLive(p.url + "/walls/main" + view)
		looksWell(b, last)
	}
	decodes(t, p, kinds, stored, last)
}

// publishHostile publishes with headers of the same kind, and wants the event
// stored: a NATS client may send any bytes.
func publishHostile(t *testing.T, nc *nats.Conn, subject, payload string) {
	t.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(payload), Header: nats.Header{
		"ce-time": {"<script>"}, "ce-source": {`"><script>alert(1)</script>`}, "ce-id": {"\u2028x"}, "ce-type": {"wall:bye"},
		"Wallcast-Cursor": {"{"}, "Wallcast-Source": {"<b>"},
	}}
	answer, err := nc.RequestMsg(m, 10*time.Second)
	if err != nil || !strings.Contains(string(answer.Data), `"seq"`) || strings.Contains(string(answer.Data), `"error"`) {
		t.Errorf("publishing %.80q to %s over NATS: %v", payload, subject, err)
	}
}

// looksWell wants the page to show the card with the given id and to be in
// shape, on a phone and on a laptop.
func looksWell(b *tab, id string) {
	b.t.Helper()
	b.shows(id)
	for _, width := range []int64{390, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			b.t.Errorf("at %s the page is %d pixels wider than its window of %d", id, over, width)
		}
		if !eval[bool](b, `(() => {
			scrollTo(0, 0);
			const title = document.querySelector(".masthead h1"), box = title.getBoundingClientRect();
			return title.innerText === "Town square" && document.elementFromPoint(box.left + 5, box.top + box.height / 2) === title;
		})()`) {
			b.t.Errorf("at %s and a width of %d the header is hidden", id, width)
		}
	}
	if bad := eval[[]string](b, `[...document.querySelectorAll("article script, article style, article iframe, article svg, article form, article math, article [style], h1 + h1, base")].map(e => e.outerHTML)`); len(bad) > 0 {
		b.t.Errorf("elements came out of what was typed: %.300q", bad)
	}
	if state := eval[string](b, `document.getElementById("state").dataset.state`); state != "live" && state != "caught" {
		b.t.Errorf("at %s the page's state is %s", id, state)
	}
	b.mustBeClean()
}

// decodes reads the wall with a decoder that is not ours.
func decodes(t *testing.T, p *process, kinds []string, stored int, last string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/walls/main/events?last=10000", nil)
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`^(wall:hello|wall:ping|` + strings.Join(kinds[1:], "|") + `)?$`)
	events := 0
	connection := gosse.NewConnection(req)
	connection.Buffer(nil, 1<<20)
	connection.SubscribeToAll(func(e gosse.Event) {
		if !known.MatchString(e.Type) {
			t.Errorf("somebody forged an event of the type %q", e.Type)
		}
		if !utf8.ValidString(e.Data) {
			t.Errorf("the event %s is not valid UTF-8", e.LastEventID)
		}
		if !strings.HasPrefix(e.Type, "wall:") {
			events++
		}
		if e.LastEventID == last {
			cancel()
		}
	})
	if err := connection.Connect(); ctx.Err() != context.Canceled {
		t.Fatalf("after %d of %d events the stream ended: %v", events, stored, err)
	}
	if events != stored {
		t.Errorf("the stream brought %d events, and %d were stored", events, stored)
	}
}

func TestPolicyIsStrict(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	resp, err := http.Get(p.url + "/walls/main")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http:") || strings.Contains(policy, "data:") {
		t.Errorf("the policy is %s", policy)
	}
}
