package views_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wallcast/wallcast/stream"
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

	radio(t, s, b, shoot)

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

// radio takes pictures of a station in its states.
func radio(t *testing.T, s *server, b *tab, shoot func(string)) {
	t.Helper()
	recent := `"recent":[{"artist":"Nina Simone","title":"Sinnerman","started_at":"2026-11-22T10:00:00Z"},{"text":"Alice Coltrane - Journey in Satchidananda"},{"artist":"فيروز","title":"نسم علينا الهوى"}]`
	started := time.Now().Add(-100 * time.Second).UTC().Format(time.RFC3339)
	for name, data := range map[string]string{
		"playing": `{"station":"Jazz","state":"playing","artist":"Miles Davis","title":"So What","album":"Kind of Blue","started_at":"` + started + `","duration":545,"listeners":128,"next":{"artist":"John Coltrane","title":"Naima"},"art":"/cover.png",` + recent + `}`,
		"live":    `{"station":"Jazz","state":"live","title":"The Morning Show","live":true,"dj":"Ruth Adler","listeners":41,` + recent + `}`,
		"stale":   `{"station":"Jazz","state":"stale","artist":"Miles Davis","title":"So What","started_at":"` + started + `","duration":100,` + recent + `}`,
		"offline": `{"station":"Jazz","state":"offline","artist":"Miles Davis","title":"So What",` + recent + `}`,
		"long":    `{"station":"Radio Free Municipality of the Upper Valley","state":"playing","artist":"The Very Long Orchestra of Nowhere in Particular, with the Choir of the Other Side of the River and Friends","title":"Symphony in Three Movements for a Telephone, Two Typewriters and a Donaudampfschifffahrtsgesellschaftskapitänsmütze (Live at the Small Studio, 2026 Remaster)","started_at":"` + started + `","duration":1545,"listeners":100000,"next":{"artist":"Somebody With A Long Name Too","title":"Another Title That Does Not End So Soon"},` + recent + `}`,
		"rtl":     `{"station":"إذاعة الساحة","state":"playing","artist":"أم كلثوم","title":"إنت عمري","started_at":"` + started + `","duration":3545,"listeners":7,"next":{"artist":"فيروز","title":"نسم علينا الهوى"},` + recent + `}`,
	} {
		s.edit(func(p *views.Page) {
			p.Wall.Image = func(src string) string { return src }
			p.Events = []stream.Event{event(1, time.Now(), "song/jazz", data), event(2, time.Now(), "", "So good")}
			p.Older = ""
		})
		for _, width := range []int64{390, 1280} {
			b.do(chromedp.EmulateViewport(width, 640))
			b.open(s, "")
			eval[bool](b, `document.querySelector(".recent").toggleAttribute("open", true)`)
			shoot(fmt.Sprint("radio-", name, "-", width))
		}
		b.do(chromedp.EmulateViewport(1920, 1080))
		b.open(s, "?view=tv")
		shoot("radio-" + name + "-tv")
	}
	b.do(chromedp.EmulateViewport(1280, 800))
}
