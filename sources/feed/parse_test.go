package feed

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var base, _ = url.Parse("https://example.com/blog/feed.xml")

func day(d, hour int) time.Time { return time.Date(2026, 1, d, hour, 0, 0, 0, time.UTC) }

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		want     []item
	}{
		"RSS 2.0": {`<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
			xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/"><channel>
			<title>Blog</title><link>https://example.com</link><atom:link rel="self" href="feed.xml"/>
			<item><title>One &amp;amp; two</title><media:title>Not this</media:title><link>/one</link><guid isPermaLink="false">tag:1</guid>
				<description>&lt;p&gt;First &lt;b&gt;bold&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Second&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description>
				<content:encoded><![CDATA[<p>All of it</p>]]></content:encoded>
				<dc:creator>Ada</dc:creator><pubDate>Fri, 02 Jan 2026 03:00:00 GMT</pubDate>
				<enclosure url="/a.mp3" type="audio/mpeg"/><enclosure url="/a.jpg" type="image/jpeg"/></item>
			<item><guid>https://example.com/two</guid><description>Only text</description><author>bob@example.com (Bob)</author><pubDate>1 Jan 26 22:00 EST</pubDate>
				<media:group><media:content url="film.mp4" type="video/mp4"><media:thumbnail url="still.png"/></media:content></media:group></item>
			<item><title>No id</title><content:encoded><![CDATA[<img src="pixel.gif" width="1"><p>x <img src="../p.png"></p>]]></content:encoded><author>eve@example.com</author></item>
			<item></item>
			</channel></rss>`, []item{
			{id: "tag:1", title: "One & two", text: "First bold\n\nSecond", url: "https://example.com/one", image: "https://example.com/a.jpg", author: author{name: "Ada"}, published: day(2, 3)},
			{id: "https://example.com/two", text: "Only text", url: "https://example.com/two", image: "https://example.com/blog/still.png", author: author{name: "Bob"}, published: day(2, 3)},
			{id: "sha256:", title: "No id", text: "x", image: "https://example.com/p.png"},
		}},
		"RSS 1.0": {`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
			<channel rdf:about="x"><title>c</title></channel>
			<item rdf:about="urn:one"><title>One</title><link>https://example.com/1</link><dc:date>2026-01-02T03:00:00+00:00</dc:date></item></rdf:RDF>`,
			[]item{{id: "urn:one", title: "One", url: "https://example.com/1", published: day(2, 3)}}},
		"Atom": {`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://other.example/a/"><author><name>All</name></author>
			<entry xml:base="b/"><id>urn:1</id><title type="html">A &amp;lt;b&amp;gt; c</title><link rel="self" href="x"/><link type="application/json" href="one.json"/><link type="text/html" href="one"/>
				<summary type="text">1 &lt; 2</summary><author><name>Ada</name><uri>/ada</uri></author><published>2026-01-02T03:00:00Z</published><updated>2026-01-03T04:00:00Z</updated></entry>
			<entry><id>urn:2</id><title>Two</title><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>A<br/>b &amp; c</p><p>d<img src="i.png"/></p></div></content><updated>2026-01-03T04:00:00Z</updated></entry>
			</feed>`, []item{
			{id: "urn:1", title: "A <b> c", text: "1 < 2", url: "https://other.example/a/b/one", author: author{"Ada", "https://other.example/ada"}, published: day(2, 3), updated: day(3, 4)},
			{id: "urn:2", title: "Two", text: "A\nb & c\n\nd", image: "https://other.example/a/i.png", author: author{name: "All"}, updated: day(3, 4)},
		}},
		"JSON Feed": {`{"version": "https://jsonfeed.org/version/1.1", "authors": [{"name": "Ada", "url": "https://ada.example"}], "items": [
			{"id": 7, "title": "One", "url": "/one", "content_html": "<p>a</p><p>b</p>", "date_published": "2026-01-02T03:00:00Z", "image": "i.png"},
			{"id": "2", "content_text": "a\nb\n\nc", "external_url": "https://else.example/", "tags": "wrong type", "title": 5}]}`, []item{
			{id: "7", title: "One", text: "a\n\nb", url: "https://example.com/one", image: "https://example.com/blog/i.png", author: author{"Ada", "https://ada.example"}, published: day(2, 3)},
			{id: "2", text: "a\nb\n\nc", url: "https://else.example/", author: author{"Ada", "https://ada.example"}},
		}},
		"what no XML may have": {"<rss><channel><item><guid>1</guid><title>A\x08 &nbsp;&eacute; &unknown; & &#8;b</title><link>javascript:alert(1)</link></item></channel></rss>",
			[]item{{id: "1", title: "A é &unknown; & b"}}},
		"links that no page may have": {"<rss><channel><item><guid>1</guid><title>A</title><link>javascript://x/%0aalert(1)</link><enclosure type='image/png' url='ftp://x/y'/></item></channel></rss>",
			[]item{{id: "1", title: "A"}}},
		"an id twice": {"<rss><channel><item><guid>1</guid><title>A</title></item><item><guid>1</guid><title>B</title></item></channel></rss>",
			[]item{{id: "1", title: "A"}}},
	} {
		got, err := parse([]byte(c.document), base)
		for i := range got {
			if strings.HasPrefix(got[i].id, "sha256:") {
				got[i].id = "sha256:"
			}
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(item{}, author{}), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestWhatIsNoFeed(t *testing.T) {
	for document, says := range map[string]string{
		"":                      "empty",
		"hello":                 "empty",
		`{"a": 1}`:              "no JSON Feed",
		`{"a": `:                "reading the JSON",
		"<rss><channel><item>x": "unexpected EOF",
		"<svg/>":                "neither RSS nor Atom",
		"<!DOCTYPE html><html><head><title>x</title></head></html>":                             "give the feed's own address",
		`<html><head><link rel="alternate" type="application/rss+xml" href="/rss"></head>`:      "its feed is https://example.com/rss",
		"<rss>" + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + "</rss>": "too many",
		"<rss>" + strings.Repeat("<a/>", maxNodes+1) + "</rss>":                                 "too many",
	} {
		if _, err := parse([]byte(document), base); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80q: %v, want %q", document, err, says)
		}
	}
}

func TestPlain(t *testing.T) {
	for source, want := range map[string]string{
		"a <b>b</b>\n c":                        "a b c",
		"<p>a</p>\n<p>b</p>":                    "a\n\nb",
		"a<br>b<br/><br/>c":                     "a\nb\nc",
		"<ul><li>a</li><li>b</li></ul>c":        "a\nb\n\nc",
		"<style>x</style>a<script>b</script>c":  "ac",
		"<svg><svg>x</svg>y</svg>a":             "a",
		"&lt;script&gt;alert(1)&lt;/script&gt;": "<script>alert(1)</script>",
		"1 < 2 &amp; 3 > 2":                     "1 < 2 & 3 > 2",
		"a&nbsp;b\x07":                          "a b",
		"<!-- c -->a":                           "a",
		"<p":                                    "",
		"<div><div>a</div></div><div>b</div>":   "a\nb",
	} {
		if got, _ := plain(source); got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"some words here", 12, "some words…"}, {"ééééé", 4, "ééé…"}, {"abc", 0, ""}} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, text := range []string{
		"Fri, 02 Jan 2026 03:00:00 GMT", "Fri, 2 Jan 2026 03:00:00 +0000", "2 Jan 26 03:00 UT", "Thu, 01 Jan 2026 22:00:00 EST",
		"Friday, 02 January 2026 05:00:00 +0200", "2026-01-02T03:00:00Z", "2026-01-02T04:00:00+01:00", "2026-01-02T03:00:00.000Z",
		"2026-01-02T04:00:00+0100", "2026-01-02 03:00:00", " Fri,  02 Jan 2026\n03:00:00 Z", "January 2, 2026 03:00:00 GMT",
	} {
		if got := parseTime(text); !got.Equal(day(2, 3)) {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, text := range []string{"", "yesterday", "0001-01-01T00:00:00Z", "2026-13-01", strings.Repeat("1", 100)} {
		if got := parseTime(text); !got.IsZero() {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCursorsAreShort(t *testing.T) {
	c := cursor{Target: "0123456789ab", Passed: time.Now()}
	c.ETag, c.Modified = `W/"`+strings.Repeat("x", 150)+`"`, "Fri, 02 Jan 2026 03:00:00 GMT"
	var marks []mark
	for i := range 3 * most {
		m := markOf(item{id: fmt.Sprint(i)})
		c.Seen, marks = c.Seen.with(m), append(marks, m)
	}
	raw, err := c.raw()
	if err != nil || len(raw) > 3600 || len(c.Seen) != most {
		t.Errorf("%d bytes for %d items, %v", len(raw), len(c.Seen), err)
	}
	back, ok := parseCursor(raw)
	if diff := cmp.Diff(c, back, cmpopts.EquateApproxTime(time.Microsecond)); !ok || diff != "" {
		t.Error(diff)
	}
	// What the feed still has is the last to be forgotten.
	c.Seen = c.Seen.present([]mark{marks[len(marks)-most]})
	if c.Seen[0] != marks[len(marks)-most] {
		t.Error("the oldest, which is present, would be forgotten first")
	}
	edited := mark(append(append([]byte(nil), c.Seen[5][:5]...), 1, 2, 3))
	if c.Seen = c.Seen.with(edited); len(c.Seen) != most || c.Seen[5] != edited {
		t.Error("an edited item takes a place of its own")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<rss><channel><item><title>a</title><link>/x</link><description>&lt;p&gt;b</description></item></channel></rss>`))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry xml:base="x"><title type="xhtml"><b>a</b></title><link href="y"/></entry></feed>`))
	f.Add([]byte(`{"version": "https://jsonfeed.org/version/1", "items": [{"id": 1, "title": "x"}]}`))
	f.Add([]byte(`<html><link rel=alternate type="application/rss+xml" href=x>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := parse([]byte(strings.ToValidUTF8(string(data), "\uFFFD")), base)
		if err != nil && len(items) > 0 {
			t.Error("items beside an error")
		}
		r := &reader{name: "x", length: 100}
		ids := map[string]bool{}
		for _, i := range items {
			if i.id == "" || ids[i.id] {
				t.Errorf("the id %q is empty or not alone", i.id)
			}
			ids[i.id] = true
			for _, address := range []string{i.url, i.image, i.author.url} {
				if address != "" && !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
					t.Errorf("the address %q", address)
				}
			}
			e, err := r.event(i, false)
			if err != nil || !utf8.Valid(e.Data) || len(e.Data) > 32<<10 {
				t.Errorf("%d bytes, %v", len(e.Data), err)
			}
		}
	})
}
