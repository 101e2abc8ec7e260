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

// row is the payload of a post's card.
func row(i int, artist, title, more string) string {
	at := began.Add(time.Duration(i) * 3 * time.Minute)
	id := base36(at.UnixMilli())
	return fmt.Sprintf(`{"station":"Jazz FM","state":"playing","type":"song","artist":%q,"title":%q,"text":%q,"play_id":%q,"started_at":%q,"started_exact":false%s,"source":"push"}`,
		artist, title, artist+" - "+title, id, at.Format(time.RFC3339), more)
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
				row(3, "B", "Two", `,"duration":200`),
				strings.Replace(row(3, "B", "Two", `,"duration":200`), `"playing"`, `"stale"`, 1),
				row(5, "A", "One", ""),
				row(6, "C", "Three", ""),
			},
		}
	}})
}
