package views_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wallcast/wallcast/views"
)

// cardOf is the expression for the element of the event seq.
func cardOf(seq uint64) string { return fmt.Sprintf(`document.getElementById("e-%s")`, id(seq)) }

// timeline returns the sequences of the timeline's cards, from the top.
func timeline(b *tab) []string {
	return eval[[]string](b, `[...document.querySelectorAll("#feed > *")].map(c => c.dataset.id?.split("-")[1] ?? c.className)`)
}

func TestPageGoesOnWhereItWasRendered(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	if want := id(uint64(len(demoEvents))).String(); v.after != want {
		t.Errorf("the stream was asked for after %s, want %s", v.after, want)
	}
	v.send(event(20, time.Now(), "", `{"author":"Zoe","text":"a first card"}`))
	b.until(cardOf(20) + ` === document.getElementById("feed").firstElementChild`)
	if got := eval[string](b, cardOf(20)+`.innerText`); !strings.Contains(got, "Zoe") || !strings.Contains(got, "now") {
		t.Errorf("the card says %q", got)
	}

	v.send(event(21, time.Now(), "friend", `{"author":"Kim","text":"joined"}`))
	b.until(cardOf(21) + `?.parentElement.id === "feed"`)
	for _, scheme := range []string{"light", "dark"} {
		b.do(media("prefers-color-scheme", scheme))
		rule := eval[string](b, `getComputedStyle(`+cardOf(21)+`, "::before").backgroundColor`)
		if badge := eval[string](b, `getComputedStyle(`+cardOf(21)+`.querySelector(".badge")).color`); rule != badge {
			t.Errorf("%s: the rule over a friend is %s, the badge below it %s", scheme, rule, badge)
		}
		if plain := eval[string](b, `getComputedStyle(`+cardOf(20)+`, "::before").backgroundColor`); plain != "rgba(0, 0, 0, 0)" {
			t.Errorf("%s: the rule over a kind without a colour is %s", scheme, plain)
		}
	}
	v.send(event(22, time.Now(), "alert", `{"text":"a notice"}`))
	b.until(`document.querySelectorAll("#banner .card").length === 1 && ` + cardOf(22) + `.parentElement.id === "banner"`)
	v.send(event(23, time.Now(), "headline", `{"title":"a headline"}`))
	b.until(cardOf(23) + `?.parentElement.className === "strip"`)

	v.frame("", "wall:kind", `{"kind":"never-heard","label":"Never heard"}`)
	v.send(event(24, time.Now(), "never-heard", `{"depth":12}`))
	b.until(cardOf(24) + `?.innerText.includes("12")`)
	if got := eval[string](b, cardOf(24)+`.querySelector(".badge").innerText`); got != "Never heard" {
		t.Errorf("the badge of an unknown kind is %q", got)
	}
	if got := eval[string](b, cardOf(24)+`.getAttribute("aria-posinset")`); got != "1" {
		t.Errorf("aria-posinset is %q, want 1", got)
	}
}

func TestKeyedCardIsReplacedInPlaceAndRetracted(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(30, time.Now(), "friend/kim", `{"text":"is on the way"}`))
	v.send(event(31, time.Now(), "", `a message above`))
	b.until(cardOf(31))
	v.send(event(32, time.Now(), "friend/kim", `{"text":"is here"}`))
	b.until(cardOf(32))
	if got := timeline(b)[:3]; !slices.Equal(got, []string{"31", "32", "18"}) {
		t.Errorf("the timeline begins %v, want the card replaced in its place", got)
	}
	if got := eval[bool](b, cardOf(30)+` === null`); !got {
		t.Error("the older version is still there")
	}

	v.send(event(33, time.Now(), "song/jazz", `{"title":"Another song"}`))
	b.until(`document.querySelectorAll("#bar .card").length === 1 && ` + cardOf(33) + `?.innerText.includes("Another song")`)

	for _, seq := range []uint64{31, 32, 33} {
		v.frame(id(seq+10).String(), "wall:retract", fmt.Sprintf(`{"id":%q}`, id(seq)))
		b.until(cardOf(seq) + ` === null`)
	}
	if got := timeline(b)[0]; got != "18" {
		t.Errorf("the timeline begins with %s", got)
	}
	if n := eval[int](b, `document.querySelectorAll("#bar .card").length`); n != 0 {
		t.Errorf("%d cards are left in the bar", n)
	}
}

