package plugincard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

const (
	maxTemplate = 32 << 10 // bytes of a template
	maxOutput   = 16 << 10 // bytes of a card's body
	maxSteps    = 100_000  // nodes of a template that are executed inside of range
)

// Card is a template that was checked. Its methods may be called concurrently.
type Card struct {
	mu       sync.Mutex // held while it is executed, with what the functions need
	template *template.Template
	left     int // steps
	image    func(string) string
	pictures map[string]bool // addresses that image has returned
}

// Compile checks a template. The error is a sentence for its author.
func Compile(name, text string) (*Card, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("it has %d bytes; %d are allowed", len(text), maxTemplate)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
	}
	c := &Card{}
	t, err := template.New(name).Funcs(template.FuncMap{"step": c.step, "image": c.picture}).Parse(text)
	if err != nil {
		return nil, err
	}
	if len(t.Templates()) > 1 || t.Tree == nil || t.Lookup(name) == nil {
		return nil, errors.New("it defines templates; a card is one, without define and block")
	}
	if err := checkTree(t.Tree.Root); err != nil {
		return nil, err
	}
	if err := checkMarkup(markupOf(t.Tree.Root)); err != nil {
		return nil, err
	}
	c.template = t
	return c, c.rehearse()
}

// rehearse makes cards of events that could be, to find what escaping refuses.
func (c *Card) rehearse() error {
	for _, data := range []string{"text", "{}", `{"text":"t","title":"t","url":"https://example.com/","image":"https://example.com/i.png","author":"a"}`} {
		e := stream.Event{ID: stream.ID{Epoch: "try", Seq: 1}, Time: time.Unix(0, 0), Data: []byte(data)}
		_, err := c.Body(e, func(string) string { return "/images/example" })
		var refused *template.Error
		var unclean *outputError
		if errors.As(err, &refused) || errors.As(err, &unclean) {
			return err
		}
	}
	return nil
}

// Body makes the body of e's card: markup that may be put into a page as it is.
// Image returns the address on this host of a picture, or "". The error is a
// sentence for the template's author.
func (c *Card) Body(e stream.Event, image func(string) string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.image, c.pictures = maxSteps, image, map[string]bool{}
	var out bounded
	if err := c.template.Execute(&out, c.values(e)); err != nil {
		return "", err
	}
	return clean(out.String(), c.pictures)
}

// values is what the template gets.
func (c *Card) values(e stream.Event) map[string]any {
	content := stream.ParseContent(e.Data)
	values := map[string]any{
		"Kind": e.Subject.Kind, "Key": e.Subject.Key, "ID": e.ID.String(), "Source": e.Source,
		"Time": e.Time.UTC().Format(time.RFC3339),
		"Text": content.Text, "Title": content.Title, "URL": webAddress(content.URL), "Image": c.picture(content.Image),
		"Author": map[string]any{
			"Name": content.Author.Name, "URL": webAddress(content.Author.URL), "Image": c.picture(content.Author.Image),
		},
		"Data": any(content.Text),
	}
	if content.Fields != nil {
		decoder := json.NewDecoder(strings.NewReader(stream.Text(e.Data)))
		decoder.UseNumber()
		var fields map[string]any
		if decoder.Decode(&fields) == nil {
			values["Data"] = fields
		}
	}
	return values
}

// picture is the template's function image.
func (c *Card) picture(src any) string {
	address, ok := src.(string)
	if !ok || address == "" || c.image == nil {
		return ""
	}
	here := c.image(address)
	if here != "" {
		c.pictures[here] = true
	}
	return here
}

// step is called by the template at the begin of each round of a range, whose body
// has so many nodes.
func (c *Card) step(nodes int) (string, error) {
	if c.left -= nodes; c.left < 0 {
		return "", fmt.Errorf("its ranges take more than %d steps", maxSteps)
	}
	return "", nil
}

// webAddress is an http or https address, or "".
func webAddress(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// bounded is a buffer that takes maxOutput bytes.
type bounded struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("it makes more than %d bytes", maxOutput)
	}
	return b.Buffer.Write(p)
}
