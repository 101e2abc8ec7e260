// Package nats is the source that brings to a wall what a NATS system publishes
// under subjects of its own: the system that holds the walls, or another one.
//
// # Another NATS server
//
// The source type "nats" ([Type]) reads a subject of a server elsewhere:
//
//	sources:
//	  orders:
//	    nats: {url: "nats://nats.example.com", creds: shop.creds, subject: "orders.*.created", stream: ORDERS}
//	    to: wall.main.order
//
// With a stream it goes on where it was, however long the program or the server was
// away: nothing is lost that the stream still holds, and nothing comes twice. It
// changes nothing over there but for a consumer of its own while it runs; the
// user needs to be allowed $JS.API.STREAM.INFO, CONSUMER.CREATE, CONSUMER.MSG.NEXT,
// CONSUMER.INFO and CONSUMER.DELETE of that stream. Another url, stream or subject in
// the configuration begins anew.
//
// Without a stream the source subscribes, as any NATS client: core NATS has no
// replay. What is published while the program, the connection or the lease of the
// source is away is lost, and so is what comes faster than it can be stored, beyond
// 10,000 messages or 64 MB that wait; the latter is a warning.
//
// In map and only, $about.subject is the subject of a message, and beside it stand
// its headers in lower case. A connection that is lost is a warning and is made again,
// after a second at first and a minute at last.
//
// What follows is about the walls' "events:" rules, which read the program's own NATS
// system; position, messages and names are the same for both.
//
// # Usage
//
// A wall's "events:" rules become [Rule] values. [Rule.Check] finds what is wrong
// with one by itself and [Check] what the NATS server has against it; [New]
// makes the source, which runs under the name [Rule.Name] with the rule's wall as
// its target. [Prune] is called with all rules when the configuration was read.
//
// # Where the messages are read
//
// JetStream lets one stream alone hold a subject. Where a stream holds all that
// a rule matches, the source reads that stream and leaves it as it is. Where one
// holds a part, there is nothing that could be read in order, and the source
// fails with an error that names the stream. A stream that forgets what was
// acknowledged (retention workqueue or interest), or that renames subjects, can't
// be gone back to and is refused as well.
//
// Where no stream holds it, the source makes one, FOREIGN_<hash of the subject>,
// that keeps the newest 10,000 messages, 64 MB and one day. It acknowledges
// nothing, because the subject may be one of requests whose caller waits for
// somebody else's reply. It takes every message, whatever Nats-Msg-Id it carries:
// two publishers may count alike. Rules that overlap share one such stream, which
// is widened as it needs. Where two of ours have to become one for a new rule, a
// message that is published between the two changes that this takes may be lost.
//
// As long as a stream of ours exists, JetStream refuses another one on the subject.
// A source whose stream was deleted, be it ours or another's, waits for half a
// minute whether a stream takes the subject, and goes on there, before it makes one.
//
// # Position
//
// An event's id where it comes from is <stream>@<created>:<sequence>, with the
// time of the stream's creation in nanoseconds since 1970, and its cursor says the
// same. The source's first run ever begins with what is published from then on.
// It stores that position before it waits for anything, so that the next run goes on
// from there even when no message came.
//
// When the stream was made anew, the source begins with its first message. When
// another stream holds the subject now, what is left of the subject in the former
// is read to its end, and then the other from where it is newer. What was deleted
// from the stream before it could be read is a warning that says how much it was.
//
// # What becomes of a message
//
// The payload is kept byte for byte, except that what isn't UTF-8 is replaced by
// U+FFFD. A message without payload, or with one that the wall does not take, is
// skipped with a warning. The headers ce-id, ce-source, ce-type and ce-time are kept;
// without ce-time the event's time is when the message was stored.
//
// # Names
//
// What the wildcards of a subject have matched may be no name of a kind or a key.
// In that case it is made one: letters become lower case, every other byte that a
// name can't have becomes a hyphen, hyphens at both ends go, 63 bytes are kept. What is
// empty then is "unnamed"; the kinds open and error are "kind-open" and
// "kind-error". So two subjects may come to share a kind or a card.
package nats
