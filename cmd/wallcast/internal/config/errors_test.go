package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

// parseErrors returns what Parse finds wrong with text.
func parseErrors(t *testing.T, text string, env ...string) config.Errors {
	t.Helper()
	_, err := config.Parse("wallcast.yaml", []byte(text), types, sources.Env{}, environment(env...))
	var errs config.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("Parse(%q) = %v (%T); want Errors", text, err, err)
	}
	return errs
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name string
		text string // with « before the place of the error
		want string
		env  []string
	}{
		{name: "no mapping", text: "«- x", want: `the configuration is a mapping of settings such as "listen: :8080", not a list`},
		{name: "unknown key", text: "«lisen: :80", want: `the configuration has no setting "lisen"; did you mean listen?`},
		{name: "unknown key, nothing like it", text: "walls: {main: {keep: {«colour: 5}}}", want: `walls.main.keep has no setting "colour"; it takes events, age and bytes`},
		{name: "a hold without anyone", text: "walls: {main: {post: {hold: «true}}}", want: `walls.main.post.hold is about posts without a token, which allow: anyone permits`},
		{name: "unknown key, nothing like it at the top", text: "«colours: 5", want: `the configuration has no setting "colours"; it takes listen, url, data, proxies, nats, viewers, tls, tokens, walls, sources and plugins`},
		{name: "no folder for plugins", text: "plugins: «''", want: `plugins wants a folder, such as ./plugins`},
		{name: "jq in one line", text: "sources: {a: {clock: , map: «) }}", want: `sources.a.map is no jq program: unexpected token ")"`},
		{name: "jq plain", text: "sources:\n  a:\n    clock:\n    map: .a | «nope(1)\n", want: `sources.a.map is no jq program: function not defined: nope/1`},
		{name: "jq in single quotes", text: "sources:\n  a:\n    clock:\n    map: '{kind: \"it''s\", \"ä\": «$x}'\n", want: `sources.a.map is no jq program: variable not defined: $x`},
		{name: "jq in double quotes", text: `sources: {a: {clock: , only: "\"a\\\"b\" | «nope"}}`, want: `sources.a.only is no jq program: function not defined: nope/0`},
		{name: "jq in a block", text: "sources:\n  a:\n    clock:\n    map: |\n      # the first line\n\n      .a\n        | «env\n    to: wall.main\n", want: `sources.a.map is no jq program: env is not there: a program sees nothing of the environment`},
		{name: "jq in a folded block", text: "sources:\n  a:\n    map: >-\n      .a\n      | .b\n      | «nope | .c\n    clock:\n", want: `sources.a.map is no jq program: function not defined: nope/0`},
		{name: "jq that ends too early", text: "sources:\n  a:\n    clock:\n    map: |\n      {text:\n        .a« \n    to: wall.main\n", want: `sources.a.map is no jq program: the program ends too early; something is not closed`},
		{name: "jq in plain lines", text: "sources:\n  a:\n    clock:\n    map: .a |\n      .b + «nope\n", want: `sources.a.map is no jq program: function not defined: nope/0`},
		{name: "jq with a variable", text: "sources: {a: {clock: , map: «'.${N} | nope'}}", env: []string{"N", "n"}, want: `sources.a.map is no jq program: function not defined: nope/0`},
		{name: "no ready map", text: "sources: {a: {clock: , map: «redy}}", want: `sources.a.map is no jq program: function not defined: redy/0; ready maps are broken, ready`},
		{name: "broken ready map", text: "sources: {a: {clock: , map: «broken}}", want: `sources.a.map is no jq program: unexpected token ")"`},
		{name: "jq without quotes", text: "sources: {a: {clock: , «map: {text: .a}}}", want: `sources.a.map wants a jq program as a text; put it in single quotes, as in '{text: .message}'`},
		{name: "condition without quotes", text: "sources: {a: {clock: , «only: [a]}}", want: `sources.a.only wants a jq program as a text; put it in single quotes, as in '{text: .message}'`},
		{name: "condition that is none", text: "sources: {a: {clock: , only: «true}}", want: `sources.a.only wants a text, not true`},
		{name: "rate of a source", text: "sources: {a: {clock: , rate: «5}}", want: `sources.a.rate wants a rate such as 5/min, 1/s or 100/hour`},
		{name: "hold of a source", text: "sources: {a: {clock: , hold: «maybe}}", want: `sources.a.hold wants true or false, not a text ("maybe")`},
		{name: "unknown setting of a source", text: "sources: {a: {clock: , «mop: .}}", want: `sources.a has no setting "mop"; did you mean map?`},
		{name: "duplicate key", text: "data: a\nlisten: :80\n«data: b", want: "data is there twice, first in line 1; keep one of them"},
		{name: "text for number", text: "walls: {main: {keep: {events: «many}}}", want: `walls.main.keep.events wants a whole number, not a text ("many")`},
		{name: "quoted number", text: `walls: {main: {keep: {events: «"5"}}}`, want: `walls.main.keep.events wants a whole number, not a text ("5")`},
		{name: "fraction for number", text: `walls: {main: {history: «2.5}}`, want: `walls.main.history wants a whole number, not a number ("2.5")`},
		{name: "list for number", text: "walls: {main: {keep: {events: «[1]}}}", want: "walls.main.keep.events wants a whole number, not a list"},
		{name: "number too large", text: "walls: {main: {keep: {events: «99999999999999999999}}}", want: `walls.main.keep.events wants a whole number, not a number ("99999999999999999999")`},
		{name: "uint8 too large", text: "sources: {a: {clock: {limit: «256}}}", want: `sources.a.clock.limit wants a whole number, not a number ("256")`},
		{name: "word for boolean", text: "walls: {main: {private: «yes}}", want: `walls.main.private wants true or false, not a text ("yes")`},
		{name: "boolean for text", text: "walls: {main: {title: «true}}", want: "walls.main.title wants a text, not true"},
		{name: "list for text", text: "walls: {main: {title: «[a]}}", want: "walls.main.title wants a text, not a list"},
		{name: "text for mapping", text: "walls: {main: {keep: «30d}}", want: "walls.main.keep wants a mapping of names to values, not a text"},
		{name: "list for names", text: "walls: «[main]", want: "walls wants a mapping of names to values, not a list"},
		{name: "no value", text: "walls:\n  main:\n    «title:\n", want: "walls.main.title has no value; it wants a text, or leave the line out"},
		{name: "value is a comment", text: "walls:\n  main:\n    kinds:\n      a:\n        «color: #fff\n", want: "walls.main.kinds.a.color has no value; it wants a text, and # begins a comment, so put the text in quotes"},
		{name: "after wide characters", text: "walls: {main: {title: äöü🎵, «hsitory: 5}}", want: `walls.main has no setting "hsitory"; did you mean history?`},
		{name: "in an item", text: "proxies:\n  - 10.0.0.0/8\n  - «10.0.0.0/40\n", want: `proxies[1] wants a network such as 10.0.0.0/8, or one address, not "10.0.0.0/40"`},

		{name: "listen without port", text: "listen: «localhost", want: `listen wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080, not "localhost"`},
		{name: "listen with wrong port", text: "listen: [:80, «:70000]", want: `listen[1] wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080, not ":70000"`},
		{name: "listen on half an address", text: "listen: «10.0.0:80", want: `listen wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080, not "10.0.0:80"`},
		{name: "listen twice", text: "listen: «[:80, :80]", want: "listen has the address :80 twice"},
		{name: "listen nowhere", text: "listen: «[]", want: "listen wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080"},
		{name: "url without scheme", text: "url: «example.com", want: "url wants an address such as https://wall.example.com"},
		{name: "url with path", text: "url: «https://example.com/wall", want: "url wants scheme and host alone, such as https://wall.example.com: the walls lie at the root of it"},
		{name: "url with password", text: "url: «https://u:p@example.com", want: "url wants scheme and host alone, such as https://wall.example.com: the walls lie at the root of it"},
		{name: "empty data", text: `data: «""`, want: "data wants a folder, such as ./data"},
		{name: "half of tls", text: "«tls: {cert: a.pem}", want: "tls wants both cert and key, or neither"},

		{name: "viewers below zero", text: "viewers: {most: «-1}", want: "viewers.most wants a number of viewers, or 0 for as many as fit, not -1"},
		{name: "viewers of an address below zero", text: "viewers: {address: «-1}", want: "viewers.address wants a number of viewers, or 0 for no limit, not -1"},

		{name: "nats scheme", text: "nats: {url: «http://u:secret@a}", want: "nats.url wants addresses such as nats://host:4222 (or tls, ws, wss)"},
		{name: "nats listen", text: "nats: {listen: «4222}", want: `nats.listen wants an address such as 127.0.0.1:4222, not "4222"`},
		{name: "nats both", text: "nats: {url: nats://a, listen: «:4222}", want: "nats.listen is about the embedded server, and with nats.url there is none; remove one of them"},
		{name: "nats unsynced elsewhere", text: "nats: {url: nats://a, unsynced: «true}", want: "nats.unsynced is about the embedded server, and with nats.url there is none; remove one of them"},
		{name: "nats creds alone", text: "nats: {creds: «x}", want: "nats.creds is about the server at nats.url, which is missing"},
		{name: "nats synced alone", text: "nats: {synced: «true}", want: "nats.synced is about the server at nats.url, which is missing"},

		{name: "token's name", text: "tokens: {«CI: " + goodToken + "}", want: `tokens.CI is wrong: the token's name "CI" may hold lower-case letters, digits and hyphens only`},
		{name: "token without hash", text: "tokens: {«ci: {allow: admin}}", want: "tokens.ci.hash is missing; it is sha256: and the hash of the token's secret"},
		{name: "token without rights", text: "tokens: {«ci: {hash: " + goodHash + "}}", want: `tokens.ci.allow is missing; without a right such as "publish wall.main.>" the token is good for nothing`},
		{name: "token in clear", text: "tokens: {ci: {hash: «wc_abc, allow: admin}}", want: `tokens.ci.hash is wrong: not a token's hash; it is "sha256:" and 64 hexadecimal digits or 43 of base64url, as wallcast token prints it`},
		{name: "right", text: "tokens: {ci: {hash: " + goodHash + `, allow: [admin, «"write main"]}}`, want: `tokens.ci.allow[1] is wrong: "write main" is not a right; one looks like "publish wall.main.>", "read main", "retract *" or "admin"`},

		{name: "wall's name", text: "walls: {«Main: }", want: `walls.Main is wrong: the wall's name "Main" may hold lower-case letters, digits and hyphens only`},
		{name: "language", text: "walls: {main: {lang: «english!}}", want: `walls.main.lang wants a language such as en or pt-BR, not "english!"`},
		{name: "no events", text: "walls: {main: {keep: {events: «0}}}", want: "walls.main.keep.events wants at least 1, not 0"},
		{name: "age without unit", text: "walls: {main: {keep: {age: «30}}}", want: `walls.main.keep.age wants a time such as 30s, 5m, 12h, 30d or 2w, not "30"`},
		{name: "age too short", text: "walls: {main: {keep: {age: «5ms}}}", want: "walls.main.keep.age wants at least 1s"},
		{name: "size", text: "walls: {main: {keep: {bytes: «5XB}}}", want: "walls.main.keep.bytes wants a size such as 256MB, 64KiB or 1GB"},
		{name: "no history", text: "walls: {main: {history: «0}}", want: "walls.main.history wants at least 1, not 0"},
		{name: "payload too large", text: "walls: {main: {payload: «2MB}}", want: "walls.main.payload wants a size from 1B to 1MB, not 2MB"},
		{name: "no room", text: "walls: {main: {keep: {bytes: «64KiB}}}", want: "walls.main.keep.bytes wants at least twice the payload of one event (64KiB), not 64KiB"},
		{name: "origin", text: "walls: {main: {origins: «https://a.example/path}}", want: `walls.main.origins is wrong: not an origin; one looks like "https://example.com" or "https://*.example.com", without a path`},
		{name: "allow", text: "walls: {main: {post: {allow: «anybody}}}", want: `walls.main.post.allow wants token or anyone, not "anybody"`},
		{name: "rate", text: "walls: {main: {post: {allow: anyone, rate: «5/fortnight}}}", want: "walls.main.post.rate wants a rate such as 5/min, 1/s or 100/hour"},
		{name: "rate for nobody", text: "walls: {main: {post: {rate: «5/min}}}", want: "walls.main.post.rate is about posts without a token, which allow: anyone permits"},

		{name: "kind open", text: "walls: {main: {kinds: {«open: }}}", want: `walls.main.kinds.open is wrong: "open" can't be a kind: a browser's EventSource uses the name itself`},
		{name: "colour", text: "walls: {main: {kinds: {a: {color: «red}}}}", want: `walls.main.kinds.a.color wants a colour such as "#2e7d32" or "#273" (with quotes: # begins a comment), not "red"`},
		{name: "slot", text: "walls: {main: {kinds: {a: {slot: «baner}}}}", want: `walls.main.kinds.a.slot wants timeline, bar, banner or ticker, not "baner"; did you mean banner?`},
		{name: "icon", text: "walls: {main: {kinds: {a: {icon: «a-long-icon}}}}", want: `walls.main.kinds.a.icon wants an emoji or up to 8 characters, not "a-long-icon"`},

		{name: "rules overlap", text: "walls: {main: {events: {a.*: x, «a.b: y}}}", want: `walls.main.events."a.b" matches subjects that "a.*" matches as well, and an event can't have two kinds; make the filters disjoint`},
		{name: "rule of our own", text: `walls: {main: {events: {«">": x}}}`, want: `walls.main.events.> matches "wall.>", where Wallcast and NATS keep their own messages; name the foreign subject further`},
		{name: "rule's filter", text: "walls: {main: {events: {«a.>.b: x}}}", want: `walls.main.events."a.>.b" is no NATS subject: > means the rest and may only stand at the end`},
		{name: "rule's kind", text: "walls: {main: {events: {a: «error}}}", want: `walls.main.events.a is wrong: "error" can't be a kind: a browser's EventSource uses the name itself`},
		{name: "rule's wildcard", text: `walls: {main: {events: {a.*: «"x-{{wildcard(2)}}"}}}`, want: `walls.main.events."a.*" is wrong: {{wildcard(2)}} refers to a * that the subject "a.*" doesn't have; it has 1`},
		{name: "rule's function", text: `walls: {main: {events: {a.*: «"{{partition(3,1)}}"}}}`, want: `walls.main.events."a.*" is wrong: "{{partition(3,1)}}" is neither a kind nor a template such as order-{{wildcard(1)}}`},

		{name: "source without type", text: "sources: {«a: {to: wall.main}}", want: "sources.a has no type; it takes one of clock or file"},
		{name: "source of two types", text: "sources: {a: {clock: , «file: }}", want: "sources.a is a clock already; a source has one type, so make file another source"},
		{name: "source of unknown type", text: "sources: {a: {«flie: {path: x}}}", want: `sources.a has no setting "flie"; did you mean file?`},
		{name: "source's setting", text: "sources: {a: {clock: {every: «0s}}}", want: "sources.a.clock.every is wrong: 0s is too fast; 1ms is the fastest"},
		{name: "source's setting below", text: "sources: {a: {clock: {zone: {name: «nowhere}}}}", want: "sources.a.clock.zone.name is wrong: no such time zone"},
		{name: "source's settings", text: "sources: {a: {«clock: {path: broken}}}", want: "sources.a.clock is wrong: the clock is broken"},
		{name: "source's unknown setting", text: "sources: {a: {clock: {«evry: 1s}}}", want: `sources.a.clock has no setting "evry"; did you mean every?`},
		{name: "source's enum", text: "sources: {a: {clock: {mode: «tack}}}", want: `sources.a.clock.mode wants tick, tock or replay, not "tack"; did you mean tick?`},
		{name: "source to nowhere", text: "walls: {main: , news: }\nsources: {a: {clock: , to: «wall.nws.x}}", want: `sources.a.to names the wall "nws", which is not configured; did you mean news?`},
		{name: "source to no subject", text: "sources: {a: {clock: , to: «main}}", want: "sources.a.to wants a subject such as wall.main or wall.main.song.jazz"},
		{name: "source to a bad kind", text: "sources: {a: {clock: , to: «wall.main.open}}", want: `sources.a.to is wrong: "wall.main.open": "open" can't be a kind: a browser's EventSource uses the name itself`},
		{name: "source's further walls", text: "sources: {a: {clock: , walls: [main, «elsewhere]}}", want: `sources.a.walls[1] names the wall "elsewhere", which is not configured; there is main`},
		{name: "source's name", text: "sources: {«a_b: {clock: }}", want: `sources.a_b is wrong: the source's name "a_b" may hold lower-case letters, digits and hyphens only`},

		{name: "variable missing", text: "data: «a${NOPE}b", want: "the environment has no variable NOPE; set it, or write $${NOPE} for the characters themselves"},
		{name: "variable malformed", text: `data: «"${no-pe}"`, want: "${ begins a variable of the environment, such as ${PORT}; write $${ for the characters themselves"},
		{name: "variable of the wrong type", text: "walls: {main: {history: «${N}}}", env: []string{"N", "[1]"}, want: `walls.main.history wants a whole number, not a text ("[1]")`},

		{name: "tab", text: "walls:\n«\tmain:", want: "a tab can't indent YAML; use spaces"},
		{name: "unclosed", text: "walls: {main: «{", want: "the { is not closed; a text with # , { or } in it needs quotes"},
		{name: "alias of nothing", text: "walls: «*x", want: "*x refers to nothing; a value is marked with &x before it"},
		{name: "merge key", text: "walls: {main: {«<<: 5}}", want: "a key is a name; << and keys that are lists or mappings are not read here"},
		{name: "two documents", text: "data: a\n---\n«data: b", want: "a second document begins here (---); a configuration is one document"},
		{name: "tag", text: "data: «!!str a", want: "!!str can't stand here: the type of a setting is known; write the value alone"},
		{name: "not UTF-8", text: "data: «\xff", want: "the byte 0xff is not UTF-8; save the file as UTF-8"},
		{name: "old line ends", text: "data: a«\rlisten: :80", want: "a carriage return stands alone; end lines with a line feed"},
		{name: "control character", text: "data: a«\x00", want: "the character U+0000 can't stand in a configuration"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, after, ok := strings.Cut(test.text, "«")
			if !ok {
				t.Fatal("no place is marked")
			}
			errs := parseErrors(t, before+after, test.env...)
			if len(errs) != 1 {
				t.Errorf("%d errors:\n%v", len(errs), errs)
			}
			line := strings.Count(before, "\n") + 1
			column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
			if errs[0].Message != test.want || errs[0].Line != line || errs[0].Column != column {
				t.Errorf("got  %d:%d %s\nwant %d:%d %s", errs[0].Line, errs[0].Column, errs[0].Message, line, column, test.want)
			}
		})
	}
}

