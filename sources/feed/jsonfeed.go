package feed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// jsonFeed is JSON Feed 1.0 and 1.1.
type jsonFeed struct {
	Version string       `json:"version"`
	Author  jsonAuthor   `json:"author"`
	Authors []jsonAuthor `json:"authors"`
	Items   []jsonItem   `json:"items"`
}

type jsonItem struct {
	ID            any          `json:"id"` // a text, though some write a number
	URL           string       `json:"url"`
	ExternalURL   string       `json:"external_url"`
	Title         string       `json:"title"`
	ContentHTML   string       `json:"content_html"`
	ContentText   string       `json:"content_text"`
	Summary       string       `json:"summary"`
	Image         string       `json:"image"`
	BannerImage   string       `json:"banner_image"`
	DatePublished string       `json:"date_published"`
	DateModified  string       `json:"date_modified"`
	Author        jsonAuthor   `json:"author"`
	Authors       []jsonAuthor `json:"authors"`
	Attachments   []struct {
		URL  string `json:"url"`
		Type string `json:"mime_type"`
	} `json:"attachments"`
}

type jsonAuthor struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func parseJSON(data []byte, base *url.URL) ([]item, error) {
	var f jsonFeed
	err := json.Unmarshal(data, &f)
	var wrong *json.UnmarshalTypeError // of one field, which is left empty
	if err != nil && !errors.As(err, &wrong) {
		return nil, fmt.Errorf("reading the JSON: %w", err)
	}
	if !strings.Contains(f.Version, "jsonfeed.org/version/") {
		return nil, errors.New("the answer is JSON and no JSON Feed (its version names none); the source type poll reads any JSON")
	}
	items := make([]item, 0, len(f.Items))
	for _, j := range f.Items {
		items = append(items, j.item(base, firstAuthor(f.Author, f.Authors)))
	}
	return identified(items), nil
}

func firstAuthor(one jsonAuthor, several []jsonAuthor) jsonAuthor {
	if len(several) > 0 {
		return several[0]
	}
	return one
}

func (j jsonItem) item(base *url.URL, common jsonAuthor) item {
	by := cmp.Or(firstAuthor(j.Author, j.Authors), common)
	i := item{
		title: words(j.Title), url: cmp.Or(resolve(base, j.URL), resolve(base, j.ExternalURL)),
		author:    author{words(by.Name), resolve(base, by.URL)},
		published: parseTime(j.DatePublished), updated: parseTime(j.DateModified),
	}
	switch id := j.ID.(type) {
	case string:
		i.id = id
	case float64:
		i.id = fmt.Sprintf("%.0f", id)
	}
	full, image := plain(j.ContentHTML)
	i.text = cmp.Or(paragraphs(j.Summary), paragraphs(j.ContentText), full)
	i.image = cmp.Or(resolve(base, j.Image), resolve(base, j.BannerImage))
	for _, a := range j.Attachments {
		if i.image == "" && isImage(a.Type, a.URL) {
			i.image = resolve(base, a.URL)
		}
	}
	i.image = cmp.Or(i.image, resolve(base, image))
	return i
}
