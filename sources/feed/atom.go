package feed

import (
	"cmp"
	"net/url"
	"strings"
)

// parseAtom reads Atom 1.0, and what 0.3 called otherwise.
func parseAtom(root *node, base *url.URL) []item {
	base = rebase(base, root)
	common := atomAuthor(root, base)
	entries := root.all("atom", "entry")
	result := make([]item, 0, len(entries))
	for _, n := range entries {
		result = append(result, atomItem(n, rebase(base, n), common))
	}
	return result
}

func atomItem(n *node, base *url.URL, common author) item {
	title, _ := construct(n.child("atom", "title"))
	i := item{
		id:        n.child("atom", "id").content(),
		title:     words(title),
		url:       alternate(n, base),
		author:    atomAuthor(n, base),
		published: parseTime(cmp.Or(n.child("atom", "published").content(), n.child("atom", "issued").content(), n.child("atom", "created").content())),
		updated:   parseTime(cmp.Or(n.child("atom", "updated").content(), n.child("atom", "modified").content())),
	}
	if i.author == (author{}) {
		i.author = atomAuthor(n.child("atom", "source"), base)
	}
	if i.author == (author{}) {
		i.author = common
	}
	summary, content := n.child("atom", "summary"), n.child("atom", "content")
	short, inSummary := construct(summary)
	full, inContent := construct(content)
	i.text = cmp.Or(short, full)
	for _, link := range n.all("atom", "link") {
		if link.attr("rel") == "enclosure" && isImage(link.attr("type"), link.attr("href")) {
			i.image = cmp.Or(i.image, resolve(base, link.attr("href")))
		}
	}
	i.image = cmp.Or(i.image, picture(n, base), resolve(rebase(base, summary), inSummary), resolve(rebase(base, content), inContent))
	return i
}

// construct is the text of one of Atom's, which says itself what it is.
func construct(n *node) (text, image string) {
	switch kind := strings.ToLower(strings.TrimSpace(n.attr("type"))); {
	case kind == "xhtml", kind == "application/xhtml+xml":
		return plain(n.markup())
	case kind == "html", kind == "text/html":
		return plain(n.content())
	case kind == "", kind == "text", strings.HasPrefix(kind, "text/"):
		return paragraphs(n.content()), ""
	}
	return "", "" // a picture or another file in base64
}

func atomAuthor(n *node, base *url.URL) author {
	a := n.child("atom", "author")
	return author{words(a.child("atom", "name").content()), resolve(base, cmp.Or(a.child("atom", "uri").content(), a.child("atom", "url").content()))}
}

// alternate is the page that an entry is about, a web page rather than another form.
func alternate(n *node, base *url.URL) string {
	found := ""
	for _, link := range n.all("atom", "link") {
		if rel := link.attr("rel"); rel != "" && rel != "alternate" {
			continue
		}
		address := resolve(base, link.attr("href"))
		if found == "" || link.attr("type") == "text/html" && address != "" {
			found = address
		}
	}
	return found
}
