package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
)

// announce prints the first words on the terminal: where the wall is and the
// line that puts something on it.
func announce(w io.Writer, cfg *config.Config, base string) {
	wall := cfg.Walls[0].Name
	fmt.Fprintf(w, "\n  The wall is at   %s/walls/%s\n", base, wall)
	fmt.Fprintf(w, "  Try              %s\n\n", curlLine(base, wall, len(cfg.Tokens) > 0))
}

// curlLine is a command that publishes to a wall.
func curlLine(base, wall string, token bool) string {
	auth := ""
	if token {
		auth = `-H "Authorization: Bearer $TOKEN" `
	}
	return fmt.Sprintf("curl -d 'hello' %s%s/walls/%s/events", auth, strings.TrimPrefix(base, "http://"), wall)
}
