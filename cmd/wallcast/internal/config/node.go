package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// shape is what a node looks like in the file.
type shape int

const (
	empty shape = iota // nothing, or null
	scalar
	sequence
	mapping
)

// node is one value of the file, with its place. What an alias stands for is
// shared, so the nodes form a graph without cycles.
type node struct {
	shape   shape
	text    string // of a scalar, with the environment's values put in
	plain   bool   // a scalar without quotes: it may be a number, true or false
	fromEnv bool   // a scalar with a value of the environment in it
	wrong   bool   // there is an error about it already, so it is not decoded
	items   []*node
	entries []entry
	line    int // from 1
	column  int // in characters, from 1
}

// entry is one key of a mapping with its value.
type entry struct {
	key   *node
	value *node
}

// get returns the entry with the given key, or nil.
func (n *node) get(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key.text == key {
			return &n.entries[i]
		}
	}
	return nil
}

// find returns the node at path, or the nearest there is on the way to it.
func (n *node) find(path []string) *node {
	for _, step := range path {
		next := n.step(step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// step returns the value under a key, or the item with a number; the key
// itself where it has no value that could be shown.
func (n *node) step(step string) *node {
	if n.shape == sequence {
		for i, item := range n.items {
			if step == index(i) {
				return item
			}
		}
		return nil
	}
	e := n.get(step)
	switch {
	case e == nil:
		return nil
	case e.value.shape == mapping || e.value.shape == empty:
		// A mapping begins at its first key, which says less than its own name.
		return &node{shape: e.value.shape, entries: e.value.entries, line: e.key.line, column: e.key.column}
	default:
		return e.value
	}
}

// index is the step of a path that leads to an item of a list.
func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// maxFile bounds what is read, in bytes; a configuration is a few kilobytes.
const maxFile = 1 << 20

// parse reads the file into nodes, and reports whether they can be decoded.
// What is wrong goes to f.errs.
func (f *file) parse(env func(string) (string, bool)) bool {
	f.root = &node{line: 1, column: 1}
	if len(f.data) > maxFile {
		f.fail(f.root, "the file is larger than %d KiB, which is no configuration", maxFile>>10)
		return false
	}
	if at, what := f.unreadable(); at != nil {
		f.fail(at, "%s", what)
		return false
	}
	doc, err := parseYAML(maskEnv(string(f.data)))
	if err != nil {
		f.failSyntax(err)
		return false
	}
	if len(doc.Docs) > 1 {
		f.fail(at(doc.Docs[1].Body, f.root), "a second document begins here (---); a configuration is one document")
		return false
	}
	if len(doc.Docs) > 0 && doc.Docs[0].Body != nil {
		b := &builder{file: f, env: env, anchors: map[string]*node{}}
		f.root = b.node(doc.Docs[0].Body)
	}
	return true
}

// unreadable finds the first character that can't be part of a text file.
func (f *file) unreadable() (*node, string) {
	line, column := 1, 1
	for i := 0; i < len(f.data); {
		r, size := utf8.DecodeRune(f.data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &node{line: line, column: column}, fmt.Sprintf("the byte 0x%02x is not UTF-8; save the file as UTF-8", f.data[i])
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f, r == openMask, r == closeMask:
			return &node{line: line, column: column}, fmt.Sprintf("the character U+%04X can't stand in a configuration", r)
		}
		i += size
		if r == '\r' && (i == len(f.data) || f.data[i] != '\n') {
			return &node{line: line, column: column}, "a carriage return stands alone; end lines with a line feed"
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil, ""
}

// parseYAML is the YAML parser, which must not take the program down whatever
// it is given.
func parseYAML(text string) (doc *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, errors.New("this can't be read as YAML")
		}
	}()
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

// failSyntax places an error of the YAML parser.
func (f *file) failSyntax(err error) {
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil || syntax.GetToken().Position == nil {
		f.fail(f.root, "%s", err.Error())
		return
	}
	place := syntax.GetToken().Position
	f.fail(&node{line: place.Line, column: place.Column}, "%s", syntaxMessage(unmaskEnv(syntax.GetMessage())))
}

// syntaxMessages say in other words what the YAML parser says of the mistakes
// that people make most, by a part of its message.
var syntaxMessages = []struct{ part, message string }{
	{"'\t'", "a tab can't indent YAML; use spaces"},
	{"',' or '}'", "a comma or the closing } is missing before this; a text with # , { or } in it needs quotes"},
	{"end token '}'", "the { is not closed; a text with # , { or } in it needs quotes"},
	{"',' or ']'", "a comma or the closing ] is missing before this; a text with # , [ or ] in it needs quotes"},
	{"end token ']'", "the [ is not closed; a text with # , [ or ] in it needs quotes"},
	{"mapping value is not allowed", "a second value can't begin here; indent the line like its neighbours, or put a text with a colon in quotes"},
	{"value is not allowed in this context", "nothing can follow the value; put the whole text in quotes"},
	{"non-map value is specified", "this is no \"name: value\", as its neighbours are"},
	{"end character of double-quoted", "the closing \" is missing"},
	{"end character of single-quoted", "the closing ' is missing"},
	{"is a reserved character", "a text can't begin with this character; put it in quotes"},
}

func syntaxMessage(message string) string {
	for _, known := range syntaxMessages {
		if strings.Contains(message, known.part) {
			return known.message
		}
	}
	return message
}

// at is the place of a node of the YAML parser, or of fallback.
func at(n ast.Node, fallback *node) *node {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key // its own token is the first colon
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return fallback
	}
	return place(n.GetToken())
}

func place(t *token.Token) *node { return &node{line: t.Position.Line, column: t.Position.Column} }

// builder turns the YAML parser's nodes into ours.
type builder struct {
	file    *file
	env     func(string) (string, bool)
	anchors map[string]*node
	depth   int
}

// maxDepth bounds how deep values lie in each other.
const maxDepth = 64

func (b *builder) node(from ast.Node) *node {
	to := at(from, b.file.root)
	if b.depth++; b.depth > maxDepth {
		to.wrong = true
		b.file.fail(to, "the values lie more than %d deep in each other", maxDepth)
		b.depth--
		return to
	}
	defer func() { b.depth-- }()
	switch from := from.(type) {
	case *ast.MappingNode:
		b.mapping(to, from.Values)
	case *ast.MappingValueNode:
		b.mapping(to, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		to.shape = sequence
		for _, item := range from.Values {
			to.items = append(to.items, b.node(item))
		}
	case *ast.AnchorNode:
		return b.anchor(to, from)
	case *ast.AliasNode:
		name := from.Value.GetToken().Value
		if known := b.anchors[name]; known != nil {
			return known
		}
		to.wrong = true
		b.file.fail(to, "*%s refers to nothing; a value is marked with &%s before it", name, name)
	case *ast.TagNode:
		to.wrong = true
		b.file.fail(to, "%s can't stand here: the type of a setting is known; write the value alone", from.Start.Value)
	case *ast.NullNode, nil:
	case ast.ScalarNode:
		b.scalar(to, from)
	default:
		to.wrong = true
		b.file.fail(to, "this can't stand in a configuration; write the value itself")
	}
	return to
}

func (b *builder) anchor(to *node, from *ast.AnchorNode) *node {
	name := from.Name.GetToken().Value
	value := b.node(from.Value)
	if _, taken := b.anchors[name]; taken {
		b.file.fail(to, "&%s is there twice", name)
	}
	b.anchors[name] = value
	return value
}

func (b *builder) mapping(to *node, values []*ast.MappingValueNode) {
	to.shape = mapping
	lines := make(map[string]int, len(values)) // in which a key was first
	for _, pair := range values {
		key := at(pair.Key, to)
		if _, plain := pair.Key.(ast.ScalarNode); !plain || pair.Key.Type() == ast.MergeKeyType {
			b.file.fail(key, "a key is a name; << and keys that are lists or mappings are not read here")
			continue
		}
		key.shape, key.text = scalar, unmaskEnv(pair.Key.GetToken().Value)
		if first, twice := lines[key.text]; twice {
			b.file.fail(key, "%s is there twice, first in line %d; keep one of them", key.text, first)
			continue
		}
		lines[key.text] = key.line
		if len(to.entries) == 0 {
			to.line, to.column = key.line, key.column
		}
		value := b.node(pair.Value)
		if value.shape == empty {
			value.line, value.column = key.line, key.column
		}
		to.entries = append(to.entries, entry{key, value})
	}
}

func (b *builder) scalar(to *node, from ast.ScalarNode) {
	to.shape = scalar
	text := from.GetToken().Value
	switch from := from.(type) {
	case *ast.LiteralNode:
		text = from.Value.Value
	case *ast.StringNode:
		text = from.Value
	}
	switch from.GetToken().Type {
	case token.SingleQuoteType, token.DoubleQuoteType, token.LiteralType, token.FoldedType:
	default:
		to.plain = true
	}
	to.text, to.fromEnv = b.expand(to, text)
}

// plainNumber reports whether a node is a number as YAML 1.2 reads it.
func (n *node) plainNumber() bool {
	if n.shape != scalar || !n.plain {
		return false
	}
	_, err := strconv.ParseFloat(n.text, 64)
	return err == nil && strings.ContainsAny(n.text, "0123456789")
}

// plainBool reports whether a node is true or false, and which.
func (n *node) plainBool() (value, ok bool) {
	if n.shape != scalar || !n.plain {
		return false, false
	}
	yes := slices.Contains([]string{"true", "True", "TRUE"}, n.text)
	return yes, yes || slices.Contains([]string{"false", "False", "FALSE"}, n.text)
}

// what is the node in the words of a person.
func (n *node) what() string {
	_, isBool := n.plainBool()
	switch {
	case n.shape == mapping:
		return "a mapping"
	case n.shape == sequence:
		return "a list"
	case n.shape == empty:
		return "nothing"
	case isBool:
		return n.text
	case n.plainNumber():
		return "a number"
	}
	return "a text"
}
