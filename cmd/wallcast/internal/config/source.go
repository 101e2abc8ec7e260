package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
)

// typeNames lists the kinds of sources, sorted.
func typeNames(types []sources.Type) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	slices.Sort(names)
	return names
}

// decodeSource reads a source: one key that is its type, with the settings, and
// the settings that all have in common.
func (d *decoder) decodeSource(e entry, s *Source, path []string) {
	if !d.isMapping(e.value, path) {
		return
	}
	common := fields(sourceType)
	known := append(typeNames(d.types), fieldNames(common)...)
	for _, setting := range e.value.entries {
		if i := slices.IndexFunc(common, func(f field) bool { return f.name == setting.key.text }); i >= 0 {
			d.decodeCommon(setting, s, common[i], path)
			continue
		}
		i := slices.IndexFunc(d.types, func(t sources.Type) bool { return t.Name == setting.key.text })
		switch {
		case i < 0:
			d.failUnknown(setting.key, path, known)
		case s.Type != "":
			d.fail(setting.key, path, "is a %s already; a source has one type, so make %s another source", s.Type, setting.key.text)
		default:
			s.Type = setting.key.text
			program := e.value.get("map")
			d.decodeSettings(setting, d.types[i], s, program == nil || program.value.text == "", append(slices.Clone(path), s.Type))
		}
	}
	if s.Type == "" && !d.ended && !d.hasFailed(path) {
		d.fail(e.key, path, "has no type; it takes one of %s", oneOf(typeNames(d.types)))
	}
	d.compile(e, s, path)
}

// decodeCommon reads a setting that all sources have.
func (d *decoder) decodeCommon(e entry, s *Source, f field, path []string) {
	if (f.name == "map" || f.name == "only") && (e.value.shape == mapping || e.value.shape == sequence) {
		d.fail(e.key, below(path, f.name), "wants a jq program as a text; put it in single quotes, as in '{text: .message}'")
		return
	}
	d.decodeField(e.value, valueOf(s), f, path)
}

// compile reads a source's programs.
func (d *decoder) compile(e entry, s *Source, path []string) {
	settings := jq.Settings{Map: s.Map, Only: s.Only, Maps: map[string]string{}, Source: s.Name}
	for _, t := range d.types {
		maps.Copy(settings.Maps, t.Maps)
	}
	s.version = digestOf(s.version, s.Map, settings.Maps[strings.TrimSpace(s.Map)], s.Only)
	if s.Map == "" && s.Only == "" {
		return
	}
	program, err := jq.Compile(settings)
	if err == nil {
		s.Program = program
		return
	}
	for _, one := range []jq.Settings{{Only: s.Only}, {Map: s.Map, Maps: settings.Maps}} {
		_, err := jq.Compile(one)
		var wrong *jq.Error
		if errors.As(err, &wrong) {
			d.failProgram(e, below(path, wrong.Setting), wrong)
		}
	}
}

func (d *decoder) failProgram(e entry, path []string, wrong *jq.Error) {
	at := e.value.get(wrong.Setting)
	if at == nil || d.hasFailed(path) {
		return
	}
	place := at.value
	if !wrong.Ready {
		place = d.file.within(place, wrong.Offset)
	}
	d.fail(place, path, "is no jq program: %v", wrong.Err)
}

func digestOf(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (d *decoder) decodeSettings(e entry, t sources.Type, s *Source, unmapped bool, path []string) {
	settings := t.New()
	d.decode(e.value, valueOf(settings), path)
	if d.ended || d.hasFailed(path) {
		return // what the settings say of themselves would follow from that
	}
	env := d.around
	env.Name, env.Folder, env.Unmapped = s.Name, d.folder, unmapped
	run, err := settings.Source(env.Complete())
	var wrong *sources.SettingError
	switch {
	case errors.As(err, &wrong):
		at := append(slices.Clone(path), strings.Split(wrong.Setting, ".")...)
		d.fail(d.placeBelow(e, at[len(path):]), at, "%s", predicate(wrong.Err))
	case err != nil:
		d.fail(e.key, path, "%s", predicate(err))
	}
	s.Run = run
	s.version = e.value.digest()
}

// digest stands for everything below n, with the environment's values.
func (n *node) digest() string {
	hash := sha256.New()
	n.writeTo(hash)
	return hex.EncodeToString(hash.Sum(nil))
}

func (n *node) writeTo(w io.Writer) {
	fmt.Fprintf(w, "%d %t %q [", n.shape, n.plain, n.text) // a hash takes all that is written
	for _, item := range n.items {
		item.writeTo(w)
	}
	for _, e := range n.entries {
		e.key.writeTo(w)
		e.value.writeTo(w)
	}
	fmt.Fprint(w, "]")
}

// placeBelow is where the setting at path below e is; where it is missing, the
// key that it should be below.
func (d *decoder) placeBelow(e entry, path []string) *node {
	if found := e.value.find(path); found != e.value {
		return found
	}
	return e.key
}

// hasFailed reports whether there is an error about path or what lies below or
// above it.
func (d *decoder) hasFailed(path []string) bool {
	return slices.ContainsFunc(d.failed, func(other []string) bool {
		n := min(len(path), len(other))
		return len(other) > 0 && slices.Equal(path[:n], other[:n])
	})
}
