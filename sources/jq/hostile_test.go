package jq_test

import (
	"context"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
)

// hostile programs want all of the time or the memory.
var hostile = []string{
	`[range(1e9)]`,
	`range(1e9) | empty`,
	`last(range(1e12))`,
	`[limit(1e8; repeat(1))]`,
	`[repeat("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" * 1000)]`,
	`def f: f; f`,
	`def f: 1 + f; f`,
	`def f: [f]; f`,
	`def f: {a: f, b: f}; f`,
	`def f(g): f(g | g); f(.)`,
	`[recurse(. + 1; true)]`,
	`0 | until(false; . + 1)`,
	`0 | [while(true; . + 1)]`,
	`try (def f: f; f) catch 1`,
	`def f: try error("x") catch f; f`,
	`label $out | repeat(1) | empty`,
	`reduce range(1e9) as $i (0; . + 1)`,
	`[foreach range(1e9) as $i (0; . + $i)]`,

	`"x" * 1e9`,
	`1e9 * "x"`,
	`2147483000 as $n | "x" * $n`,
	`"x" | . *= 1e9`,
	`[range(100) | "x" * 16000000]`,
	`reduce range(100) as $i ("x"; . + .)`,
	`reduce range(100) as $i ("x"; "\(.)\(.)")`,
	`reduce range(100) as $i ("x"; . += .)`,
	`reduce range(100) as $i ({a: "x"}; .a += .a)`,
	`reduce range(100) as $i ("x"; [., .] | add)`,
	`reduce range(100) as $i ("x"; [., .] | join(.[0]))`,
	`reduce range(100) as $i ("x"; [., .] | join(""))`,
	`reduce range(100) as $i ("x"; add(., .))`,
	`reduce range(100) as $i ("x"; gsub("x"; "xx"))`,
	`reduce range(100) as $i ("\""; tojson)`,
	`reduce range(100) as $i ("<"; @html)`,
	`reduce range(100) as $i ("x"; @base64 + "")`,
	`reduce range(100) as $i ([1]; . + .)`,
	`reduce range(100) as $i ([1]; [.[], .[]])`,
	`[range(100000)] as $a | [range(100000) | $a + [.]]`,
	`("x" * 1000000) as $s | [range(1000000) | $s] | join($s)`,
	`("x" * 1000000) as $s | [range(1000000) | $s] | add`,
	`("x" * 1000000) as $s | add(range(1000000) | $s)`,

	`reduce range(100) as $i (1; [., .]) | tojson`,
	`reduce range(100) as $i (1; [., .]) | tostring`,
	`reduce range(100) as $i (1; [., .]) | "\(.)"`,
	`reduce range(100) as $i (1; [., .]) | @json`,
	`reduce range(100) as $i (1; [., .]) | @json "\(.)"`,
	`reduce range(100) as $i (1; [., .]) | flatten`,
	`reduce range(100) as $i (1; [., .]) | . == [.[0], .[0]]`,
	`reduce range(100) as $i (1; [., .]) | . as $x | [$x, [$x[0], $x[0]]] | sort`,
	`reduce range(100) as $i (1; [., .]) | [., [.[0], .[0]]] | unique`,
	`reduce range(100) as $i (1; [., .]) | [., [.[0], .[0]]] | group_by(.)`,
	`reduce range(100) as $i (1; [., .]) | [., [.[0], .[0]]] | max_by(.)`,
	`reduce range(100) as $i (1; [., .]) | [., [.[0], .[0]]] | sort_by(.)`,
	`reduce range(18) as $i (1; [., .]) as $x | [range(100000)] | sort_by($x)`,
	`reduce range(100) as $i (1; [., .]) | contains([.[0]])`,
	`reduce range(100) as $i (1; [., .]) | index([[.[0][0], .[0][0]]])`,
	`reduce range(100) as $i (1; [., .]) | . - [[.[0][0], .[0][0]]]`,
	`reduce range(100) as $i (1; [., .]) | .[[.[0], .[0]]]`,
	`reduce range(100) as $i (1; [., .]) | .. | numbers`,
	`reduce range(100) as $i (1; [., .]) | [paths]`,
	`reduce range(100) as $i (1; [., .]) | walk(.)`,
	`reduce range(100) as $i (1; [., .]) | tostream`,
	`reduce range(100) as $i (1; [., .]) | error`,
	`reduce range(100) as $i (1; [., .]) | error(.)`,
	`reduce range(100) as $i (1; [., .]) | .[.]`,
	`reduce range(100) as $i (1; [., .]) | {(.): 1}`,
	`reduce range(100) as $i (1; [., .])`,
	`reduce range(100) as $i (1; {a: ., b: .})`,
	`reduce range(100) as $i ({}; {a: ., b: .}) | {data: .}`,
	`reduce range(100) as $i (1; [., .]) | IN([[1]], .[0])`,
	`reduce range(100) as $i (1; [., .]) | INDEX(.; .)`,

	`reduce range(1e7) as $i (1; [.]) | tojson`,
	`reduce range(1e6) as $i (1; [.])`,
	`reduce range(1e6) as $i (1; {a: .}) | . == 1`,
	`reduce range(1e6) as $i (1; [.]) | flatten`,
	`reduce range(1e6) as $i (1; [.]) | [getpath([range(1e6) | 0])]`,
	`[limit(1000000; path(recurse(.a?)))]`,

	`null | .[500000000] = 1`,
	`5e8 as $i | null | .[$i] = 1`,
	`null | .[5e8] |= 1`,
	`null | setpath([500000000]; 1)`,
	`null | getpath([500000000]) = 1`,
	`null | nth(500000000) = 1`,
	`null | pick(.[500000000])`,
	`fromstream([[500000000], 1], [[500000000]])`,
	`[500000000] as [$i] | null | .[$i] += 1`,
	`[range(90) | null | .[100000] = 1 | .[99999] = .]`,
	`reduce range(100000) as $i (null; .[100000 - $i] = $i) | [range(1e6) as $i | .]`,

	`[range(100000)] - [range(100000)]`,
	`[range(100000)] | . - map(. + 0.5)`,
	`[range(200000)] as $a | $a | indices([$a[100000:][]])`,
	`("a" * 1000000) as $s | $s | indices("a" * 500000)`,
	`[[range(100000)], range(100000) | [.]] | transpose`,
	`[[range(100000)], (range(100000) | [])] | transpose`,
	`[range(8)] | [combinations(8)]`,
	`[[range(100)]] * 1 | combinations`,
	`[range(100)] | combinations(100000)`,

	`("x" * 1000000) | [scan("")]`,
	`("x" * 1000000) | gsub(""; "y")`,
	`("x" * 250000) | gsub(""; "y" * 100000)`,
	`("x" * 250000) | gsub("x"; "y" * 1000)`,
	`("x" * 20000) | gsub("(((((((((((x)))))))))))"; "y")`,
	`("x" * 10000) | gsub("x"; "y" * 10000)`,
	`("x" * 11000) | [scan("x")]`,
	`("x" * 1000000) | [match(["", "g"])]`,
	`("x" * 10000000) | explode`,
	`("x" * 10000000) | split("")`,
	`("x" * 10000000) / ""`,
	`("9" * 10000000) | tonumber`,
	`("9" * 10000000) | fromjson | . + 1`,
	`("[" * 1000000) | fromjson`,
	`[range(1e6) | test("a\(.)b")]`,
	`"x" | test("(((((a{1,30}){1,30}){1,30}){1,30}){1,30})")`,
	`"x" | test("a" * 1000000)`,
	`now | strftime("%" + "9" * 9 + "Y")`,
	`now | strftime("%999999999Y%999999999m")`,
	`now | strftime("%c" * 1000000)`,

	`reduce range(100) as $i (1000000007; . * .)`,
	`reduce range(1e6) as $i (1000000007; . * 1000000007)`,
	`reduce range(100) as $i (1000000007; . *= .)`,
	`pow(10; 1e9)`,
	`1e1000000000`,
}