const (
	goodHash  = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	goodToken = "{hash: " + goodHash + ", allow: admin}"
)

func TestAllMistakesAtOnce(t *testing.T) {
	errs := parseErrors(t, `
listen: nowhere
walls:
  main:
    keep: {events: many, age: 5}
    kinds: {open: {color: red}}
sources:
  a: {clock: {every: soon}, to: wall.nope}
  b: {clock: {path: "${MISSING}"}}
`)
	want := []string{"2:9", "5:20", "5:31", "6:13", "6:27", "8:22", "8:33", "9:21"}
	var got []string
	for _, e := range errs {
		place := strings.SplitN(e.Error(), ": ", 2)[0]
		got = append(got, strings.TrimPrefix(place, "wallcast.yaml:"))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("errors at %v, want %v:\n%v", got, want, errs)
	}
	if len(errs.Unwrap()) != len(errs) {
		t.Error("Unwrap does not return all")
	}
}

func TestPicture(t *testing.T) {
	const long = "walls: {main: {title: \"0123456789012345678901234567890123456789012345678901234567890123456789\", lang: \"en-x\", history: none, private: true, payload: 64KiB}}"
	tests := []struct{ text, want string }{
		{"data: a\nlisten: x\n", "wallcast.yaml:2:9: listen wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080, not \"x\"\n" +
			"  2 | listen: x\n" +
			"    |         ^"},
		{"url:\t\"\x1b[31m\"", "wallcast.yaml:1:7: the character U+001B can't stand in a configuration\n" +
			"  1 | url: \"\uFFFD[31m\"\n" +
			"    |       ^"},
		{long, "wallcast.yaml:1:120: walls.main.history wants a whole number, not a text (\"none\")\n" +
			"  1 | …678901234567890123456789\", lang: \"en-x\", history: none, private: true, payload: 64KiB}}\n" +
			"    |                                                    ^"},
	}
	for _, test := range tests {
		if got := parseErrors(t, test.text).Error(); got != test.want {
			t.Errorf("Error() =\n%s\nwant\n%s", got, test.want)
		}
	}
}

