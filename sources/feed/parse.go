package feed

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// item is what a feed tells of one thing. Its texts are plain.
type item struct {
	id        string
	title     string
	text      string
	url       string
	image     string
	author    author
	published time.Time // zero where the feed doesn't say
	updated   time.Time
}

type author struct{ name, url string }

// parse reads a feed of any kind, in UTF-8. Base is where it came from.
func parse(data []byte, base *url.URL) ([]item, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, errors.New("the answer is empty")
	}
	if data[0] == '{' {
		return parseJSON(data, base)
	}
	root, err := parseTree(data)
	var items []item
	switch {
	case err == nil && root.name == "rss", err == nil && root.space == "rdf" && root.name == "RDF":
		items = parseRSS(root, base)
	case err == nil && root.space == "atom" && root.name == "feed":
		items = parseAtom(root, base)
	default:
		return nil, noFeed(data, base, err)
	}
	return identified(items), nil
}

// identified drops what says nothing, and gives an id to what has none. Of two
// with one id the first counts.
func identified(items []item) []item {
	seen := map[string]bool{}
	kept := items[:0]
	for _, i := range items {
		if i.title == "" && i.text == "" && i.url == "" {
			continue
		}
		if i.id = cmp.Or(i.id, i.url); i.id == "" {
			sum := sha256.Sum256([]byte(i.title + "\n" + i.text))
			i.id = "sha256:" + hex.EncodeToString(sum[:12])
		}
		if !seen[i.id] {
			seen[i.id] = true
			kept = append(kept, i)
		}
	}
	return kept
}

// noFeed says what an answer is that is no feed, and where the feed may be.
func noFeed(data []byte, base *url.URL, err error) error {
	if found := advertised(data, base); found != "" {
		return fmt.Errorf("the answer is a page and no feed; its feed is %s", found)
	}
	if head := strings.ToLower(string(data[:min(len(data), 512)])); strings.Contains(head, "<html") || strings.Contains(head, "<!doctype html") {
		return errors.New("the answer is a page and no feed; give the feed's own address")
	}
	if err != nil {
		return err
	}
	return errors.New("the answer is neither RSS nor Atom nor JSON Feed")
}

// advertised is the address of the feed that a page names in its head.
func advertised(data []byte, base *url.URL) string {
	z := html.NewTokenizer(bytes.NewReader(data[:min(len(data), 256<<10)]))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return ""
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		t := z.Token()
		if t.Data == "body" {
			return ""
		}
		attrs := map[string]string{}
		for _, a := range t.Attr {
			attrs[a.Key] = a.Val
		}
		switch attrs["type"] {
		case "application/rss+xml", "application/atom+xml", "application/feed+json":
			if t.Data == "link" && strings.EqualFold(attrs["rel"], "alternate") {
				return resolve(base, attrs["href"])
			}
		}
	}
}

// maxURL is the longest address that is kept, in bytes.
const maxURL = 2048

// resolve makes an address absolute. It is empty for one that no page may link to.
func resolve(base *url.URL, ref string) string {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return ""
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	u.User = nil
	if s := u.String(); len(s) <= maxURL {
		return s
	}
	return ""
}

// rebase is the base that holds within a node, which may have an xml:base.
func rebase(base *url.URL, n *node) *url.URL {
	if u, err := base.Parse(strings.TrimSpace(n.attr("xml:base"))); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return u
	}
	return base
}

// picture finds an item's picture in what is said beside its text.
func picture(n *node, base *url.URL) string {
	for _, group := range n.all("media", "group") {
		if found := picture(group, base); found != "" {
			return found
		}
	}
	for _, c := range n.all("media", "content") {
		if c.attr("medium") == "image" || isImage(c.attr("type"), c.attr("url")) {
			if found := resolve(base, c.attr("url")); found != "" {
				return found
			}
		}
		if found := picture(c, base); found != "" { // a film's still
			return found
		}
	}
	for _, c := range n.all("media", "thumbnail") {
		if found := resolve(base, c.attr("url")); found != "" {
			return found
		}
	}
	for _, c := range n.all("", "enclosure") {
		if isImage(c.attr("type"), c.attr("url")) {
			if found := resolve(base, c.attr("url")); found != "" {
				return found
			}
		}
	}
	return resolve(base, n.child("itunes", "image").attr("href"))
}

// isImage goes by the type, and where there is none by the address.
func isImage(contentType, address string) bool {
	if contentType != "" {
		return strings.HasPrefix(contentType, "image/")
	}
	path, _, _ := strings.Cut(strings.ToLower(address), "?")
	for _, suffix := range []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}
