// Package jetstream keeps walls in NATS JetStream, on the embedded server or on
// an existing one.
//
// # Usage
//
// [Open] takes a connection and the walls; the [Store] it returns implements
// the interfaces of package stream, and what the supervisor of sources needs.
// [Store.SetWalls] applies a changed configuration, [Store.Close] ends what the
// Store does in the background.
//
// # What lies where
//
//	WALL_<wall>          the wall's stream: wall.<wall>.<kind>[.<key>] and ctl.<wall>.<name>
//	CARDS                the newest version of every keyed card, republished by NATS itself as
//	                     card.<wall>.<kind>.<key>, so that it outlives its wall's older events
//	WORK                 fire.<plugin>: triggers that wait for their plugins; each is deleted when it is done
//	SCHEDULES            cron.<plugin>, the schedules that NATS keeps, and tick.<plugin>, what they set off
//	DEAD                 dead.<plugin>: triggers that plugins could not do
//	KV_wallcast_state    checkpoints of sources, the floor and head of walls, the marks' key
//	KV_wallcast_leases   who runs which source; in memory, with a time to live
//
// The wall's stream is the truth. What CARDS says counts only for events that
// eviction has taken from it, and it is compared with the wall at start.
//
// # Ids
//
// The epoch of the ids is kept in the stream's metadata. It is renewed when the
// store turns out to be a copy (another [Config] Identity than at the last
// start) or older than it once was (its last sequence went back), because its
// sequences may then be given to other events than before.
//
// # Retraction
//
// The control event is stored first, the deletion follows. Whoever sees a
// control event whose target is still there some seconds later completes it,
// and so does every start. Deleting the oldest event moves a stream's first
// sequence exactly as eviction does; the floor that is kept beside it tells the
// two apart, so that a viewer is told of a gap only where there is one.
//
// # Concurrency
//
// A Store may be used by any number of goroutines, and any number of Stores, in
// as many processes, may serve the same walls.
package jetstream
