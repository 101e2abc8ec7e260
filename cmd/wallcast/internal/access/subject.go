package access

import (
	"errors"
	"fmt"
	"strings"
)

// ours are the subjects that Wallcast and NATS itself use.
var ours = []string{"wall.>", "ctl.>", "hold.>", "fire.>", "cron.>", "tick.>", "dead.>", "$JS.>", "$SYS.>", "_INBOX.>"}

// CheckForeign reports why a NATS subject with wildcards can't be one that other
// systems publish to: it is malformed, or it matches subjects of ours.
func CheckForeign(filter string) error {
	parts := strings.Split(filter, ".")
	for i, part := range parts {
		switch {
		case part == "":
			return errors.New("is no NATS subject: a part between dots is empty")
		case part == ">" && i < len(parts)-1:
			return errors.New("is no NATS subject: > means the rest and may only stand at the end")
		case part == ">", part == "*":
		case strings.ContainsAny(part, "*> \t\r\n"):
			return errors.New("is no NATS subject: * and > stand alone between dots, and there are no spaces")
		}
	}
	for _, mine := range ours {
		if Overlap(filter, mine) {
			return fmt.Errorf("matches %q, where Wallcast keeps its own events; name the foreign subject further", mine)
		}
	}
	return nil
}

// Overlap reports whether there is a subject that both filters match.
func Overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != "*" && bs[i] != "*" && as[i] != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}
