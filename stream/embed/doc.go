// Package embed runs a NATS server with JetStream inside the program.
//
// # Usage
//
// [Start] locks a folder, starts the server on it and returns when it can be
// used; [Server.Connect] gives connections that never leave the process;
// [Server.Close] stops it, last of all.
//
// # Durability
//
// The server flushes every message to disk before it acknowledges it. NATS by
// itself acknowledges first and flushes every two minutes; Config.Unsynced goes
// back to that, and a power failure may then lose acknowledged events.
//
// The folder is locked, for two servers on one folder acknowledge events under
// the same sequence and lose one of them.
//
// # Other clients
//
// The server listens on no port unless Config.Listen says so. Clients that come
// over it live in an account of their own: they can publish to the subjects
// that their token allows and receive the acknowledgements, nothing else. That
// account reaches ours only through the import of "wall.>" (and of the foreign
// subjects that are configured) as a service, because permissions alone do not
// hold a producer: in the account that owns the streams, the reply subject of a
// publish is written to unchecked. Foreign subjects can be changed while clients
// are connected; see [Server.SetForeign].
package embed
