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

func table(w io.Writer, title, doc string, defaults reflect.Value) {
	fmt.Fprintf(w, "### `%s`\n\n", title)
	if doc != "" {
		fmt.Fprintf(w, "%s\n\n", doc)
	}
	fmt.Fprint(w, "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n")
	rows(w, "", defaults)
	fmt.Fprintln(w)
}

// rows writes a row for each setting, those of nested mappings with their path.
func rows(w io.Writer, prefix string, defaults reflect.Value) {
	for _, s := range settings(defaults) {
		cells := []string{"`" + prefix + s.name + "`", s.word(), s.fallbackWord(), s.doc}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if _, text := formOf(s.typ); s.typ.Kind() == reflect.Struct && !text {
			rows(w, prefix+s.name+".", s.fallback)
		}
	}
}
