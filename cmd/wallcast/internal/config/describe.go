package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/plugins"
)

// setting describes one setting to a person or to an editor. It is made of the
// types alone, so it can't differ from what is read.
type setting struct {
	name     string
	doc      string
	enum     []string
	named    bool
	typ      reflect.Type
	fallback reflect.Value // what counts when the setting is absent
}

// settings describes the fields of a struct that holds the default values.
func settings(defaults reflect.Value) []setting {
	var all []setting
	for _, f := range fields(defaults.Type()) {
		all = append(all, setting{
			name:     f.name,
			doc:      f.Tag.Get("doc"),
			enum:     strings.Fields(f.Tag.Get("enum")),
			named:    f.named,
			typ:      f.Type,
			fallback: defaults.FieldByIndex(f.Index),
		})
	}
	return all
}

// defaultsOf returns a struct of type t with its default values.
func defaultsOf(t reflect.Type) reflect.Value {
	fresh := reflect.New(t)
	if def, ok := fresh.Interface().(defaulter); ok {
		def.setDefaults()
	}
	return fresh.Elem()
}

// form is how the values of a type are written.
type form struct {
	word    string // in the reference: "size"
	pattern string // in the schema; empty for any text
	number  bool   // a number alone is fine too
}

// forms are the types that are written as a text and check themselves.
var forms = map[reflect.Type]form{
	durationType:                    {word: "time, such as 30s, 12h or 30d", pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h|d|w))+$|^0$`},
	reflect.TypeFor[Bytes]():        {word: "size, such as 64KiB or 256MB", pattern: `^[0-9.]+ *([KMGTkmgt]?i?[Bb])?$`, number: true},
	reflect.TypeFor[plugins.Size](): {word: "size, such as 256KiB or 64MB", pattern: `^ *[0-9]+ *([KMGkmg][Ii]?)?[Bb]? *$`, number: true},
	reflect.TypeFor[access.Rate]():  {word: "rate, such as 5/min", pattern: `^[0-9]+ */ *(s|sec|second|m|min|minute|h|hour|d|day)$`},
	reflect.TypeFor[URL]():          {word: "address, such as https://wall.example.com", pattern: `^https?://[^/?#@]+/?$`},
	reflect.TypeFor[Destination]():  {word: "subject, such as wall.main.song.jazz", pattern: `^wall(\.[a-z0-9][a-z0-9-]{0,62}){1,3}$`},
	reflect.TypeFor[netip.Prefix](): {word: "network, such as 10.0.0.0/8", pattern: `^[0-9A-Fa-f.:]+(/[0-9]+)?$`},
	reflect.TypeFor[access.Hash]():  {word: "hash", pattern: `^sha256:[0-9A-Za-z_-]{43,64}=?$`},
	reflect.TypeFor[access.Right](): {word: "right, such as publish wall.main.>", pattern: `^ *(publish|read|retract) +[^ ]+ *$|^ *admin *$`},
	reflect.TypeFor[access.Origin](): {word: "origin, such as https://example.com",
		pattern: `^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+/?$`},
}

// formOf returns how values of t are written, and whether as a text that checks itself.
func formOf(t reflect.Type) (form, bool) {
	if known, ok := forms[t]; ok {
		return known, true
	}
	return form{word: "text"}, reflect.PointerTo(t).Implements(textType)
}

// word is the type of a setting in one or few words.
func (s setting) word() string {
	switch {
	case len(s.enum) > 0:
		return "`" + strings.Join(s.enum, "`, `") + "`"
	case s.named:
		return "by name"
	case s.typ == rulesType:
		return "kind by subject filter"
	}
	return typeWord(s.typ)
}

func typeWord(t reflect.Type) string {
	if f, ok := formOf(t); ok {
		return f.word
	}
	switch v := reflect.Zero(t); {
	case t.Kind() == reflect.Pointer:
		return typeWord(t.Elem())
	case t.Kind() == reflect.Slice:
		return "one or a list of: " + typeWord(t.Elem())
	case t.Kind() == reflect.Map:
		return "by name: " + typeWord(t.Elem())
	case t.Kind() == reflect.Struct:
		return "mapping"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Interface:
		return "anything"
	case v.CanInt() || v.CanUint():
		return "whole number"
	case v.CanFloat():
		return "number"
	}
	return "text"
}

// plain is the default value as the file would have it, for JSON: a string, a
// number, true or a list; nil where absence itself is the default.
func plain(v reflect.Value) any {
	if v.IsZero() {
		return nil
	}
	switch value := v.Interface().(type) {
	case time.Duration:
		return formatDuration(value)
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			return nil
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Map, reflect.Interface:
		return nil
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// fallbackWord is the default value in the reference.
func (s setting) fallbackWord() string {
	switch value := plain(s.fallback).(type) {
	case nil:
		if s.typ.Kind() == reflect.Bool {
			return "`false`"
		}
		return ""
	case []any:
		words := make([]string, len(value))
		for i, item := range value {
			words[i] = fmt.Sprintf("`%v`", item)
		}
		return strings.Join(words, ", ")
	default:
		return fmt.Sprintf("`%v`", value)
	}
}
