package plugincard

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/wallcast/wallcast/views"
)

// maxDepth is how deep elements may lie in each other.
const maxDepth = 32

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// The elements, attributes and classes of a body: those of the browser's list
// (views/assets/fragment.js) that don't belong to the card itself, and the classes
// that the style sheet has for bodies.
var (
	elements   = words("div p span a bdi b cite time h2 dl dt dd details summary ol li progress img")
	attributes = words("class dir lang datetime href src alt width height max value aria-hidden aria-label")
	classes    = words("title text source fields image by avatar")
)

// rel is what every link has: it gives its target no credit and tells it nothing.
const rel = "nofollow ugc noopener noreferrer"

// outputError says why a body may not be shown.
type outputError struct{ text string }

func (e *outputError) Error() string { return e.text }

func refuse(format string, args ...any) error { return &outputError{fmt.Sprintf(format, args...)} }

// checkMarkup refuses markup of a template that no card may have.
func checkMarkup(markup string) error {
	_, err := tagsOf(markup, func(t html.Token) error {
		for _, a := range t.Attr {
			if err := checkAttribute(t.Data, a); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// checkAttribute refuses an attribute of a template. What is put into it is looked
// at when it is there.
func checkAttribute(element string, a html.Attribute) error {
	switch {
	case a.Key == "style":
		return refuse("<%s> has a style; a card has the wall's, by the classes %s", element, list(classes))
	case a.Key == "id":
		return refuse("<%s> has an id; only the wall gives them", element)
	case !attributes[a.Key] && a.Key != "rel":
		return refuse("<%s> has the attribute %q; a card has %s", element, strings.ReplaceAll(a.Key, hole, "{{…}}"), list(attributes))
	case a.Key == "href" && !strings.HasPrefix(a.Val, hole) && webAddress(strings.ReplaceAll(a.Val, hole, "x")) == "":
		return refuse("a link leads to %q; it takes http:// or https://", strings.ReplaceAll(a.Val, hole, "{{…}}"))
	case a.Key == "src" && a.Val != hole:
		return refuse("a picture's src is %q; it takes {{.Image}}, {{.Author.Image}} or {{image .Data.…}}", strings.ReplaceAll(a.Val, hole, "{{…}}"))
	}
	if a.Key == "class" {
		for _, c := range strings.Fields(a.Val) {
			if !classes[c] && !strings.Contains(c, hole) {
				return refuse("<%s> has the class %q; a card has %s", element, c, list(classes))
			}
		}
	}
	return nil
}

func list(set map[string]bool) string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// tagsOf returns the tags of markup one after another. It refuses what is no
// element of a card, and elements that are not closed in their order. Each is called
// for every start tag.
func tagsOf(markup string, each func(html.Token) error) (string, error) {
	var tags strings.Builder
	var open []string
	for z := html.NewTokenizer(strings.NewReader(markup)); ; {
		kind := z.Next()
		t := z.Token()
		switch kind {
		case html.ErrorToken:
			switch {
			case !errors.Is(z.Err(), io.EOF):
				return "", refuse("its markup can't be read: %v", z.Err())
			case len(open) > 0:
				return "", refuse("<%s> is not closed", open[len(open)-1])
			}
			return tags.String(), nil
		case html.DoctypeToken:
			return "", refuse("it has a <!doctype>; a card is a part of a page")
		case html.StartTagToken, html.SelfClosingTagToken:
			if !elements[t.Data] {
				return "", refuse("it has <%.40s>; a card has %s", strings.ReplaceAll(t.Data, hole, "{{…}}"), list(elements))
			}
			if err := each(t); err != nil {
				return "", err
			}
			tags.WriteString("<" + t.Data)
			if t.Data == "img" {
				continue
			}
			if open = append(open, t.Data); len(open) > maxDepth {
				return "", refuse("more than %d elements lie in each other", maxDepth)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != t.Data {
				return "", refuse("</%.40s> closes nothing that was opened last", t.Data)
			}
			open = open[:len(open)-1]
			tags.WriteString("/" + t.Data)
		}
	}
}

// clean reads a body as a browser does, and writes it anew. Pictures are the
// addresses that images may have.
func clean(body string, pictures map[string]bool) (string, error) {
	before, err := tagsOf(body, func(html.Token) error { return nil })
	if err != nil {
		return "", err
	}
	nodes, err := html.ParseFragment(strings.NewReader(body), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return "", refuse("its markup can't be read: %v", err)
	}
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	for n := range root.Descendants() {
		if err := cleanNode(n, pictures); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	for n := range root.ChildNodes() {
		if err := html.Render(&out, n); err != nil {
			return "", refuse("its markup can't be written: %v", err)
		}
	}
	after, err := tagsOf(out.String(), func(html.Token) error { return nil })
	if err != nil || before != after {
		return "", refuse("a browser reads it in another way than it is written, as with <div> inside of <p>")
	}
	if out.Len() > 2*maxOutput {
		return "", refuse("it makes more than %d bytes", 2*maxOutput)
	}
	return out.String(), nil
}

func cleanNode(n *html.Node, pictures map[string]bool) error {
	switch {
	case n.Type == html.TextNode:
		n.Data = views.Clean(n.Data)
		return nil
	case n.Type == html.CommentNode:
		return refuse("it has a comment")
	case n.Type != html.ElementNode || n.Namespace != "" || !elements[n.Data]:
		return refuse("it has <%.40s>; a card has %s", n.Data, list(elements))
	}
	var kept []html.Attribute
	for _, a := range n.Attr {
		if a.Key == "rel" {
			continue
		}
		if !attributes[a.Key] || a.Namespace != "" {
			return refuse("<%s> has the attribute %.40q; a card has %s", n.Data, a.Key, list(attributes))
		}
		if a.Val = cleanValue(a, pictures); a.Val != "" || a.Key == "alt" {
			kept = append(kept, a)
		}
	}
	if n.Data == "a" {
		kept = append(kept, html.Attribute{Key: "rel", Val: rel})
	}
	n.Attr = kept
	return nil
}

// cleanValue is what an attribute may say; "" leaves it out. A payload that says
// something else than its template expects costs a link, not the card.
func cleanValue(a html.Attribute, pictures map[string]bool) string {
	value := views.Clean(a.Val)
	switch a.Key {
	case "href":
		return webAddress(value)
	case "src":
		if !pictures[a.Val] || strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, `/\`) || !strings.HasPrefix(a.Val, "/") {
			return ""
		}
	case "width", "height":
		if len(value) > 3 || strings.Trim(value, "0123456789") != "" {
			return ""
		}
	case "class":
		return strings.Join(slices.DeleteFunc(strings.Fields(value), func(c string) bool { return !classes[c] }), " ")
	}
	return value
}
