package jq

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// The interpreter can be stopped between two of its steps, but not within one, and
// one step can be a function or an operator that goes through all of a value, or
// makes a larger one. So a program is rewritten before it is compiled: in front of
// each such step the values are checked (see bounds.go). What this leaves is
// growth over many steps, which the meter sees.
//
// The rule is that every function of the interpreter is checked, but those of
// which it is known that none of their steps depends on the size of a value.

// free are these functions. Most are defined in jq, by steps of their own.
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

// operators are those whose step depends on the size of the operands, by the check.
var operators = map[gojq.Operator]string{
	gojq.OpAdd: "_pair_sum", gojq.OpSub: "_pair_product", gojq.OpMul: "_pair_repeated", gojq.OpDiv: "_pair_divided",
	gojq.OpEq: "_pair_sum", gojq.OpNe: "_pair_sum", gojq.OpLt: "_pair_sum", gojq.OpLe: "_pair_sum",
	gojq.OpGt: "_pair_sum", gojq.OpGe: "_pair_sum",
}

// updates are the operators that change a place by an operator.
var updates = map[gojq.Operator]gojq.Operator{
	gojq.OpUpdateAdd: gojq.OpAdd, gojq.OpUpdateSub: gojq.OpSub, gojq.OpUpdateMul: gojq.OpMul,
	gojq.OpUpdateDiv: gojq.OpDiv, gojq.OpUpdateMod: gojq.OpMod,
}

func names(list string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(list) {
		set[name] = true
	}
	return set
}

// guard rewrites a program.
type guard struct {
	defined []string // functions of the program that are in scope, as name/arity
	err     error    // the first
}

func (g *guard) fail(name, format string, args ...any) {
	if g.err == nil {
		g.err = &nameError{name, fmt.Errorf(format, args...)}
	}
}

// query rewrites q, which may be nil.
func (g *guard) query(q *gojq.Query) *gojq.Query {
	if q == nil {
		return nil
	}
	if len(q.Imports) > 0 || q.Meta != nil {
		g.fail("import", "there are no modules; write the functions into the program")
		return q
	}
	defer func(n int) { g.defined = g.defined[:n] }(len(g.defined))
	made := &gojq.Query{Op: q.Op}
	for _, def := range q.FuncDefs {
		made.FuncDefs = append(made.FuncDefs, g.define(def))
	}
	switch {
	case q.Term != nil:
		made.Term = g.term(q.Term)
		return made
	case q.Left == nil:
		return made
	}
	made.Left, made.Right, made.Patterns = g.query(q.Left), g.query(q.Right), g.patterns(q.Patterns)
	check, checked := operators[q.Op]
	if op, ok := updates[q.Op]; ok {
		return inScope(made, g.update(made.Left, made.Right, op))
	}
	if !checked || small(q.Op, q.Left) || small(q.Op, q.Right) {
		return made
	}
	both := pipe(call(check, made.Left, made.Right), binary(item(0), q.Op, item(1)))
	return inScope(made, both)
}

// inScope is q where the functions of from are defined.
func inScope(from, q *gojq.Query) *gojq.Query {
	if len(from.FuncDefs) == 0 {
		return q
	}
	return &gojq.Query{FuncDefs: from.FuncDefs, Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: q}}
}

// update is "left op= right" by what it stands for.
func (g *guard) update(left, right *gojq.Query, op gojq.Operator) *gojq.Query {
	const name = "$__with"
	changed := binary(dot(), op, variable(name, nil))
	if check, ok := operators[op]; ok {
		changed = pipe(call(check, dot(), variable(name, nil)), binary(item(0), op, item(1)))
	}
	return bind(right, name, binary(left, gojq.OpModify, changed))
}

