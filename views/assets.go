package views

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets/style/*.css assets/*.js assets/icon.svg
var assetFiles embed.FS

// sources are the files that make up each asset, in order. The style sheet is
// one request, and several files to read.
var sources = map[string][]string{
	"wall.css":      {"style/page.css", "style/cards.css", "style/wide.css", "style/tv.css", "style/media.css"},
	"wall.js":       {"wall.js"},
	"connection.js": {"connection.js"},
	"fragment.js":   {"fragment.js"},
	"clock.js":      {"clock.js"},
	"reader.js":     {"reader.js"},
	"poll.js":       {"poll.js"},
	"icon.svg":      {"icon.svg"},
}

// modules are the scripts that wall.js imports, so that a browser can ask for
// all of them at once.
var modules = []string{"connection.js", "fragment.js", "clock.js", "reader.js", "poll.js"}

type asset struct {
	contentType string
	plain, gzip []byte
}

// bundle is every asset as it is served. They share one hash, for the scripts
// import each other by relative addresses.
var bundle = sync.OnceValue(func() (b struct {
	hash  string
	files map[string]asset
}) {
	sum := sha256.New()
	b.files = map[string]asset{}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		var data []byte
		for _, source := range sources[name] {
			part, err := assetFiles.ReadFile("assets/" + source)
			if err != nil {
				panic("views: reading an embedded asset: " + err.Error())
			}
			data = append(data, withoutComments(part)...)
		}
		b.files[name] = asset{contentType: assetTypes[path.Ext(name)], plain: data, gzip: compress(data)}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
	}
	b.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return b
})

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// withoutComments drops indentation and the lines that are nothing but comment.
// Our assets hold no text over several lines that this would change, and no
// address at the start of one.
func withoutComments(src []byte) []byte {
	var out bytes.Buffer
	inside := false
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		if inside || strings.HasPrefix(line, "/*") {
			_, after, ended := strings.Cut(line, "*/")
			inside, line = !ended, strings.TrimSpace(after)
		}
		if line != "" && !strings.HasPrefix(line, "//") {
			out.WriteString(line)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

func compress(data []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid one
	w.Write(data)                                           // a Buffer takes everything
	w.Close()
	return out.Bytes()
}

// AssetURL is the address of one of the page's files, as "wall.css". It changes
// with the content of any of them. It panics for a name that is none.
func AssetURL(name string) string {
	b := bundle()
	if _, ok := b.files[name]; !ok {
		panic("views: no asset is named " + name)
	}
	return "/assets/" + b.hash + "/" + name
}

// Assets serves /assets/. What it serves under the current address never
// changes, so caches may keep it for good. A page of another build, as there are
// while a new one is rolled out, gets the current files, which are not kept.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := bundle()
		hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/assets/"), "/")
		a, ok := b.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "An asset can only be read.", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Cache-Control", "no-cache")
		if hash == b.hash {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		h.Set("Content-Type", a.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		body := a.plain
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = a.gzip
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // a reader who left needs no answer
		}
	})
}

func acceptsGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" || name == "*" {
			q := strings.TrimPrefix(strings.TrimSpace(weight), "q=")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}
