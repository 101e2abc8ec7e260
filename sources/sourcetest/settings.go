package sourcetest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// checkType checks what the configuration, its reference and its schema need.
func checkType(t *testing.T, typ sources.Type) {
	if err := stream.CheckName("source type", typ.Name); err != nil {
		t.Error(err)
	}
	checkDoc(t, "the type", typ.Doc)
	if typ.New == nil {
		t.Fatal("the type has no New")
	}
	settings := typ.New()
	v := reflect.ValueOf(settings)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		t.Fatalf("New returns a %T; it should be a pointer to a struct", settings)
	}
	if typ.New() == settings {
		t.Error("New returns the same settings twice")
	}
	checkFields(t, v.Elem().Type(), "")
	src, err := settings.Source(sources.Env{Name: hook, Folder: t.TempDir()}.Complete())
	var wrong *sources.SettingError
	switch {
	case err == nil && src == nil:
		t.Error("the default settings give neither a source nor an error")
	case err != nil && !errors.As(err, &wrong):
		t.Errorf("the default settings give a %T (%v); a *sources.SettingError names the setting", err, err)
	case err != nil && !known(v.Elem().Type(), wrong.Setting):
		t.Errorf("the error is about %q, which is no setting", wrong.Setting)
	}
}

// checkFields checks the tags of every setting, also of those below others.
func checkFields(t *testing.T, typ reflect.Type, prefix string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct { // its settings stand beside the others
			checkFields(t, f.Type, prefix)
			continue
		}
		if !f.IsExported() {
			t.Errorf("%s has the unexported field %s, which no configuration can set", typ, f.Name)
			continue
		}
		name := yamlName(f)
		if name == "" {
			t.Errorf("the field %s of %s has no yaml tag", f.Name, typ)
			continue
		}
		if name != strings.ToLower(name) {
			t.Errorf("the setting %q is not lower case", prefix+name)
		}
		checkDoc(t, "the setting "+prefix+name, f.Tag.Get("doc"))
		if s := structOf(f.Type); s != nil {
			checkFields(t, s, prefix+name+".")
		}
	}
}

func checkDoc(t *testing.T, what, doc string) {
	if doc == "" || !strings.HasSuffix(doc, ".") || strings.Contains(doc, "\n") {
		t.Errorf("%s is explained by %q; it should be a sentence", what, doc)
	}
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// structOf returns the struct of settings of this module's that a field leads
// to, or nil: one of another package, as time.Time, is a value.
func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 || yamlName(t.Field(0)) == "" {
		return nil
	}
	return t
}

// known reports whether path, dotted, names a setting.
func known(t reflect.Type, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	for _, f := range reflect.VisibleFields(t) {
		if yamlName(f) != name {
			continue
		}
		if s := structOf(f.Type); deeper && s != nil {
			return known(s, rest)
		}
		return !deeper || structOf(f.Type) == nil // an index or a key of a list or map
	}
	return false
}
