package jq_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
)

func asError[E error](err error, target *E) bool { return errors.As(err, target) }

func compile(t *testing.T, s jq.Settings) *jq.Program {
	t.Helper()
	program, err := jq.Compile(s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return program
}

// show writes events for comparison: where what was set differs from the input's.
func show(made []sources.Event) string {
	var all []string
	for _, e := range made {
		line := string(e.Data)
		for _, part := range []struct{ name, value, was string }{
			{"wall", e.Wall, ""}, {"kind", e.Kind, "note"}, {"key", e.Key, "k"}, {"id", e.ID, "7"}, {"time", e.Time.UTC().Format(time.RFC3339Nano), "2026-01-02T03:04:05Z"},
		} {
			if part.value != part.was {
				line += " " + part.name + "=" + part.value
			}
		}
		all = append(all, line)
	}
	return strings.Join(all, " | ")
}

func event(data string) sources.Event {
	return sources.Event{
		Kind: "note", Key: "k", ID: "7", Data: []byte(data), Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		About: map[string]string{"x-github-event": "push", "odd": "\xff"},
	}
}

func TestOutputs(t *testing.T) {
	for _, test := range []struct{ program, input, want string }{
		{`.`, `{"b": 1, "a": [1.10, 1e3, 12345678901234567890123]}`, `{"a":[1.10,1e3,12345678901234567890123],"b":1}`},
		{`.`, `hello`, `hello`},
		{`. + "!"`, "caf\xe9", "caf\uFFFD!"},
		{`length`, `12`, `error: it makes the value 2, which is no event; an event is an object or a text, such as {text: 2}`},
		{`type`, `12`, `string`},
		{`type`, `true`, `string`},
		{`type`, `[1]`, `array`},
		{`type`, `[12:30] not JSON`, `string`},
		{`type`, ` {"a": 1}`, `object`},
		{`null`, `x`, ``},
		{`empty`, `x`, ``},
		{`""`, `x`, ``},
		{`null, "a", empty, "b"`, `x`, `a | b`},
		{`.[] | {text: .}`, `[1, "two"]`, `{"text":1} | {"text":"two"}`},
		{`[1]`, `x`, `error: it makes an array, which is no event; .[] makes one event of each item`},
		{`true`, `x`, `error: it makes the value true, which is no event`},

		{`{data: "text"}`, `x`, `text`},
		{`{data: {a: 1}}`, `x`, `{"a":1}`},
		{`{data: "t", kind: "push", key: "k2", id: "i", time: "2027-02-03T04:05:06+01:00", wall: "news"}`, `x`, `t wall=news kind=push key=k2 id=i time=2027-02-03T03:05:06Z`},
		{`{data: "t", kind: null, key: null, id: null, time: null, wall: null}`, `x`, `t`},
		{`{data: "t", key: 17, id: 18, time: 1700000000.5}`, `x`, `t key=17 id=18 time=2023-11-14T22:13:20.5Z`},
		{`{data: "t", id: .id}`, `{"id": 12345678901234567890}`, `t id=12345678901234567890`},
		{`{data: 1}`, `x`, `error: its data is 1; an event's data is a text or an object`},
		{`{data: null}`, `x`, `error: its data is null`},
		{`{data: [1]}`, `x`, `error: its data is [1]`},
		{`{data: ""}`, `x`, `error: its data is the empty text`},
		{`{data: "t", kind: "Bad Kind"}`, `x`, `error: the kind's name "Bad Kind"`},
		{`{data: "t", kind: "error"}`, `x`, `error: "error" can't be a kind`},
		{`{data: "t", kind: 5}`, `x`, `t kind=5`},
		{`{data: "t", kind: {}}`, `x`, `error: its kind is {}; it should be a text`},
		{`{data: "t", key: "a/b"}`, `x`, `error: the key's name "a/b"`},
		{`{data: "t", time: "yesterday"}`, `x`, `error: its time is "yesterday"; it should be as 2026-01-31T12:00:00Z, or seconds since 1970`},
		{`{data: "t", time: -1}`, `x`, `error: its time is -1`},
		{`{data: "t", time: 1e300}`, `x`, `error: its time is 1e+300`},

		{`{kind: "push", text: "hi"}`, `x`, `{"text":"hi"} kind=push`},
		{`{kind: "push", key: "a", id: 1, text: "hi"}`, `x`, `{"id":1,"text":"hi"} kind=push key=a`},
		{`{kind: "push", data: {a: 1}, text: "hi"}`, `x`, `{"data":{"a":1},"text":"hi"} kind=push`},
		{`{kind: "push"}`, `x`, `{} kind=push`},
		{`{kind: "No!", a: 1}`, `x`, `error: the kind's name "No!"`},
		{`{kind: 3, text: "hi"}`, `x`, `{"kind":3,"text":"hi"}`},
		{`{key: "a", text: "hi"}`, `x`, `{"key":"a","text":"hi"}`},
		{`{data: 1, text: "hi"}`, `x`, `{"data":1,"text":"hi"}`},

		{`$about["x-github-event"] + $about.odd`, `x`, "push\uFFFD"},
		{`$event | tojson`, `x`, `{"id":"7","key":"k","kind":"note","source":"repo","time":"2026-01-02T03:04:05Z","wall":null}`},
		{`.a.b`, `{"a": "x"}`, `error: expected an object but got: string ("x")`},
		{`error("no\nway")`, `x`, `error: `},
		{`error({a: 1})`, `x`, `error: `},
		{`try error("x") catch .`, `x`, `x`},
		{`"a", error("x")`, `x`, `error: `},
		{`.a |= 1 | .b += 2 | .c //= 3 | .d = 4 | del(.a)`, `{"a": 0, "b": 40, "d": 0}`, `{"b":42,"c":3,"d":4}`},
		{`.n *= 3 | .n -= 1 | .n /= 2 | .n %= 5`, `{"n": 5}`, `{"n":2}`},
		{`.a[1:] = ["x"] | .a[0] += "y" | .["k"] = 1`, `{"a": ["1", "2", "3"]}`, `{"a":["1y","x"],"k":1}`},
		{`[.[] as {a: $x, $b} | $x * $b] | sort_by(-.) | map(tostring) | join("+")`, `[{"a": 2, "b": 3}, {"a": 4, "b": 5}]`, `20+6`},
		{`group_by(.k) | map({(.[0].k): map(.v) | add}) | add`, `[{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "a", "v": 3}]`, `{"a":4,"b":2}`},
		{`[paths | map(tostring) | join(".")] | join(" ")`, `{"a": {"b": [1]}}`, `a a.b a.b.0`},
		{`def f($x; g): [$x, g, x] | add; f(1, 2; 10) | tostring`, `x`, `14 | 15`},
		{`def add: "mine"; add`, `[1]`, `mine`},
		{`first(.[] | select(. > 2)) | tostring`, `[1, 2, 3, 4]`, `3`},
		{`first | first`, `[["a"]]`, `a`},
		{`path(..) | tojson`, `{"a": 1}`, `[] | ["a"]`},
		{`path(first, last, getpath([0]), nth(1)) | tojson`, `[1]`, `[0] | [-1] | [0] | [1]`},
		{`pick(.a, .b[1])`, `{"a": 1, "b": [1, 2], "c": 3}`, `{"a":1,"b":[null,2]}`},
		{`gsub("(?<c>[aeiou])"; "<\(.c)>")`, `hello`, `h<e>ll<o>`},
		{`[match("l"; "g").offset] | tojson`, `hello`, `[2,3]`},
		{`@base64 "x\(.)y", @uri, @html "<\(.)>"`, `a&b`, `xYSZiy | a%26b | <a&amp;b>`},
		{`contains("ell"), inside("hello there"), index("l"), (indices("l") | length) | tostring`, `hello`, `true | true | 2 | 2`},
		{`[1, [2, [3]]] | flatten | tojson`, `x`, `[1,2,3]`},
		{`[.[] | tonumber] | (max, min, add) | tostring`, `["1", "3", "2"]`, `3 | 1 | 6`},
		{`walk(if type == "string" then ascii_upcase else . end)`, `{"a": ["b"]}`, `{"a":["B"]}`},
		{`[limit(3; repeat("x"))] | join("")`, `x`, `xxx`},
		{`reduce .[] as [$k, $v] ({}; .[$k] = $v)`, `[["a", 1], ["b", 2]]`, `{"a":1,"b":2}`},
		{`[foreach .[] as $x (0; . + $x; [$x, .])] | tojson`, `[1, 2]`, `[[1,1],[2,3]]`},
		{`label $out | .[] | if . > 1 then ., break $out else empty end | tostring`, `[1, 2, 3]`, `2`},
		{`. as {$x} ?// [$x] | $x | tojson`, `[5]`, `5`},
		{`fromstream(tostream)`, `{"a": [1, {"b": 2}]}`, `{"a":[1,{"b":2}]}`},
		{`to_entries | from_entries`, `{"a": 1}`, `{"a":1}`},
		{`"1.5" | fromjson | . * 2 | tostring`, `x`, `3`},
		{`.n + 1 | tostring`, `{"n": 12345678901234567890123}`, `12345678901234567890124`},
		{`2026 | strptime("%Y")? // "none"`, `x`, `none`},
		{`.t | fromdate | todate`, `{"t": "2026-01-02T03:04:05Z"}`, `2026-01-02T03:04:05Z`},
		{`{"a b": 1, "k\(1)": 3, ("d" + "e"): 4, $event} | keys | join(",")`, `x`, `a b,de,event,k1`},
		{`[splits(", *")] | join("|")`, `a, b,c`, `a|b|c`},
		{`ascii_downcase | ltrimstr("a") | rtrimstr("c") | test("^b$") | tostring`, `ABC`, `true`},
		{`any, all, (map(not) | tojson) | tostring`, `[true, false]`, `true | false | [false,true]`},
		{`halts // 1`, `x`, `compile: function not defined: halts/0`},
	} {
		program, err := jq.Compile(jq.Settings{Map: test.program, Source: "repo"})
		got := ""
		if err == nil {
			var made []sources.Event
			if made, err = program.Transform(t.Context(), event(test.input)); err == nil {
				got = show(made)
			}
			var one *sources.EventError
			if err != nil && (!errors.As(err, &one) || strings.ContainsAny(err.Error(), "\n\r")) {
				t.Errorf("%s: error %#v", test.program, err)
			}
			if err != nil {
				got = "error: " + strings.TrimPrefix(err.Error(), "map: ")
			}
		} else {
			got = "compile: " + strings.TrimPrefix(err.Error(), "map: line 1, column 1: ")
		}
		if got != test.want && !(strings.Contains(test.want, "error: ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s of %s\n\tgot  %s\n\twant %s", test.program, test.input, got, test.want)
		}
	}
}

func TestOnly(t *testing.T) {
	for _, test := range []struct {
		only, input string
		want        bool
	}{
		{`.a`, `{"a": 1}`, true}, {`.a`, `{"a": false}`, false}, {`.a`, `{}`, false}, {`empty`, `{}`, false},
		{`.[]`, `[false, null, 1]`, true}, {`.[]`, `[false, null]`, false}, {`test("jazz")`, `all that jazz`, true},
		{`0`, `x`, true}, {`""`, `x`, true}, {`1, error("never asked")`, `x`, true},
	} {
		program := compile(t, jq.Settings{Only: test.only})
		passes, err := program.Passes(t.Context(), event(test.input))
		if err != nil || passes != test.want {
			t.Errorf("%s of %s: %v, %v", test.only, test.input, passes, err)
		}
		made, err := program.Transform(t.Context(), event(test.input))
		if err != nil || (len(made) == 1) != test.want || test.want && string(made[0].Data) != test.input {
			t.Errorf("%s of %s: made %s, %v", test.only, test.input, show(made), err)
		}
	}
	program := compile(t, jq.Settings{Only: `.a.b`, Map: `"mapped"`})
	if _, err := program.Transform(t.Context(), event(`{"a": 1}`)); err == nil || !strings.HasPrefix(err.Error(), "only: ") {
		t.Errorf("error %v", err)
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	ready := map[string]string{"github": `.ok`, "broken": "\n ) "}
	for _, test := range []struct{ program, want string }{
		{"{", "map: line 1, column 2: the program ends too early; something is not closed"},
		{"{a: 1}}", `map: line 1, column 7: unexpected token "}"`},
		{"# first\n.a\n  | nope(1)", "map: line 3, column 5: function not defined: nope/1"},
		{".nope | # nope\n \"ä\" + nope", "map: line 2, column 8: function not defined: nope/0"},
		{".a | $x", "map: line 1, column 6: variable not defined: $x"},
		{".a | env.HOME", "map: line 1, column 6: env is not there: a program sees nothing of the environment"},
		{"$ENV.HOME", "map: line 1, column 1: $ENV is not there: a program sees nothing of the environment"},
		{"{$ENV}", "map: line 1, column 2: a program sees nothing of the environment"},
		{"[inputs]", "map: line 1, column 2: inputs is not there: a program sees one event; its payload is ."},
		{"input", "map: line 1, column 1: input is not there: a program sees one event; its payload is ."},
		{"debug", "map: line 1, column 1: debug is not there: there is nowhere to write to; wallcast try shows what a program makes"},
		{"debug(1)", "map: line 1, column 1: debug is not there: there is nowhere to write to; wallcast try shows what a program makes"},
		{"input_line_number", "map: line 1, column 1: input_line_number is not there: the payload is in no file"},
		{`import "a" as a; a::b`, "map: line 1, column 1: there are no modules; write the functions into the program"},
		{`include "a"; b`, "map: line 1, column 1: there are no modules; write the functions into the program"},
		{"_range(1; 2; 3)", "map: line 1, column 1: function not defined: _range/3"},
		{"def _fits: .; 1", "map: line 1, column 5: the name _fits begins with _, as the interpreter's own do; take another"},
		{"githib", "map: line 1, column 1: function not defined: githib/0; ready maps are broken, github"},
		{"broken", `map: line 2, column 2: unexpected token ")"`},
		{`"a`, "map: line 1, column "},
		{"  ", "map: line 1, column 1: the program is empty"},
	} {
		_, err := jq.Compile(jq.Settings{Map: test.program, Maps: ready})
		if err == nil || err.Error() != test.want && !strings.HasSuffix(test.want, "column ") {
			t.Errorf("%s\n\tgot  %v\n\twant %s", test.program, err, test.want)
		}
	}
	program := compile(t, jq.Settings{Map: " github\n", Maps: ready})
	if made, err := program.Transform(t.Context(), event(`{"ok": "yes"}`)); err != nil || show(made) != "yes" {
		t.Errorf("a ready map makes %s, %v", show(made), err)
	}
	if _, err := jq.Compile(jq.Settings{Only: "github", Maps: ready}); err == nil {
		t.Error("only takes the name of a map")
	}
}

func TestConcurrentUse(t *testing.T) {
	program := compile(t, jq.Settings{Map: `{text: "\(.n) \($about.n) \([range(.n)] | add)"}`, Only: `.n % 2 == 0`})
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			e := sources.Event{Data: fmt.Appendf(nil, `{"n": %d}`, n), About: map[string]string{"n": fmt.Sprint(n)}}
			made, err := program.Transform(t.Context(), e)
			want := ""
			if n%2 == 0 {
				sum := fmt.Sprint(n * (n - 1) / 2)
				if n == 0 {
					sum = "null"
				}
				want = fmt.Sprintf(`{"text":"%d %d %s"}`, n, n, sum)
			}
			var got string
			for _, e := range made {
				got += string(e.Data)
			}
			if err != nil || got != want {
				t.Errorf("%d made %s, %v; want %s", n, got, err, want)
			}
		})
	}
	wg.Wait()
}

func TestTooManyEvents(t *testing.T) {
	for program, want := range map[string]string{
		`range(1000) | "x"`:      "",
		`range(1001) | "x"`:      "map: it makes more than 1000 events; use limit(1000; ...)",
		`range(9) | "x" * 1e6`:   "map: it makes events of more than 8 MiB in all",
		`def f: ., f; "x" | f`:   "map: it makes more than 1000 events; use limit(1000; ...)",
		`"ab" | test("a\u0000")`: "map: it makes the value false",
	} {
		_, err := compile(t, jq.Settings{Map: program}).Transform(t.Context(), event("x"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v", program, err)
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	program, err := jq.Compile(jq.Settings{Only: `.public`, Map: `{kind: "push", data: {text: .head_commit.message, author: .pusher.name}}`})
	if err != nil {
		b.Fatal(err)
	}
	e := event(`{"public": true, "head_commit": {"message": "hello", "id": 12}, "pusher": {"name": "me"}}`)
	for b.Loop() {
		if _, err := program.Transform(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
