package views_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wallcast/wallcast/views"
)

func TestHostilePayloadsInTheBrowser(t *testing.T) {
	s, b := newServer(t), browser(t)
	s.edit(func(p *views.Page) {
		for i, payload := range hostile {
			p.Events = append(p.Events, event(uint64(100+i), time.Now(), []string{"", "song/x", "alert", "headline", "odd"}[i%5], payload))
		}
		p.Head = id(uint64(100 + len(hostile)))
	})
	v := b.open(s, "")
	seq := uint64(1000)
	widest := func(address string) {
		t.Helper()
		for _, width := range []int64{390, 1280} {
			b.do(chromedp.EmulateViewport(width, 800))
			if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("with %q the page is %d pixels wider than its window of %d", address, over, width)
			}
		}
		if tall := eval[[]string](b, `[...document.querySelectorAll(".card")].filter(c => c.offsetHeight > 800).map(c => c.offsetHeight + " " + c.innerText.slice(0, 60))`); len(tall) > 0 {
			t.Errorf("cards taller than a screen: %q", tall)
		}
		if cut := eval[[]string](b, `[...document.querySelectorAll("#feed :is(.text, .title, dd, .by)")].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 60))`); len(cut) > 0 {
			t.Errorf("texts cut off at their side: %q", cut)
		}
	}
	for _, address := range []string{"", "song", "alert", "headline", "friend"} {
		for i, payload := range hostile {
			seq++
			where := address
			if address != "" {
				where = fmt.Sprintf("%s/key-%d", address, i)
			}
			v.send(event(seq, time.Now(), where, payload))
			// The slots that hold few cards are looked at while each is there.
			if i%3 == 2 && (address == "song" || address == "alert") {
				b.until(cardOf(seq) + ` && document.documentElement.scrollWidth <= innerWidth`)
			}
		}
		seq++
		v.send(event(seq, time.Now(), "", "marker"))
		b.until(cardOf(seq))
		widest(address)
	}
	if n := eval[int](b, `document.querySelectorAll("article script, article style, article iframe, article svg, article form, article [style], article [onclick]").length`); n > 0 {
		t.Errorf("%d elements came out of what was typed", n)
	}
}

// TestForgedFragmentIsTakenApart sends what our server never would.
func TestForgedFragmentIsTakenApart(t *testing.T) {
	s, b := newServer(t), browser(t)
	v := b.open(s, "")
	forged := func(seq uint64, inside string) string {
		return fmt.Sprintf(`<article class="card" id="e-%[1]s" data-id="%[1]s" data-kind="message" data-slot="timeline" onclick="alert(1)" style="color:red">%[2]s</article>`, id(seq), inside)
	}
	v.frame(id(20).String(), "", forged(20, `<img src=x onerror=alert(1)><img src="//evil.example/x"><script>alert(2)</script><svg onload=alert(3)></svg><a href="javascript:alert(4)" id="state">a</a><iframe src="/"></iframe><p style="x" onmouseover="alert(5)">left</p>`))
	v.frame(id(21).String(), "", forged(22, "another id than the frame's"))
	v.frame(id(23).String(), "", strings.Replace(forged(23, "x"), `id="e-`, `id="x-`, 1))
	v.frame("not an id", "", forged(24, "x"))
	v.frame(id(25).String(), "", "<p>no card</p>")
	v.frame(id(26).String(), "", "")
	v.frame(id(27).String(), "wall:retract", `{"id":"\"]#x"}`)
	v.frame(id(28).String(), "wall:gap-not", `{`)
	v.frame(id(28).String(), "wall:ping", `not json`)
	v.send(event(30, time.Now(), "", "the end"))
	b.until(cardOf(30))
	if got := timeline(b)[:3]; !slices.Equal(got, []string{"30", "20", "18"}) {
		t.Errorf("the timeline begins %v", got)
	}
	if got, want := eval[string](b, cardOf(20)+`.innerHTML`), `<img><img><a>a</a><p>left</p>`; got != want {
		t.Errorf("the forged card became %s, want %s", got, want)
	}
	b.refused("script-src-attr ", "style-src-attr ")
	if n := eval[int](b, cardOf(20)+`.attributes.length`); n > 8 {
		t.Errorf("the card kept its handlers: %s", eval[string](b, cardOf(20)+`.outerHTML`))
	}
}
