package config

import (
	"encoding/json"
	"io"
	"reflect"

	"github.com/wallcast/wallcast/sources"
)

// schema is the part of JSON Schema (draft 2020-12) that is needed here.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"` // a string or several
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Default     any                `json:"default,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Names       *schema            `json:"propertyNames,omitempty"`
	Others      any                `json:"additionalProperties,omitempty"` // a *schema or false
	Required    []string           `json:"required,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
	Not         *schema            `json:"not,omitempty"`
}

// namePattern is stream.CheckName as a pattern.
const namePattern = "^[a-z0-9][a-z0-9-]{0,62}$"

// Schema writes a JSON Schema (draft 2020-12) of the configuration, with which
// editors complete and check the file. What several settings must have in
// common it can't say; [Parse] can.
func Schema(w io.Writer, types []sources.Type) error {
	root := structSchema(defaultsOf(reflect.TypeFor[Config]()), types)
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "wallcast.yaml"
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(root)
}

func structSchema(defaults reflect.Value, types []sources.Type) *schema {
	s := &schema{Type: []string{"object", "null"}, Properties: map[string]*schema{}, Others: false}
	for _, setting := range settings(defaults) {
		property := setting.schema(types)
		property.Description = setting.doc
		property.Default = plain(setting.fallback)
		s.Properties[setting.name] = property
	}
	return s
}

func (s setting) schema(types []sources.Type) *schema {
	switch {
	case s.named:
		return namedSchema(s.typ.Elem(), types)
	case s.typ == rulesType:
		return &schema{Type: []string{"object", "null"}, Others: &schema{Type: "string"}}
	case len(s.enum) > 0:
		return orVariable(&schema{Type: "string", Enum: s.enum})
	case s.typ.Kind() == reflect.Struct:
		if _, text := formOf(s.typ); !text {
			return structSchema(s.fallback, types)
		}
	}
	return typeSchema(s.typ)
}

// namedSchema is a mapping of names to elements.
func namedSchema(element reflect.Type, types []sources.Type) *schema {
	value := structSchema(defaultsOf(element), types)
	names := &schema{Pattern: namePattern}
	switch element {
	case sourceType:
		sourceSchema(value, types)
	case reflect.TypeFor[Kind]():
		names.Not = &schema{Enum: []string{"open", "error"}}
	case reflect.TypeFor[Token]():
		value.Type, value.Required = "object", []string{"hash", "allow"}
	}
	return &schema{Type: []string{"object", "null"}, Names: names, Others: value}
}

// sourceSchema adds the types of sources, of which a source has one.
func sourceSchema(s *schema, types []sources.Type) {
	s.Type = "object"
	for _, t := range types {
		settings := structSchema(valueOf(t.New()), types)
		settings.Description = t.Doc
		s.Properties[t.Name] = settings
		s.OneOf = append(s.OneOf, &schema{Required: []string{t.Name}})
	}
}

// variable is a text with a variable of the environment, whose value isn't known.
var variable = &schema{Type: "string", Pattern: `\$\{[A-Za-z_][A-Za-z0-9_]*\}`}

func orVariable(s *schema) *schema { return &schema{AnyOf: []*schema{s, variable}} }

func typeSchema(t reflect.Type) *schema {
	if f, ok := formOf(t); ok {
		kinds := any("string")
		if f.number {
			kinds = []string{"string", "integer"}
		}
		if f.pattern == "" {
			return &schema{Type: kinds}
		}
		return orVariable(&schema{Type: kinds, Pattern: f.pattern})
	}
	switch v := reflect.Zero(t); {
	case t.Kind() == reflect.Pointer:
		return typeSchema(t.Elem())
	case t.Kind() == reflect.Slice:
		one := typeSchema(t.Elem())
		return &schema{AnyOf: []*schema{one, {Type: []string{"array", "null"}, Items: one}}}
	case t.Kind() == reflect.Map:
		return &schema{Type: []string{"object", "null"}, Others: typeSchema(t.Elem())}
	case t.Kind() == reflect.Struct:
		return structSchema(defaultsOf(t), nil)
	case t.Kind() == reflect.Bool:
		return orVariable(&schema{Type: "boolean"})
	case t.Kind() == reflect.Interface:
		return &schema{}
	case v.CanInt() || v.CanUint():
		return orVariable(&schema{Type: "integer"})
	case v.CanFloat():
		return orVariable(&schema{Type: "number"})
	}
	return &schema{Type: []string{"string", "number"}} // YAML reads an unquoted 2024 as a number
}
