package views

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wallcast/wallcast/stream"
)

// color is what is taken as a CSS colour: a hex value, a name, or a colour
// function with plain numbers. Nothing in it can end a declaration.
var color = regexp.MustCompile(`^(#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})|[a-z]{3,20}|(rgb|hsl|hwb|lab|lch|oklab|oklch)\([0-9a-z.,%/ +-]{5,60}\))$`)

// CheckColor reports why s can't be a colour of a wall or a kind.
func CheckColor(s string) error {
	if !color.MatchString(s) {
		return fmt.Errorf("%.60q is no colour; one looks like %q, %q or %q", s, "#2e7d32", "teal", "oklch(55% 0.12 150)")
	}
	return nil
}

// theme is the wall's own colours as a style sheet. The style sheet of all walls
// makes of each a tone that can be read on paper and in the dark.
func theme(w Wall) string {
	var b strings.Builder
	if w.Accent != "" && CheckColor(w.Accent) == nil {
		fmt.Fprintf(&b, ":root{--accent-of:%s}", w.Accent)
	}
	for _, kind := range slices.Sorted(maps.Keys(w.Kinds)) {
		c := w.Kinds[kind].Color
		if c == "" || CheckColor(c) != nil || stream.CheckKind(kind) != nil {
			continue
		}
		fmt.Fprintf(&b, `[data-kind="%s"]{--kind:%s}`, kind, c)
	}
	return b.String()
}

// ContentSecurityPolicy is the policy of the wall's page: it loads its own
// scripts and styles, talks to its own host, and makes markup in one place.
// Ancestors says who may frame the page, in the policy's own words ("'none'",
// "*", a list of origins separated by spaces).
func ContentSecurityPolicy(w Wall, ancestors string) string {
	sum := sha256.Sum256([]byte(theme(w)))
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		"img-src 'self'",
		"connect-src 'self'",
		"base-uri 'none'",
		"form-action 'self'",
		"frame-ancestors " + ancestors,
		"require-trusted-types-for 'script'",
		"trusted-types wallcast",
	}, "; ")
}
