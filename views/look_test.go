package views_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wallcast/wallcast/views"
)

// TestHeadlinesNameTheirKindWhereItTellsSomething looks at the rail, below whose
// heading one kind needs no badge.
func TestHeadlinesNameTheirKindWhereItTellsSomething(t *testing.T) {
	s, b := newServer(t), browser(t)
	s.edit(func(p *views.Page) {
		p.Wall.Kinds = maps.Clone(p.Wall.Kinds)
		p.Wall.Kinds["weather"] = views.Kind{Slot: views.Ticker}
	})
	const shown = `[...document.querySelectorAll("#ticker .badge")].every(b => getComputedStyle(b).clipPath === "none")`
	const named = `[...document.querySelectorAll("#ticker .badge")].every(b => b.textContent.trim() !== "" && getComputedStyle(b).display !== "none")`
	b.do(chromedp.EmulateViewport(1280, 800))
	v := b.open(s, "")
	if !eval[bool](b, shown) {
		t.Error("headlines of two kinds do not say which they are")
	}
	v.frame(id(30).String(), "wall:retract", fmt.Sprintf(`{"id":%q}`, id(6)))
	b.until(cardOf(6) + ` === null && !(` + shown + `)`)
	if !eval[bool](b, named) {
		t.Error("a headline has lost its kind for a screen reader")
	}
	b.do(chromedp.EmulateViewport(390, 800))
	if !eval[bool](b, shown) {
		t.Error("the strip, which has no heading, does not say what it shows")
	}
}

// TestTimeStandsOnTheFirstLine compares where the letters stand.
func TestTimeStandsOnTheFirstLine(t *testing.T) {
	s, b := newServer(t), browser(t)
	s.edit(func(p *views.Page) {
		p.Events = append(p.Events, event(19, time.Now(), "", `{"title":"A title first"}`))
	})
	// An empty inline block stands on the baseline of its line.
	b.do(beforeScripts(`window.baseline = (node) => {
		const probe = document.createElement("span");
		probe.style.display = "inline-block";
		node.prepend(probe);
		const bottom = probe.getBoundingClientRect().bottom;
		probe.remove();
		return bottom;
	};
	window.askew = () => [...document.querySelectorAll("#feed .card")].map(card => {
		const first = card.querySelector(".badge bdi, .by bdi, .title, .text");
		return [card.dataset.id, baseline(first) - baseline(card.querySelector("time"))];
	}).filter(([, by]) => Math.abs(by) > 1.01).map(String);`))
	for _, view := range []struct {
		query         string
		width, height int64
	}{{"", 390, 844}, {"", 1280, 800}, {"?view=tv", 1920, 1080}} {
		b.do(chromedp.EmulateViewport(view.width, view.height))
		b.open(s, view.query)
		if askew := eval[[]string](b, "askew()"); len(askew) > 0 {
			t.Errorf("%d wide%s: the time is off its line: %v", view.width, view.query, askew)
		}
	}
}

// TestArrivalStaysInItsRoom holds that what slides in is not seen over the bar, nor
// makes the page wider.
func TestArrivalStaysInItsRoom(t *testing.T) {
	s, b := newServer(t), browser(t)
	for _, width := range []int64{390, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		v := b.open(s, "")
		seq := uint64(100 + width)
		v.send(event(seq, time.Now(), "friend", `{"text":"here"}`))
		b.until(cardOf(seq) + `?.classList.contains("fresh")`)
		if wide := eval[float64](b, `document.documentElement.scrollWidth`); wide > float64(width) {
			t.Errorf("%d wide: the page scrolls sideways, to %v", width, wide)
		}
		eval[bool](b, `(document.getElementById("feed").getAnimations().forEach(a => { a.pause(); a.currentTime = 0 }), true)`)
		over := eval[bool](b, `(() => {
			const card = `+cardOf(seq)+`.getBoundingClientRect();
			const bar = document.querySelector("#bar .card").getBoundingClientRect();
			return card.top < bar.bottom && document.elementFromPoint(card.left + 20, bar.bottom - 8).closest("#bar") !== null;
		})()`)
		if !over {
			t.Errorf("%d wide: the card that slides in lies over the bar", width)
		}
	}
}
