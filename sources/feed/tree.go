package feed

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"
)

const (
	// maxNodes and maxDepth bound what a document can unfold to in memory.
	maxNodes = 200_000
	maxDepth = 100
)

// node is an element, or where it has no name a piece of text.
type node struct {
	space, name string
	attrs       []xml.Attr
	text        string
	children    []*node
}

// namespaces are the short names of what feeds are made of. A prefix that a
// document uses without declaring it stands for itself.
var namespaces = map[string]string{
	"http://purl.org/rss/1.0/":                    "",
	"http://my.netscape.com/rdf/simple/0.9/":      "",
	"http://channel.netscape.com/rdf/simple/0.9/": "",
	"http://backend.userland.com/rss2":            "",
	"http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
	"http://www.w3.org/2005/Atom":                 "atom",
	"http://purl.org/atom/ns#":                    "atom",
	"http://purl.org/dc/elements/1.1/":            "dc",
	"http://purl.org/rss/1.0/modules/content/":    "content",
	"http://search.yahoo.com/mrss/":               "media",
	"http://search.yahoo.com/mrss":                "media",
	"http://www.itunes.com/dtds/podcast-1.0.dtd":  "itunes",
	"http://www.w3.org/1999/xhtml":                "xhtml",
	"http://www.w3.org/XML/1998/namespace":        "xml",
}

func short(space string) string {
	if rest, secure := strings.CutPrefix(space, "https://"); secure {
		space = "http://" + rest
	}
	if known, ok := namespaces[space]; ok {
		return known
	}
	return space
}

// illegal are references to characters that XML does not have.
var illegal = regexp.MustCompile(`&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|[xX]0*(?:[0-8bceBCE-F]|1[0-9a-fA-F]));`)

// clean takes out the control characters that many feeds hold and no XML may.
func clean(data []byte) []byte {
	data = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF' {
			return -1
		}
		return r
	}, data)
	return illegal.ReplaceAll(data, nil)
}

// parseTree reads an XML document, in UTF-8, as leniently as feeds need.
func parseTree(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(clean(data)))
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	root := &node{}
	open := []*node{root}
	for count := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the XML: %w", err)
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{space: short(t.Name.Space), name: t.Name.Local, attrs: t.Copy().Attr}
			top.children = append(top.children, n)
			open = append(open, n)
			count++
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.children = append(top.children, &node{text: string(t)})
			count++
		}
		if count > maxNodes || len(open) > maxDepth {
			return nil, errors.New("the XML has too many elements, or too many within each other, for a feed")
		}
	}
	for _, n := range root.children {
		if n.name != "" {
			return n, nil
		}
	}
	return nil, errors.New("the XML is empty")
}

// all returns the children of that name.
func (n *node) all(space, name string) []*node {
	var found []*node
	for _, c := range n.children {
		if c.space == space && c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// child returns the first child of that name; an empty node where there is none.
func (n *node) child(space, name string) *node {
	if found := n.all(space, name); len(found) > 0 {
		return found[0]
	}
	return &node{}
}

// attr returns an attribute: by its local name, or "xml:base".
func (n *node) attr(name string) string {
	space, local, prefixed := strings.Cut(name, ":")
	for _, a := range n.attrs {
		if prefixed && short(a.Name.Space) == space && a.Name.Local == local || !prefixed && a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// content is the text of the node and all below it, without the white space around it.
func (n *node) content() string {
	var b strings.Builder
	n.write(&b, false)
	return strings.TrimSpace(b.String())
}

// markup is what is below the node, as HTML.
func (n *node) markup() string {
	var b strings.Builder
	n.write(&b, true)
	return b.String()
}

func (n *node) write(b *strings.Builder, tags bool) {
	for _, c := range n.children {
		switch {
		case c.name == "" && tags:
			b.WriteString(html.EscapeString(c.text))
		case c.name == "":
			b.WriteString(c.text)
		case !tags:
			c.write(b, tags)
		default:
			b.WriteString("<" + c.name)
			for _, a := range c.attrs {
				if a.Name.Space == "" {
					b.WriteString(" " + a.Name.Local + `="` + html.EscapeString(a.Value) + `"`)
				}
			}
			b.WriteString(">")
			c.write(b, tags)
			b.WriteString("</" + c.name + ">")
		}
	}
}
