package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/wallcast/wallcast/sources"
)

// Reference writes all settings as Markdown tables, one for each part of the file.
func Reference(w io.Writer, types []sources.Type) error {
	out := bufio.NewWriter(w)
	table(out, "wallcast.yaml", "", defaultsOf(reflect.TypeFor[Config]()))
	table(out, "tokens: NAME", "Somebody that may do something, known by a secret.", defaultsOf(reflect.TypeFor[Token]()))
	table(out, "walls: NAME", "", defaultsOf(reflect.TypeFor[Wall]()))
	table(out, "walls: NAME: kinds: KIND", "", defaultsOf(reflect.TypeFor[Kind]()))
	table(out, "sources: NAME", "One of the types below with its settings, and what all have in common:", defaultsOf(sourceType))
	sorted := slices.Clone(types)
	slices.SortFunc(sorted, func(a, b sources.Type) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range sorted {
		table(out, "sources: NAME: "+t.Name, t.Doc, valueOf(t.New()))
	}
	return out.Flush()
}

// table writes the settings of a mapping, and a table for each list and each
// mapping by name within, whose elements have settings of their own.
func table(w io.Writer, title, doc string, defaults reflect.Value) {
	fmt.Fprintf(w, "### `%s`\n\n", title)
	if doc != "" {
		fmt.Fprintf(w, "%s\n\n", doc)
	}
	fmt.Fprint(w, "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n")
	within := rows(w, "", defaults)
	fmt.Fprintln(w)
	for _, p := range within {
		title := title + ": " + p.path
		if isEmbedded(p.element, defaults.Type()) {
			names := fieldNames(fields(p.element))
			fmt.Fprintf(w, "### `%s`\n\nThese of the settings above: `%s`.\n\n", title, strings.Join(names, "`, `"))
			continue
		}
		table(w, title, "", defaultsOf(p.element))
	}
}

// part is a list or a mapping by name, whose elements have settings.
type part struct {
	path    string
	element reflect.Type
}

// rows writes a row for each setting, those of nested mappings with their path. It
// returns the parts among them.
func rows(w io.Writer, prefix string, defaults reflect.Value) []part {
	var within []part
	for _, s := range settings(defaults) {
		cells := []string{"`" + prefix + s.name + "`", s.word(), s.fallbackWord(), s.doc}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		path := strings.ReplaceAll(prefix+s.name, ".", ": ")
		switch {
		case s.named || s.typ == rulesType: // they have tables of their own, or no settings
		case isMapping(s.typ):
			within = append(within, rows(w, prefix+s.name+".", s.fallback)...)
		case s.typ.Kind() == reflect.Slice && isMapping(s.typ.Elem()):
			within = append(within, part{path + ": []", s.typ.Elem()})
		case s.typ.Kind() == reflect.Map && isMapping(s.typ.Elem()):
			within = append(within, part{path + ": NAME", s.typ.Elem()})
		}
	}
	return within
}

// isMapping reports whether values of t are mappings with settings.
func isMapping(t reflect.Type) bool {
	_, text := formOf(t)
	return t.Kind() == reflect.Struct && !text
}

// isEmbedded reports whether the settings of a struct are among those of another
// because it is embedded there.
func isEmbedded(t, in reflect.Type) bool {
	for i := range in.NumField() {
		if f := in.Field(i); f.Anonymous && f.Type == t {
			return true
		}
	}
	return false
}
