package main_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPluginCard brings, changes, breaks and removes a plugin's card.
func TestPluginCard(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\n")
	p.drop("hello.sh", shell("says"))
	p.command("trust", "hello")
	p.awaitPlugins("hello.sh")
	page := func() string {
		resp, err := http.Get(p.url + "/walls/main")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	p.drop("hello.card.html", `<h2 class="title">Own: {{.Text}}</h2>`)
	p.fire("hello", "x<b>")
	p.awaitHistory(1)
	p.await("the page has the plugin's card", func() bool {
		return strings.Contains(page(), `<h2 class="title">Own: says x&lt;b&gt;</h2>`)
	})
	p.drop("hello.card.html", `<p class="text">Other: {{.Text}}</p>`)
	p.await("the changed card is shown", func() bool { return strings.Contains(page(), `Other: says x&lt;b&gt;`) })
	p.fire("hello", "y")
	p.awaitHistory(2)
	p.drop("hello.card.html", `<p onclick="alert(1)">{{.Text}}</p>`)
	p.awaitPlugins(`hello.card.html is faulty`, "onclick")
	if body := page(); strings.Contains(body, "onclick") || !strings.Contains(body, "says y") {
		t.Error("the standard card is not shown where the plugin's is faulty")
	}
	p.drop("hello.card.html", `<p>{{index .Data "none" "deeper"}}</p>`)
	p.await("the standard card is shown where the plugin's fails", func() bool {
		return strings.Contains(page(), "says y") && strings.Contains(p.command("plugin", "list"), "standard cards are shown where it does")
	})
	if err := os.Remove(filepath.Join(p.cmd.Dir, "plugins", "hello.card.html")); err != nil {
		t.Fatal(err)
	}
	p.await("nothing is said of a card that is gone", func() bool { return !strings.Contains(p.command("plugin", "list"), "card.html") })
}

// TestHostilePluginCards shows cards of hostile templates and payloads in the
// browser, in a page that was rendered and in one that is open.
func TestHostilePluginCards(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\n")
	p.drop("hostile.sh", `#!/bin/sh
cat >/dev/null
cat <<'END'
{"data": {"x": "javascript:alert(1)", "text": "\"><img src=x onerror=alert(1)>"}}
{"data": {"x": "\" onmouseover=\"alert(1)", "text": "</p></div></article><script>alert(1)</script>"}}
{"data": {"x": "&#106;avascript:alert(1)", "text": "last one"}}
END
`)
	p.drop("hostile.card.html", `<p class="{{.Data.x}}" lang="{{.Data.x}}">{{.Text}}</p><a href="{{.Data.x}}">a</a><a href="https://example.com/{{.Data.x}}">b</a><img src="{{.Data.x}}" alt="{{.Data.x}}"><p class="source">mark</p>`)
	p.command("trust", "hostile")
	p.awaitPlugins("hostile.sh", "ready")
	tab := newTab(t, startBrowser(t))
	tab.openLive(p.url + "/walls/main")
	check := func(when string) {
		tab.until(`document.body.innerText.includes("last one")`)
		if n := eval[int](tab, `[...document.querySelectorAll("#feed .source")].filter(e => e.innerText == "mark").length`); n != 3 {
			t.Errorf("%s %d cards are of the template, want 3", when, n)
		}
		if n := eval[int](tab, `document.querySelectorAll("#feed article :is(script, [onerror], [onmouseover], img[src], a[href]:not([href^='https://example.com/']))").length`); n > 0 {
			t.Errorf("%s %d elements came out of what is hostile", when, n)
		}
	}
	p.fire("hostile", "")
	check("live,")
	tab.openLive(p.url + "/walls/main")
	check("rendered,")
	tab.mustBeClean()
}
