package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
)

// maxFields bounds what is looked at of a post.
const maxFields = 500

// fields are what a post says, by plain names: lower case, letters and digits
// alone, so that on_air_timestamp and OnAirTimestamp are one.
type fields map[string]string

func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// add keeps a field; of two with one name the first that says something counts.
func (f fields) add(name, value string) {
	name = plain(name)
	if name != "" && f[name] == "" && len(f) < maxFields {
		f[name] = value
	}
}

// read takes the fields of a post from its body and its address. A body that is
// none of JSON, a form and text is an error.
func (c Config) read(d sources.Delivery) (fields, error) {
	f := fields{}
	charset := c.Charset
	kind, params, _ := mime.ParseMediaType(d.Header.Get("Content-Type"))
	if named, err := text.ParseCharset(params["charset"]); err == nil && params["charset"] != "" && charset == (text.Charset{}) {
		charset = named
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(d.Body, []byte("\xEF\xBB\xBF")))
	var err error
	switch {
	case kind == "multipart/form-data":
		err = f.multipart(body, params["boundary"], charset)
	case len(body) > 0 && (body[0] == '{' || body[0] == '['):
		err = f.json(body, charset)
	case kind == "application/json" && len(body) > 0:
		err = errors.New("the body is declared as JSON and is neither an object nor a list of pairs")
	case bytes.ContainsRune(body, '=') && kind != "text/plain":
		f.form(string(body), charset)
	case len(body) > 0:
		f.add("text", text.Clean(body, charset))
	}
	f.form(d.Query, charset)
	return f, err
}

func (f fields) multipart(body []byte, boundary string, charset text.Charset) error {
	in := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxFields {
		part, err := in.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the form: %w", err)
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return fmt.Errorf("reading the form: %w", err)
		}
		f.add(part.FormName(), text.Clean(value, charset))
	}
	return nil
}

// form reads name=value&name=value as radio software writes it: with semicolons
// and percent signs that stand for themselves.
func (f fields) form(form string, charset text.Charset) {
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		f.add(unescape(name), text.Clean(unescape(value), charset))
	}
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+5 < len(s) && s[i+1] == 'u':
			if r, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				b.WriteRune(rune(r))
				i += 5
				continue
			}
			b.WriteByte('%')
		case s[i] == '%' && i+2 < len(s):
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
			b.WriteByte('%')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// json reads an object, or a list of pairs as Liquidsoap writes it. Objects within
// count too: their names are those of the fields and, after them, with the object's
// name in front.
func (f fields) json(body []byte, charset text.Charset) error {
	var value any
	in := json.NewDecoder(bytes.NewReader(rescue(body)))
	in.UseNumber()
	if err := in.Decode(&value); err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	switch v := value.(type) {
	case map[string]any:
		f.object("", v, charset, 0)
		return nil
	case []any:
		return f.pairs(v, charset)
	}
	return errors.New("the body is JSON, but neither an object nor a list of pairs")
}

func (f fields) pairs(list []any, charset text.Charset) error {
	for _, item := range list {
		pair, ok := item.([]any)
		if object, is := item.(map[string]any); is {
			f.object("", object, charset, 1)
			continue
		}
		if !ok || len(pair) != 2 {
			return errors.New(`the body is a JSON list, but not one of pairs such as [["artist", "…"], ["title", "…"]]`)
		}
		name, _ := pair[0].(string)
		f.value(name, pair[1], charset, 1)
	}
	return nil
}

func (f fields) object(prefix string, object map[string]any, charset text.Charset, depth int) {
	var nested []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, ok := object[name].(map[string]any); ok {
			nested = append(nested, name)
			continue
		}
		f.value(prefix+name, object[name], charset, depth)
	}
	for _, name := range nested {
		f.value(prefix+name, object[name], charset, depth)
	}
}

// within are objects whose fields are about what is on air.
var within = map[string]bool{"metadata": true, "song": true, "track": true, "nowplaying": true, "current": true, "data": true, "item": true, "onair": true}

func (f fields) value(name string, value any, charset text.Charset, depth int) {
	switch v := value.(type) {
	case string:
		f.add(name, clean(v, charset))
	case json.Number:
		f.add(name, v.String())
	case bool:
		f.add(name, strconv.FormatBool(v))
	case map[string]any:
		if depth > 3 {
			return
		}
		if within[plain(name)] {
			f.object("", v, charset, depth+1)
			return
		}
		f.object(name+"_", v, charset, depth+1)
	}
}

// rescued marks a text of which the bytes were kept one by one, see rescue.
const rescued = '\uF8FF'

// rescue makes UTF-8 of JSON whose texts are in another charset: each text that is
// no UTF-8 gets a mark and each byte of it becomes the character of that number.
func rescue(body []byte) []byte {
	if utf8.Valid(body) {
		return body
	}
	out := make([]byte, 0, len(body)+len(body)/4)
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			out = append(out, body[i])
			continue
		}
		end := i + 1
		for end < len(body) && body[end] != '"' {
			if body[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(body))
		inner := body[i+1 : end]
		out = append(out, '"')
		if utf8.Valid(inner) {
			out = append(out, inner...)
		} else {
			out = utf8.AppendRune(out, rescued)
			for _, b := range inner {
				out = utf8.AppendRune(out, rune(b))
			}
		}
		if end < len(body) {
			out = append(out, '"')
		}
		i = end
	}
	return out
}

// clean reads a JSON text. One that is UTF-8 is believed to be meant so.
func clean(s string, charset text.Charset) string {
	rest, ok := strings.CutPrefix(s, string(rescued))
	if !ok {
		return text.Clean(s, text.Charset{})
	}
	raw := make([]byte, 0, len(rest))
	for _, r := range rest {
		if r < 0x100 {
			raw = append(raw, byte(r))
		} else {
			raw = utf8.AppendRune(raw, r)
		}
	}
	return text.Clean(raw, charset)
}