// What comes from the environment is a value, whatever is in it.
func TestEnvironment(t *testing.T) {
	c := parse(t, `
data: "${D}"
walls:
  main: {title: ${TITLE}, history: ${N}, lang: '${LANG}', private: "${YES}"}
  other: {title: $${TITLE} costs 5$, keep: {age: ${N}d}}
  third:
    title: |
      a ${LANG}
      b
sources: {a: {clock: {extra: ${LIST}, path: ${EMPTY}, days: [${N}, "x"]}}}
`, "TITLE", "x}, private: true, {title: y # z", "N", "7", "LANG", "de", "YES", "true", "D", "/srv", "LIST", "[1, 2]", "EMPTY", "")
	if c.Walls[0].Title != "x}, private: true, {title: y # z" || len(c.Walls) != 3 {
		t.Errorf("title = %q", c.Walls[0].Title)
	}
	if c.Walls[0].History != 7 || c.Walls[0].Lang != "de" || c.Data != "/srv" || !c.Walls[0].Private {
		t.Errorf("walls = %+v, data %q", c.Walls[0], c.Data)
	}
	if c.Walls[1].Title != "${TITLE} costs 5$" || c.Walls[1].Keep.Age.Hours() != 7*24 {
		t.Errorf("other = %+v", c.Walls[1])
	}
	if c.Walls[2].Title != "a de\nb\n" {
		t.Errorf("third's title = %q", c.Walls[2].Title)
	}
	if s := c.Sources[0].Run.(*clock); s.Extra != "[1, 2]" || s.Path != "" || s.Days[0] != "7" {
		t.Errorf("source = %+v", s)
	}
}

