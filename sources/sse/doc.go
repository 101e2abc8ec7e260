// Package sse is the source that follows an event stream (Server-Sent Events):
// another Wallcast, Mastodon's streaming API, or any other.
//
// # Resuming
//
// The id of the newest event is the source's cursor, and is sent as Last-Event-ID
// with each connection. So with a server that gives ids and honours that header,
// nothing is lost and nothing comes twice, however long this program was away
// (as far back as the server remembers). A server that gives no ids can't be gone back
// to: what it sends while nobody is connected is lost. Ids longer than 1 KiB count as none.
//
// A connection that ends is made again, after the time that the server asks for
// with retry (at most ten minutes) or three seconds, and a little more so that
// not all come at once; one that fails after up to five minutes, longer
// each time. Retry-After is obeyed. One on which nothing came for as long as
// the setting silence, not even a comment, counts as dead. After an answer 204
// the stream is not followed any more, as by a browser; after 410 neither.
//
// # Events
//
// The name of an event becomes the kind, if it is a valid one; an event without a
// name, and one whose name is none, has the kind of the setting to. With the
// setting events only those are taken that it names, and it says their kinds:
//
//	events: {update: post, status.update: post, message: ""}
//
// The data is the payload as it stands: a JSON object or flat text. In map and
// only, $about.event is the name and $about.id the id. An event without data, as
// one whose data is larger than 1 MiB, is skipped, the latter with a warning.
//
// # Another Wallcast
//
//	sources:
//	  neighbours:
//	    sse: {url: "https://wall.example.com/walls/main/events?last=20"}
//
// It is recognised by its first event, wall:hello. The source then asks for the
// representation as=json, unless the address has an "as" of its own, so that key
// and time are kept and not only kind and payload. Its other events of its own
// are understood as well: wall:ping moves the cursor, wall:gap is a
// warning, wall:bye says when to come back. A retraction over there (wall:retract)
// does not take the event off here.
//
// A private wall is read with a token:
//
//	headers: {Authorization: "Bearer ${NEIGHBOUR_TOKEN}"}
//
// Two walls that follow each other would pass the same events round for ever.
// Tell them apart, as with only: '.kind != …' or a kind of their own.
//
// # Mastodon
//
//	sources:
//	  toots:
//	    sse:
//	      url: https://mastodon.example/api/v1/streaming/public/local
//	      headers: {Authorization: "Bearer ${MASTODON_TOKEN}"}
//	      events: {update: post, status.update: post}
//	    map: |
//	      {key: .id,
//	       data: {text: (.content | gsub("<[^>]+>"; " ")), url, time: .created_at,
//	              author: {name: .account.display_name, url: .account.url}}}
//	    to: wall.main.post
//
// An edited post (status.update) replaces its card because its key is the same.
// Mastodon gives no ids, so what is posted while the connection is away is lost.
//
// # Another server's redirects
//
// The headers go to the configured host alone, see the program's client.
package sse
