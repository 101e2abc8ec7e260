// Package views renders a wall: the page, complete without JavaScript, and the
// card of one event, which the event stream sends to pages that are open.
//
// # Usage
//
// [PageComponent] is the document at /walls/{wall}. It is rendered at a position,
// [Page.Head], and its script opens the event stream exactly there, so nothing
// falls between. [RenderCard] gives the same markup for one event; it is the
// representation as=html of the stream, made once per event however many
// viewers there are. [Assets] serves what the page loads, and
// [ContentSecurityPolicy] is the policy that it is written for.
//
// # Slots
//
// A kind shows in one of four places. In the timeline and in the ticker every
// event is a card, and events of one kind and key are one. The bar and the
// banner show the newest event of a kind, and of a kind and key where it has
// keys. A kind that the configuration does not name shows in the timeline.
//
// # Safety
//
// Whatever an event carries is data. It is cleaned of control characters and
// direction overrides, bounded, and escaped by context; links are http or https;
// images are shown only from where [Wall.Image] says. Only [Wall.Body] gives markup,
// and answers for it. There is no inline script
// and no inline style attribute. In the browser a fragment passes an allow-list
// of elements and attributes, under the Trusted Types policy "wallcast".
//
// # Concurrency
//
// Everything here may be called concurrently. A Wall that was handed over must
// not be changed.
package views

//go:generate go tool templ generate