func TestAliases(t *testing.T) {
	c := parse(t, "walls:\n  a: {keep: &k {events: 5, age: 1h}}\n  b: {keep: *k}\n")
	if c.Walls[1].Keep.Events != 5 {
		t.Errorf("an alias: %+v", c.Walls[1].Keep)
	}
	bomb := "sources: {a: {clock: {extra: [&a [1,1,1,1,1,1,1,1,1,1]"
	for name := 'b'; name <= 'j'; name++ {
		last := string(name - 1)
		bomb += ", &" + string(name) + " [" + strings.Repeat("*"+last+" , ", 9) + "*" + last + " ]"
	}
	errs := parseErrors(t, bomb+"]}}}")
	if len(errs) != 1 || !strings.Contains(errs[0].Message, "more than 100000 values") {
		t.Errorf("aliases of aliases: %v", errs)
	}
}

// An error that shows only at start points to its setting, too.
func TestErrorf(t *testing.T) {
	c := parse(t, "walls:\n  main:\n    events: {a.b: order}\n")
	err := c.Errorf([]string{"walls", "main", "events", "a.b"}, "overlaps the stream %s", "ORDERS")
	var placed *config.Error
	if !errors.As(err, &placed) || placed.Line != 3 || placed.Column != 19 {
		t.Errorf("Errorf = %v", err)
	}
	if err := new(config.Config).Errorf([]string{"data"}, "is full"); err.Error() != "data is full" {
		t.Errorf("without a file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(config.Starter()))
	f.Add([]byte("a: &x [*x, ${Y}, $${Z}]\n? b\n: - c\n"))
	f.Add([]byte("walls:\n main: {title: |\n   x\n\n}\n"))
	f.Add([]byte("\"\\x\": [\n\t# y\n--- !t\n<<: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data, types, sources.Env{}, environment("COUNT", "1"))
		if err == nil {
			if len(c.Walls) == 0 || len(c.Listen) == 0 {
				t.Errorf("accepted without walls or addresses: %+v", c)
			}
			return
		}
		var errs config.Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("%T without errors", err)
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, e := range errs {
			if e.Line < 1 || e.Line > lines || e.Column < 1 || e.Message == "" || !strings.Contains(e.Picture, "^") {
				t.Errorf("error without a place in %d lines: %+v", lines, e)
			}
		}
	})
}
