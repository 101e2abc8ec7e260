package plugincard

import (
	"errors"
	"fmt"
	"strings"
	"text/template/parse"
)

const (
	// maxRanges is how deep ranges may lie in each other: escaping takes twice as
	// long for each.
	maxRanges   = 4
	maxBranches = 24
)

// functions are those that a template may call. printf is not among them: it makes
// any amount of text of a few characters.
var functions = map[string]bool{
	"and": true, "or": true, "not": true, "eq": true, "ne": true, "lt": true, "le": true, "gt": true, "ge": true,
	"len": true, "index": true, "image": true,
}

// checkTree refuses what a card's template may not do, and has each round of a
// range counted.
func checkTree(root *parse.ListNode) error {
	w := &walk{}
	return w.list(root)
}

// walk is one walk through a template. nodes counts those that it has seen.
type walk struct{ nodes, ranges, branches int }

func (w *walk) list(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := w.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) node(n parse.Node) error {
	w.nodes++
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	case *parse.ActionNode:
		return w.pipe(n.Pipe)
	case *parse.IfNode:
		return w.branch(&n.BranchNode)
	case *parse.WithNode:
		return w.branch(&n.BranchNode)
	case *parse.RangeNode:
		return w.rangeOver(n)
	}
	return fmt.Errorf("it has %s; a card is one template, without define, block and template", n)
}

func (w *walk) branch(b *parse.BranchNode) error {
	if w.branches++; w.branches > maxBranches {
		return fmt.Errorf("more than %d branches lie in each other", maxBranches)
	}
	defer func() { w.branches-- }()
	return errors.Join(w.pipe(b.Pipe), w.list(b.List), w.list(b.ElseList))
}

// rangeOver checks a range, and puts a step before its body. It declares a
// variable, which writes nothing wherever it stands.
func (w *walk) rangeOver(n *parse.RangeNode) error {
	if w.ranges++; w.ranges > maxRanges {
		return fmt.Errorf("more than %d ranges lie in each other", maxRanges)
	}
	defer func() { w.ranges-- }()
	before := w.nodes
	if err := w.branch(&n.BranchNode); err != nil {
		return err
	}
	text := fmt.Sprintf("{{$_step := step %d}}", 1+w.nodes-before)
	trees, err := parse.Parse("step", text, "", "", map[string]any{"step": 0})
	if err != nil {
		return err
	}
	n.List.Nodes = append([]parse.Node{trees["step"].Root.Nodes[0]}, n.List.Nodes...)
	return nil
}

func (w *walk) pipe(p *parse.PipeNode) error {
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			if err := w.operand(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) operand(n parse.Node) error {
	w.nodes++
	switch n := n.(type) {
	case *parse.IdentifierNode:
		if !functions[n.Ident] {
			return fmt.Errorf("it calls %s; a card has and, or, not, eq, ne, lt, le, gt, ge, len, index and image", n.Ident)
		}
	case *parse.PipeNode:
		return w.pipe(n)
	case *parse.ChainNode:
		return w.operand(n.Node)
	}
	return nil
}

// hole stands in markup for what a template puts there.
const hole = "\uE000"

// markupOf is the markup of a template, with a hole for each value and with all
// branches one after another.
func markupOf(l *parse.ListNode) string {
	var b strings.Builder
	writeMarkup(&b, l)
	return b.String()
}

func writeMarkup(b *strings.Builder, l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			b.Write(n.Text)
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				b.WriteString(hole)
			}
		case *parse.IfNode:
			writeMarkup(b, n.List)
			writeMarkup(b, n.ElseList)
		case *parse.WithNode:
			writeMarkup(b, n.List)
			writeMarkup(b, n.ElseList)
		case *parse.RangeNode:
			writeMarkup(b, n.List)
			writeMarkup(b, n.ElseList)
		}
	}
}
