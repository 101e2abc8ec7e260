package plugins

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cronField is what one field of a cron pattern may say.
type cronField struct {
	name        string
	least, most int
	words       []string // for numbers from least on
}

var cronFields = []cronField{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// CheckCron returns a cron pattern as NATS takes it, with seconds: of five fields
// it makes six. The error says what is wrong, as what follows the setting's name.
func CheckCron(pattern string) (string, error) {
	switch pattern {
	case "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly":
		return pattern, nil
	}
	fields := strings.Fields(pattern)
	if len(fields) == len(cronFields)-1 {
		fields = append([]string{"0"}, fields...)
	}
	if len(fields) != len(cronFields) {
		return "", fmt.Errorf("wants five fields (minute, hour, day of the month, month, day of the week), or six with seconds first, not %q", clip([]byte(pattern), 60))
	}
	for i, field := range fields {
		for part := range strings.SplitSeq(field, ",") {
			if !cronFields[i].takes(part) {
				f := cronFields[i]
				return "", fmt.Errorf("wants a %s from %d to %d, as in *, %d, %d-%d or */2, not %q", f.name, f.least, f.most, f.least+1, f.least+1, f.most, clip([]byte(field), 40))
			}
		}
	}
	return strings.Join(fields, " "), nil
}

// takes reports whether a field may have this part: *, a number or a range, with
// or without a step.
func (f cronField) takes(part string) bool {
	span, step, stepped := strings.Cut(part, "/")
	if stepped {
		if n, err := strconv.ParseUint(step, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	low, ok := f.number(from)
	if !ok || !ranged {
		return ok
	}
	high, ok := f.number(to)
	return ok && low <= high
}

func (f cronField) number(text string) (int, bool) {
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.least + i, true
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err == nil && int(n) >= f.least && int(n) <= f.most
}
