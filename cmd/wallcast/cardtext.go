package main

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// cardText is a card as lines of text: what a browser shows without styles.
func cardText(card []byte) []string {
	nodes, err := html.ParseFragment(bytes.NewReader(card), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return []string{oneLine(string(card))}
	}
	w := &cardWriter{}
	for _, n := range nodes {
		w.node(n)
	}
	w.end()
	return w.lines
}

// cardWriter collects the words of the elements that stand beside each other.
type cardWriter struct {
	lines []string
	line  strings.Builder
}

// blocks begin a line of their own.
var blocks = []atom.Atom{
	atom.Article, atom.Div, atom.P, atom.H2, atom.Ol, atom.Ul, atom.Li, atom.Dl, atom.Details, atom.Summary, atom.Blockquote, atom.Pre,
}

func (w *cardWriter) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		w.text(n.Data)
		return
	case n.Type != html.ElementNode || strings.HasPrefix(attribute(n, "class"), "avatar"):
		return
	}
	switch n.DataAtom {
	case atom.Br:
		w.end()
	case atom.Img:
		w.text("[" + attribute(n, "src") + "] ")
	case atom.Progress:
		w.text("[progress] ")
	}
	block := slices.Contains(blocks, n.DataAtom)
	if block {
		w.end()
	}
	for child := range n.ChildNodes() {
		w.node(child)
	}
	switch n.DataAtom {
	case atom.A:
		if href := attribute(n, "href"); !strings.HasSuffix(w.line.String(), href) {
			w.text(" <" + href + ">")
		}
	case atom.Dt:
		w.text(": ")
	case atom.Time, atom.Span, atom.Cite:
		w.text(" ")
	}
	if block {
		w.end()
	}
}

// text adds text, of which each line break ends a line.
func (w *cardWriter) text(s string) {
	for i, part := range strings.Split(s, "\n") {
		if i > 0 {
			w.end()
		}
		w.line.WriteString(part)
	}
}

func (w *cardWriter) end() {
	if line := strings.TrimSpace(oneLine(w.line.String())); line != "" {
		w.lines = append(w.lines, line)
	}
	w.line.Reset()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// oneLine is a text on one line of a terminal.
func oneLine(text string) string { return forTerminal(text, "") }
