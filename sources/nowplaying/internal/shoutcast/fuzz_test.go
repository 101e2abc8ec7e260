package shoutcast

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
)

func FuzzStatus(f *testing.F) {
	for _, s := range []string{
		`{"songtitle":"A   B","nexttitle":.5,"streamstatus":1,"currentlisteners":"3","dj":"x"}`,
		"<body>5,1,31,100,4,128,A, B &amp; C</body>", "0,0,0,0,0,0,", "A - B\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range []page{stats, seven, currentSong} {
			r, err := p.parse(body, text.Charset{})
			if err != nil {
				continue
			}
			if all := r.Song.Text + r.DJ + r.Station; !utf8.ValidString(all) || strings.ContainsAny(all, "\x00\r\n") {
				t.Fatalf("%s: %q", p.path, all)
			}
			if r.Listeners != nil && *r.Listeners < 0 {
				t.Fatalf("%s: %d listeners", p.path, *r.Listeners)
			}
		}
	})
}
