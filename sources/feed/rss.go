package feed

import (
	"cmp"
	"net/mail"
	"net/url"
	"strings"
)

// parseRSS reads RSS 0.9 to 2.0, whose items stand in the channel or beside it.
func parseRSS(root *node, base *url.URL) []item {
	base = rebase(base, root)
	channel := root.child("", "channel")
	items := channel.all("", "item")
	if len(items) == 0 {
		items = root.all("", "item")
	}
	base = rebase(base, channel)
	result := make([]item, 0, len(items))
	for _, n := range items {
		result = append(result, rssItem(n, rebase(base, n)))
	}
	return result
}

func rssItem(n *node, base *url.URL) item {
	guid := n.child("", "guid")
	i := item{
		id:     guid.content(),
		title:  line(cmp.Or(n.child("", "title").content(), n.child("dc", "title").content())),
		url:    rssLink(n, guid, base),
		author: rssAuthor(n),
		published: parseTime(cmp.Or(n.child("", "pubDate").content(), n.child("dc", "date").content(),
			n.child("atom", "published").content())),
		updated: parseTime(n.child("atom", "updated").content()),
	}
	for _, about := range n.attrs { // RSS 1.0 has its id there
		if i.id == "" && short(about.Name.Space) == "rdf" && about.Name.Local == "about" {
			i.id = strings.TrimSpace(about.Value)
		}
	}
	var inText string
	i.text, inText = plain(n.child("", "description").content())
	full, inFull := plain(n.child("content", "encoded").content())
	i.text = cmp.Or(i.text, full)
	i.image = cmp.Or(picture(n, base), resolve(base, inText), resolve(base, inFull))
	return i
}

func rssLink(n, guid *node, base *url.URL) string {
	if found := resolve(base, n.child("", "link").content()); found != "" {
		return found
	}
	if found := alternate(n, base); found != "" {
		return found
	}
	if strings.EqualFold(guid.attr("isPermaLink"), "false") || !strings.Contains(guid.content(), "://") {
		return ""
	}
	return resolve(base, guid.content())
}

// rssAuthor reads "mail@example.com (Name)", a name alone, or Dublin Core's. An
// address of mail is nobody's to publish.
func rssAuthor(n *node) author {
	if name := cmp.Or(line(n.child("dc", "creator").content()), line(n.child("itunes", "author").content())); name != "" {
		return author{name: name}
	}
	text := words(n.child("", "author").content())
	if begin := strings.IndexByte(text, '('); begin >= 0 && strings.HasSuffix(text, ")") && strings.Contains(text[:begin], "@") {
		return author{name: strings.TrimSpace(text[begin+1 : len(text)-1])}
	}
	if address, err := mail.ParseAddress(text); err == nil {
		return author{name: address.Name}
	}
	return author{name: text}
}
