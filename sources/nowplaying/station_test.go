package nowplaying_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// began is before the clock of a bubble begins.
var began = time.Date(1999, 12, 31, 6, 45, 0, 0, time.UTC)

// posts are deliveries three minutes apart.
func posts(bodies ...string) []sources.Delivery {
	var all []sources.Delivery
	for i, body := range bodies {
		all = append(all, sources.Delivery{
			Time: began.Add(time.Duration(i) * 3 * time.Minute),
			Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}},
		})
	}
	return all
}

func pushed() *nowplaying.Settings {
	s := nowplaying.Type.New().(*nowplaying.Settings)
	s.Push, s.Secret, s.Name, s.Stale = true, "s3cret", "Jazz FM", 0
	return s
}

// row is the payload of a post's card; before are the songs before it.
func row(i int, artist, title, more string, before ...string) string {
	recent := ""
	if len(before) > 0 {
		recent = `,"recent":[` + strings.Join(before, ",") + `]`
	}
	at := began.Add(time.Duration(i) * 3 * time.Minute)
	id := base36(at.UnixMilli())
	return fmt.Sprintf(`{"station":"Jazz FM","state":"playing","type":"song","artist":%q,"title":%q,"text":%q,"play_id":%q,"started_at":%q,"started_exact":false%s,"source":"push"%s}`,
		artist, title, artist+" - "+title, id, at.Format(time.RFC3339), more, recent)
}

// old is a row among the songs before another.
func old(i int, artist, title string) string {
	at := began.Add(time.Duration(i) * 3 * time.Minute)
	return fmt.Sprintf(`{"play_id":%q,"artist":%q,"title":%q,"text":%q,"started_at":%q}`,
		base36(at.UnixMilli()), artist, title, artist+" - "+title, at.Format(time.RFC3339))
}

func base36(n int64) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	s := ""
	for ; n > 0; n /= 36 {
		s = string(digits[n%36]) + s
	}
	return s
}

func TestConformance(t *testing.T) {
	one, two := old(0, "A", "One"), old(3, "B", "Two")
	sourcetest.Run(t, sourcetest.Case{Type: nowplaying.Type, Bubble: true, Open: func(*testing.T) sourcetest.Upstream {
		return sourcetest.Upstream{
			Settings: pushed(),
			Deliveries: posts(
				`{"artist":"A","title":"One","filename":"/srv/a.mp3"}`,
				`{"artist":"A","title":"One"}`,
				`{"title":"a jingle","type":"jingle"}`,
				`[["artist","B"],["title","Two"],["duration","200"]]`,
				`{"artist":"","title":""}`,
				`{"artist":"A","title":"One"}`,
				`{"artist":"C","title":"Three"}`,
			),
			Want: []string{
				row(0, "A", "One", ""),
				row(3, "B", "Two", `,"duration":200`, one),
				strings.Replace(row(3, "B", "Two", `,"duration":200`, one), `"playing"`, `"stale"`, 1),
				row(5, "A", "One", "", two, one),
				row(6, "C", "Three", "", old(5, "A", "One"), two, one),
			},
		}
	}})
}
