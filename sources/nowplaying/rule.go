package nowplaying

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The types of what is on air.
const (
	typeSong   = "song"
	typeJingle = "jingle"
	typeAd     = "ad"
	typeLive   = "live"
)

// What a rule may do beside giving a type.
const (
	asHide = "hide"
	asKeep = "keep"
)

// pattern matches titles, in any case.
type pattern struct {
	re      *regexp.Regexp
	literal bool // it was written with * and has no groups
}

// parsePattern reads a regular expression between slashes, or a text in which *
// stands for anything.
func parsePattern(s string) (pattern, error) {
	if strings.TrimSpace(s) == "" {
		return pattern{}, errors.New("is empty; it wants a title, in which * stands for anything, or a regular expression between slashes")
	}
	expression, literal := "", false
	if inner, ok := strings.CutPrefix(s, "/"); ok && len(s) > 2 && strings.HasSuffix(inner, "/") {
		expression = "(?i)" + strings.TrimSuffix(inner, "/")
	} else {
		parts := strings.Split(s, "*")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		expression, literal = "(?is)^"+strings.Join(parts, ".*")+"$", true
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return pattern{}, fmt.Errorf("is no regular expression: %w", err)
	}
	return pattern{re, literal}, nil
}

func parsePatterns(all []string) ([]pattern, int, error) {
	patterns := make([]pattern, len(all))
	for i, s := range all {
		var err error
		if patterns[i], err = parsePattern(s); err != nil {
			return nil, i, err
		}
	}
	return patterns, 0, nil
}

func matches(patterns []pattern, text string) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.re.MatchString(text) })
}

// rule is a Rule that was checked.
type rule struct {
	pattern
	as, text string
}

func (r Rule) parse() (rule, string, error) {
	p, err := parsePattern(r.Match)
	if err != nil {
		return rule{}, "match", err
	}
	if r.As == "" && r.Text == "" {
		return rule{}, "as", errors.New("is missing; say what such a title is, or give another text for it")
	}
	if r.As != "" && !slices.Contains(ruleWords, r.As) {
		return rule{}, "as", fmt.Errorf("wants one of %s, not %q", strings.Join(ruleWords, ", "), r.As)
	}
	return rule{p, r.As, r.Text}, "", nil
}

var ruleWords = []string{typeSong, typeJingle, typeAd, typeLive, asHide, asKeep}

// apply does what the first rule says that matches text. It returns the text that
// stands for it, the type where the rule tells, and what the rule does.
func apply(rules []rule, text string) (relabelled string, does string, ok bool) {
	for _, r := range rules {
		found := r.re.FindStringSubmatchIndex(text)
		if found == nil {
			continue
		}
		switch {
		case r.text == "":
		case r.literal:
			text = r.text
		default:
			text = string(r.re.ExpandString(nil, r.text, text, found))
		}
		return text, r.as, true
	}
	return text, "", false
}
