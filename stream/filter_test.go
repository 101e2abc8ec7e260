package stream_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/stream"
)

func TestCheckFilter(t *testing.T) {
	for _, good := range []string{"a", "a.b", "a.*.c", "a.>", "*", ">", "Orders.EU_1.ü"} {
		if err := stream.CheckFilter(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a.>.b", "a.b*", "a.>b", "a b", "a\tb", "a\x00", "a\u2028b"} {
		if stream.CheckFilter(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		filters string
		filter  string
		want    bool
	}{
		{"orders.>", "orders.*.created", true},
		{"orders.*", "orders.*.created", false},
		{"orders.eu.>", "orders.*.created", false},
		{"orders.*", "orders.>", false},
		{"orders.* orders.*.>", "orders.>", true},
		{"orders.eu orders.us", "orders.*", false},
		{"orders.eu orders.*", "orders.*", true},
		{"*.created", "orders.created", true},
		{"a.*.x a.b.>", "a.b.*", true},
		{"a.*.x a.b.>", "a.*.*", false},
		{"", "a", false},
		{"a", "a", true},
		{"a.>", "a", false},
		{">", ">", true},
	} {
		if got := stream.Covers(strings.Fields(c.filters), c.filter); got != c.want {
			t.Errorf("Covers(%q, %q) = %t", c.filters, c.filter, got)
		}
	}
}

func TestDisjoint(t *testing.T) {
	for _, c := range []struct{ filters, want string }{
		{"", ""},
		{"b a b", "a b"},
		{"orders.new orders.*", "orders.*"},
		{"orders.*.x orders.a.*", "orders.*.*"},
		{"orders.new orders.old orders.*", "orders.*"},
		{"orders.* orders.>", "orders.>"},
		{"a.b.c a.*.d a.b.*", "a.*.*"},
	} {
		if got := strings.Join(stream.Disjoint(strings.Fields(c.filters)), " "); got != c.want {
			t.Errorf("Disjoint(%q) = %q, want %q", c.filters, got, c.want)
		}
	}
}

// FuzzFilters holds the algebra of filters against what they match, one subject
// after another.
func FuzzFilters(f *testing.F) {
	f.Add("a.* a.*.>", "a.>")
	f.Add("a.*.b a.a.*", "*.a.b")
	f.Add("> a", "a.b.a")
	f.Fuzz(func(t *testing.T, list, filter string) {
		filters := strings.Fields(list)
		if len(filters) > 5 || len(list) > 40 || len(filter) > 12 || stream.CheckFilter(filter) != nil ||
			slices.ContainsFunc(filters, func(f string) bool { return stream.CheckFilter(f) != nil }) {
			return
		}
		for _, token := range strings.FieldsFunc(list+"."+filter, func(r rune) bool { return r == '.' || r == ' ' }) {
			if !slices.Contains([]string{"a", "b", "*", ">"}, token) {
				return // two tokens and one that is neither are enough to tell
			}
		}
		longest := 1
		for _, s := range append(filters, filter) {
			longest = max(longest, strings.Count(s, ".")+2)
		}
		if longest > 6 {
			return
		}
		covered, disjoint := true, stream.Disjoint(filters)
		for _, subject := range subjects(longest) {
			inOne := slices.ContainsFunc(filters, func(f string) bool { return matches(f, subject) })
			covered = covered && (inOne || !matches(filter, subject))
			n := 0
			for _, d := range disjoint {
				if matches(d, subject) {
					n++
				}
			}
			if n > 1 || inOne && n == 0 {
				t.Fatalf("%s is matched by %d of Disjoint(%q) = %q", subject, n, filters, disjoint)
			}
		}
		if got := stream.Covers(filters, filter); got != covered {
			t.Errorf("Covers(%q, %q) = %t", filters, filter, got)
		}
	})
}

func subjects(longest int) []string {
	var all []string
	level := []string{""}
	for range longest {
		var next []string
		for _, s := range level {
			for _, token := range []string{"a", "b", "c"} {
				next = append(next, strings.TrimPrefix(s+"."+token, "."))
			}
		}
		all, level = append(all, next...), next
	}
	return all
}

func matches(filter, subject string) bool {
	fs, ss := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, f := range fs {
		if i >= len(ss) {
			return false
		}
		if f == ">" {
			return true
		}
		if f != "*" && f != ss[i] {
			return false
		}
	}
	return len(fs) == len(ss)
}
