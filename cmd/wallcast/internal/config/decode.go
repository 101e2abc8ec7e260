package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// decoder puts nodes into Go values, strictly: every key must be a field, every
// value of the field's type. It goes on after an error, to find the others.
type decoder struct {
	file   *file
	types  []sources.Type
	around sources.Env
	folder string
	failed [][]string // paths that have an error already
	values int        // nodes decoded so far, those behind aliases each time
	ended  bool       // there is no point in going on
}

// maxValues bounds what aliases of aliases can unfold to.
const maxValues = 100_000

// defaulter is what has values before the file says anything.
type defaulter interface{ setDefaults() }

var (
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType = reflect.TypeFor[time.Duration]()
	sourceType   = reflect.TypeFor[Source]()
	rulesType    = reflect.TypeFor[[]Rule]()
)

func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

// fail says what is wrong with the setting at path; n is where.
func (d *decoder) fail(n *node, path []string, format string, args ...any) {
	d.failed = append(d.failed, slices.Clone(path))
	d.file.fail(n, "%s", sprintf(path, format, args...))
}

// decode puts n into v, which keeps its value where n is empty or wrong.
func (d *decoder) decode(n *node, v reflect.Value, path []string) {
	if d.values++; d.values > maxValues && !d.ended {
		d.fail(n, nil, "the file unfolds to more than %d values; use fewer aliases", maxValues)
		d.ended = true
	}
	if d.ended {
		return
	}
	if n.wrong {
		d.failed = append(d.failed, slices.Clone(path))
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		d.decode(n, fresh.Elem(), path)
		v.Set(fresh)
	case v.Type() == rulesType:
		d.decodeRules(n, v.Addr().Interface().(*[]Rule), path)
	case v.Type() == durationType, v.Addr().Type().Implements(textType):
		d.decodeText(n, v, path)
	case v.Kind() == reflect.Struct:
		d.decodeStruct(n, v, path)
	case v.Kind() == reflect.Slice:
		d.decodeList(n, v, path)
	case v.Kind() == reflect.Map:
		d.decodeMap(n, v, path)
	case v.Kind() == reflect.Interface:
		if free := d.free(n); free != nil {
			v.Set(reflect.ValueOf(free))
		}
	default:
		d.decodeScalar(n, v, path)
	}
}

// field is a setting: a field of a struct with a yaml tag.
type field struct {
	name  string
	named bool // a mapping of names to what the list's elements are
	reflect.StructField
}

// fields lists the settings of a struct, those of embedded structs too.
func fields(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		all = append(all, field{name, options == "named", f})
	}
	return all
}

func (d *decoder) decodeStruct(n *node, v reflect.Value, path []string) {
	all := fields(v.Type())
	if !d.isMapping(n, path) {
		return
	}
	for _, e := range n.entries {
		i := slices.IndexFunc(all, func(f field) bool { return f.name == e.key.text })
		if i < 0 {
			d.failUnknown(e.key, path, fieldNames(all))
			continue
		}
		d.decodeField(e.value, v, all[i], path)
	}
}

func fieldNames(all []field) []string {
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	return names
}

func (d *decoder) decodeField(n *node, parent reflect.Value, f field, path []string) {
	path = append(slices.Clone(path), f.name)
	target := parent.FieldByIndex(f.Index)
	if f.named {
		d.decodeNamed(n, target, path)
		return
	}
	d.decode(n, target, path)
	if enum := strings.Fields(f.Tag.Get("enum")); len(enum) > 0 && n.shape == scalar && !n.wrong && !slices.Contains(enum, target.String()) {
		d.fail(n, path, "wants %s, not %q%s", oneOf(enum), n.text, didYouMean(n.text, enum))
	}
}

// decodeNamed puts a mapping of names to values into a list, in the file's
// order, each element with its name in the field Name.
func (d *decoder) decodeNamed(n *node, v reflect.Value, path []string) {
	if !d.isMapping(n, path) {
		return
	}
	for _, e := range n.entries {
		element := reflect.New(v.Type().Elem())
		if def, ok := element.Interface().(defaulter); ok {
			def.setDefaults()
		}
		element.Elem().FieldByName("Name").SetString(e.key.text)
		here := append(slices.Clone(path), e.key.text)
		if v.Type().Elem() == sourceType {
			d.decodeSource(e, element.Interface().(*Source), here)
		} else {
			d.decode(e.value, element.Elem(), here)
		}
		v.Set(reflect.Append(v, element.Elem()))
	}
}

// isMapping reports whether n has entries to decode; nothing at all is a
// mapping without entries.
func (d *decoder) isMapping(n *node, path []string) bool {
	if n.shape == empty || n.shape == mapping {
		return true
	}
	if len(path) == 0 {
		d.fail(n, nil, "the configuration is a mapping of settings such as \"listen: :8080\", not %s", n.what())
	} else {
		d.fail(n, path, "wants a mapping of names to values, not %s", n.what())
	}
	return false
}