// small reports whether an operand is written as a value that leaves an operator
// nothing to go through.
func small(op gojq.Operator, q *gojq.Query) bool {
	if op == gojq.OpMul || op == gojq.OpDiv || q.Term == nil || len(q.Term.SuffixList) > 0 {
		return false
	}
	switch t := q.Term; t.Type {
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
		return true
	case gojq.TermTypeString:
		return t.Str != nil && len(t.Str.Queries) == 0
	}
	return false
}

func (g *guard) define(def *gojq.FuncDef) *gojq.FuncDef {
	if strings.HasPrefix(def.Name, "_") {
		g.fail(def.Name, "the name %s begins with _, as the interpreter's own do; take another", def.Name)
	}
	g.defined = append(g.defined, signature(def.Name, len(def.Args)))
	defer func(n int) { g.defined = g.defined[:n] }(len(g.defined))
	for _, arg := range def.Args {
		if strings.HasPrefix(strings.TrimPrefix(arg, "$"), "_") {
			g.fail(arg, "the name %s begins with _, as the interpreter's own do; take another", arg)
		}
		g.defined = append(g.defined, signature(strings.TrimPrefix(arg, "$"), 0))
	}
	return &gojq.FuncDef{Name: def.Name, Args: def.Args, Body: g.query(def.Body)}
}

func signature(name string, arity int) string { return name + "/" + strconv.Itoa(arity) }

func (g *guard) term(t *gojq.Term) *gojq.Term {
	made := g.head(t)
	if len(t.SuffixList) == 0 {
		return made
	}
	if len(made.SuffixList) > 0 {
		made = group(&gojq.Query{Term: made})
	} else {
		copied := *made
		made = &copied
	}
	for _, s := range t.SuffixList {
		made.SuffixList = append(made.SuffixList, &gojq.Suffix{Index: g.index(s.Index), Iter: s.Iter, Optional: s.Optional})
	}
	return made
}

// head rewrites a term without its suffixes.
func (g *guard) head(t *gojq.Term) *gojq.Term {
	made := *t
	made.SuffixList = nil
	switch t.Type {
	case gojq.TermTypeIndex:
		made.Index = g.index(t.Index)
	case gojq.TermTypeFunc:
		return g.function(t.Func)
	case gojq.TermTypeObject:
		made.Object = g.object(t.Object)
	case gojq.TermTypeArray:
		made.Array = &gojq.Array{Query: g.query(t.Array.Query)}
	case gojq.TermTypeUnary:
		made.Unary = &gojq.Unary{Op: t.Unary.Op, Term: g.term(t.Unary.Term)}
	case gojq.TermTypeFormat:
		if t.Str == nil {
			return group(pipe(call("_fits"), &gojq.Query{Term: &made}))
		}
		made.Str = g.text(t.Str)
	case gojq.TermTypeString:
		made.Str = g.text(t.Str)
	case gojq.TermTypeIf:
		made.If = &gojq.If{Cond: g.query(t.If.Cond), Then: g.query(t.If.Then), Else: g.query(t.If.Else)}
		for _, e := range t.If.Elif {
			made.If.Elif = append(made.If.Elif, &gojq.IfElif{Cond: g.query(e.Cond), Then: g.query(e.Then)})
		}
	case gojq.TermTypeTry:
		made.Try = &gojq.Try{Body: g.query(t.Try.Body), Catch: g.query(t.Try.Catch)}
	case gojq.TermTypeReduce:
		r := t.Reduce
		made.Reduce = &gojq.Reduce{Query: g.query(r.Query), Patterns: g.patterns(r.Patterns), Start: g.query(r.Start), Update: g.query(r.Update)}
	case gojq.TermTypeForeach:
		f := t.Foreach
		made.Foreach = &gojq.Foreach{
			Query: g.query(f.Query), Patterns: g.patterns(f.Patterns),
			Start: g.query(f.Start), Update: g.query(f.Update), Extract: g.query(f.Extract),
		}
	case gojq.TermTypeLabel:
		made.Label = &gojq.Label{Ident: t.Label.Ident, Body: g.query(t.Label.Body)}
	case gojq.TermTypeQuery:
		made.Query = g.query(t.Query)
	}
	return &made
}