func TestNothingShowsTwice(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(20, time.Now(), "", "once"))
	v.send(event(20, time.Now(), "", "once"))
	eval[bool](b, cardOf(18)+`.mark = true`)
	v.send(event(18, time.Now(), "", "it was on the page"))
	v.send(event(21, time.Now(), "", "the end"))
	b.until(cardOf(21))
	if got := timeline(b)[:3]; !slices.Equal(got, []string{"21", "20", "18"}) {
		t.Errorf("the timeline begins %v", got)
	}
	if !eval[bool](b, cardOf(18)+`.mark === true`) {
		t.Error("a card that was there was made anew")
	}
}

func TestGapIsMarked(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(20, time.Now(), "", "before"))
	b.until(cardOf(20))
	v.frame("", "wall:gap", fmt.Sprintf(`{"from":%q,"first":%q,"reason":"expired"}`, id(20), id(17)))
	for seq := uint64(17); seq <= 22; seq++ {
		v.send(event(seq, time.Now(), "", "held"))
	}
	b.until(cardOf(22))
	if got := timeline(b); !slices.Equal(got, []string{"22", "21", "20", "19", "18", "17", "gap"}) {
		t.Errorf("the timeline is %v", got)
	}
	if n := eval[int](b, `document.querySelectorAll("#bar .card").length`); n != 1 {
		t.Errorf("the bar has %d cards, want the keyed one kept", n)
	}

	v.frame("", "wall:gap", `{"from":"k3v9x2ab-22","first":"newepoch-1","reason":"replaced"}`)
	e := event(1, time.Now(), "", "the first of the new store")
	e.ID.Epoch = "newepoch"
	v.send(e)
	b.until(`document.getElementById("e-newepoch-1")`)
	if got := timeline(b); !slices.Equal(got, []string{"1", "gap"}) {
		t.Errorf("the timeline is %v", got)
	}
}

func TestByeIsHonoured(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(20, time.Now(), "", "before"))
	b.until(cardOf(20))
	s.edit(func(p *views.Page) { p.Head = id(24) })
	said := time.Now()
	v.frame("", "wall:bye", `{"reason":"shutdown","retry":3500}`)
	v.wait()
	b.until(`document.getElementById("state").dataset.state === "reconnecting"`)
	v = s.viewer()
	if waited := time.Since(said); waited < 3500*time.Millisecond {
		t.Errorf("the page came back after %v", waited)
	}
	if want := id(20).String(); v.after != want {
		t.Errorf("the page came back after %s, want %s", v.after, want)
	}
	for seq := uint64(21); seq <= 24; seq++ {
		v.send(event(seq, time.Now(), "", "meanwhile"))
	}
	b.until(`document.getElementById("state").textContent === "4 while away"`)
	if got := timeline(b)[:5]; !slices.Equal(got, []string{"24", "23", "22", "21", "20"}) {
		t.Errorf("the timeline begins %v", got)
	}
}

