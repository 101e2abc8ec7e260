package views_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/views"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func render(t testing.TB, e stream.Event) string {
	t.Helper()
	b, err := views.RenderCard(demoWall, e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func renderPage(t testing.TB, p views.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := views.PageComponent(p).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCards compares cards with what somebody has looked at.
func TestCards(t *testing.T) {
	elements, attributes := allowed(t)
	for name, e := range map[string]stream.Event{
		"text":    event(1, noon, "", "hello from curl, see https://example.com/a_(b)."),
		"message": event(2, noon, "", `{"text":"two\n\n\n\nparagraphs","title":"A title","url":"https://example.com/x?a=1&b=2","author":{"name":"Noor","url":"https://example.com/noor"},"time":"2026-11-20T08:00:00+02:00","expires":"2026-12-01T00:00:00Z"}`),
		"friend":  event(3, noon, "friend/maya", `{"author":"Maya","text":"joined"}`),
		"fields":  event(4, noon, "order-shipped", `{"order_number":4711,"ok":true,"to":"Yard <9>","none":null,"parts":[1,2]}`),
		"song":    event(5, noon, "song/jazz", `{"station":"Jazz","artist":"A & B","title":"C","album":"D","started_at":1795348800,"duration":256.5,"next":{"artist":"E","title":"F"},"live":true}`),
		"off":     event(6, noon, "song/jazz", `{"station":"Jazz","title":"C","state":"offline","started_at":1795348800,"duration":10}`),
		"radio":   event(13, noon, "song/jazz", `{"station":"Jazz","state":"live","artist":"A","title":"C","dj":"Ruth","listeners":12,"recent":[{"artist":"E","title":"F","started_at":"2026-11-20T08:00:00Z"},{"text":"G - H"},{"title":""},7]}`),
		"stale":   event(14, noon, "song/jazz", `{"station":"Jazz","state":"unreachable","title":"C","started_at":1795348800,"duration":256}`),
		"alert":   event(7, noon, "alert", `careful`),
		"ticker":  event(8, noon, "headline", `{"title":"Read this","url":"http://example.com"}`),
		"link":    event(10, noon, "", `{"text":"see there","url":"https://www.example.com/page","author":{"name":"B","url":"https://example.com/b"}}`),
		"long":    event(11, noon, "", strings.Repeat("A sentence of a long text. ", 40)),
		"banner":  event(12, noon, "alert", `{"title":"Read","text":"this","url":"https://example.com/"}`),
		"picture": event(9, noon, "", `{"text":"look","image":"https://elsewhere.example/cat.jpg"}`),
	} {
		t.Run(name, func(t *testing.T) {
			mustBeSafe(t, e.ID.String(), render(t, e), elements, attributes)
			got := strings.ReplaceAll(render(t, e), "><", ">\n<") + "\n"
			path := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("the card looks different (-want +got):\n%s", d)
			}
		})
	}
}

func TestImageIsShownOnlyFromHere(t *testing.T) {
	w := demoWall
	w.Image = func(src string) string { return "/images/" + base64.RawURLEncoding.EncodeToString([]byte(src)) }
	e := event(1, noon, "", `{"text":"look","image":"https://elsewhere.example/cat.jpg","author":{"name":"A","image":"https://elsewhere.example/a.png"}}`)
	b, err := views.RenderCard(w, e)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), `src="/images/`); n != 2 {
		t.Errorf("%d images are shown, want the picture and the avatar: %s", n, b)
	}
	if strings.Contains(string(b), "elsewhere") {
		t.Errorf("the card names another host: %s", b)
	}
}

// allowed returns the browser's allow-lists, as they stand in fragment.js.
func allowed(t testing.TB) (elements, attributes map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("assets/fragment.js")
	if err != nil {
		t.Fatal(err)
	}
	list := func(name string) map[string]bool {
		found := regexp.MustCompile(`(?s)const ` + name + ` = new Set\((.*?)\);`).FindStringSubmatch(string(b))
		if found == nil {
			t.Fatalf("fragment.js has no list of %s", name)
		}
		set := map[string]bool{}
		for _, quoted := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(found[1], -1) {
			for _, word := range strings.Fields(quoted[1]) {
				set[strings.ToLower(word)] = true
			}
		}
		return set
	}
	return list("elements"), list("attributes")
}

