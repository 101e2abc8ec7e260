package config

import (
	"fmt"
	"slices"
	"strings"
)

// failUnknown says that a key is none of those that there are.
func (d *decoder) failUnknown(key *node, path []string, known []string) {
	where := "the configuration"
	if len(path) > 0 {
		where = name(path)
	}
	hint := didYouMean(key.text, known)
	if hint == "" {
		hint = "; it takes " + list(known, "and")
	}
	d.failed = append(d.failed, append(slices.Clone(path), key.text))
	d.file.fail(key, "%s has no setting %q%s", where, key.text, hint)
}

// didYouMean is a hint at the word that is nearest, or "".
func didYouMean(word string, known []string) string {
	best, distance := "", 3
	if len(word) <= 3 {
		distance = 2
	}
	for _, candidate := range known {
		if n := editDistance(strings.ToLower(word), candidate); n < distance {
			best, distance = candidate, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance counts the letters to insert, remove, replace or swap with their
// neighbour that make b of a.
func editDistance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64
	}
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

func oneOf(words []string) string { return list(words, "or") }

// list is "a, b and c".
func list(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}
