package nats

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wallcast/wallcast/stream"
)

// Rule says which foreign subjects come to a wall, and as what.
type Rule struct {
	Wall    string
	Subject string // with NATS's wildcards, as "orders.*.created"
	Kind    string // template of a kind, or of "kind.key": "order", "order.{{wildcard(1)}}"
}

// reserved are the subjects that Wallcast and NATS use themselves.
var reserved = []string{"wall", "ctl", "card", "hold", "fire", "cron", "tick", "dead", "_INBOX", "_R_"}

// wildcard is NATS's own syntax for what the n-th * of a subject has matched.
var wildcard = regexp.MustCompile(`\{\{\s*[Ww]ildcard\(\s*([0-9]{1,2})\s*\)\s*\}\}`)

// CheckSubject reports why a filter can't be of foreign subjects: it is
// malformed, or it matches subjects of ours. The error's text goes on after the
// subject's name.
func CheckSubject(filter string) error {
	if err := stream.CheckFilter(filter); err != nil {
		return err
	}
	for _, prefix := range reserved {
		if own := prefix + ".>"; filter == prefix || stream.Overlap(filter, own) {
			return fmt.Errorf("matches %q, where Wallcast and NATS keep their own messages; name the foreign subject further", own)
		}
	}
	if strings.HasPrefix(filter, "$") {
		return fmt.Errorf("begins with $, as NATS's own subjects do; foreign subjects don't")
	}
	return nil
}

// Check reports what is wrong with the rule by itself; [Check] goes on to see
// what the NATS server has to say.
func (r Rule) Check() error {
	if err := stream.CheckName("wall", r.Wall); err != nil {
		return err
	}
	if err := CheckSubject(r.Subject); err != nil {
		return fmt.Errorf("%q %w", r.Subject, err)
	}
	return checkTemplate(r.Subject, r.Kind)
}

// checkTemplate reports what is wrong with the template of a kind, or of
// "kind.key", for what subject matches.
func checkTemplate(subject, template string) error {
	stars := 0
	for token := range strings.SplitSeq(subject, ".") {
		if token == "*" {
			stars++
		}
	}
	for _, use := range wildcard.FindAllStringSubmatch(template, -1) {
		if n, _ := strconv.Atoi(use[1]); n < 1 || n > stars {
			return fmt.Errorf("%s refers to a * that the subject %q doesn't have; it has %d", use[0], subject, stars)
		}
	}
	// What a wildcard matches is known later; a digit may stand at any place of a name.
	sample := wildcard.ReplaceAllString(template, "0")
	if strings.ContainsAny(sample, "{}$") {
		return fmt.Errorf("%q is neither a kind nor a template such as order-{{wildcard(1)}}", template)
	}
	kind, key, keyed := strings.Cut(sample, ".")
	if err := stream.CheckKind(kind); err != nil {
		return err
	}
	if keyed {
		return stream.CheckName("key", key)
	}
	return nil
}

// String is the rule as the configuration has it, without its wall.
func (r Rule) String() string { return r.Subject + ": " + r.Kind }

// Name is the rule's name as a source. It goes by the wall and the subject, so
// that a rule which is given another kind goes on where it was.
func (r Rule) Name() string {
	sum := sha256.Sum256([]byte(r.Wall + " " + r.Subject))
	readable := validName("nats-"+r.Wall+"-"+r.Subject, stream.MaxName-9)
	return readable + "-" + hex.EncodeToString(sum[:4])
}

// Expand returns kind and key of what was published under subject, and false
// if the rule doesn't match it. Both are valid names, see the package's "Names",
// and empty where the rule has no Kind.
func (r Rule) Expand(subject string) (kind, key string, ok bool) {
	var matched []string
	want, have := strings.Split(r.Subject, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case i >= len(have):
			return "", "", false
		case token == ">":
			want, have = nil, nil
		case token == "*":
			matched = append(matched, have[i])
		case token != have[i]:
			return "", "", false
		}
	}
	if len(want) != len(have) {
		return "", "", false
	}
	if r.Kind == "" {
		return "", "", true
	}
	kind, key, keyed := strings.Cut(r.Kind, ".")
	kind = validKind(expand(kind, matched))
	if keyed {
		key = validName(expand(key, matched), stream.MaxName)
	}
	return kind, key, true
}

func expand(template string, matched []string) string {
	return wildcard.ReplaceAllStringFunc(template, func(use string) string {
		n, err := strconv.Atoi(wildcard.FindStringSubmatch(use)[1])
		if err != nil || n < 1 || n > len(matched) {
			return ""
		}
		return matched[n-1]
	})
}

func validKind(s string) string {
	kind := validName(s, stream.MaxName)
	if stream.CheckKind(kind) != nil { // open or error
		return "kind-" + kind
	}
	return kind
}

// validName makes a name of at most n bytes of s.
func validName(s string, n int) string {
	name := []byte(s)
	for i, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			name[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		default:
			name[i] = '-'
		}
	}
	s = strings.TrimLeft(string(name), "-")
	s = strings.TrimRight(s[:min(len(s), n)], "-")
	if s == "" {
		return "unnamed"
	}
	return s
}

// Subjects returns the subjects of rules, each once and sorted.
func Subjects(rules []Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Subject)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
