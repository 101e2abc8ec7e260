package icecast

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/repair"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// status is what a server says of itself.
type status struct {
	version version
	mounts  []mount
}

// mount is a mount point with what the server says of it.
type mount struct {
	path   string
	fields map[string]field
}

// field is a text, or, if raw, the bytes that the source client sent.
type field struct {
	value string
	raw   bool
}

func (f field) clean(c text.Charset) string {
	if f.raw {
		return text.Clean(f.value, c)
	}
	return text.Transcoded(f.value, c)
}

// errStarting is the answer of a server in its first moments: it doesn't know
// its mounts yet, so that they are missing says nothing.
var errStarting = errors.New("the server has just started and doesn't know its mounts yet")

// errForeign is what is no answer of an Icecast's administration, as a page to log
// in.
var errForeign = errors.New("reading the administrator's status: there are no icestats in it")

// fed reports whether a source feeds the mount. One that is listed only for its
// listeners, who hear another mount instead, has neither.
func (m mount) fed() bool {
	for _, name := range []string{"stream_start_iso8601", "stream_start", "server_type"} {
		if m.fields[name].value != "" {
			return true
		}
	}
	return false
}

func (m mount) report(c text.Charset) upstream.Report {
	if !m.fed() {
		return upstream.Report{State: upstream.Offline}
	}
	r := upstream.Report{Station: m.fields["server_name"].clean(c)}
	if r.Station == "Unspecified name" || r.Station == "no name" {
		r.Station = "" // what Icecast calls those that don't say
	}
	if n, err := strconv.Atoi(m.fields["listeners"].value); err == nil && n >= 0 {
		r.Listeners = &n
	}
	artist, title := m.fields["artist"].clean(c), m.fields["title"].clean(c)
	if title == "" {
		title = m.fields["display-title"].clean(c)
	}
	if artist == "" {
		r.Song.Text = title
		return r
	}
	r.Song.Artist, r.Song.Title, r.Song.Album = artist, title, m.fields["album"].clean(c)
	return r
}

// parseJSON reads the public status: an object {"icestats": {…}}, or, from
// publicStatsPath, an array of which one element has the sources. One source is an
// object, several are an array or an object with a member for each mount.
func parseJSON(body []byte) (status, error) {
	body, err := repair.JSON(body)
	if err != nil {
		return status{}, fmt.Errorf("reading the status: %w", err)
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) == nil {
		var stats map[string]json.RawMessage
		if json.Unmarshal(top["icestats"], &stats) != nil {
			return status{}, errors.New("reading the status: there are no icestats in it, so this is no Icecast server")
		}
		return parseStats(stats)
	}
	var parts []map[string]json.RawMessage
	if json.Unmarshal(body, &parts) != nil || len(parts) == 0 {
		return status{}, errors.New("reading the status: it is JSON, and not what Icecast says")
	}
	all := map[string]json.RawMessage{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return parseStats(all)
}

func parseStats(stats map[string]json.RawMessage) (status, error) {
	id, _ := repair.Text(stats["server_id"])
	if id == "" && stats["source"] == nil {
		return status{}, errStarting
	}
	st := status{version: parseVersion(id)}
	source := bytes.TrimSpace(stats["source"])
	if len(source) == 0 {
		return st, nil
	}
	var list []map[string]json.RawMessage
	if source[0] == '[' {
		if err := json.Unmarshal(source, &list); err != nil {
			return status{}, errors.New("reading the status: its sources are not what Icecast says")
		}
	} else {
		var one map[string]json.RawMessage
		if err := json.Unmarshal(source, &one); err != nil {
			return status{}, errors.New("reading the status: its source is not what Icecast says")
		}
		list = append(list, one)
	}
	for _, members := range list {
		st.mounts = append(st.mounts, parseSource(members)...)
	}
	return st, nil
}

// parseSource reads one source, or those of an object that has one for each mount.
func parseSource(members map[string]json.RawMessage) []mount {
	var all []mount
	for name, value := range members {
		var inner map[string]json.RawMessage
		if strings.HasPrefix(name, "/") && json.Unmarshal(value, &inner) == nil && inner != nil {
			all = append(all, mount{path: name, fields: fields(inner)})
		}
	}
	if len(all) > 0 {
		slices.SortFunc(all, func(a, b mount) int { return strings.Compare(a.path, b.path) })
		return all
	}
	m := mount{fields: fields(members)}
	if address, err := url.Parse(m.fields["listenurl"].value); err == nil {
		m.path = address.Path
	}
	return []mount{m}
}

func fields(members map[string]json.RawMessage) map[string]field {
	all := map[string]field{}
	for name, value := range members {
		value, raw := repair.Text(value)
		all[name] = field{value, raw}
	}
	return all
}

// parseXML reads the administrator's status.
func parseXML(body []byte) (status, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var st status
	var id string
	var where []string // the elements that are open
	root := false      // there was one
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return status{}, fmt.Errorf("reading the administrator's status: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			where = append(where, token.Name.Local)
			if root = where[0] == "icestats"; !root {
				return status{}, errForeign
			}
			if len(where) == 2 && where[1] == "source" {
				st.mounts = append(st.mounts, mount{path: attribute(token, "mount"), fields: map[string]field{}})
			}
		case xml.EndElement:
			where = where[:len(where)-1]
		case xml.CharData:
			switch {
			case len(where) == 2 && where[1] == "server_id":
				id += string(token)
			case len(where) == 3 && where[1] == "source":
				fields := st.mounts[len(st.mounts)-1].fields
				fields[where[2]] = field{value: fields[where[2]].value + string(token)}
			}
		}
	}
	switch {
	case !root:
		return status{}, errForeign
	case id == "":
		return status{}, errStarting
	}
	st.version = parseVersion(id)
	return st, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
