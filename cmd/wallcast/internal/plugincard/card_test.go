package plugincard_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/plugincard"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/views"
)

func event(data string) stream.Event {
	return stream.Event{
		ID: stream.ID{Epoch: "k3v9x2ab", Seq: 7}, Subject: stream.Subject{Wall: "main", Kind: "hello", Key: "ada"},
		Time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Source: "hello", Data: []byte(data),
	}
}

func picture(src string) string {
	if !strings.HasPrefix(src, "https://pictures.example/") {
		return ""
	}
	return "/images/" + strings.TrimPrefix(src, "https://pictures.example/")
}

func TestCardsAreMadeOfTemplates(t *testing.T) {
	for _, c := range []struct{ template, data, want string }{
		{`<h2 class="title">{{.Title}}</h2>`, `{"title":"<b>&\"x"}`, `<h2 class="title">&lt;b&gt;&amp;&#34;x</h2>`},
		{`<p>{{.Text}} {{.Kind}}/{{.Key}} {{.Source}} {{.Time}}</p>`, `hi`, `<p>hi hello/ada hello 2026-11-22T12:00:00Z</p>`},
		{`<ul></ul>`, ``, ``},
		{`<a href="{{.URL}}">go</a>`, `{"url":"https://example.com/?a=1&b=2"}`, `<a href="https://example.com/?a=1&amp;b=2" rel="nofollow ugc noopener noreferrer">go</a>`},
		{`<a href="{{.URL}}">go</a>`, `{"url":"javascript:alert(1)"}`, `<a rel="nofollow ugc noopener noreferrer">go</a>`},
		{`<a href="{{.Data.x}}" rel="opener">go</a>`, `{"x":"javascript:alert(1)"}`, `<a rel="nofollow ugc noopener noreferrer">go</a>`},
		{`<a href="{{.Data.x}}">go</a>`, `{"x":"//evil.example/"}`, `<a rel="nofollow ugc noopener noreferrer">go</a>`},
		{`<img src="{{.Image}}" alt="">`, `{"image":"https://pictures.example/a.png"}`, `<img src="/images/a.png" alt=""/>`},
		{`<img src="{{image .Data.cover}}" alt="">`, `{"cover":"https://pictures.example/b.png"}`, `<img src="/images/b.png" alt=""/>`},
		{`<img src="{{.Data.cover}}" alt="">`, `{"cover":"/hooks/x"}`, `<img alt=""/>`},
		{`<img src="{{image .Data.cover}}" alt="">`, `{"cover":"https://evil.example/b.png"}`, `<img alt=""/>`},
		{`<ol>{{range $i, $x := .Data.items}}<li>{{$i}} {{$x.n}}</li>{{else}}<li>none</li>{{end}}</ol>`, `{"items":[{"n":1},{"n":12345678901234567890}]}`, `<ol><li>0 1</li><li>1 12345678901234567890</li></ol>`},
		{`<p class="{{.Data.c}}">x</p>`, `{"c":"card text banner"}`, `<p class="text">x</p>`},
		{`<p>{{if eq .Data.n "2"}}two{{else}}other{{end}}</p>`, `{"n":"2"}`, `<p>two</p>`},
		{"<p>{{.Text}}</p>", `{"text":"\u202eevil z\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"}`, "<p>evil z" + strings.Repeat("\u0301", 6) + "</p>"},
	} {
		card, err := plugincard.Compile("hello.card.html", c.template)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s was taken", c.template)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		got, err := card.Body(event(c.data), picture)
		if err != nil || got != c.want {
			t.Errorf("%s with %s became\n%s, %v, want\n%s", c.template, c.data, got, err, c.want)
		}
	}
}

