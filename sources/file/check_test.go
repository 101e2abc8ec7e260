package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/file"
)

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "there.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"replay", "follow", "value"} {
		for path, want := range map[string]string{"there.txt": "", "gone.txt": "does not exist", ".": "is a folder"} {
			settings := file.Type.New().(*file.Settings)
			settings.Path, settings.Mode = path, mode
			src, err := settings.Source(sources.Env{Name: "a", Folder: folder})
			if err != nil {
				t.Fatal(err)
			}
			err = src.(sources.Checker).Check(t.Context())
			var setting *sources.SettingError
			if want == "" && err != nil || want != "" && (!errors.As(err, &setting) || setting.Setting != "path" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s of %s: %v, want %q", mode, path, err, want)
			}
		}
	}
}
