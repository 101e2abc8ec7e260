package config

import (
	"regexp"
	"strings"
)

// ${NAME} is replaced after YAML was parsed, so a value of the environment can't
// become structure. But inside {…} and […] the braces themselves would be
// structure. So before parsing they are replaced by characters that mean nothing
// to YAML and nothing to anybody else (Unicode noncharacters); one for one, so
// that every place in the file stays the same.
const (
	openMask  = '\uFDD0'
	closeMask = '\uFDD1'
)

var (
	reference       = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	maskedReference = regexp.MustCompile(`\$?\$` + string(openMask) + `([A-Za-z_][A-Za-z0-9_]*)` + string(closeMask) + `|\$?\$\{`)
	unmask          = strings.NewReplacer(string(openMask), "{", string(closeMask), "}")
)

func maskEnv(text string) string {
	return reference.ReplaceAllString(text, "$$"+string(openMask)+"${1}"+string(closeMask))
}

func unmaskEnv(text string) string { return unmask.Replace(text) }

// expand puts the environment's values into a scalar; "$${" stands for "${".
func (b *builder) expand(place *node, text string) (expanded string, changed bool) {
	expanded = maskedReference.ReplaceAllStringFunc(text, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return unmaskEnv(match[1:])
		}
		parts := maskedReference.FindStringSubmatch(match)
		name := parts[1]
		if name == "" {
			place.wrong = true
			b.file.fail(place, "${ begins a variable of the environment, such as ${PORT}; write $${ for the characters themselves")
			return ""
		}
		value, ok := b.env(name)
		if !ok {
			place.wrong = true
			b.file.fail(place, "the environment has no variable %s; set it, or write $${%s} for the characters themselves", name, name)
		}
		changed = true
		return value
	})
	return unmaskEnv(expanded), changed
}
