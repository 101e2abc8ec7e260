package jq

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

const (
	nodeSize = 16 // bytes that a value takes at least

	maxValue  = 16 << 20 // bytes of a value that one step reads or makes
	maxText   = 1 << 20  // of a text that one step takes to pieces
	maxRegexp = 10_000
	maxSearch = 500_000_000 // characters that one search counts
	maxDigits = 1000
	maxDepth  = 512
	maxIndex  = 100_000
	maxPairs  = 64 << 20 // comparisons that one step makes
)

var (
	errLarge = errors.New("a value has become larger than 16 MiB")
	errDepth = fmt.Errorf("a value lies more than %d deep in others", maxDepth)
	errDigit = fmt.Errorf("a number has more than %d digits", maxDigits)
	errIndex = fmt.Errorf("an index is above %d", maxIndex)
	errPairs = errors.New("two values are too large to compare each part of one with each of the other")
	errKey   = errors.New("an array is no index; indices(...) finds one in another")
)

// size is what a value takes when each part of it that lies in several places is
// counted in each, in bytes. That is what the interpreter goes through: values
// share their parts, so a small one can unfold to more than any memory holds.
func size(v any) (int, error) {
	left := maxValue
	if err := measure(v, &left, 0); err != nil {
		return 0, err
	}
	return maxValue - left, nil
}

