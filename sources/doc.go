// Package sources says what a source is, and runs sources: each under a lease,
// restarted when it fails, going on from the newest stored event's cursor.
package sources
