package webhook

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed maps/*.jq
var mapFiles embed.FS

// Maps returns the ready maps: jq programs by the name under which the setting
// map knows them. What each takes and makes is said by the comment at its top.
func Maps() map[string]string {
	maps := map[string]string{}
	names, err := fs.Glob(mapFiles, "maps/*.jq")
	if err != nil {
		panic(err) // of a pattern that is wrong
	}
	for _, name := range names {
		text, err := mapFiles.ReadFile(name)
		if err != nil {
			panic(err) // of a file that is compiled in
		}
		maps[strings.TrimSuffix(path.Base(name), ".jq")] = string(text)
	}
	return maps
}
