package jq

import (
	"fmt"
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
// which it is known that none of their steps depends on the size of a value
// (see calls.go).

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
