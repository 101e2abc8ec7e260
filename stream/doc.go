// Package stream says what Wallcast is about: an event, its subject and its
// id, and what it takes to publish and to read them.
//
// An event is one thing that happened. It has an address, the [Subject]
// "wall.<wall>.<kind>[.<key>]"; a payload, which is a JSON object or flat
// UTF-8 text and is kept byte for byte; and an [ID], "<epoch>-<sequence>",
// that is the same on every process that serves the wall.
//
// # Usage
//
// A producer holds a [Publisher] and gives it [Draft] values. A reader holds
// a [Reader]: State and Range give the history that is held, Follow goes on
// live from any position, Cards gives the newest version of every keyed card,
// also of those that are older than the history.
//
// # Validation
//
// A Subject or an ID that was parsed or made by this package is well formed. The
// payload is not trusted: any NATS client can publish any bytes. [Text] gives
// it as valid UTF-8, [ParseContent] gives the fields that cards understand.
//
// # Concurrency
//
// Values of this package are immutable once made and may be shared. An Event's
// Data must not be written to by whoever receives it.
//
// # Dependencies
//
// This package is the ground floor: it imports the standard library alone, so
// that a source written elsewhere compiles neither a NATS client nor a server.
// The package jetstream implements its interfaces on NATS JetStream.
package stream