// innocent programs do nothing that is wrong, until somebody sends them the
// payload below.
var innocent = []string{
	`.text | gsub("a"; "aa")`,
	`[.text | scan(".")]`,
	`[paths]`,
	`[.. | tojson]`,
	`[.deep | .. | tojson]`,
	`.deep | tojson`,
	`.number + 1`,
	`.number`,
	`.many | map(. * .number)`,
	`.`,
	`., .`,
	`repeat(.)`,
	`range(1e6) | "x"`,
	`.text * 1000`,
}

// attack is a payload of a megabyte that is made to cost most.
var attack = func() []byte {
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	return []byte(`{"text": "` + strings.Repeat("a", 500_000) + `", "number": ` + strings.Repeat("9", 300_000) +
		`, "many": [` + strings.Repeat("0,", 80_000) + `0], "deep": ` + deep + `}`)
}()

// Whatever a program does, it ends in time and takes no more memory than it may.
func TestHostilePrograms(t *testing.T) {
	jq.Hasten(t, 100*time.Millisecond)
	for _, text := range hostile {
		attempt(t, text, []byte(`{"a": 1}`))
	}
	for _, text := range innocent {
		attempt(t, text, attack)
	}
}

func attempt(t *testing.T, text string, payload []byte) {
	t.Run(text, func(t *testing.T) {
		program, err := jq.Compile(jq.Settings{Map: text})
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		most := watch(t)
		began := time.Now()
		made, err := program.Transform(context.Background(), sources.Event{Data: payload})
		took, grown := time.Since(began), most()
		limit := 4 * time.Second // machines are busy
		if raceEnabled {
			limit = 15 * time.Second
		}
		if took > limit {
			t.Errorf("it took %v: %v", took, err)
		}
		if grown > 800<<20 {
			t.Errorf("it took %d MiB: %v", grown>>20, err)
		}
		if err == nil && len(made) > 1000 {
			t.Errorf("it made %d events", len(made))
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		t.Logf("%4d ms, %4d MiB: %d events, %v", took.Milliseconds(), grown>>20, len(made), err)
	})
}

// watch measures the heap until the function that it returns is called, which
// returns by how much it had grown at most, in bytes.
func watch(t *testing.T) func() uint64 {
	t.Helper()
	size := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before, most := size(), uint64(0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			most = max(most, size())
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	return func() uint64 {
		close(stop)
		wg.Wait()
		return max(most, before) - before
	}
}

// The end of the caller's context ends a program, and is no error of the event.
func TestStopped(t *testing.T) {
	program, err := jq.Compile(jq.Settings{Map: `def f: f; f`})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = program.Transform(ctx, sources.Event{Data: []byte("x")})
	if err != context.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
}

// No program makes the interpreter panic, and what it makes is well-formed.
func FuzzProgram(f *testing.F) {
	for _, text := range []string{
		`.a[1:][0] |= . + "y"`, `[.[] | tojson] | sort_by(length) | join(", ")`, `def f($x; g): $x, g; f(1; .a)`, `"\(.a) \($event.id)"`,
		`. as {a: [$x]} ?// $x | $x`, `reduce .a[] as $i (0; . + 1) | tostring`, `try error("x") catch .`, `gsub("(?<x>a)"; .x + "b"; "g")`,
		`label $f | foreach .a[] as $i (0; 1; $i, break $f)`, `if .a then @json elif 1 then @base64 "x\(.)" else empty end`, `"x" * 100 / "x"`,
	} {
		f.Add(text, `{"a": [1, "x", null]}`)
	}
	f.Add(`{kind: "push", data: {text: .a}}`, `{"a": 1}`)
	jq.Hasten(f, 20*time.Millisecond)
	f.Fuzz(func(t *testing.T, text, payload string) {
		began := time.Now()
		defer func() {
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		}()
		program, err := jq.Compile(jq.Settings{Map: text, Only: text})
		if err != nil {
			var placed *jq.Error
			if !asError(err, &placed) || placed.Line < 1 || placed.Column < 1 || placed.Offset > len(text) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		made, err := program.Transform(t.Context(), sources.Event{Data: []byte(payload)})
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("an error of several lines: %q", err)
		}
		for _, e := range made {
			if text != "" && (len(e.Data) == 0 || !utf8.Valid(e.Data)) {
				t.Errorf("made %q", e.Data)
			}
		}
	})
}
