package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// townWall is a wall with a kind for each slot of the page.
const townWall = `
walls:
  main:
    title: Town square
    keep: {events: 20000, bytes: 64MB}
    kinds:
      friend: {label: New friend, icon: "👋", color: "#2e7d32"}
      alert: {label: Notice, color: "#c62828", slot: banner}
      headline: {label: In brief, color: "#1565c0", slot: ticker}
      song: {label: On air, color: "#7b3fa0", slot: bar}
`

func TestDemoMovesAndShowsWhatCurlSends(t *testing.T) {
	curl := need(t, "curl")
	b := newTab(t, startBrowser(t))
	p := startProgram(t, t.TempDir(), freeAddress(t))
	b.openLive(p.url + "/walls/main")
	b.until(`put.length >= document.querySelectorAll(".card").length && document.querySelectorAll("#feed .card").length >= 2`)
	before := eval[int](b, `put.length`)
	b.until(fmt.Sprintf(`put.length >= %d`, before+2)) // nobody has done anything

	var took []time.Duration
	for n := range 10 {
		text := fmt.Sprint("hello ", n)
		if out, err := exec.Command(curl, "-fsS", "-d", text, p.url+"/walls/main/events").CombinedOutput(); err != nil {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		returned := time.Now()
		mine := fmt.Sprintf(`[...document.querySelectorAll("#feed .card")].find(c => c.querySelector(".text")?.innerText === %q)`, text)
		b.until(mine + ` && painted[` + mine + `.dataset.id]`)
		painted := eval[float64](b, `painted[`+mine+`.dataset.id]`)
		took = append(took, time.UnixMicro(int64(painted*1000)).Sub(returned))
	}
	slices.Sort(took)
	t.Logf("from curl's return to the painted card: median %v, longest %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 2*time.Second {
		t.Errorf("a card takes %v to be painted", took)
	}
	if said := p.said.String(); !strings.HasPrefix(said, "\n  The wall is at   http://localhost:") || !strings.Contains(said, "curl -d 'hello'") {
		t.Errorf("the first words on the terminal are %q", said)
	}
}

func TestKindsHaveTheirSlotsAndColours(t *testing.T) {
	b := newTab(t, startBrowser(t))
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	b.openLive(p.url + "/walls/main")
	if !eval[bool](b, `document.body.innerText.includes("curl -d 'hello'")`) {
		t.Error("an empty wall does not say how to fill it")
	}
	colour := map[string]string{
		"friend": "rgb(46, 125, 50)", "alert": "rgb(198, 40, 40)", "headline": "rgb(21, 101, 192)", "song": "rgb(123, 63, 160)",
	}
	slot := map[string]string{"friend": "#feed", "alert": "#banner", "headline": "#ticker .strip", "song": "#bar"}
	look := func(id, kind string) {
		t.Helper()
		if !eval[bool](b, card(id)+`.parentElement.matches("`+slot[kind]+`")`) {
			t.Errorf("a card of the kind %s is not in %s", kind, slot[kind])
		}
		got := eval[string](b, `(() => { const e = document.createElement("i"); e.style.color = getComputedStyle(`+card(id)+`).getPropertyValue("--kind"); `+card(id)+`.append(e); const c = getComputedStyle(e).color; e.remove(); return c })()`)
		if got != colour[kind] {
			t.Errorf("the colour of the kind %s is %s, want %s", kind, got, colour[kind])
		}
		if !eval[bool](b, card(id)+`.querySelector(".badge") !== null && `+card(id)+`.checkVisibility()`) {
			t.Errorf("the card of the kind %s is hidden or has no badge", kind)
		}
	}
	ids := map[string]string{}
	for kind := range slot {
		ids[kind] = p.publish(kind, `{"text":"a `+kind+`","title":"of its own"}`)
		b.shows(ids[kind])
		look(ids[kind], kind)
	}
	// The rule has the tone of the badge: the kind's colour, fit to be read.
	rule := eval[string](b, `getComputedStyle(`+card(ids["friend"])+`, "::before").backgroundColor`)
	if badge := eval[string](b, `getComputedStyle(`+card(ids["friend"])+`.querySelector(".badge")).color`); rule != badge {
		t.Errorf("the rule over a friend is %s, and its badge %s", rule, badge)
	}

	// A kind that the page has not heard of, and one with a key.
	unknown := p.publish("never-heard", `{"depth":12}`)
	b.shows(unknown)
	if got := eval[string](b, card(unknown)+`.innerText`); !strings.Contains(got, "12") || !strings.Contains(strings.ToLower(got), "never") {
		t.Errorf("the card of an unknown kind says %q", got)
	}
	if !eval[bool](b, card(unknown)+`.parentElement.id === "feed" && document.getElementById("empty").hidden`) {
		t.Error("an unknown kind is not in the timeline, or the wall still counts as empty")
	}

	// The page that is loaded now shows the same as the one that was live.
	before := b.timeline()
	b.openLive(p.url + "/walls/main")
	for kind, id := range ids {
		b.shows(id)
		look(id, kind)
	}
	if after := b.timeline(); !slices.Equal(before, after) {
		t.Errorf("live the timeline was %v, loaded again it is %v", before, after)
	}
}

func TestKeyReplacesInPlaceAndRetractRemoves(t *testing.T) {
	browser := startBrowser(t)
	b, away := newTab(t, browser), newTab(t, browser)
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	gate := newProxy(t, p.address)
	first := p.publish("", "the first")
	b.openLive(p.url + "/walls/main")
	away.openLive(gate.URL + "/walls/main")

	old := p.publish("friend/kim", `{"text":"Kim is on the way"}`)
	above := p.publish("", "above")
	song := p.publish("song/jazz", `{"title":"One","artist":"Trio"}`)
	for _, tab := range []*tab{b, away} {
		tab.shows(above)
		tab.shows(song)
	}
	replaced := p.publish("friend/kim", `{"text":"Kim is here"}`)
	next := p.publish("song/jazz", `{"title":"Two","artist":"Trio"}`)
	for _, tab := range []*tab{b, away} {
		tab.shows(next)
		tab.until(card(old) + ` === null && ` + card(song) + ` === null`)
		if got, want := tab.timeline(), []string{first, replaced, above}; !slices.Equal(got, want) {
			t.Errorf("the timeline is %v, want the card replaced in its place: %v", got, want)
		}
	}

	// One page is away while a message, a keyed card and the song are retracted.
	gate.down()
	away.until(`document.getElementById("state").dataset.state === "reconnecting"`)
	for _, id := range []string{above, replaced, next} {
		p.retract(id)
		b.until(card(id) + ` === null`)
	}
	last := p.publish("", "the last")
	b.shows(last)
	if eval[int](away, `document.querySelectorAll(".card").length`) != 4 {
		t.Error("the page that is away has noticed something")
	}
	gate.up()
	away.shows(last)
	for _, tab := range []*tab{b, away} {
		tab.until(`document.querySelectorAll(".card").length === 2`)
		if got, want := tab.timeline(), []string{first, last}; !slices.Equal(got, want) {
			t.Errorf("after the retractions the timeline is %v, want %v", got, want)
		}
	}
	// Nor do older versions come back on a page that is loaded now.
	b.openLive(p.url + "/walls/main")
	if n := eval[int](b, `document.querySelectorAll(".card").length`); n != 2 {
		t.Errorf("the page loaded again has %d cards, want 2", n)
	}
}

// TestPageSurvivesARestart ends the program while a proxy answers 502.
func TestPageSurvivesARestart(t *testing.T) {
	const outage = 10 * time.Second
	for _, c := range []struct {
		name string
		end  func(*process)
	}{{"SIGTERM", (*process).stop}, {"SIGKILL", (*process).kill}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, startBrowser(t))
			folder, address := t.TempDir(), freeAddress(t)
			p := serveConfig(t, folder, address, townWall)
			gate := newProxy(t, address)
			want := []string{p.publish("", "before")}
			b.openLive(gate.URL + "/walls/main")
			want = append(want, p.publish("", "live"))
			b.shows(want[1])

			gate.down()
			down := time.Now()
			for n := range 20 {
				want = append(want, p.publish("", fmt.Sprint("while away ", n)))
			}
			c.end(p)
			p = serveConfig(t, folder, address, townWall)
			for n := range 20 {
				want = append(want, p.publish("", fmt.Sprint("after the restart ", n)))
			}
			b.until(`document.getElementById("state").dataset.state === "reconnecting"`)
			if text := eval[string](b, `document.getElementById("state").innerText`); text != "Reconnecting" {
				t.Errorf("the page shows its state as %q", text)
			}
			if !eval[bool](b, `document.getElementById("state").checkVisibility()`) {
				t.Error("the page's state is hidden")
			}
			<-time.After(time.Until(down.Add(outage))) // what is tested is a long outage
			if gate.refusals() < 2 {
				t.Errorf("the page tried %d times in vain", gate.refusals())
			}
			gate.up()
			up := time.Now()
			b.shows(want[len(want)-1])
			t.Logf("back %v after the proxy, which had refused %d times", time.Since(up).Round(10*time.Millisecond), gate.refusals())
			b.until(`document.getElementById("state").textContent === "40 while away"`)
			if got := b.timeline(); !slices.Equal(got, want) {
				t.Errorf("the timeline is %v, want %v", got, want)
			}
			if put := eval[[]string](b, "put"); !slices.Equal(slices.Sorted(slices.Values(put)), slices.Sorted(slices.Values(want))) {
				t.Errorf("the cards put on the page were %v, want each once: %v", put, want)
			}
			want = append(want, p.publish("", "live again"))
			b.shows(want[len(want)-1])
			b.until(live)
		})
	}
}

