package icecasttest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecasttest"
)

func status(t *testing.T, server *icecasttest.Server) string {
	t.Helper()
	answer, err := http.Get(server.URL + "/status-json.xsl")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// await waits until the public status has the text.
func await(t *testing.T, server *icecasttest.Server, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(status(t, server), text); {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %s", text, status(t, server))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServer(t *testing.T) {
	server := icecasttest.Start(t)
	source := server.Source(icecasttest.Feed{Mount: "/one.mp3", Name: "One"})
	source.Title("Artist - Title")
	await(t, server, `"title":"Artist - Title"`)

	server.Stop()
	<-source.Ended()
	server.Restart()
	await(t, server, `"server_id":"Icecast 2`)
	if s := status(t, server); strings.Contains(s, "/one.mp3") {
		t.Errorf("after a restart: %s", s)
	}

	source = server.Source(icecasttest.Feed{Mount: "/one.mp3"})
	source.Stall(true)
	<-source.Ended()
}
