package webhook_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/jq"
	"github.com/wallcast/wallcast/sources/webhook"
)

// TestMapsAsConfigured runs the ready maps, by name, as the setting map does.
func TestMapsAsConfigured(t *testing.T) {
	for name := range webhook.Maps() {
		t.Run(name, func(t *testing.T) {
			program, err := jq.Compile(jq.Settings{Map: name, Maps: webhook.Maps(), Source: "hook"})
			if err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join("testdata", name, "*.json"))
			if err != nil {
				t.Fatal(err)
			}
			events := 0
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				event, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "-")
				parsed, err := receiver(t, bearer).Parse(sources.Delivery{
					ID: "d1", Body: body, Header: head("Content-Type", "application/json", "X-GitHub-Event", event),
				})
				if err != nil {
					t.Fatal(err)
				}
				made, err := program.Transform(t.Context(), parsed[0])
				if err != nil {
					t.Errorf("%s: %v", file, err)
				}
				for _, e := range made {
					if e.Kind == "" || e.ID != "d1" || !bytes.HasPrefix(e.Data, []byte("{")) {
						t.Errorf("%s makes %+v, %s", file, e, e.Data)
					}
				}
				events += len(made)
			}
			if len(files) > 0 && events == 0 {
				t.Error("nothing was made")
			}
		})
	}
}