func TestPageSurvivesAProxyThatAnswers502(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(20, time.Now(), "", "before"))
	b.until(cardOf(20))
	s.mu.Lock()
	s.refuse = true
	s.mu.Unlock()
	v.end()
	b.until(`document.getElementById("state").dataset.state === "reconnecting"`)
	b.until(`(skipped = 31_000, document.getElementById("state").dataset.state === "offline")`)
	if got := eval[string](b, `document.getElementById("state").textContent`); !strings.HasPrefix(got, "Offline since ") {
		t.Errorf("the state is %q", got)
	}
	s.mu.Lock()
	s.refuse = false
	refused := s.refused
	s.mu.Unlock()
	if refused < 2 {
		t.Errorf("the page tried %d times in vain", refused)
	}
	if v = s.viewer(); v.after != id(20).String() {
		t.Errorf("the page came back after %s", v.after)
	}
	v.send(event(21, time.Now(), "", "after"))
	b.until(cardOf(21) + ` && ` + live)
}

// TestWaitsAfterAnOutageAreShortAndSpread reads the waits off the page's own timer,
// which it makes run out at once.
func TestWaitsAfterAnOutageAreShortAndSpread(t *testing.T) {
	s, b := newServer(t), browser(t)
	b.do(beforeScripts(`
		window.waits = [];
		const set = setTimeout;
		window.setTimeout = (f, wait, ...rest) => f.name === "open" ? (waits.push(wait), set(f, 5)) : set(f, wait, ...rest);`))
	v := b.open(s, "")
	s.mu.Lock()
	s.refuse = true
	s.mu.Unlock()
	v.end()
	b.until(`waits.length >= 60`)
	waits := eval[[]float64](b, `waits`)
	if waits[0] > 1000 {
		t.Errorf("the first wait is %v ms", waits[0])
	}
	if longest := slices.Max(waits); longest > 5000 || longest < 3000 {
		t.Errorf("the longest wait is %v ms, want about five seconds", longest)
	}
	if late := waits[10:]; slices.Max(late)-slices.Min(late) < 2000 {
		t.Errorf("the waits are not spread: %v", late)
	}
	s.mu.Lock()
	s.refuse = false
	s.mu.Unlock()
	b.until(live)
}

func TestSilenceRenewsTheStream(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.frame(id(19).String(), "wall:ping", `{"time":0,"viewers":7}`)
	b.until(`document.getElementById("state").textContent.includes("7 watching")`)
	eval[bool](b, `(skipped = 46_000, true)`)
	v.wait()
	if v = s.viewer(); v.after != id(19).String() {
		t.Errorf("the page came back after %s, want the id of the last ping", v.after)
	}
}

func TestStreamThatDoesNotBeginIsGivenUp(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	setMute := func(mute bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mute = mute
	}
	setMute(true)
	v.end()
	v = s.viewer()
	b.until(`document.getElementById("state").dataset.state === "reconnecting"`)
	setMute(false)
	eval[bool](b, `(skipped = 16_000, true)`)
	since := time.Now()
	v.wait()
	if waited := time.Since(since); waited > 10*time.Second {
		t.Errorf("it was given up %v after 16 seconds of nothing", waited)
	}
	s.viewer()
	b.until(live)
}

