// Package plugincard makes the bodies of cards from templates that plugins bring:
// NAME.card.html in the plugins folder is the body of the cards of what the plugin
// NAME publishes, where they show in the timeline or as a banner.
//
// # Templates
//
// A template is one of html/template, which escapes values by where they stand. It
// gets
//
//	.Kind .Key .ID .Source .Time         texts, the time as RFC 3339
//	.Text .Title .URL .Image             as the payload says, "" if missing or unusable
//	.Author.Name .Author.URL .Author.Image
//	.Data                                the payload: a text, or the object
//
// and may use if, with, range, comparisons, len and index, and {{image .Data.cover}}
// for the address under which this program serves a picture, "" where it doesn't.
//
// # Safety
//
// A template is not trusted to be harmless. When it is loaded, elements, attributes
// and addresses that cards may not have are refused, and so is what can't be bounded.
// Each card is read again as a browser would read it, compared with the same lists,
// and written anew from what was read. Links lead to http or https; pictures are
// those of this program. An execution ends after a number of steps, or when it has
// written 16 KiB.
package plugincard