func TestPageWithoutJavaScriptIsComplete(t *testing.T) {
	b := newTab(t, startBrowser(t))
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	for n := range 40 {
		p.publish("", fmt.Sprintf("message number %02d.", n))
	}
	p.publish("friend", `{"text":"joined","author":"Kim"}`)
	p.publish("alert/bridge", `{"text":"The bridge is closed"}`)
	p.publish("song/jazz", `{"title":"Blue Hour","artist":"Trio"}`)
	p.publish("headline", `Ferry every thirty minutes`)
	b.do(protocol(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open(p.url + "/walls/main")
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Town square", "As of ", "Kim", "New friend", "The bridge is closed", "Blue Hour", "Trio", "Ferry every", "number 39.", "number 11."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"Pause", "Nothing here yet", "number 10."} { // the timeline has thirty
		if strings.Contains(text, not) {
			t.Errorf("the page shows %q", not)
		}
	}
}

// TestSnapshotJoinsTheStream loads the page again and again while events arrive.
func TestSnapshotJoinsTheStream(t *testing.T) {
	const rate, loads, each = 200, 12, 60
	browser := startBrowser(t)
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	written, stop := writeAt(t, p, rate)
	for n := range loads {
		b := newTab(t, browser)
		b.openLive(p.url + "/walls/main")
		seen := `[...document.querySelectorAll("#feed .card")]`
		b.until(fmt.Sprintf(`put.length >= 30 + %d`, each+7*n)) // leave at another moment each time
		ids := b.timeline()
		if texts := eval[[]string](b, seen+`.map(c => c.innerText)`); len(texts) < each {
			t.Errorf("load %d: only %d cards", n, len(texts))
		}
		all := written()
		from := slices.Index(all, ids[0])
		if from < 0 || from+len(ids) > len(all) {
			t.Fatalf("load %d: the page begins with %s, which nobody wrote", n, ids[0])
		}
		if want := all[from : from+len(ids)]; !slices.Equal(ids, want) {
			t.Errorf("load %d: the page has %v, want %v", n, ids, want)
		}
		if put := eval[[]string](b, "put"); len(slices.Compact(slices.Sorted(slices.Values(put)))) != len(put) {
			t.Errorf("load %d: a card was put twice: %v", n, put)
		}
		b.mustBeClean()
		if err := chromedp.Cancel(b.ctx); err != nil {
			t.Error("closing the tab: ", err)
		}
	}
	stop()
}

// writeAt publishes rate events a second until stop is called. Written returns
// the ids so far, once they include what was acknowledged before the call.
func writeAt(t *testing.T, p *process, rate int) (written func() []string, stop func()) {
	var mu sync.Mutex
	var ids []string
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			status, answer := p.request(http.MethodPost, "", "text/plain", fmt.Sprintf("event %d", n))
			_, id, _ := strings.Cut(strings.TrimRight(answer, "\"}\n"), `{"id":"`)
			if status != http.StatusCreated {
				t.Errorf("event %d was answered %d %s", n, status, answer)
				return
			}
			mu.Lock()
			ids = append(ids, id)
			mu.Unlock()
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		writing.Wait()
	})
	t.Cleanup(stop)
	return func() []string {
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ids)
	}, stop
}

func TestTwoTabs(t *testing.T) {
	browser := startBrowser(t)
	one, two := newTab(t, browser), newTab(t, browser)
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	one.openLive(p.url + "/walls/main")
	two.openLive(p.url + "/walls/main")
	id := p.publish("", "for both")
	one.shows(id)
	two.shows(id)
	one.mustBeClean()
	if err := chromedp.Cancel(one.ctx); err != nil {
		t.Error("closing a tab: ", err)
	}
	id = p.publish("", "for the one that is left")
	two.shows(id)
}