// decodeList reads a list; a single value stands for the list of it.
func (d *decoder) decodeList(n *node, v reflect.Value, path []string) {
	list := reflect.MakeSlice(v.Type(), 0, len(n.items))
	add := func(n *node, path []string) {
		element := reflect.New(v.Type().Elem())
		if def, ok := element.Interface().(defaulter); ok {
			def.setDefaults()
		}
		d.decode(n, element.Elem(), path)
		list = reflect.Append(list, element.Elem())
	}
	switch n.shape {
	case empty:
		return
	case sequence:
		for i, item := range n.items {
			add(item, append(slices.Clone(path), index(i)))
		}
	default:
		add(n, path)
	}
	v.Set(list)
}

func (d *decoder) decodeMap(n *node, v reflect.Value, path []string) {
	if !d.isMapping(n, path) {
		return
	}
	result := reflect.MakeMap(v.Type())
	for _, e := range n.entries {
		element := reflect.New(v.Type().Elem()).Elem()
		d.decode(e.value, element, append(slices.Clone(path), e.key.text))
		result.SetMapIndex(reflect.ValueOf(e.key.text).Convert(v.Type().Key()), element)
	}
	v.Set(result)
}

// decodeText reads a value that is written as a text and checks itself.
func (d *decoder) decodeText(n *node, v reflect.Value, path []string) {
	if !d.isScalar(n, path, "a value") {
		return
	}
	switch target := v.Addr().Interface().(type) {
	case *time.Duration:
		parsed, err := ParseDuration(n.text)
		if err != nil {
			d.fail(n, path, "%v, not %q", err, n.text)
		}
		*target = parsed
		return
	case *netip.Prefix:
		parsed, err := parseNetwork(n.text)
		if err != nil {
			d.fail(n, path, "%v, not %q", err, n.text)
		}
		*target = parsed
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
		d.fail(n, path, "%s", predicate(err))
	}
}

// predicate is an error's text as it continues a sentence that begins with the
// setting's name.
func predicate(err error) string {
	for _, verb := range []string{"wants ", "is ", "matches "} {
		if strings.HasPrefix(err.Error(), verb) {
			return err.Error()
		}
	}
	return "is wrong: " + err.Error()
}

func (d *decoder) isScalar(n *node, path []string, want string) bool {
	switch n.shape {
	case scalar:
		return true
	case empty:
		remedy := "or leave the line out"
		if d.file.comment(n) {
			remedy = "and # begins a comment, so put the text in quotes"
		}
		d.fail(n, path, "has no value; it wants %s, %s", want, remedy)
	default:
		d.fail(n, path, "wants %s, not %s", want, n.what())
	}
	return false
}

func (d *decoder) decodeScalar(n *node, v reflect.Value, path []string) {
	want := "a text"
	switch kind := v.Kind(); {
	case kind == reflect.Bool:
		want = "true or false"
	case v.CanInt(), v.CanUint():
		want = "a whole number"
	case v.CanFloat():
		want = "a number"
	}
	if !d.isScalar(n, path, want) {
		return
	}
	if err := setScalar(n, v); err != nil {
		d.fail(n, path, "wants %s, not %s", want, quoted(n))
	}
}

// quoted is the node's kind and text, for an error.
func quoted(n *node) string {
	if what := n.what(); what == n.text {
		return what
	}
	return n.what() + " (" + strconv.Quote(n.text) + ")"
}

func setScalar(n *node, v reflect.Value) error {
	if v.Kind() == reflect.String {
		if _, isBool := n.plainBool(); isBool {
			return strconv.ErrSyntax
		}
		v.SetString(n.text)
		return nil
	}
	if !n.plain && !n.fromEnv {
		return strconv.ErrSyntax
	}
	bits := v.Type().Bits
	switch {
	case v.Kind() == reflect.Bool:
		yes, ok := (&node{shape: scalar, plain: true, text: n.text}).plainBool()
		v.SetBool(yes)
		if !ok {
			return strconv.ErrSyntax
		}
		return nil
	case v.CanInt():
		value, err := strconv.ParseInt(n.text, 10, bits())
		v.SetInt(value)
		return err
	case v.CanUint():
		value, err := strconv.ParseUint(n.text, 10, bits())
		v.SetUint(value)
		return err
	case v.CanFloat():
		value, err := strconv.ParseFloat(n.text, bits())
		v.SetFloat(value)
		return err
	}
	panic(fmt.Sprintf("config: a setting of type %s can't be read", v.Type()))
}

// free is the node as any Go value, for a setting that is handed on as it is:
// map[string]any, []any, string, int64, float64, bool or nil.
func (d *decoder) free(n *node) any {
	switch n.shape {
	case mapping:
		result := map[string]any{}
		d.decode(n, reflect.ValueOf(&result).Elem(), nil)
		return result
	case sequence:
		result := []any{}
		d.decode(n, reflect.ValueOf(&result).Elem(), nil)
		return result
	case scalar:
		return freeScalar(n)
	}
	return nil
}

func freeScalar(n *node) any {
	if yes, ok := n.plainBool(); ok {
		return yes
	}
	if n.plainNumber() {
		if whole, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return whole
		}
		if number, err := strconv.ParseFloat(n.text, 64); err == nil {
			return number
		}
	}
	return n.text
}
