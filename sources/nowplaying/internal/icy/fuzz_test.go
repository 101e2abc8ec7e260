package icy

import (
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

func FuzzBlock(f *testing.F) {
	for _, s := range []string{
		"StreamTitle='A - B';\x00\x00", "StreamTitle='A';B';StreamUrl='http://x/a.png';", "StreamTitle='';adw_ad='true';durationMilliseconds='30000';",
		"StreamTitle='cut", "StreamUrl='';", "StreamTitle='Beyonc\xe9 &#8211;';  ",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		song, ok := parseBlock(raw, text.Charset{})
		if !utf8.ValidString(song.Text) || strings.ContainsAny(song.Text, "\x00\r\n") || song.Duration < 0 || !ok && song.Text != "" {
			t.Fatalf("%q: %+v", raw, song)
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, name := range []string{"01-icy-mp3-raw.bin", "04-mpd-httpd-icy.bin"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(b), "\r\n\r\n")
		f.Add(body[:9000], 8192)
	}
	f.Add("xx\x01StreamTitle='';\x00", 2)
	f.Fuzz(func(t *testing.T, body string, interval int) {
		if interval < 1 || interval > maxInterval {
			return
		}
		s := &stream{}
		reported := 0
		heard, err := s.read(iotest.OneByteReader(strings.NewReader(body)), interval, upstream.Report{}, func(upstream.Report) { reported++ })
		if err == nil || heard != (reported > 0) || reported > len(body)/(interval+1) {
			t.Fatalf("%d reports, %v, %v", reported, heard, err)
		}
	})
}

func FuzzPlaylist(f *testing.F) {
	f.Add([]byte("#EXTM3U\nhttp://x/"), "m3u")
	f.Add([]byte("[playlist]\nFile1=http://x/"), "pls")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		if address, err := firstAddress(body, kind); err == nil && (address == "" || strings.ContainsAny(address, "\r\n")) {
			t.Fatalf("%q", address)
		}
	})
}