func measure(v any, left *int, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	*left -= nodeSize
	switch v := v.(type) {
	case string:
		*left -= len(v)
	case json.Number:
		if len(v) > maxDigits {
			return errDigit
		}
	case *big.Int:
		if v.BitLen() > 4*maxDigits {
			return errDigit
		}
	case []any:
		for _, item := range v {
			if err := measure(item, left, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, item := range v {
			*left -= len(key)
			if err := measure(item, left, depth+1); err != nil {
				return err
			}
		}
	}
	if *left < 0 {
		return errLarge
	}
	return nil
}

// fits returns a value that is small enough to go through, or an error.
func fits(v any, _ []any) any {
	if _, err := size(v); err != nil {
		return err
	}
	return v
}

// fitsText is fits for a text of which parts are made.
func fitsText(limit int) func(any, []any) any {
	return func(v any, _ []any) any {
		if s, ok := v.(string); ok && len(s) > limit {
			return fmt.Errorf("a text of %d bytes is too long for this; %d are the most", len(s), limit)
		}
		return fits(v, nil)
	}
}

// fitsKey checks what stands in .[ ].
func fitsKey(v any, _ []any) any {
	switch v := v.(type) {
	case []any:
		return errKey
	case map[string]any:
		return fits(v, nil)
	}
	if n, ok := gojq.ToFloat64(short(v)); ok && n > maxIndex {
		return errIndex
	}
	return v
}

// short is v, or a small number instead of one with too many digits to read.
func short(v any) any {
	if n, ok := v.(json.Number); ok && len(n) > maxDigits {
		return maxIndex + 1
	}
	return v
}

// fitsPath checks every index of a path.
func fitsPath(v any, _ []any) any {
	path, ok := v.([]any)
	if !ok {
		return v
	}
	for _, key := range path {
		if err, bad := fitsKey(key, nil).(error); bad {
			return err
		}
	}
	return fits(v, nil)
}

// fitsStream checks the path of what tostream makes.
func fitsStream(v any, _ []any) any {
	if event, ok := v.([]any); ok && len(event) > 0 {
		if err, bad := fitsPath(event[0], nil).(error); bad {
			return err
		}
	}
	return fits(v, nil)
}

// pair checks the two operands of what limit is about, and returns both.
func pair(limit func(l, r any, sizes [2]int) error) func(any, []any) any {
	return func(_ any, args []any) any {
		var sizes [2]int
		for i, arg := range args {
			n, err := size(arg)
			if err != nil {
				return err
			}
			sizes[i] = n
		}
		if err := limit(args[0], args[1], sizes); err != nil {
			return err
		}
		return []any{args[0], args[1]}
	}
}

func sum(_, _ any, sizes [2]int) error {
	if sizes[0]+sizes[1] > maxValue {
		return errLarge
	}
	return nil
}

// repeated is for *: a text that is repeated, or numbers that grow.
func repeated(l, r any, sizes [2]int) error {
	for _, operands := range [][2]any{{l, r}, {r, l}} {
		text, ok := operands[0].(string)
		times, number := gojq.ToFloat64(operands[1])
		if ok && number && float64(len(text))*times > maxValue {
			return errLarge
		}
	}
	return sum(l, r, sizes)
}

// product is for what goes through the one for each part of the other.
func product(l, r any, sizes [2]int) error {
	if parts(l, sizes[0])*parts(r, sizes[1]) > maxPairs {
		return errPairs
	}
	return nil
}

func parts(v any, size int) int {
	if s, ok := v.(string); ok {
		return utf8.RuneCountInString(s) + 1
	}
	return size / nodeSize
}

// joined is for join: the separator stands between all items.
func joined(items, separator any, sizes [2]int) error {
	list, ok := items.([]any)
	if s, text := separator.(string); ok && text && len(s)*len(list)+sizes[0] > maxValue {
		return errLarge
	}
	return nil
}

// divided is for /, which takes texts to pieces.
func divided(l, _ any, _ [2]int) error {
	if s, ok := l.(string); ok && len(s) > maxText {
		return fmt.Errorf("a text of %d bytes is too long to be split; %d are the most", len(s), maxText)
	}
	return nil
}

// fitsTranspose checks the rectangle that transpose fills.
func fitsTranspose(v any, _ []any) any {
	rows, longest := 0, 0
	if list, ok := v.([]any); ok {
		rows = len(list)
		for _, row := range list {
			if row, ok := row.([]any); ok {
				longest = max(longest, len(row))
			}
		}
	}
	if rows*longest*nodeSize > maxValue {
		return errLarge
	}
	return fits(v, nil)
}

// search checks what a regular expression is looked for in, and returns text,
// expression and flags. For each match the interpreter counts the characters
// before it, so that many of them in a long text take long.
func search(all bool) func(any, []any) any {
	return func(_ any, args []any) any {
		expression, flags := args[1], args[2]
		if list, ok := expression.([]any); ok && len(list) > 0 {
			expression = list[0]
			if len(list) > 1 {
				flags = list[1]
			}
		}
		text, _ := args[0].(string)
		for _, value := range []any{fitsText(maxText)(args[0], nil), fitsText(maxRegexp)(expression, nil), fitsText(maxRegexp)(flags, nil)} {
			if err, bad := value.(error); bad {
				return err
			}
		}
		pattern, _ := expression.(string)
		set, _ := flags.(string)
		if len(text) > freeSearch && (all || strings.Contains(set, "g")) {
			if err := countMatches(text, pattern, set); err != nil {
				return err
			}
		}
		return args
	}
}

// freeSearch is a text in which no search takes long, in bytes.
const freeSearch = 2 << 10

func countMatches(text, pattern, flags string) error {
	for _, flag := range []struct{ jq, ours string }{{"i", "(?i)"}, {"m", "(?s)"}} {
		if strings.Contains(flags, flag.jq) {
			pattern = flag.ours + pattern
		}
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil // the interpreter says it better
	}
	each := len(text) * (1 + expression.NumSubexp()) * 4
	most := maxSearch/each + 1
	if found := expression.FindAllStringIndex(text, most); len(found) == most {
		return fmt.Errorf("there are too many matches in a text of %d bytes; look in a part of it, such as .[:10000]", len(text))
	}
	return nil
}

// checks are the functions that guard adds to the interpreter, for which no name
// of a program can be taken.
var checks = []gojq.CompilerOption{
	gojq.WithFunction("_fits", 0, 0, fits),
	gojq.WithFunction("_fits_text", 0, 0, fitsText(maxText)),
	gojq.WithFunction("_fits_regexp", 0, 0, fitsText(maxRegexp)),
	gojq.WithFunction("_search", 3, 3, search(false)),
	gojq.WithFunction("_search_all", 3, 3, search(true)),
	gojq.WithFunction("_fits_number", 0, 0, fitsText(maxDigits)),
	gojq.WithFunction("_fits_key", 0, 0, fitsKey),
	gojq.WithFunction("_fits_path", 0, 0, fitsPath),
	gojq.WithFunction("_fits_stream", 0, 0, fitsStream),
	gojq.WithFunction("_fits_transpose", 0, 0, fitsTranspose),
	gojq.WithFunction("_pair_sum", 2, 2, pair(sum)),
	gojq.WithFunction("_pair_repeated", 2, 2, pair(repeated)),
	gojq.WithFunction("_pair_product", 2, 2, pair(product)),
	gojq.WithFunction("_pair_joined", 2, 2, pair(joined)),
	gojq.WithFunction("_pair_divided", 2, 2, pair(divided)),
}
