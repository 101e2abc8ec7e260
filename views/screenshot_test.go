package views_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
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
	for _, shot := range []struct {
		name          string
		query         string
		width, height int64
		scale         float64
	}{
		{"phone", "", 390, 844, 2}, {"laptop", "", 1280, 800, 1}, {"tv", "?view=tv", 1920, 1080, 1}, {"long", "", 1280, 2600, 1}, {"phone-long", "", 390, 2800, 1},
	} {
		for _, name := range []string{"light", "dark"} {
			b.do(chromedp.EmulateViewport(shot.width, shot.height, chromedp.EmulateScale(shot.scale)), scheme(name),
				chromedp.Navigate(s.URL+"/walls/main"+shot.query))
			b.until(live)
			s.viewer()
			png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatalf("%s %s: %v", shot.name, name, err)
			}
			if err := os.WriteFile(filepath.Join(*screenshots, shot.name+"-"+name+".png"), png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
