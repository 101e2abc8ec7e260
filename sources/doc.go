// Package sources says what a source is, and runs sources: each under a lease,
// restarted when it fails, going on from the newest stored event's cursor.
//
// # Usage
//
// A source is a type with one method, [Source].Run. It emits events until its
// context ends:
//
//	func (c *clock) Run(ctx context.Context, out sources.Output) error {
//		ticker := time.NewTicker(c.every)
//		defer ticker.Stop()
//		for {
//			select {
//			case <-ctx.Done():
//				return ctx.Err()
//			case now := <-ticker.C:
//				if err := out.Emit(ctx, sources.Event{Data: []byte(now.Format(time.Kitchen))}); err != nil {
//					return err
//				}
//			}
//		}
//	}
//
// Its settings are a struct with the tags yaml and doc, and a method that checks
// them and makes the source ([Settings]). A [Type] binds the two to a name; the
// program's list of built-ins holds one line for each. The package example is a
// whole source with settings and a cursor. The conformance suite in package
// sourcetest says whether it does what is described here.
//
// What runs sources is a [Supervisor]. It is given [Instance] values with
// [Supervisor.Apply], again whenever the configuration changes, and answers how
// each is doing with [Supervisor.Status].
//
// # Addresses
//
// An event may name its wall, kind and key. What it leaves out comes from the
// instance's To, each part by itself. A wall that is neither To's nor among the
// instance's Walls is refused.
//
// # Cursors
//
// A cursor is any JSON value of the source's own making, of up to a few hundred
// bytes: the number of the line, the id of the item. It means "all up to and
// with this event is stored". The store writes it together with its event, so a
// crash at any instant leaves either both or none, and the next run is given the
// cursor of the newest event that is stored ([Output].Cursor). A source that goes
// on behind that neither loses an event nor emits one twice, however long it was
// away. It must be able to make the step from a cursor to what follows it: a
// cursor "I have seen 7 items" is good only for an upstream that will count
// the same way again.
//
// An event without a cursor leaves the cursor as it was. [Output].SaveCursor
// moves it without an event.
//
// The cursor is found by its count, which grows by one with each event. Where
// two processes come to run a source, as when one was suspended for so long that
// its lease ran out, the one that is behind finds its count taken, stores
// nothing, and starts again from the newest cursor.
//
// An upstream that gives its events ids of its own can put them into Event.ID
// instead: of two events with one id the second is not stored. That holds as long
// as the first is on the wall and the store's window for it lasts (minutes),
// so it is for redeliveries; a cursor holds for ever.
//
// # Maps
//
// The configuration may make none, one or several events of each that a source
// emits ([Transform]). The source need not know: it emits, and its cursor moves,
// as if each of its events were stored. Where several are made of one, all but
// the last are stored with a cursor of ours that holds the source's former one
// and how many are done; so a run after a crash emits that event again, and only
// what is missing of it is stored. For that the payload of an event must be the
// same when it is emitted again behind the same cursor; where it is another, it
// counts as another event.
//
// # Errors
//
// Run returns nil when there is nothing more to emit, ever; it is not run again.
// It returns the context's error when that has ended. Any other error is shown
// in the status and Run is called again after a while: a second at first, twice
// as long each time, a minute at most. So a source need not retry what it
// can't go on without. A panic counts as such an error; its stack goes to the
// log. (A panic in a goroutine that Run started ends the program, as everywhere.)
//
// An upstream that can't be reached, as a file that is missing, is rather a
// warning: Output.Warn shows it in the status while the source keeps trying, and
// Warn(nil) takes it back.
//
// Emit retries by itself while the store is away, and returns when the event is
// stored. Its error is an *[EventError] where this event can't be stored whatever
// is tried (too large, a bad kind, a wall that isn't permitted): report it with
// Warn and go on with the next. After any other error return it from Run.
//
// A setting that can't work is a *[SettingError] of Settings.Source, at start,
// and never an error of Run.
//
// # Concurrency
//
// One Source runs once at a time in all processes together. The methods of
// Output may be called by several goroutines; events are stored one after
// another, in the order in which Emit gets them, so several goroutines that emit
// must agree on one cursor. Run has waited for every goroutine that it started
// when it returns, and returns promptly when its context ends.
package sources
