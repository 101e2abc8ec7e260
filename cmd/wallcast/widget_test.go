package main_test

import (
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const radioWall = `
walls:
  main:
    kinds:
      song: {label: On air, slot: bar}
sources:
  jazz: {nowplaying: {push: true, secret: s3cret, name: Town Jazz, covers: covers, debounce: 0s}, to: wall.main.song.jazz}
`

// radio is a station with a website elsewhere and a wall.
type radio struct {
	*process
	t            *testing.T
	website      *tab // another origin, with the widgets
	wall         *tab
	was          []string // the songs before
	artist, song string
}

// post tells what is on air, as automation does.
func (r *radio) post(artist, title, more string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"artist":%q,"title":%q%s}`, artist, title, more)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+"/hooks/jazz", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer s3cret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 {
		r.t.Fatalf("posting a song was answered %s %s, %v", resp.Status, answer, err)
	}
	if r.song != "" {
		r.was = slices.Insert(r.was, 0, r.artist+" - "+r.song)
	}
	r.artist, r.song = artist, title
}

// agree wants the song in the widgets, on the wall, and in the text.
func (r *radio) agree() {
	r.t.Helper()
	is := func(selector, text string) string {
		return fmt.Sprintf(`document.querySelector(%q)?.textContent.trim() === %q`, selector, text)
	}
	r.wall.until(is("#bar .title", r.song) + " && " + is("#bar .artist bdi", r.artist))
	for _, widget := range []string{"#pushed", "#polled"} {
		r.website.until(is(widget+" .title", r.song) + " && " + is(widget+" .artist", r.artist))
	}
	resp, err := http.Get(r.url + "/walls/main/nowplaying/jazz.txt")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != r.artist+" - "+r.song+"\n" {
		r.t.Errorf("the text says %q, %v, want %s - %s", text, err, r.artist, r.song)
	}
	if got := eval[[]string](r.website, `[...document.querySelectorAll("#pushed .history li")].map(i => i.textContent)`); !slices.Equal(got, r.was) {
		r.t.Errorf("the widget's history is %q, want %q", got, r.was)
	}
	if !eval[bool](r.website, is("#pushed .station", "Town Jazz")) {
		r.t.Error("the widget lacks the station's name")
	}
}

// shows wants a text in the widget that is pushed to.
func (r *radio) shows(selector, text string) {
	r.t.Helper()
	if got := eval[string](r.website, fmt.Sprintf(`document.querySelector("#pushed %s").textContent`, selector)); got != text {
		r.t.Errorf("%s of the widget is %q, want %q", selector, got, text)
	}
}

// TestAzuraCastWidget runs a widget of AzuraCast's in a page of another origin.
func TestAzuraCastWidget(t *testing.T) {
	browser := startBrowser(t)
	folder, address := t.TempDir(), freeAddress(t)
	if err := os.Mkdir(filepath.Join(folder, "covers"), 0o700); err != nil {
		t.Fatal(err)
	}
	cover, err := os.Create(filepath.Join(folder, "covers", "Trio.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(cover, image.NewGray(image.Rect(0, 0, 33, 33))); err != nil {
		t.Fatal(err)
	}
	if err := cover.Close(); err != nil {
		t.Fatal(err)
	}
	elsewhere := httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(elsewhere.Close)

	r := &radio{process: serveConfig(t, folder, address, radioWall), t: t}
	r.post("Trio", "Blue Hour", fmt.Sprintf(`,"duration":200,"listeners":12,"next":"Duo - Later","started_at":%d`, time.Now().Add(-50*time.Second).Unix()))
	r.wall, r.website = newTab(t, browser), newTab(t, browser)
	r.wall.openLive(r.url + "/walls/main")
	r.wall.until(`document.querySelector("#bar .title") !== null`)
	r.website.open(elsewhere.URL + "/widget.html?server=" + url.QueryEscape(r.url))
	r.agree()
	r.shows(".listeners", "12 listening")
	r.shows(".live", "")
	r.shows(".next", "Next: Duo - Later")
	r.website.until(`document.querySelector("#pushed .art").naturalWidth === 33`)
	const elapsed = `document.querySelector("#pushed .elapsed").value`
	first := eval[float64](r.website, elapsed)
	if most := eval[float64](r.website, `document.querySelector("#pushed .elapsed").max`); first < 49 || first > 120 || most != 200 {
		t.Errorf("the widget says that %v s of %v have passed, want about 50 of 200", first, most)
	}
	r.website.until(fmt.Sprintf(elapsed+" > %v", first)) // it goes on by itself
	if kinds := eval[[]string](r.website, "kinds"); !slices.Equal(kinds, []string{"connect"}) {
		t.Errorf("the first song came with %q", kinds)
	}

	r.post("Duo", "Later", "")
	r.agree()
	r.shows(".next", "")
	if !eval[bool](r.website, `document.querySelector("#pushed .elapsed").hidden`) {
		t.Error("the widget has a bar for a song of unknown duration")
	}
	r.website.until(`document.querySelector("#pushed .art").naturalWidth > 0 && document.querySelector("#pushed .art").naturalWidth !== 33`)
	r.post("Kim", "Night \"Shift\" <b>&amp;", `,"live":true,"dj":"Kim K"`)
	r.song = `Night "Shift" <b>&` // an entity is decoded once
	r.agree()
	r.shows(".live", "Live: Kim K")

	r.process.stop()
	r.process = startProgram(t, folder, address, "serve")
	r.website.until("opened === 2") // by itself
	r.agree()
	r.post("Trio", "After the Restart", `,"duration":100`)
	r.agree()
	r.shows(".live", "")
	r.website.until(`document.querySelector("#pushed .art").naturalWidth === 33`)

	pushed := slices.Compact(eval[[]string](r.website, "pushed"))
	if want := append(slices.Clone(r.was), r.artist+" - "+r.song); len(pushed) != len(want) {
		t.Errorf("the widget was told of %q", pushed)
	}
	if kinds := eval[[]string](r.website, `[...new Set(kinds)]`); !slices.Equal(kinds, []string{"connect", "pub station:jazz"}) {
		t.Errorf("the frames were %q", kinds)
	}
	if f := flag.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" {
		r.website.picture(filepath.Join(t.ArtifactDir(), "widget.png"))
	}
}

// picture writes how the page looks.
func (b *tab) picture(path string) {
	b.t.Helper()
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