// mustBeSafe parses a card as a browser does and checks that it is one article
// of what the browser's allow-list lets through.
func mustBeSafe(t testing.TB, id, card string, elements, attributes map[string]bool) {
	t.Helper()
	if !utf8.ValidString(card) {
		t.Error("the card is not valid UTF-8")
	}
	if len(card) > 64<<10 {
		t.Errorf("the card is %d bytes long", len(card))
	}
	marks := 0
	for _, r := range card {
		if !unicode.Is(unicode.Mn, r) {
			marks = 0
		} else if marks++; marks > 6 {
			t.Fatal("more than six marks sit on one character")
		}
		if r < ' ' && r != '\n' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			t.Errorf("the card holds %U", r)
		}
	}
	root := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(card), root)
	if err != nil || len(nodes) != 1 || nodes[0].Data != "article" {
		t.Fatalf("the card is not one article: %v, %d nodes\n%.2000s", err, len(nodes), card)
	}
	for n := range nodes[0].Descendants() {
		checkNode(t, id, n, elements, attributes)
	}
	checkNode(t, id, nodes[0], elements, attributes)
}

func checkNode(t testing.TB, id string, n *html.Node, elements, attributes map[string]bool) {
	t.Helper()
	switch {
	case n.Type == html.TextNode:
		return
	case n.Type != html.ElementNode || n.Namespace != "" || !elements[n.Data]:
		t.Errorf("the card holds %q (namespace %q)", n.Data, n.Namespace)
	}
	for _, a := range n.Attr {
		switch {
		case !attributes[a.Key]:
			t.Errorf("<%s> has the attribute %s=%q", n.Data, a.Key, a.Val)
		case a.Key == "id" && (a.Val != "e-"+id || n.Data != "article"):
			t.Errorf("<%s> has the id %q", n.Data, a.Val)
		case a.Key == "href" && !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://"):
			t.Errorf("a link leads to %q", a.Val)
		case a.Key == "src":
			t.Errorf("an image is loaded from %q", a.Val)
		}
	}
	if n.Data == "a" {
		for _, a := range n.Attr {
			if a.Key == "rel" && a.Val == "nofollow ugc noopener noreferrer" {
				return
			}
		}
		t.Error("a link credits its target")
	}
}

func TestHostilePayloadsAreData(t *testing.T) {
	if len(hostile) < 60 {
		t.Fatalf("only %d payloads", len(hostile))
	}
	elements, attributes := allowed(t)
	for i, payload := range hostile {
		for _, address := range []string{"", "unheard-of/key-1", "song/x", "alert", "headline"} {
			card := render(t, event(uint64(i+1), noon, address, payload))
			if strings.Contains(card, "<script") {
				t.Errorf("payload %d: %.200s", i, card)
			}
			mustBeSafe(t, id(uint64(i+1)).String(), card, elements, attributes)
		}
	}
}

func FuzzCard(f *testing.F) {
	for _, payload := range hostile {
		if len(payload) < 4000 {
			f.Add(payload)
		}
	}
	elements, attributes := allowed(f)
	f.Fuzz(func(t *testing.T, payload string) {
		for _, address := range []string{"", "song/x", "alert", "headline"} {
			mustBeSafe(t, id(1).String(), render(t, event(1, noon, address, payload)), elements, attributes)
		}
	})
}

func TestWhatIsNoEventHasNoCard(t *testing.T) {
	for _, e := range []stream.Event{{ID: id(1)}, {ID: id(2), Control: stream.Retract, Target: id(1)}} {
		if got := render(t, e); got != "" {
			t.Errorf("%v shows as %q", e, got)
		}
	}
}

func TestLiveShow(t *testing.T) {
	for said, want := range map[string]string{
		`true`: "Live", `"yes"`: "Live", `1`: "Live", `"Ruth <3"`: "Live: Ruth <3",
		`{"is_live":true,"streamer_name":"Ruth"}`: "Live: Ruth", `{"is_live":"true"}`: "Live", `{"name":"Ruth"}`: "Live: Ruth",
		`false`: "", `"false"`: "", `0`: "", `null`: "", `""`: "", `{}`: "", `[]`: "", `{"is_live":false,"streamer_name":"Ruth"}`: "",
	} {
		card := render(t, event(1, noon, "song/x", `{"title":"T","live":`+said+`}`))
		chip := regexp.MustCompile(`<span class="onair on">(.*?)</span>`).FindStringSubmatch(card)
		got := ""
		if chip != nil {
			got = html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(chip[1], ""))
		}
		if got != want {
			t.Errorf("live: %s shows %q, want %q", said, got, want)
		}
	}
}

