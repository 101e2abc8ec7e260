package views_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// live is the expression that the page's stream is open.
const live = `document.getElementById("state")?.dataset.state === "live"`

var screenshots = flag.String("screenshots", "", "folder to write pictures of the demo wall to")

// tab is a page in a browser of the test's own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// browser starts Chromium, and skips the test where there is none.
func browser(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs chromium for the tests of the page: ", err)
		}
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("starting chromium: ", err)
	}
	ctx, expire := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(expire)
	b := &tab{t: t, ctx: ctx}
	b.watch()
	return b
}

// watch collects what the page complains about.
func (b *tab) watch() {
	messages := chromedp.Console(b.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleError {
				b.mu.Lock()
				b.complaints = append(b.complaints, m.Text)
				b.mu.Unlock()
			}
		}
	}()
}

// complained returns what the page complained about so far.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// do runs actions, and fails the test where one fails.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for a JavaScript expression to be true, also across a navigation.
func (b *tab) until(expression string) {
	b.t.Helper()
	promise := "new Promise(done => { const look = () => (" + expression + ") ? done(true) : setTimeout(look, 10); look() })"
	for deadline := time.Now().Add(30 * time.Second); ; {
		ctx, cancel := context.WithDeadline(b.ctx, deadline)
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](promise, chromedp.EvalAwaitPromise))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.t.Fatalf("waiting for %s: %v; the page complained %q and has %s", expression, err, b.complained(), eval[string](b, "document.body?.innerText ?? ''"))
		}
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// scheme makes the page believe that its reader prefers light or dark.
func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

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
