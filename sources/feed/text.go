package feed

import (
	"errors"
	"io"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// blocks are the elements that stand on lines of their own: true for those with an
// empty line around them.
var blocks = map[atom.Atom]bool{
	atom.P: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true,
	atom.Blockquote: true, atom.Pre: true, atom.Ul: true, atom.Ol: true, atom.Dl: true, atom.Table: true, atom.Figure: true,
	atom.Div: false, atom.Section: false, atom.Article: false, atom.Header: false, atom.Footer: false,
	atom.Li: false, atom.Tr: false, atom.Dt: false, atom.Dd: false, atom.Br: false, atom.Hr: false, atom.Figcaption: false,
}

// silent are the elements whose content nobody reads.
var silent = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Template: true, atom.Title: true, atom.Noscript: true,
	atom.Iframe: true, atom.Object: true, atom.Svg: true, atom.Math: true, atom.Select: true, atom.Textarea: true,
}

// plain makes text of HTML: paragraphs with an empty line between them, without
// any markup. Image is the address of the first picture, as it stands there.
func plain(source string) (text, image string) {
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(1 << 20)
	var w writer
	skipping, depth := atom.Atom(0), 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return "", "" // one token that is larger than any text
			}
			return w.String(), image
		case html.TextToken:
			if skipping == 0 {
				w.write(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch {
			case skipping == t.DataAtom && skipping != 0 && t.Type == html.StartTagToken:
				depth++
			case skipping != 0:
			case silent[t.DataAtom] && t.Type == html.StartTagToken:
				skipping, depth = t.DataAtom, 1
			case t.DataAtom == atom.Img && image == "":
				image = pictureOf(t)
			default:
				w.block(t.DataAtom)
			}
		case html.EndTagToken:
			t := z.Token()
			switch {
			case skipping == 0:
				w.block(t.DataAtom)
			case skipping == t.DataAtom:
				if depth--; depth == 0 {
					skipping = 0
				}
			}
		}
	}
}

// pictureOf is the address of a picture that is more than a pixel to count readers.
func pictureOf(t html.Token) string {
	src := ""
	for _, a := range t.Attr {
		switch {
		case a.Key == "src":
			src = a.Val
		case (a.Key == "width" || a.Key == "height") && (a.Val == "0" || a.Val == "1"):
			return ""
		}
	}
	return src
}

// writer folds white space and counts line ends.
type writer struct {
	b     strings.Builder
	space bool // one is due before the next word
	lines int  // line ends that are due before it
}

func (w *writer) block(a atom.Atom) {
	apart, is := blocks[a]
	switch {
	case !is:
	case apart:
		w.lines = 2
	default:
		w.lines = max(w.lines, 1)
	}
}

func (w *writer) write(text string) {
	for _, r := range text {
		if unicode.IsSpace(r) {
			w.space = true
			continue
		}
		if unicode.IsControl(r) {
			continue
		}
		if w.b.Len() > 0 {
			switch {
			case w.lines > 0:
				w.b.WriteString("\n\n"[:w.lines])
			case w.space:
				w.b.WriteByte(' ')
			}
		}
		w.space, w.lines = false, 0
		w.b.WriteRune(r)
	}
}

func (w *writer) String() string { return w.b.String() }

// line makes one line of HTML, as a title is.
func line(source string) string {
	text, _ := plain(source)
	return strings.Join(strings.Fields(text), " ")
}

// words makes one line of text that is no HTML.
func words(text string) string {
	var w writer
	w.write(text)
	return w.String()
}

// paragraphs tidies text that is no HTML and keeps its lines.
func paragraphs(text string) string {
	var w writer
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == "" {
			w.lines = 2
			continue
		}
		w.write(l)
		w.lines = 1
	}
	return w.String()
}

// cut shortens text to at most n characters, at the end of a word where there
// is one nearby.
func cut(text string, n int) string {
	if n == 0 {
		return ""
	}
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	end := n - 1 // the ellipsis takes one
	for i := end; i > end-20 && i > 0; i-- {
		if unicode.IsSpace(runes[i]) {
			end = i
			break
		}
	}
	return strings.TrimRightFunc(string(runes[:end]), unicode.IsSpace) + "…"
}