func TestIconIsShownWhole(t *testing.T) {
	w := demoWall
	w.Kinds = map[string]views.Kind{"family": {Icon: "👨‍👩‍👧‍👦"}}
	if b, err := views.RenderCard(w, event(1, noon, "family", "moved in")); err != nil || !strings.Contains(string(b), ">👨‍👩‍👧‍👦<") {
		t.Errorf("the icon is not whole: %s, %v", b, err)
	}
}

func TestSongWithoutAStartHasNoProgress(t *testing.T) {
	card := render(t, event(1, noon, "song/x", `{"title":"T","duration":214}`))
	if strings.Contains(card, "<progress") || !strings.Contains(card, `<span class="played" dir="ltr">3:34</span>`) {
		t.Errorf("a song that is 3:34 long and began nobody knows when shows as %s", card)
	}
}

func TestLinks(t *testing.T) {
	for text, want := range map[string][]string{
		"see https://example.com.":                    {"https://example.com"},
		"(http://example.com/a_(b))":                  {"http://example.com/a_(b)"},
		"HTTPS://Example.com/A, and https://b.test/?": {"https://Example.com/A", "https://b.test/"},
		"xhttps://example.com ftp://example.com":      nil,
		"https:// http://":                            nil,
		"https://user@evil.example/":                  nil,
		"://https://example.com/":                     {"https://example.com/"},
		"„https://example.com/“":                      {"https://example.com/"},
	} {
		var got []string
		for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(render(t, event(1, noon, "", text)), -1) {
			got = append(got, html.UnescapeString(m[1]))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

// shown returns the ids in a slot of a rendered page, in the order of the document.
func shown(t *testing.T, page, slot string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for n := range root.Descendants() {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		if n.Data == "article" && attr["data-slot"] == slot {
			ids = append(ids, strings.TrimPrefix(attr["data-id"], demoEpoch+"-"))
		}
	}
	return ids
}

func TestPageArrangesCards(t *testing.T) {
	at := func(seq uint64, address string) stream.Event { return event(seq, noon, address, "text") }
	expired := event(9, noon, "", `{"text":"x","expires":"2026-11-22T11:59:59Z"}`)
	p := views.Page{Wall: demoWall, Now: noon, Head: id(100)}
	p.Cards = []stream.Event{at(2, "song/jazz"), at(3, "counter/a"), at(14, "counter/b")}
	p.Events = []stream.Event{
		at(4, "song/rock"), at(5, "alert"), at(6, "headline"), at(7, ""), at(8, "unheard-of"), expired,
		at(10, "alert"), at(11, "headline"), at(12, ""), {ID: id(13), Control: stream.Retract, Target: id(7)},
		at(14, "counter/b"), {ID: id(15)}, at(16, "song"),
	}
	page := renderPage(t, p)
	for slot, want := range map[string][]string{
		views.Bar:      {"16", "4", "2"},
		views.Banner:   {"10"},
		views.Ticker:   {"11", "6"},
		views.Timeline: {"14", "12", "8", "3"},
	} {
		if d := cmp.Diff(want, shown(t, page, slot)); d != "" {
			t.Errorf("%s (-want +got):\n%s", slot, d)
		}
	}

	p.Events = nil
	for i := range 500 {
		p.Events = append(p.Events, at(uint64(i+100), ""), at(uint64(i+1000), "headline"))
	}
	page = renderPage(t, p)
	if n := len(shown(t, page, views.Timeline)); n != 30 {
		t.Errorf("the timeline has %d cards, want 30", n)
	}
	if n := len(shown(t, page, views.Ticker)); n != 10 {
		t.Errorf("the ticker has %d cards, want 10", n)
	}
}

func TestEmptyPageSaysWhatToTry(t *testing.T) {
	page := renderPage(t, views.Page{Wall: views.Wall{Name: "main"}, Now: noon, Publish: "curl -d 'hello' localhost:8080/walls/main/events"})
	if !strings.Contains(page, "<code>curl -d &#39;hello&#39; localhost:8080/walls/main/events</code>") || !strings.Contains(page, `<div id="empty">`) {
		t.Errorf("an empty page is %s", page)
	}
	if page := renderPage(t, demoPage(noon)); !strings.Contains(page, `<div id="empty" hidden>`) {
		t.Error("a page with cards says that it is empty")
	}
}

func TestPageSpeaksItsLanguage(t *testing.T) {
	p := demoPage(noon)
	p.Wall.Lang = "ar-EG"
	if page := renderPage(t, p); !strings.Contains(page, `<html lang="ar-EG" dir="rtl"`) {
		t.Errorf("the page begins %.200s", page)
	}
}
