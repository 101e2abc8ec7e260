package icy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

const maxPlaylist = 64 << 10 // bytes

// playlistKind returns m3u or pls for an answer that is a playlist, else "".
func playlistKind(answer *http.Response) string {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch strings.ToLower(kind) {
	case "audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/mpegurl", "application/vnd.apple.mpegurl":
		return "m3u"
	case "audio/x-scpls", "audio/scpls", "application/pls+xml", "application/pls":
		return "pls"
	case "", "text/plain", "application/octet-stream":
		switch strings.ToLower(path.Ext(answer.Request.URL.Path)) {
		case ".m3u", ".m3u8":
			return "m3u"
		case ".pls":
			return "pls"
		}
	}
	return ""
}

// readPlaylist returns the first address of a playlist.
func readPlaylist(ctx context.Context, answer *http.Response, kind string) (*url.URL, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPlaylist))
	if err != nil {
		return nil, err
	}
	line, err := firstAddress(body, kind)
	if err != nil {
		return nil, finalError{err}
	}
	from := answer.Request.URL
	to, err := from.Parse(line)
	switch {
	case err != nil:
		return nil, finalError{errors.New("the playlist's first line is no address")}
	case to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "":
		return nil, finalError{fmt.Errorf("the playlist leads to the scheme %.20q, and only http and https are followed", to.Scheme)}
	}
	return to, checkReach(ctx, from, to)
}

// firstAddress returns the first address of a playlist as it stands there.
func firstAddress(body []byte, kind string) (string, error) {
	if bytes.Contains(body, []byte("#EXT-X-")) {
		return "", errors.New("this is an HLS stream, which has its titles elsewhere; ask the server or the automation instead")
	}
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	for line := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if kind == "pls" {
			key, value, ok := strings.Cut(line, "=")
			if !ok || !strings.HasPrefix(strings.ToLower(key), "file") {
				continue
			}
			line = strings.TrimSpace(value)
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			return line, nil
		}
	}
	return "", errors.New("there is no address in the playlist")
}

// checkReach refuses a playlist from elsewhere that leads into our own network: the
// configuration names the playlist, and somebody else writes it.
func checkReach(ctx context.Context, from, to *url.URL) error {
	if strings.EqualFold(from.Hostname(), to.Hostname()) {
		return nil
	}
	source, err := isLocal(ctx, from.Hostname())
	if err != nil || source {
		return err
	}
	target, err := isLocal(ctx, to.Hostname())
	if err == nil && target {
		err = finalError{fmt.Errorf("the playlist leads to %s, which is in this network, and is not followed; give the address of the stream", to.Host)}
	}
	return err
}

// isLocal reports whether a host has an address that is not everybody's.
func isLocal(ctx context.Context, host string) (bool, error) {
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false, err
	}
	for _, a := range all {
		if !isGlobal(a.Unmap()) {
			return true, nil
		}
	}
	return false, nil
}

// shared is what carriers give to customers, and private as far as we care.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func isGlobal(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}
