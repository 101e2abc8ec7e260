// Package access decides who may do what over HTTP.
//
// # Usage
//
// A [Guard] knows the tokens, the walls and the proxies. [Guard.Handler] goes
// around all routes: it finds out who is asking and checks the Host.
// [Guard.Wall] goes around the routes of a wall: it answers for other sites
// (CORS) and keeps a private wall private. What writes asks
// [Guard.MayPublish], [Guard.MayRetract] or [Guard.MayAdmin] first. Whatever is
// refused is a [Problem] that names the check and the remedy.
//
// The HTTP server must be told [BaseContext], or no listener counts as loopback.
//
// # The Host
//
// A page of a foreign site can point a name of its own at our address (DNS
// rebinding) and is then, to the browser, of one origin with us. What it can't
// do is to send another Host. A loopback listener therefore answers to loopback
// hosts and to the configured url's host alone. Any other listener also answers
// to IP addresses and to names that public DNS can't hold (without a dot, or
// below .local, .internal, .home.arpa and .localhost), so that it can be reached
// in a home network, in a container and by a probe.
//
// # Writing
//
// Who sends a token may do what the token is allowed, from any page: a token is
// not sent by a browser on its own. For that reason Basic authentication, which
// is, is not accepted. Without any token configured whoever is on this computer
// may do everything: over a loopback listener, not through a proxy, and not from
// a page of another site. A wall that allows anyone takes posts without a token
// from scripts, its own pages and the sites in its list.
//
// # Concurrency
//
// A Guard may be used concurrently, also while Apply changes it.
package access
