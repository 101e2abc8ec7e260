package sources_test

import (
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

func TestRegistry(t *testing.T) {
	other := Countdown
	other.Name = "another"
	r, err := sources.NewRegistry(Countdown, other)
	if err != nil {
		t.Fatal(err)
	}
	if types := r.Types(); len(types) != 2 || types[0].Name != "another" || types[1].Name != "countdown" {
		t.Errorf("types %+v", types)
	}
	if found, ok := r.Lookup("countdown"); !ok || found.Name != "countdown" {
		t.Errorf("countdown is %+v", found)
	}
	if _, ok := r.Lookup("coun"); ok {
		t.Error("a type that nobody registered")
	}
	for name, types := range map[string][]sources.Type{
		"twice":       {Countdown, other, Countdown},
		"a bad name":  {{Name: "A b", Doc: "X.", New: Countdown.New}},
		"no doc":      {{Name: "x", New: Countdown.New}},
		"no settings": {{Name: "x", Doc: "X."}},
		"no name":     {{Doc: "X.", New: Countdown.New}},
	} {
		if _, err := sources.NewRegistry(types...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExampleConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{Type: Countdown, Bubble: true, Open: func(*testing.T) sourcetest.Upstream {
		return sourcetest.Upstream{Settings: &countdownSettings{From: 3}, Want: []string{"3", "2", "1", "0"}}
	}})
}