func (g *guard) index(x *gojq.Index) *gojq.Index {
	if x == nil {
		return nil
	}
	return &gojq.Index{Name: x.Name, Str: g.text(x.Str), Start: g.key(x.Start), End: g.key(x.End), IsSlice: x.IsSlice}
}

// key rewrites what stands in .[ ].
func (g *guard) key(q *gojq.Query) *gojq.Query {
	if q == nil {
		return nil
	}
	if t := q.Term; t != nil && len(q.FuncDefs) == 0 && t.Type == gojq.TermTypeNumber && len(t.SuffixList) == 0 {
		if n, err := strconv.Atoi(t.Number); err == nil && n <= maxIndex {
			return q
		}
	}
	return checked(g.query(q), "_fits_key")
}

// text rewrites the parts of a text that are put in.
func (g *guard) text(s *gojq.String) *gojq.String {
	if s == nil {
		return nil
	}
	made := &gojq.String{Str: s.Str}
	for _, q := range s.Queries {
		if small(gojq.OpAdd, q) {
			made.Queries = append(made.Queries, q)
			continue
		}
		made.Queries = append(made.Queries, &gojq.Query{Term: group(checked(g.query(q), "_fits"))})
	}
	return made
}

func (g *guard) object(o *gojq.Object) *gojq.Object {
	made := &gojq.Object{}
	for _, kv := range o.KeyVals {
		if kv.Key == "$ENV" {
			g.fail(kv.Key, "%s", absent[kv.Key])
		}
		made.KeyVals = append(made.KeyVals, &gojq.ObjectKeyVal{
			Key: kv.Key, KeyString: g.text(kv.KeyString), KeyQuery: g.query(kv.KeyQuery), Val: g.query(kv.Val),
		})
	}
	return made
}

func (g *guard) patterns(all []*gojq.Pattern) []*gojq.Pattern {
	made := make([]*gojq.Pattern, 0, len(all))
	for _, p := range all {
		pattern := &gojq.Pattern{Name: p.Name, Array: g.patterns(p.Array)}
		for _, o := range p.Object {
			field := &gojq.PatternObject{Key: o.Key, KeyString: g.text(o.KeyString), KeyQuery: g.key(o.KeyQuery)}
			if o.Val != nil {
				field.Val = g.patterns([]*gojq.Pattern{o.Val})[0]
			}
			pattern.Object = append(pattern.Object, field)
		}
		made = append(made, pattern)
	}
	if len(made) == 0 {
		return nil
	}
	return made
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

// checked is q with each of its outputs checked.
func checked(q *gojq.Query, check string) *gojq.Query { return pipe(q, call(check)) }

func dot() *gojq.Query { return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}} }

func pipe(l, r *gojq.Query) *gojq.Query { return binary(l, gojq.OpPipe, r) }

func binary(l *gojq.Query, op gojq.Operator, r *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: l, Op: op, Right: r}
}

func bind(value *gojq.Query, name string, body *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: value, Op: gojq.OpPipe, Right: body, Patterns: []*gojq.Pattern{{Name: name}}}
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

func group(q *gojq.Query) *gojq.Term { return &gojq.Term{Type: gojq.TermTypeQuery, Query: q} }

func collect(q *gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeArray, Array: &gojq.Array{Query: q}}}
}

// each is .[].
func each() *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: []*gojq.Suffix{{Iter: true}}}}
}

// item is .[n].
func item(n int) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{Start: number(n)}}}
}

// variable is $name, or $name[n].
func variable(name string, n *int) *gojq.Query {
	t := &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name}}
	if n != nil {
		t.SuffixList = []*gojq.Suffix{{Index: &gojq.Index{Start: number(*n)}}}
	}
	return &gojq.Query{Term: t}
}

func number(n int) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: strconv.Itoa(n)}}
}
