package jq

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// free are the functions that are not checked. Most are defined in jq, by steps of their own.
var free = names(`
	all any del empty first from_entries has in isempty last limit map map_values
	not path pick range recurse repeat select skip to_entries type until walk while
	with_entries arrays objects iterables booleans numbers strings nulls values
	scalars now infinite nan`)

// absent are functions that reach out of the program.
var absent = map[string]string{
	"env":               "a program sees nothing of the environment",
	"$ENV":              "a program sees nothing of the environment",
	"input":             "a program sees one event; its payload is .",
	"inputs":            "a program sees one event; its payload is .",
	"debug":             "there is nowhere to write to; wallcast try shows what a program makes",
	"stderr":            "there is nowhere to write to; wallcast try shows what a program makes",
	"input_filename":    "the payload is in no file",
	"input_line_number": "the payload is in no file",
	"modulemeta":        "there are no modules",
	"get_search_list":   "there are no modules",
	"halt":              "a program is one part of a source; empty ends it for an event",
	"halt_error":        "a program is one part of a source; error(...) ends it for an event",
}

// texts are functions that take a text to pieces, by the check of it.
var texts = map[string]string{
	"explode": "_fits_text", "split": "_fits_text", "tonumber": "_fits_number", "fromjson": "_fits_text",
}

// searches are functions that look for a regular expression, by the place of their
// flags among the arguments; those of alwaysAll look for all matches.
var (
	searches = map[string]int{
		"test/1": 1, "match/1": 1, "capture/1": 1, "scan/1": 1, "splits/1": 1, "sub/2": 2, "gsub/2": 2,
		"test/2": 1, "match/2": 1, "capture/2": 1, "scan/2": 1, "splits/2": 1, "split/2": 1, "sub/3": 2, "gsub/3": 2,
	}
	alwaysAll = names("scan splits split gsub")
)

func names(list string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(list) {
		set[name] = true
	}
	return set
}

// function rewrites the call of a function.
func (g *guard) function(f *gojq.Func) *gojq.Term {
	args := make([]*gojq.Query, len(f.Args))
	for i, arg := range f.Args {
		args[i] = g.query(arg)
	}
	plain := &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: f.Name, Args: args}}
	full := signature(f.Name, len(f.Args))
	why, gone := absent[f.Name]
	switch {
	case slices.Contains(g.defined, full):
		return plain
	case gone:
		g.fail(f.Name, "%s is not there: %s", f.Name, why)
		return plain
	case strings.HasPrefix(f.Name, "_"):
		g.fail(f.Name, "function not defined: %s", full)
		return plain
	case strings.HasPrefix(f.Name, "$"):
		return plain
	}
	if special := g.special(f.Name, args); special != nil {
		return group(special)
	}
	if free[f.Name] {
		return plain
	}
	for i, arg := range args {
		args[i] = checked(arg, "_fits")
	}
	check, text := texts[f.Name]
	if !text {
		check = "_fits"
	}
	return group(checked(pipe(call(check), &gojq.Query{Term: plain}), "_fits"))
}

// special is a call that is checked in a way of its own; nil for others.
func (g *guard) special(name string, args []*gojq.Query) *gojq.Query {
	full := signature(name, len(args))
	if flags, ok := searches[full]; ok {
		return searched(name, args, flags)
	}
	switch full {
	case "add/1": // what it collects is what it goes through
		return pipe(checked(collect(args[0]), "_fits"), call("add"))
	case "sort_by/1", "group_by/1", "unique_by/1", "min_by/1", "max_by/1":
		keys := checked(collect(pipe(each(), collect(args[0]))), "_fits")
		return pipe(call("_fits"), call("_"+name, keys))
	case "contains/1", "inside/1", "indices/1", "index/1", "rindex/1":
		return paired("_pair_product", args[0], name)
	case "join/1":
		return paired("_pair_joined", args[0], name)
	case "transpose/0":
		return pipe(call("_fits_transpose"), call(name))
	case "setpath/2":
		return call(name, checked(args[0], "_fits_path"), args[1])
	case "getpath/1":
		return call(name, checked(args[0], "_fits_path"))
	case "fromstream/1":
		return call(name, checked(args[0], "_fits_stream"))
	case "nth/1", "nth/2":
		return call(name, append([]*gojq.Query{checked(args[0], "_fits_key")}, args[1:]...)...)
	}
	return nil
}

// searched is the call of a function that looks for a regular expression.
func searched(name string, args []*gojq.Query, flags int) *gojq.Query {
	const all = "$__search"
	check := "_search"
	if alwaysAll[name] {
		check = "_search_all"
	}
	zero, one, two := 0, 1, 2
	set := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNull}}
	found := append([]*gojq.Query{variable(all, &one)}, args[1:]...)
	if len(args) > flags {
		set = args[flags]
		found[flags] = variable(all, &two)
	}
	if flags == 2 { // what is put in for each match
		found[1] = checked(found[1], "_fits_regexp")
	}
	return bind(call(check, dot(), args[0], set), all, pipe(variable(all, &zero), call(name, found...)))
}

// paired is ". | name(arg)" with both checked.
func paired(check string, arg *gojq.Query, name string) *gojq.Query {
	const both = "$__both"
	zero, one := 0, 1
	return bind(call(check, dot(), arg), both, pipe(variable(both, &zero), call(name, variable(both, &one))))
}
