package views_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wallcast/wallcast/views"
)

var screenshots = flag.String("screenshots", "", "folder to write pictures of the demo wall to")

// TestScreenshots takes the pictures that people look at.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("wants -screenshots FOLDER")
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	b := browser(t)
	shoot := func(name string) {
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, shot := range []struct {
		name, query   string
		width, height int64
		scale         float64
	}{
		{"phone", "", 390, 844, 2},
		{"laptop", "", 1280, 800, 1},
		{"tv", "?view=tv", 1920, 1080, 1},
		{"laptop-whole", "", 1280, 2100, 1},
		{"phone-whole", "", 390, 2400, 1},
		{"zoomed", "", 640, 400, 2},
	} {
		for _, name := range []string{"light", "dark"} {
			b.do(chromedp.EmulateViewport(shot.width, shot.height, chromedp.EmulateScale(shot.scale)), media("prefers-color-scheme", name))
			b.open(s, shot.query)
			shoot(shot.name + "-" + name)
		}
	}

	b.do(chromedp.EmulateViewport(1280, 800), media("forced-colors", "active"))
	b.open(s, "")
	shoot("forced-colors")
	b.do(media("forced-colors", "none"))

	b.do(paper())
	b.open(s, "")
	shoot("print")

	b.do(chromedp.EmulateViewport(390, 844), media("prefers-color-scheme", "light"))
	v := b.open(s, "")
	b.until(`(scrollTo(0, 700), scrollY === 700)`)
	for seq := range uint64(12) {
		v.send(event(100+seq, time.Now(), "", "news"))
	}
	b.until(`document.getElementById("fresh").textContent === "12 new"`)
	shoot("held")
	v.end()
	s.viewer()

	b.do(chromedp.EmulateViewport(1280, 800))
	v = b.open(s, "")
	v.frame("", "wall:gap", `{"from":"k3v9x2ab-3","first":"k3v9x2ab-16"}`)
	v.frame("", "wall:bye", `{"retry":60000}`)
	b.until(`document.getElementById("state").dataset.state === "reconnecting"`)
	shoot("gap")

	s.edit(func(p *views.Page) {
		p.Events = append(p.Events,
			event(50, time.Now(), "song/news", `{"station":"Radio Square News","title":"Hour of the letters","artist":"With Ruth Adler and a very patient telephone, live from the small studio behind the town hall","state":"offline"}`),
			event(51, time.Now(), "alert/two", `{"title":"A second notice, with a key of its own"}`))
	})
	b.open(s, "")
	shoot("stations")
	b.do(chromedp.EmulateViewport(1920, 1080))
	b.open(s, "?view=tv")
	shoot("stations-tv")
	b.do(chromedp.EmulateViewport(1280, 800))

	s.edit(func(p *views.Page) { p.Wall.Lang, p.Wall.Title = "ar", "ساحة المدينة" })
	b.open(s, "")
	shoot("rtl")

	s.edit(func(p *views.Page) { p.Wall, p.Events, p.Older = demoWall, nil, "" })
	b.open(s, "")
	shoot("empty")

	s.edit(func(p *views.Page) {
		for i, payload := range hostile[30:] {
			p.Events = append(p.Events, event(uint64(100+i), time.Now(), []string{"", "song/x", "alert", "headline", "odd"}[i%5], payload))
		}
	})
	for _, width := range []int64{390, 1280} {
		b.do(chromedp.EmulateViewport(width, 2000))
		b.open(s, "")
		shoot(fmt.Sprint("hostile-", width))
	}
}
