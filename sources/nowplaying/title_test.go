package nowplaying

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

func newReader(t testing.TB, change func(*Settings)) reader {
	t.Helper()
	s := Type.New().(*Settings)
	if change != nil {
		change(s)
	}
	d, err := s.reader("Jazz FM")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSplit(t *testing.T) {
	for in, want := range map[string]string{
		"A - T":               "A|T",
		"Jay-Z - 99 Problems": "Jay-Z|99 Problems",
		"Jay-Z":               "|Jay-Z",
		"A - T - Live":        "A|T - Live",
		"Beyoncé – Déjà Vu":   "Beyoncé|Déjà Vu",
		"A – B - T":           "A – B|T",
		"Artist Only - ":      "Artist Only|",
		" - T":                "|T",
		"-":                   "|",
		" - ":                 "|",
		"Unknown - T":         "|T",
		"A - Unknown":         "A|",
		"Unknown":             "|",
		"Jazz FM":             "|",
		"jazz-fm":             "|",
		"Jazz FM - The News":  "Jazz FM|The News",
		"1979":                "|1979",
		"!!!":                 "|!!!",
		"!!! - Myth Takes":    "!!!|Myth Takes",
		"...":                 "|...",
		"宇多田ヒカル - 初恋 🎵":       "宇多田ヒカル|初恋 🎵",
		"فيروز - نسم علينا الهوى":           "فيروز|نسم علينا الهوى",
		`Don't; "Stop" - Go'; StreamUrl=''`: `Don't; "Stop"|Go'; StreamUrl=''`,
	} {
		d := newReader(t, nil)
		s, _ := d.read(upstream.Song{Text: in})
		if got := s.artist + "|" + s.title; got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestSeparators(t *testing.T) {
	d := newReader(t, func(s *Settings) { s.Separator = []string{": "} })
	if s, _ := d.read(upstream.Song{Text: "A - B: T"}); s.artist != "A - B" || s.title != "T" {
		t.Errorf("with another separator: %+v", s)
	}
	d = newReader(t, func(s *Settings) { s.Separator = []string{"off"} })
	if s, _ := d.read(upstream.Song{Text: "A - T"}); s.artist != "" || s.title != "A - T" || s.text != "A - T" {
		t.Errorf("without one: %+v", s)
	}
}

func TestArtistAndTitleApart(t *testing.T) {
	d := newReader(t, nil)
	for _, c := range []struct {
		in   upstream.Song
		want string
	}{
		{upstream.Song{Artist: "A", Title: "T - Live"}, "A|T - Live|A - T - Live"},
		{upstream.Song{Artist: "A", Title: "A - T"}, "A|T|A - T"},
		{upstream.Song{Title: "A - T"}, "A|T|A - T"},
		{upstream.Song{Artist: "A"}, "A||A"},
		{upstream.Song{Artist: "Unknown Artist", Title: "T"}, "|T|T"},
		{upstream.Song{Text: "A - T", Artist: "x"}, "A|T|A - T"},
	} {
		s, _ := d.read(c.in)
		if got := s.artist + "|" + s.title + "|" + s.text; got != c.want {
			t.Errorf("%+v is %q, want %q", c.in, got, c.want)
		}
	}
}

func TestStationsOwnName(t *testing.T) {
	m := simulate(t, nil)
	r := titled("Radio Nova 101.5")
	r.Station = "Radio Nova, 101.5"
	m.hear(r, minute)
	if m.last().Text != "" {
		t.Errorf("the upstream's name for the station is a title: %s", m.last().json())
	}
}

func TestStickyArtist(t *testing.T) {
	read := func(d *reader, texts ...string) (last string) {
		for _, text := range texts {
			s, _ := d.read(upstream.Song{Text: text})
			d.learn(s)
			last = s.artist + "|" + s.title
		}
		return last
	}
	for name, c := range map[string]struct {
		texts []string
		want  string
	}{
		"one title is no evidence":        {[]string{"Art Ist - Title", "Art Ist - Plain - Song"}, "Art Ist|Plain - Song"},
		"a known artist behind it is":     {[]string{"Plain - Other Song", "Art Ist - Title", "Art Ist - Plain - Song"}, "Plain|Song"},
		"three different ones are":        {[]string{"Art Ist - Title", "Art Ist - Plain - Song", "Art Ist - Bob - Tune", "Art Ist - Eve - Air"}, "Eve|Air"},
		"and it goes on":                  {[]string{"Art Ist - Plain - Song", "Art Ist - Bob - Tune", "Art Ist - Eve - Air", "Art Ist - Plain - Song"}, "Plain|Song"},
		"until another artist comes":      {[]string{"Art Ist - Plain - Song", "Art Ist - Bob - Tune", "Art Ist - Eve - Air", "New - One - Live"}, "New|One - Live"},
		"movements of a work are no sign": {[]string{"Bach - Suite 1 - Prelude", "Bach - Suite 1 - Allemande", "Bach - Suite 1 - Courante"}, "Bach|Suite 1 - Courante"},
	} {
		d := newReader(t, nil)
		if got := read(&d, c.texts...); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	d := newReader(t, func(s *Settings) { s.StickyArtist = false })
	if got := read(&d, "Plain - Other", "Art Ist - Title", "Art Ist - Plain - Song"); got != "Art Ist|Plain - Song" {
		t.Errorf("switched off: %q", got)
	}
}

func TestLongTitlesAreCut(t *testing.T) {
	d := newReader(t, nil)
	s, _ := d.read(upstream.Song{Text: strings.Repeat("é", 400) + " - " + strings.Repeat("ü", 400), Album: strings.Repeat("x", 2000), Art: "https://x.example/" + strings.Repeat("x", 2000)})
	if len(s.text) > maxText+10 || len(s.album) > maxName || !utf8.ValidString(s.text) || s.art != "" {
		t.Errorf("a text of %d bytes, an album of %d, an address of %d", len(s.text), len(s.album), len(s.art))
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"A - T", "A - B - C", " - ", "–", "\x00", "Jazz FM", "Spot: x"} {
		f.Add(s, "", "")
	}
	f.Add("", "A", "A - A - T")
	f.Fuzz(func(t *testing.T, text, artist, title string) {
		for _, s := range []string{text, artist, title} {
			if !utf8.ValidString(s) {
				return // upstreams give valid texts
			}
		}
		d := newReader(t, func(s *Settings) { s.Rules = []Rule{{Match: "/^spot: (.*)/", As: "ad", Text: "$1"}} })
		for range 3 {
			s, _ := d.read(upstream.Song{Text: text, Artist: artist, Title: title})
			for _, part := range []string{s.text, s.artist, s.title, s.raw} {
				if !utf8.ValidString(part) || len(part) > 2*maxText {
					t.Fatalf("%q", part)
				}
			}
			d.learn(s)
		}
	})
}

func TestWrongSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Settings)
		setting string
	}{
		"nothing":         {func(*Settings) {}, "from"},
		"both":            {func(s *Settings) { s.MPD, s.From = "x", []Upstream{{MPD: "y"}} }, "from"},
		"two":             {func(s *Settings) { s.MPD, s.File = "x", "y" }, "file"},
		"an empty one":    {func(s *Settings) { s.From = []Upstream{{MPD: "y"}, {}} }, "from.[1].push"},
		"stray":           {func(s *Settings) { s.From = []Upstream{{MPD: "y", Mount: "/x"}} }, "from.[0].mount"},
		"no secret":       {func(s *Settings) { s.Push = true }, "secret"},
		"two hooks":       {func(s *Settings) { s.From = []Upstream{{Push: true, Secret: "a"}, {Push: true, Secret: "b"}} }, "from.[1].push"},
		"no station":      {func(s *Settings) { s.AzuraCast = "https://x.example" }, "station"},
		"no address":      {func(s *Settings) { s.LibreTime = "x.example" }, "libretime"},
		"no Icecast":      {func(s *Settings) { s.From = []Upstream{{MPD: "y"}, {Icecast: "radio"}} }, "from.[1].icecast"},
		"no stream":       {func(s *Settings) { s.ICY = "radio" }, "icy"},
		"no Shoutcast":    {func(s *Settings) { s.Shoutcast = "radio" }, "shoutcast"},
		"no MPD":          {func(s *Settings) { s.MPD = "http://x" }, "mpd"},
		"charset":         {func(s *Settings) { s.File, s.Charset = "x", "latin-42" }, "charset"},
		"time zone":       {func(s *Settings) { s.LibreTime, s.Timezone = "https://x.example", "Mars" }, "timezone"},
		"too often":       {func(s *Settings) { s.LibreTime, s.Every = "https://x.example", 1 }, "every"},
		"delay":           {func(s *Settings) { s.MPD, s.Delay = "x", -1 }, "delay"},
		"debounce":        {func(s *Settings) { s.MPD, s.Debounce = "x", -1 }, "debounce"},
		"patience":        {func(s *Settings) { s.MPD, s.Patience = "x", 0 }, "patience"},
		"separator":       {func(s *Settings) { s.MPD, s.Separator = "x", []string{""} }, "separator"},
		"rule":            {func(s *Settings) { s.MPD, s.Rules = "x", []Rule{{Match: "/(/", As: "ad"}} }, "rules.[0].match"},
		"rule does":       {func(s *Settings) { s.MPD, s.Rules = "x", []Rule{{Match: "x", As: "y"}} }, "rules.[0].as"},
		"rule of nothing": {func(s *Settings) { s.MPD, s.Rules = "x", []Rule{{Match: "x"}} }, "rules.[0].as"},
		"ignore":          {func(s *Settings) { s.MPD, s.Ignore = "x", []string{"a", " "} }, "ignore.[1]"},
		"hide":            {func(s *Settings) { s.MPD, s.Hide = "x", []string{"news"} }, "hide"},
		"logo":            {func(s *Settings) { s.MPD, s.Logo = "x", "logo.png" }, "logo"},
		"lookup":          {func(s *Settings) { s.MPD, s.Lookup = "x", "everywhere" }, "lookup"},
	} {
		s := Type.New().(*Settings)
		c.change(s)
		_, err := s.Source(sources.Env{Name: "jazz"}.Complete())
		wrong, ok := err.(*sources.SettingError)
		if !ok || wrong.Setting != c.setting {
			t.Errorf("%s: %v, want an error about %s", name, err, c.setting)
		}
	}
}

func TestOneTypeReceives(t *testing.T) {
	s := Type.New().(*Settings)
	s.From = []Upstream{{Push: true, Secret: "x"}, {MPD: "localhost"}}
	src, err := s.Source(sources.Env{Name: "jazz"}.Complete())
	if _, ok := src.(sources.Receiver); err != nil || !ok {
		t.Errorf("a station with push is a %T, %v", src, err)
	}
	s = Type.New().(*Settings)
	s.MPD = "localhost"
	src, err = s.Source(sources.Env{Name: "jazz"}.Complete())
	if _, ok := src.(sources.Receiver); err != nil || ok {
		t.Errorf("a station without push is a %T, %v", src, err)
	}
}

func TestKey(t *testing.T) {
	for _, same := range [][]string{
		{"Beyoncé - Déjà Vu", "BEYONCÉ – déjà  vu", "Beyonce\u0301 - De\u0301ja\u0300 Vu"},
		{"P!nk - So What", "Pnk - So what?"},
		{"ＡＢＣ", "abc"},
	} {
		for _, other := range same[1:] {
			if key(same[0]) != key(other) {
				t.Errorf("%q and %q are two titles", same[0], other)
			}
		}
	}
	for _, pair := range [][2]string{{"A - One", "A - Two"}, {"!!!", "???"}, {"Part 1", "Part 2"}, {"Go", "Gö"}, {"初恋", "恋"}} {
		if key(pair[0]) == key(pair[1]) {
			t.Errorf("%q and %q are one title", pair[0], pair[1])
		}
	}
}
