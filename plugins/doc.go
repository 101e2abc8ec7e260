// Package plugins says what a plugin is, and runs plugins: programs in any
// language, started for each trigger, whose output is events.
//
// # The contract
//
// A plugin is an executable file, as a script that begins with #!, or a
// WebAssembly module (WASI preview 1). It is started for each trigger. It reads one
// line of JSON, the trigger, from standard input, which then ends; it prints events
// as JSON, one a line, to standard output; what it prints to standard error is its
// log. Code 0 says that the trigger is done, any other that it has failed.
//
//	#!/bin/sh
//	echo '{"data": {"text": "Hello"}}'
//
// # Trigger
//
//	{"trigger": "http", "time": "2026-11-22T10:00:00Z", "attempt": 1, "cursor": null, "config": null, "input": {…}}
//
// time is when it was set off; attempt counts from 1; cursor is the plugin's own
// (see below); config is the setting of that name. input depends on trigger:
//
//	http         {"method", "query": {…}, "header": {…}, "body": "text", "json": …, "base64": false}
//	             a request to /hooks/NAME. Of each header (in lower case) and parameter
//	             there is the first value, Authorization and cookies are left out. json is
//	             the body where it is JSON, or null; base64 says that body is encoded so
//	every, cron  null; with the setting fetch {"url", "status", "header": {…}, "body": "text", "json": …}
//	on           {"id", "wall", "kind", "key", "time", "source", "data"}: an event of a wall. data is a
//	             text or an object; key and source are missing where there are none
//	stream       null: the program is kept running, see below
//	try          null: its author tries it out
//
// # Output
//
// An event has data, which is a text or an object, and may have further fields:
//
//	{"data": {"text": "Hello", "url": "https://…"}, "kind": "greeting", "key": "ada", "id": "7", "time": "2026-11-22T10:00:00Z", "wall": "main"}
//
// kind is what the setting to says where it is missing, or else the plugin's name.
// Events of one kind and key are one card, of which the newest is shown. Of two
// events with one id the second is not stored, for a few minutes at least. time is
// when it happened; if it is missing, now. wall is for a plugin that may write to
// several. A field that is null is missing. Names (kind, key, wall) have lower-case
// letters, digits and hyphens. What cards show of an object: text, title, url,
// image, author, time, expires.
//
// A cursor is what the plugin wants to be given next time, any JSON of up to 2048
// bytes; null forgets it:
//
//	{"cursor": {"last": 7}}
//
// Blank lines are left out. Any other line is reported with its number, and the
// others count. Lines are UTF-8 and up to 512 KiB long, a payload up to 64 KiB. The
// last line needs no end.
//
// # What is stored when
//
// The events of a run are stored, in their order, once it has ended with code 0; of
// a run that fails nothing is stored. The newest cursor is stored in one write with
// the last event. If Wallcast is killed, a trigger that was not done is done again,
// with the same cursor, and events that were stored are not stored again: the
// second run's first events are taken for those. So a plugin that prints the same
// for the same trigger and cursor can't lose or double anything. What else it does,
// as sending mail, it may do twice.
//
// With the setting concurrency at 1, triggers of one kind are done one after
// another, and wait for one that is being tried again; with more, runs overlap, and
// each begins with the newest cursor there is.
//
// # Failures
//
// A run fails by its exit code, a signal or trap, its limits, or an address that
// can't be fetched. It is tried again after a second, then twice as long each time
// up to a minute, as often as retries says (3). Then trigger, reason and the end of
// the log are kept as a dead letter for 30 days, and can be replayed; of ticks that
// fail one after another only the newest.
//
// # Triggers
//
// Requests are answered 202 when they are on disk, also while the plugin is not
// loaded; a full queue (10,000) answers 503. Ticks of every and cron that come
// while one is being done, or while nothing runs, are one. on begins with what comes
// after it was first set; a plugin's own events don't trigger it, and when 8 plugins
// have answered each other the next one isn't triggered. With fetch, the plugin does
// not run where the server says that nothing has changed since its last run; an
// answer other than 2xx, or one larger than 1 MiB, is a failure.
//
// # Kept running
//
// With stream, standard input stays open after the trigger until the program is to
// stop; it then has 5 seconds. Each event is stored when its line comes, and a
// cursor when its line does: so print the cursor after the events that it stands
// for, and give these an id where a doubled one would matter. However the program
// ends, it is started again: after a second, then twice as long each time up to a
// minute. timeout and output don't count.
//
// # Limits
//
// A run may take 10 seconds (timeout), have 64 MB of memory as a module and 256 MB
// as a process (memory), print 1 MB (output), and log 1 MiB; what it logs beyond is
// dropped. What is left of it at its end is killed with it.
//
// # Environment
//
// WALLCAST_PLUGIN is the plugin's name; LANG is set, and for a process PATH, TZ, and
// HOME and TMPDIR: an empty folder, also its working directory, that is removed when
// the run ends. Nothing else is inherited; allow.environment adds variables. A
// process may do what its user may; a module sees the folders of allow.folders and
// no other files, and has no network but for the hosts of allow.hosts, which it asks
// through functions of the host (package wasm).
//
// # Running plugins
//
// A [Host] loads a file as [Program]. [Settings] make a [Plugin], a source that the
// supervisor runs under its lease once [Plugin.With] has given it what it runs
// with: a [Store], a [Slot] with the program, and a [Journal] for its log.
// [Slot.Swap] puts a new program in, while the plugin runs. [Enqueue] is for the
// handler of /hooks/NAME. When plugins were taken from the configuration,
// Store.PruneSchedules takes their schedules away.
//
// The source's cursor holds the plugin's own, up to where the walls that it listens
// to were read, and the triggers that are done and perhaps not deleted yet. It is
// stored with a call's last event, and the trigger is deleted thereafter.
package plugins
