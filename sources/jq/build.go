package jq

import (
	"strconv"

	"github.com/itchyny/gojq"
)

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