func TestPageLetsGoWhenItIsLeft(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	eval[bool](b, `dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
	v.wait()
	eval[bool](b, `dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	v = s.viewer()
	v.send(event(20, time.Now(), "", "caught up"))
	b.until(cardOf(20))
}

func TestReaderKeepsTheirPlace(t *testing.T) {
	s, b := newServer(t), browser(t)
	b.do(chromedp.EmulateViewport(390, 600))
	v := b.open(s, "")
	b.until(`(scrollTo(0, 900), scrollY === 900)`)
	before := eval[float64](b, cardOf(9)+`.getBoundingClientRect().top`)
	v.send(event(20, time.Now(), "", "one"))
	v.send(event(21, time.Now(), "friend", "two"))
	v.send(event(22, time.Now(), "alert", strings.Repeat("a much longer notice ", 12)))
	b.until(`document.getElementById("fresh").textContent === "2 new" && ` + cardOf(22) + ` !== null`)
	if after := eval[float64](b, cardOf(9)+`.getBoundingClientRect().top`); after-before > 1 || before-after > 1 {
		t.Errorf("the card being read moved from %v to %v", before, after)
	}
	if got := timeline(b)[0]; got != "18" {
		t.Errorf("%s was inserted above the reader", got)
	}
	b.do(chromedp.Click(chromedp.CSS("#fresh")))
	b.until(cardOf(21) + ` !== null && document.getElementById("fresh").hidden`)
	if got := timeline(b)[:3]; !slices.Equal(got, []string{"21", "20", "18"}) {
		t.Errorf("the timeline begins %v", got)
	}
	if top := eval[float64](b, cardOf(21)+`.getBoundingClientRect().top`); top < -1 || top > 600 {
		t.Errorf("the new card is at %v, out of sight", top)
	}

	b.until(`(scrollTo(0, 0), scrollY === 0)`)
	eval[bool](b, `(`+cardOf(18)+`.focus(), true)`)
	v.send(event(23, time.Now(), "", "under the focus"))
	b.until(`!document.getElementById("fresh").hidden`)
	b.do(chromedp.KeyEvent(kb.PageDown))
	b.until(`document.activeElement === ` + cardOf(17))
	eval[bool](b, `(document.activeElement.blur(), true)`)
	b.until(cardOf(23) + ` !== null`)
}

func TestPauseStopsEverything(t *testing.T) {
	s, b := newServer(t), browser(t)
	b.do(chromedp.EmulateViewport(1280, 800))
	v := b.open(s, "")
	b.do(chromedp.Click(chromedp.CSS("#pause")))
	b.until(`document.getElementById("state").textContent === "Paused"`)
	v.send(event(20, time.Now(), "", "one"))
	v.send(event(21, time.Now(), "song/jazz", `{"title":"next song"}`))
	v.frame(id(22).String(), "wall:ping", `{"time":0,"viewers":9}`)
	v.frame(id(23).String(), "wall:retract", fmt.Sprintf(`{"id":%q}`, id(10)))
	b.until(cardOf(10) + ` === null`) // what is taken back goes at once

	before := eval[string](b, `document.body.innerText`)
	if !strings.Contains(before, " / 4:16") {
		t.Errorf("the page does not show how far the song is: %q", before)
	}
	eval[bool](b, `(skipped = 70_000, new Promise(done => setTimeout(() => done(true), 6500)))`) // times are written every five seconds
	if after := eval[string](b, `document.body.innerText`); after != before {
		t.Errorf("after Pause the page changed from %q to %q", before, after)
	}
	b.do(chromedp.Click(chromedp.CSS("#pause")))
	b.until(cardOf(20) + ` !== null && ` + cardOf(21) + ` !== null`)
	b.until(live)
}

func TestFloodKeepsThePageSmall(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	for seq := uint64(100); seq < 1100; seq++ {
		v.send(event(seq, time.Now(), []string{"", "friend", "headline"}[seq%3], fmt.Sprintf("number %d", seq)))
	}
	b.until(cardOf(1099))
	if n := eval[int](b, `document.querySelectorAll(".card").length`); n > 200 {
		t.Errorf("the page holds %d cards", n)
	}
	if n := eval[int](b, `document.querySelectorAll(".fresh").length`); n > 3 {
		t.Errorf("%d cards move", n)
	}
	if got := timeline(b); !slices.IsSortedFunc(got, func(a, b string) int { return len(b)*100 - len(a)*100 + strings.Compare(b, a) }) {
		t.Errorf("the timeline is out of order: %v", got)
	}
}

func TestSongOutlivesAFloodBehindTheReader(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	b.do(chromedp.Click(chromedp.CSS("#pause")))
	v.send(event(99, time.Now(), "song/jazz", `{"title":"the newest song"}`))
	for seq := uint64(100); seq < 700; seq++ {
		v.send(event(seq, time.Now(), "", "talk"))
	}
	v.frame(id(700).String(), "wall:retract", fmt.Sprintf(`{"id":%q}`, id(18)))
	b.until(cardOf(18) + ` === null`) // so all of it has arrived
	b.do(chromedp.Click(chromedp.CSS("#pause")))
	b.until(cardOf(99) + ` !== null && ` + cardOf(699) + ` !== null`)
}

func TestCardExpires(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	v.send(event(20, time.Now(), "", fmt.Sprintf(`{"text":"soon gone","expires":%d}`, time.Now().Add(time.Hour).Unix())))
	v.send(event(21, time.Now(), "", fmt.Sprintf(`{"text":"gone","expires":%d}`, time.Now().Add(-time.Hour).Unix())))
	b.until(cardOf(20))
	eval[bool](b, `(skipped = 3_601_000, true)`)
	b.until(cardOf(20) + ` === null && ` + cardOf(21) + ` === null`)
}

func TestTelevisionTakesUpANewBuild(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "?view=tv")
	s.edit(func(p *views.Page) { p.Build = "b2" })
	v.end()
	s.viewer()     // the same page, told of the new build
	v = s.viewer() // the reloaded one
	b.until(`document.body.dataset.build === "b2" && ` + live)

	// Another process still serves the old page: no reloading for ever.
	s.edit(func(p *views.Page) { p.Build = "b3" })
	s.mu.Lock()
	s.staleBuild = "b2"
	s.mu.Unlock()
	v.end()
	s.viewer()
	v = s.viewer()
	b.until(`history.state?.build === "b3" && ` + live)
	select {
	case <-v.gone:
		t.Error("the page was reloaded twice for one build")
	case <-time.After(2500 * time.Millisecond): // a reload comes within two seconds
	}
}