// refused are templates that are not taken, with a word of the reason.
var refused = map[string]string{
	`<script>alert(1)</script>`:                            "<script>",
	`{{if .Data.x}}<script>alert(1)</script>{{end}}`:       "<script>",
	`<p onclick="alert(1)">x</p>`:                          "onclick",
	`<p {{if .Data.x}}onclick="alert(1)"{{end}}>x</p>`:     "onclick",
	`<p style="position:fixed">x</p>`:                      "style",
	`<style>*{display:none}</style>`:                       "<style>",
	`<form action="https://evil.example/"></form>`:         "<form>",
	`<iframe src="https://evil.example/"></iframe>`:        "<iframe>",
	`<svg><circle r="9"/></svg>`:                           "<svg>",
	`<math><mtext>x</mtext></math>`:                        "<math>",
	`<link rel="stylesheet" href="https://e.example/">`:    "<link>",
	`<meta http-equiv="refresh" content="0">`:              "<meta>",
	`<base href="https://evil.example/">`:                  "<base>",
	`<article>x</article>`:                                 "<article>",
	`</div></article><p>out</p>`:                           "</div>",
	`<p id="state">x</p>`:                                  "id",
	`<p data-id="k3v9x2ab-1">x</p>`:                        "data-id",
	`<p {{.Data.x}}="1">x</p>`:                             "attribute",
	`<a href="javascript:alert(1)">x</a>`:                  "http",
	`<a href="/hooks/x">x</a>`:                             "http",
	`<img src="https://evil.example/p.png" alt="">`:        "src",
	`<img src="/hooks/x" alt="">`:                          "src",
	`<p class="card">x</p>`:                                "class",
	`<p>x`:                                                 "not closed",
	`<b><p>x</b></p>`:                                      "closes nothing",
	`<p/>x`:                                                "not closed",
	`<p><div>x</div></p>`:                                  "browser",
	`<a href="{{.URL}}"><a href="{{.URL}}">x</a></a>`:      "browser",
	`<!doctype html><p>x</p>`:                              "doctype",
	`{{define "x"}}<p>x</p>{{end}}<p>{{template "x"}}</p>`: "one",
	`{{block "x" .}}<p>x</p>{{end}}`:                       "one",
	`<p>{{printf "%1000000000d" 1}}</p>`:                   "printf",
	`<p>{{html .Text}}</p>`:                                "html",
	`<p>{{call .Text}}</p>`:                                "call",
	`<p>{{step -5}}</p>`:                                   "step",
	`<p>{{.Text</p>`:                                       "",
	`<p title="{{.Text}}">x</p>`:                           "title",
	`{{range .Data}}{{range .}}{{range .}}{{range .}}{{range .}}x{{end}}{{end}}{{end}}{{end}}{{end}}`: "ranges",
	strings.Repeat("x", 40<<10): "bytes",
	"<p>\xff</p>":               "UTF-8",
	strings.Repeat("<b>", 50) + strings.Repeat("</b>", 50): "elements lie",
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for template, word := range refused {
		_, err := plugincard.Compile("x.card.html", template)
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.80s: %v, want something with %q", template, err, word)
		}
	}
}

func TestExecutionIsBounded(t *testing.T) {
	many := `{"items":[` + strings.Repeat("1,", 30_000) + `1],"text":"` + strings.Repeat("x", 20_000) + `"}`
	for name, c := range map[string]struct{ template, data, want string }{
		"number":  {`{{range 1000000000}}{{end}}`, `{}`, "steps"},
		"counter": {`{{$n := 1000000000}}{{range $n}}{{if $n}}{{end}}{{end}}`, `{}`, "steps"},
		"nested":  {`{{$d := .Data}}{{range $d.items}}{{range $d.items}}{{range $d.items}}{{end}}{{end}}{{end}}`, many, "steps"},
		"in tag":  {`<p lang="{{range 1000000000}}{{end}}">x</p>`, `{}`, "steps"},
		"shadow":  {`{{$_step := 1}}{{range 1000000000}}{{$_step := 2}}{{end}}`, `{}`, "steps"},
		"output":  {`<p>{{.Text}}</p>`, many, "bytes"},
		"repeat":  {`{{range .Data.items}}<p>xxxxxxxxxxxxxxxx</p>{{end}}`, many, "bytes"},
	} {
		card, err := plugincard.Compile("x.card.html", c.template)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		begin := time.Now()
		if _, err = card.Body(event(c.data), picture); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
		if took := time.Since(begin); took > 5*time.Second { // endless is meant, on a busy machine
			t.Errorf("%s took %v", name, took)
		}
	}
}

