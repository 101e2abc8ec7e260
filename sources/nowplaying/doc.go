// Package nowplaying is the source that says which song is on air.
//
// # Upstreams
//
// A station has one upstream or several, the preferred one first: streaming
// servers (icecast, icy, shoutcast), automation (azuracast, libretime, mpd), files
// (file, playlist), and posts to the source's hook (push). The first that has something to say
// is followed. One further down is asked only while those before it are silent,
// stale or out of reach, and let go when a better one has been well for a while.
// The log says which one is followed, the status what is wrong with the others.
//
// # Card
//
// All events of a station are one card, of kind song:
//
//	station        its name
//	state          playing, live, silent, stale, offline or unreachable
//	type           song, jingle, ad or live
//	artist, title  told apart; text is both in one, raw what the upstream sent where it differs
//	album, art     art is the address of a picture
//	play_id        of this play: history shows the cards of one play as one
//	started_at     RFC 3339, as listeners hear it, with started_exact: whether the upstream says so
//	duration       seconds
//	next           artist, title, text, album and art of what comes
//	live, dj       whether somebody speaks or plays live, and who
//	listeners      how many
//	source         the upstream that says all that
//	listen_url     where listeners hear the station, as configured
//	recent         up to five songs before this one, newest first
//
// What isn't known is absent. A file's name never appears.
//
// # Plays
//
// A title that was heard again is the same play, in whatever spelling and from
// whichever upstream, unless the upstream says that it has begun anew. A jingle in
// between does not split a song. What is hidden, as jingles are by default, and
// titles that say nothing leave the last song as it is. When a song began is told
// only if the upstream knows or the change was seen, so not of the song that was on
// air when the station began to look.
//
// # States
//
// playing and live need a title. silent and offline are what the upstream says;
// stale is a title that is probably over, or that is no longer sent; unreachable is
// that no upstream answers. None of the last four is shown before patience has
// passed, and all of them keep the last song, so a single bad look changes nothing.
//
// # Time
//
// With a delay, cards wait for the listeners: at one moment everything that is
// derived of the events tells the same. What waits is part of the cursor, as is
// what it takes to know the song again, so a restart neither repeats the song on
// the wall nor forgets the one that is due. Posts are kept by the program and
// done in order, at the time when they came.
//
// Listeners and a change of upstream alone make a card at most twice a minute.
//
// # Structure
//
// The engine knows no clock and does nothing by itself: it gets reports and the
// time, and gives cards. A station watches upstreams, each in a goroutine, and does
// what the engine says. Package internal/upstream has the interface between the two.
package nowplaying
