package views_test

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// live is the expression that the page's stream is open.
const live = `document.getElementById("state")?.dataset.state === "live"`

// tab is a page in a browser of the test's own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	forgiven   []string // beginnings of complaints that are expected
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
	// Not the test's context: that ends before the last look at the page.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("starting chromium: ", err)
	}
	ctx, expire := context.WithTimeout(ctx, 90*time.Second)
	b := &tab{t: t, ctx: ctx}
	var watching sync.WaitGroup
	messages := chromedp.Console(ctx)
	watching.Go(func() { b.watch(messages) })
	t.Cleanup(func() {
		b.mustBeClean()
		expire()
		watching.Wait()
	})
	b.do(beforeScripts(`
		window.violations = [];
		window.executed = [];
		window.alert = (what) => executed.push(String(what));
		document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.sample));
		window.skipped = 0;
		const clock = Date.now;
		Date.now = () => clock() + window.skipped;`))
	return b
}

// watch collects what the page complains about.
func (b *tab) watch(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return
		}
		// A stream that is refused is part of what is tested.
		if m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleError && !strings.HasPrefix(m.Text, "Failed to load resource") {
			b.mu.Lock()
			b.complaints = append(b.complaints, m.Text)
			b.mu.Unlock()
		}
	}
}

// mustBeClean fails the test when the page has run what it must not, or broken
// its own policy.
func (b *tab) mustBeClean() {
	b.t.Helper()
	if err := b.ctx.Err(); err != nil {
		b.t.Errorf("the browser was gone before the last look at the page: %v", err)
		return
	}
	if bad := eval[[]string](b, "[...violations, ...executed]"); len(bad) > 0 {
		b.t.Errorf("the page violated its policy or ran what was typed: %q", bad)
	}
	if c := b.complained(); len(c) > 0 {
		b.t.Errorf("the page complained: %q", c)
	}
}

// refused takes note that the page's policy refused what a forged fragment holds
// while it was parsed, and nothing else. The browser reports that for every
// parser, also for markup that never reaches the page.
func (b *tab) refused(directives ...string) {
	b.t.Helper()
	for _, violation := range eval[[]string](b, "violations.splice(0)") {
		if !slices.Contains(directives, violation) {
			b.t.Errorf("the page violated its policy: %q", violation)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgiven = []string{"Executing inline event handler violates", "Applying inline style violates"}
}

// beforeScripts runs source in every document before the page's own scripts.
func beforeScripts(source string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
		return err
	})
}

// open loads the wall's page and waits for its stream.
func (b *tab) open(s *server, query string) *viewer {
	b.t.Helper()
	b.do(chromedp.Navigate(s.URL + "/walls/main" + query))
	b.until(live)
	return s.viewer()
}

// complained returns what the page complained about so far.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.complaints), func(text string) bool {
		return slices.ContainsFunc(b.forgiven, func(beginning string) bool { return strings.HasPrefix(text, beginning) })
	})
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

// media makes the page believe that its reader's device has a feature.
func media(name, value string) chromedp.Action[chromedp.Void] {
	return emulate(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}

// paper makes the page believe that it is printed.
func paper() chromedp.Action[chromedp.Void] {
	return emulate(emulation.SetEmulatedMediaParams{Media: "print"})
}

func emulate(p emulation.SetEmulatedMediaParams) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, p)
		return err
	})
}
