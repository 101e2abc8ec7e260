package config_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/stream"
)

func resolve(t *testing.T) (*jsonschema.Resolved, []byte) {
	t.Helper()
	var text bytes.Buffer
	if err := config.Schema(&text, types); err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text.Bytes(), &schema); err != nil {
		t.Fatalf("the schema is none: %v", err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	return resolved, text.Bytes()
}

// validate checks a file as an editor does: as JSON, before the environment is known.
func validate(t *testing.T, schema *jsonschema.Resolved, text string) error {
	t.Helper()
	// The YAML library doesn't read ${…} inside {…}; an editor's may.
	text = regexp.MustCompile(`: (\$\{[A-Z]+\})`).ReplaceAllString(text, `: "$1"`)
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var instance any
	if err := json.Unmarshal(asJSON, &instance); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	schema, _ := resolve(t)
	for _, text := range []string{
		full,
		config.Starter(),
		"walls:\n",
		"walls: {main: , news: {keep: , kinds: {a: }}}",
		"listen: [:80, \"[::1]:80\"]\nproxies: 10.0.0.1",
		"nats: {url: [nats://a, tls://b], creds: c, synced: true}",
		"walls: {main: {title: 2024, payload: 2000, history: ${N}, keep: {age: 1h30m, bytes: 1.5 GB}, private: ${P}}}",
		"sources: {a: {clock: {every: 1h, limit: 3, extra: {x: [1]}}}, b: {file: }}",
		"tokens: {a: {hash: " + goodHash + ", allow: admin}}",
	} {
		if err := validate(t, schema, text); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", text, err)
		}
		parse(t, text, "N", "5", "P", "true", "COUNT", "1")
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema, _ := resolve(t)
	for _, text := range []string{
		"lisen: :80",
		"walls: [main]",
		"walls: {Main: }",
		"walls: {main: {keep: {events: many}}}",
		"walls: {main: {keep: {age: 30}}}",
		"walls: {main: {private: yes}}",
		"walls: {main: {post: {allow: anybody}}}",
		"walls: {main: {post: {hold: perhaps}}}",
		"walls: {main: {kinds: {open: }}}",
		"walls: {main: {kinds: {a: {slot: top}}}}",
		"walls: {main: {origins: [example.com]}}",
		"sources: {a: {to: wall.main}}",
		"sources: {a: }",
		"sources: {a: {clock: , file: }}",
		"sources: {a: {clock: , to: main}}",
		"sources: {a: {clock: {evry: 1s}}}",
		"sources: {a: {clock: {count: x}}}",
		"tokens: {a: {allow: admin}}",
		"tokens: {a: {hash: abc, allow: admin}}",
		"tokens: {a: {hash: " + goodHash + ", allow: write}}",
	} {
		if err := validate(t, schema, text); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
		parseErrors(t, text)
	}
}

// Every setting, in every depth, says what it means; so do schema and reference.
func TestEverySettingIsDescribed(t *testing.T) {
	_, text := resolve(t)
	var reference bytes.Buffer
	if err := config.Reference(&reference, types); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var visit func(path string, s map[string]any)
	visit = func(path string, s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		for name, property := range properties {
			p := property.(map[string]any)
			doc, _ := p["description"].(string)
			if doc == "" || !strings.HasSuffix(doc, ".") {
				t.Errorf("%s.%s is described as %q", path, name, doc)
			}
			if !strings.Contains(reference.String(), doc) {
				t.Errorf("the reference lacks %s.%s: %s", path, name, doc)
			}
			seen++
			visit(path+"."+name, p)
		}
		if others, ok := s["additionalProperties"].(map[string]any); ok {
			visit(path+".NAME", others)
		}
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	visit("", schema)
	if seen < 40 {
		t.Errorf("only %d settings", seen)
	}
}

func TestReference(t *testing.T) {
	var b bytes.Buffer
	if err := config.Reference(&b, types); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `listen` | one or a list of: text | `127.0.0.1:8080`, `[::1]:8080` |",
		"| `keep.age` | time, such as 30s, 12h or 30d | `30d` | Age of the oldest event",
		"| `payload` | size, such as 64KiB or 256MB | `64KiB` |",
		"| `slot` | `timeline`, `bar`, `banner`, `ticker` | `timeline` |",
		"### `sources: NAME: clock`\n\nTells the time.\n",
		"| `every` | time, such as 30s, 12h or 30d | `1s` | Time between two events. |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the reference lacks %q:\n%s", want, b.String())
		}
	}
}

// The schema knows names by a pattern, the stream by a function.
func TestNamePattern(t *testing.T) {
	_, text := resolve(t)
	var schema struct {
		Properties map[string]struct {
			PropertyNames struct{ Pattern string }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(schema.Properties["walls"].PropertyNames.Pattern)
	for _, name := range []string{"", "a", "-a", "a-", "a_b", "A", "é", "0", "a.b", strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		if got, want := pattern.MatchString(name), stream.CheckName("wall", name) == nil; got != want {
			t.Errorf("%q matches: %v, is a name: %v", name, got, want)
		}
	}
}

func TestStarter(t *testing.T) {
	c := parse(t, config.Starter())
	if len(c.Walls) != 1 || len(c.Walls[0].Kinds) == 0 || len(c.Sources) != 1 {
		t.Errorf("the starter file gives %+v", c)
	}
	if _, err := config.Parse("wallcast.yaml", []byte(config.Starter()), []sources.Type{file.Type}, sources.Env{}, environment()); err != nil {
		t.Errorf("with the real file source: %v", err)
	}
	// What is commented out must work, too.
	commented := regexp.MustCompile(`(?m)^( *)# ((?:  )?[a-z]+: ?.*)$`).ReplaceAllString(config.Starter(), "$1$2")
	commented = strings.ReplaceAll(commented, "sha256:…", goodHash)
	c = parse(t, commented)
	if len(c.Tokens) != 1 || c.URL.Host == "" || !reflect.DeepEqual(c.Listen, []string{":8080"}) || len(c.Walls[0].Origins) != 1 {
		t.Errorf("with its comments: %+v\n%s", c, commented)
	}
}

var _ sources.Settings = (*clock)(nil)