// FuzzBody: whatever template and payload come, what is made is safe.
func FuzzBody(f *testing.F) {
	for template := range refused {
		f.Add(template, `{"x":"javascript:alert(1)"}`)
	}
	for _, template := range []string{
		`<p lang="{{.Data.x}}" class="{{.Data.x}}">{{.Text}}{{.Data}}</p><a href="{{.Data.x}}">{{.Title}}</a><img src="{{.Data.x}}" alt="{{.Data.x}}">`,
		`<a href="https://example.com/{{.Data.x}}?q={{.Data.x}}">{{range .Data}}<b>{{.}}</b>{{end}}</a>`,
	} {
		for _, x := range []string{`\"><script>alert(1)</script>`, "javascript:alert(1)", "/hooks/x", "x\u202ey", " \tjava\nscript:x", "&#106;avascript:x"} {
			f.Add(template, `{"x":"`+x+`","text":"<img src=x onerror=alert(1)>"}`)
		}
	}
	elements, attributes := browserLists(f)
	f.Fuzz(func(t *testing.T, template, data string) {
		card, err := plugincard.Compile("x.card.html", template)
		if err != nil {
			return
		}
		body, err := card.Body(event(data), picture)
		if err != nil {
			return
		}
		w := views.Wall{Name: "main", Body: func(stream.Event, func(string) string) (string, bool) { return body, true }}
		whole, err := views.RenderCard(w, event(data))
		if err != nil {
			t.Fatal(err)
		}
		mustBeSafe(t, string(whole), elements, attributes)
	})
}

// browserLists are the lists of what the browser lets into a page.
func browserLists(t testing.TB) (elements, attributes map[string]bool) {
	t.Helper()
	script, err := os.ReadFile("../../../../views/assets/fragment.js")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) map[string]bool {
		set := map[string]bool{}
		found := regexp.MustCompile(`(?s)const ` + name + ` = new Set\((.*?)\);`).FindStringSubmatch(string(script))
		for _, quoted := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(found[1], -1) {
			for _, word := range strings.Fields(quoted[1]) {
				set[strings.ToLower(word)] = true
			}
		}
		return set
	}
	return read("elements"), read("attributes")
}

func mustBeSafe(t *testing.T, card string, elements, attributes map[string]bool) {
	t.Helper()
	for _, r := range card {
		if r < ' ' && r != '\n' || unicode.Is(unicode.Bidi_Control, r) && ('\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069') {
			t.Errorf("the card holds %U: %q", r, card)
		}
	}
	context := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(card+"<p>after</p>"), context)
	if err != nil || len(nodes) != 2 || nodes[0].Data != "article" || nodes[1].FirstChild.Data != "after" {
		t.Fatalf("the card is not one article (%v): %q", err, card)
	}
	for n := range nodes[0].Descendants() {
		if n.Type == html.TextNode {
			continue
		}
		if n.Type != html.ElementNode || n.Namespace != "" || !elements[n.Data] || n.Data == "article" {
			t.Errorf("the card holds %q: %q", n.Data, card)
		}
		linked := n.Data != "a"
		for _, a := range n.Attr {
			switch {
			case !attributes[a.Key], a.Key == "id", strings.HasPrefix(a.Key, "data-"):
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			case a.Key == "href" && !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://"):
				t.Errorf("a link leads to %q", a.Val)
			case a.Key == "src" && !strings.HasPrefix(a.Val, "/images/"):
				t.Errorf("a picture comes from %q", a.Val)
			case a.Key == "rel":
				linked = a.Val == "nofollow ugc noopener noreferrer"
			}
		}
		if !linked {
			t.Errorf("a link credits its target: %q", card)
		}
	}
}
