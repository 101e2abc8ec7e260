package sources

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wallcast/wallcast/stream"
)

// Registry is the source types that a program knows. It is immutable and may
// be used concurrently.
type Registry struct{ types []Type }

// NewRegistry makes a registry of types. A type without a name, an explanation
// or settings, and a name given twice, are errors.
func NewRegistry(types ...Type) (*Registry, error) {
	sorted := slices.Clone(types)
	slices.SortStableFunc(sorted, func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
	for i, t := range sorted {
		if err := stream.CheckName("source type", t.Name); err != nil {
			return nil, err
		}
		if t.Doc == "" || t.New == nil {
			return nil, fmt.Errorf("the source type %q lacks its Doc or New", t.Name)
		}
		if i > 0 && sorted[i-1].Name == t.Name {
			return nil, fmt.Errorf("there are two source types named %q; rename one", t.Name)
		}
	}
	return &Registry{sorted}, nil
}

// Lookup returns the type of that name.
func (r *Registry) Lookup(name string) (Type, bool) {
	i, ok := slices.BinarySearchFunc(r.types, name, func(t Type, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return Type{}, false
	}
	return r.types[i], true
}

// Types returns all types, sorted by name.
func (r *Registry) Types() []Type { return slices.Clone(r.types) }