func TestOrdinaryPageIsNotReloaded(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	s.edit(func(p *views.Page) { p.Build = "b2" })
	v.end()
	v = s.viewer()
	v.send(event(20, time.Now(), "", "still here"))
	b.until(cardOf(20))
	if got := eval[string](b, `document.body.dataset.build`); got != "b1" {
		t.Errorf("the page was reloaded as build %s", got)
	}
}

func TestPageIsCompleteWithoutJavaScript(t *testing.T) {
	s, b := newServer(t), browser(t)
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}), chromedp.Navigate(s.URL+"/walls/main"))
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Town square", "As of ", "Yèkèrmo Sèw", "Market Street", "It is a sauna.", "Swimming hall", "Older posts", "UTC", "New friend"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"Pause", "Nothing here yet"} {
		if strings.Contains(text, not) {
			t.Errorf("the page shows %q", not)
		}
	}
}

func TestPictureThatCannotBeHadLeavesNoFrame(t *testing.T) {
	s, b := newServer(t), browser(t)
	w := demoWall
	w.Image = func(src string) string { return src }
	s.edit(func(p *views.Page) {
		p.Wall = w
		p.Events = append(p.Events, event(30, time.Now(), "song/rock", `{"artist":"A","title":"T","art":"/missing.png"}`))
		p.Head = id(30)
	})
	v := b.open(s, "")
	b.until(cardOf(30) + ` && !` + cardOf(30) + `.querySelector("img")`)

	for i, picture := range []string{"/missing.png", "/cover.png"} {
		e := event(uint64(31+i), time.Now(), "song/jazz-"+fmt.Sprint(i), `{"artist":"A","title":"T","art":"`+picture+`"}`)
		card, err := views.RenderCard(w, e)
		if err != nil {
			t.Fatal(err)
		}
		v.frame(e.ID.String(), "song", string(card))
	}
	b.until(cardOf(32) + `?.querySelector("img")?.naturalWidth > 0`)
	b.until(cardOf(31) + ` && !` + cardOf(31) + `.querySelector("img")`)
	if !eval[bool](b, cardOf(32)+`.querySelector("img") !== null`) {
		t.Error("a picture that is there was taken off its card")
	}
}
