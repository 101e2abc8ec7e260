package nowplaying_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// logged is an entry of a playlist log, of a moment.
func logged(at time.Time, title string) string {
	return at.Format("02/Jan/2006:15:04:05 -0700") + "|/jazz|7|" + title + "\n"
}

func TestPlaylistLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		path := filepath.Join(folder, "playlist.log")
		write(t, filepath.Join(folder, "now.txt"), "X - Other")
		store := sourcetest.NewStore()
		s := settings()
		s.From = []nowplaying.Upstream{{Playlist: "playlist.log", Mount: "/jazz"}, {File: "now.txt"}}
		r := start(t, store, s, sources.Env{Folder: folder})
		r.pass(time.Minute)
		r.want("playing X - Other")
		if st := r.sup.Status()[0]; !strings.Contains(st.Warning, "playlist.log does not exist") {
			t.Errorf("the warning is %q", st.Warning)
		}

		began := time.Now().Add(-40 * time.Second).Truncate(time.Second)
		text := logged(began, "Beyonc\xe9 - D\xe9j\xe0 Vu")
		write(t, path, text)
		r.pass(3 * time.Minute)
		r.want("playing X - Other", "playing Beyoncé - Déjà Vu")
		if c := r.cards()[1]; !c.StartedAt.Equal(began) || c.Artist != "Beyoncé" || c.Source != "playlist" {
			t.Errorf("the card is %+v, want one of the playlist log that began at %v", c, began)
		}
		if data := store.Data()[1]; !strings.Contains(data, `"started_exact":true`) || !strings.Contains(data, `"listeners":7`) {
			t.Errorf("the card is %s", data)
		}
		text += logged(time.Now(), "NL - Line1\nLine2")
		write(t, path, text)
		r.pass(time.Minute)
		r.want("playing X - Other", "playing Beyoncé - Déjà Vu", "playing NL - Line1 Line2")

		// A log that nobody has written to for longer than a title lasts.
		r.stop()
		r.pass(2 * time.Hour)
		r = start(t, store, s, sources.Env{Folder: folder})
		r.pass(time.Minute)
		r.want("playing X - Other", "playing Beyoncé - Déjà Vu", "playing NL - Line1 Line2", "stale NL - Line1 Line2", "playing X - Other")
	})
}
