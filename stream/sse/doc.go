// Package sse serves walls as Server-Sent Events: frames, fan-out, replay and
// the handler of GET /walls/{wall}/events.
//
// # Usage
//
//	server := sse.New(sse.Config{Reader: store, Render: views.Card})
//	mux.HandleFunc("GET /walls/{wall}/events", func(w http.ResponseWriter, r *http.Request) {
//		server.ServeEvents(w, r, r.PathValue("wall"))
//	})
//
// [Server.Snapshot] gives what a page is rendered from; a stream that resumes
// after its Head misses nothing and repeats nothing. [Server.EndWall] ends the
// streams of a wall that is gone, [Server.Review] those of viewers who may no
// longer read, [Server.Shutdown] those of all.
//
// A client says what it wants in the address:
//
//	kinds=a,b        only events of these kinds, and retractions
//	last=N           start with the last N events that are held and pass
//	lastEventId=ID   go on after an event; the header Last-Event-ID wins over it, both over last
//	as=json          each event as {id, kind, key, time, source, data}; key and source only if it has them
//	as=html          each event as its rendered card
//	wait=25s         of a poll: wait so long for news, at most a minute
//
// Without as, data is the payload as published, with U+FFFD for what is not
// UTF-8. In JSON, data is the payload itself where that is an object, else a string.
//
// With "Accept: application/json" the answer is {events, next, gap} instead of a
// stream: the same objects, at most 1,000 or about 4 MB of them; next is the id
// to go on from; gap is there when there is one. A retraction is an object of
// the kind "wall:retract". Without an id and last, events is empty and next is
// the head. With as=html each object has the card in html too. When the wait
// ends without news, events is empty and next has moved on.
//
// A request that is wrong is answered 400, a wall that does not exist 404, both
// with application/problem+json. What is wrong on this side is answered 200 and
// a wall:bye on a stream, because any other status ends a browser's EventSource
// for good, and 503 with Retry-After to a poll. A full server answers so too, and
// closes the connection, which would take the place of others.
//
// # Events of ours
//
// An event of kind message is an unnamed SSE message, another is named by its
// kind; its id is "<epoch>-<sequence>". The events of ours carry ids too, the
// position up to which the stream has considered everything, so that a viewer
// whose filter passes little does not fall behind:
//
//	wall:hello    {wall, build, head, kinds: [{kind, label}]}   first of all; its id is what the stream starts after
//	wall:ping     {time, viewers}    every 15 s; time in Unix milliseconds, viewers of this wall and process
//	wall:kind     {kind, label}      before the first event of a kind that wall:hello did not name
//	wall:gap      {from, first, reason}   events are missing: see Resuming
//	wall:retract  {id}               take this event off; when it was the newest of its kind and key, the card goes
//	wall:bye      {reason, retry}    the server ends the stream; come back after retry milliseconds
//
// The reasons of wall:bye are full (too many viewers), unavailable (the store
// can't be reached), reset (the store was replaced), removed (the wall is no
// more), access (the right to read it is over, see [Pass]) and shutdown. A bye to
// a stream that had not begun has no id: the client keeps the one that it came
// with.
//
// # Resuming
//
// After an id, a viewer gets everything that followed and that is still held,
// in order, once, and goes live. Holes that retractions leave are no gap. When
// the id can't be gone on from, wall:gap says why, and what is still held
// follows: first the keyed cards that outlived the history, in the order of
// their ids, then a wall:ping at the position before the history, then the
// history from "first" on. The reasons are expired (the history begins later),
// recreated (an id of another life of the store), future (never given out) and
// unknown (no id of ours). from is the id as it was given. The wall:hello before
// a gap carries that id again (none, where it is no id), so that a connection that
// is cut between the two is told of the gap when it comes back.
//
// Where a wall's limits are so narrow that events are evicted before they could
// be sent, a wall:gap {reason: "expired"} stands in the midst of the stream, in
// their place; from is then the last id considered, and the keyed cards among
// them follow.
//
// What the store has evicted is not served from memory to those who come.
//
// # Slow viewers
//
// The reader of a wall waits for no viewer. A viewer takes all that is pending,
// up to 64 KiB, and writes it at once; one whose write is stuck for
// Config.WriteTimeout is dropped. Who falls out of the window in memory is
// served on from the store, a stretch at a time, until the window has it again.
// A client that vanishes without a word is found by the kernel, when what was
// sent is not acknowledged for twice that time.
//
// Viewers whose positions lie near each other and who ask for history at about the
// same time share the reading of it. A reading that has begun serves nobody who
// comes after: what it holds may have been retracted in between.
//
// # Concurrency
//
// One goroutine per wall that somebody watches reads the store and fills the
// wall's window (feed), which is bounded by entries and bytes. A viewer is a
// cursor into the window. Each representation of an event is encoded by the first
// viewer that needs it and shared by all others. Of a burst, viewers are woken
// at most every 5 ms. A wall that nobody has watched for a minute is no longer
// read and costs nothing.
//
// Cards are the exception: where viewers of a wall want them, its reader has each
// rendered before it tells of the event, and those of the past are rendered on the
// goroutine of the request that asks for them. A card that takes long holds up its
// own wall and no other.
//
// Over HTTP/2, on systems other than Linux, and wherever the connection can't be
// had from the HTTP server, a viewer runs on its request's goroutine and holds a
// buffer only while it writes.
//
// Over HTTP/1.1, the request's goroutine finds out where the viewer begins and
// sends the opening of the stream. Then it takes the connection from the HTTP
// server and gives its descriptor to one of a few writers, one per processor; with
// TLS the *tls.Conn too, where it is from [Server.ListenTLS]. Goroutine, buffers and
// all that the Go runtime holds of the connection are free; what stays is a client.
//
// A writer is one goroutine with an inbox: new clients, feeds that have news,
// connections that are ready or gone (epoll tells), and stretches that were read
// from the store. It goes through its clients and writes to each what is pending,
// in one write that doesn't block. Clients in the same place (cursor, kinds,
// representation) get the same bytes: a segment, the chunk of a chunked
// response, which is put together for the first of them. A client whose
// connection takes no more keeps the rest, a part of the shared segment, until
// epoll reports that it can be written to. One that is no longer in the window is
// served by a goroutine that reads the store and puts the result into the inbox;
// only a few of these run at a time.
//
// Over TLS, each client's bytes are its own: the writer has its tls.Conn encrypt
// them into memory and sends that. What does not go out at once stays with the
// client, 64 KiB and little more, until it goes or Config.WriteTimeout is over. The
// tls.Conn is read from when epoll says so, for the client's end and its new keys.
//
// # What it costs
//
// What remains is a write system call for each viewer and wake-up, and it is
// nearly everything. The program of this repository, on two shared cores, with its
// store syncing to disk, at 20,000 deliveries a second of 200 bytes over loopback:
//
//	                                    1,000 viewers, 20/s   5,000 viewers, 4/s
//	CPU of the process for a delivery         7.7 µs                9.2 µs
//	of it in write(2)                          79 %                  92 %
//	going through the viewers                   8 %                   5 %
//	epoll                                   under 1 %             under 1 %
//	storing, reading and encoding events       12 %                   2 %
//
// The last part is one per event: of 4 events a second there is less than of 20.
// Within write(2) the time goes to the kernel's TCP: looking up the connection,
// making the segment, the congestion control, and waking who reads.
//
// It can't be less, because each viewer has a connection of its own, which the
// kernel has to be told of in a call of its own; all that we can do is to tell it
// seldom. So of a burst all that is pending goes out in one call, and the price of
// a delivery falls with the number of events in 5 ms.
//
// Of memory, an idle viewer with a connection of its own holds less than 1 kB over
// plain HTTP/1.1, and 9 kB with TLS, nearly all of it crypto/tls's: 3.6 kB buffers
// that the handshake leaves, 1.8 kB ciphers, 0.9 kB the tls.Conn. Over HTTP/2 it is
// 51 kB:
//
//	goroutine of the connection       8 kB   net/http; 3.7 kB of frames are in use
//	goroutine that reads frames       4 kB   net/http and crypto/tls
//	goroutine of the request          8 kB   parked beneath all that wraps the handler
//	TLS                               7 kB   as above
//	the connection's state          5.5 kB   net/http; 2 kB of it tables of HPACK
//	buffer of the response            4 kB   net/http
//	request, headers, contexts        7 kB   net/http's for the most part
//	between objects                 5.5 kB   what is free in pages of which others are in use
//	the runtime's                     2 kB
//
// All of it is as net/http makes it, which has no setting for any of these; a
// connection over HTTP/2 carries other requests too, so that it can't be taken from
// it as the others are. Less takes another implementation of HTTP/2. Proxies that
// speak HTTP/1.1 to this server spare it.
package sse
