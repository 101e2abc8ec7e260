package main_test

import (
	"context"
	"fmt"
	"iter"
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

// watchPage runs before a page's own scripts. It keeps what a page must not do,
// and every card that was ever put on it with the time at which it was painted.
const watchPage = `
	window.violations = [];
	window.alert = (what) => violations.push("executed: " + what);
	document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.sample));
	window.put = [];
	window.painted = {};
	new MutationObserver((changes) => {
		for (const change of changes) for (const card of change.addedNodes) {
			if (!card.matches?.("article.card")) continue;
			put.push(card.dataset.id);
			requestAnimationFrame(() => setTimeout(() => painted[card.dataset.id] = performance.timeOrigin + performance.now()));
		}
	}).observe(document, {childList: true, subtree: true});`

// startBrowser starts Chromium, and skips the test where there is none. The
// context is for newTab.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(need(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
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
	return ctx
}

// tab is a tab of a browser. At the test's end it must not have broken its
// policy, run what was typed, or complained.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	ctx, expire := context.WithTimeout(ctx, 2*time.Minute)
	b := &tab{t: t, ctx: ctx}
	b.do(protocol(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}))
	var watching sync.WaitGroup
	messages := chromedp.Console(ctx)
	watching.Go(func() { b.watch(messages) })
	t.Cleanup(func() {
		b.mustBeClean()
		expire()
		cancel()
		watching.Wait()
	})
	b.do(protocol(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPage}))
	return b
}

// watch collects what the page complains about.
func (b *tab) watch(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return
		}
		// A stream that is cut or refused is part of what is tested.
		if m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleError && !strings.HasPrefix(m.Text, "Failed to load resource") {
			b.mu.Lock()
			b.complaints = append(b.complaints, m.Text)
			b.mu.Unlock()
		}
	}
}

func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// forgive takes back the complaints that hold a text: they were wanted.
func (b *tab) forgive(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = slices.DeleteFunc(b.complaints, func(c string) bool { return strings.Contains(c, text) })
}

func (b *tab) mustBeClean() {
	b.t.Helper()
	if b.ctx.Err() != nil {
		return
	}
	if bad := eval[[]string](b, "window.violations ?? []"); len(bad) > 0 {
		b.t.Errorf("the page violated its policy or ran what was typed: %q", bad)
	}
	if c := b.complained(); len(c) > 0 {
		b.t.Errorf("the page complained: %q", c)
	}
}

// do runs actions, and fails the test where one fails.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// open loads a page.
func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// openLive loads a wall's page and waits for its stream.
func (b *tab) openLive(address string) {
	b.t.Helper()
	b.open(address)
	b.until(live)
}

// until waits for a JavaScript expression to be true, also across a navigation.
func (b *tab) until(expression string) {
	b.t.Helper()
	promise := "new Promise(done => { const look = () => (" + expression + ") ? done(true) : setTimeout(look, 10); look() })"
	for deadline := time.Now().Add(40 * time.Second); ; {
		ctx, cancel := context.WithDeadline(b.ctx, deadline)
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](promise, chromedp.EvalAwaitPromise))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.t.Fatalf("waiting for %s: %v; the page complained %q and has %.2000s", expression, err, b.complained(), eval[string](b, "document.body?.innerText ?? ''"))
		}
	}
}

// shows waits for the card of the event with the given id.
func (b *tab) shows(id string) {
	b.t.Helper()
	b.until(card(id) + " !== null")
}

// card is the expression for an event's card.
func card(id string) string { return fmt.Sprintf(`document.getElementById("e-%s")`, id) }

// timeline returns the ids of the timeline's cards, the oldest first.
func (b *tab) timeline() []string {
	b.t.Helper()
	ids := eval[[]string](b, `[...document.querySelectorAll("#feed > *")].map(c => c.dataset.id ?? c.className)`)
	slices.Reverse(ids)
	return ids
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

// protocol is a command of Chromium's own protocol.
func protocol[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}
