package config_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

// bells are settings whose lists have settings of their own.
type bells struct {
	place
	From  []place         `yaml:"from" doc:"Several places."`
	Tunes map[string]tune `yaml:"tunes" doc:"Tunes by name."`
	Tower struct {
		Ropes []tune `yaml:"ropes" doc:"Ropes of the tower."`
	} `yaml:"tower" doc:"The tower."`
	Names []string `yaml:"names" doc:"Names of the bells."`
}

type place struct {
	Town string `yaml:"town" doc:"Town of the bells."`
	Loft int    `yaml:"loft" doc:"Loft of the bells."`
}

type tune struct {
	Key   string `yaml:"key" doc:"Key | of a tune." enum:"major minor"`
	Notes []note `yaml:"notes" doc:"Notes of a tune."`
}

type note struct {
	Pitch int `yaml:"pitch" doc:"Pitch of a note."`
}

func (*bells) Source(sources.Env) (sources.Source, error) { return new(clock), nil }

var bellTypes = []sources.Type{{Name: "bells", Doc: "Rings.", New: func() sources.Settings { return new(bells) }}}

func TestReferenceOfLists(t *testing.T) {
	var b bytes.Buffer
	if err := config.Reference(&b, bellTypes); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "### `sources: NAME: bells`\n")
	const head = "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n"
	const notes = "`\n\n" + head + "| `pitch` | whole number |  | Pitch of a note. |\n\n"
	const tunes = "`\n\n" + head + "| `key` | `major`, `minor` |  | Key \\| of a tune. |\n| `notes` | one or a list of: mapping |  | Notes of a tune. |\n\n"
	want := "\nRings.\n\n" + head +
		"| `town` | text |  | Town of the bells. |\n" +
		"| `loft` | whole number |  | Loft of the bells. |\n" +
		"| `from` | one or a list of: mapping |  | Several places. |\n" +
		"| `tunes` | by name: mapping |  | Tunes by name. |\n" +
		"| `tower` | mapping |  | The tower. |\n" +
		"| `tower.ropes` | one or a list of: mapping |  | Ropes of the tower. |\n" +
		"| `names` | one or a list of: text |  | Names of the bells. |\n\n" +
		"### `sources: NAME: bells: from: []`\n\nThese of the settings above: `town`, `loft`.\n\n" +
		"### `sources: NAME: bells: tunes: NAME" + tunes +
		"### `sources: NAME: bells: tunes: NAME: notes: []" + notes +
		"### `sources: NAME: bells: tower: ropes: []" + tunes +
		"### `sources: NAME: bells: tower: ropes: []: notes: []" + notes
	if got != want {
		t.Errorf("the reference is\n%s\nwant\n%s", got, want)
	}
}

func TestSchemaOfLists(t *testing.T) {
	var text bytes.Buffer
	if err := config.Schema(&text, bellTypes); err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text.Bytes(), &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	for file, good := range map[string]bool{
		"sources: {a: {bells: {from: [{town: x}, {loft: 2}]}}}":                  true,
		"sources: {a: {bells: {from: {town: x}}}}":                               true,
		"sources: {a: {bells: {tunes: {ode: {key: minor, notes: {pitch: 1}}}}}}": true,
		"sources: {a: {bells: {tower: {ropes: [{notes: [{pitch: 1}]}]}}}}":       true,
		"sources: {a: {bells: {from: [{twon: x}]}}}":                             false,
		"sources: {a: {bells: {from: [x]}}}":                                     false,
		"sources: {a: {bells: {tunes: {ode: {key: blue}}}}}":                     false,
		"sources: {a: {bells: {tower: {ropes: [{notes: [{pitch: x}]}]}}}}":       false,
	} {
		_, wrong := config.Parse("wallcast.yaml", []byte(file), bellTypes, sources.Env{}, environment())
		if err := validate(t, resolved, file); (err == nil) != good || (wrong == nil) != good {
			t.Errorf("%s: the schema says %v, Parse says %v", file, err, wrong)
		}
	}
}
