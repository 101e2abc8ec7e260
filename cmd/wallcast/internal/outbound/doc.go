// Package outbound is how the program reaches others over the network: the one
// careful client that every source shares.
//
// # Usage
//
//	pool := outbound.New(outbound.Config{Version: "1.2.3"})
//	defer pool.Close()
//	network := pool.Network()
//
// The [sources.Network] that it gives goes to every source. Close it when
// the sources have ended.
//
// # What is bounded
//
// Client gives an answer 30 seconds, from the dialling to the end of its body,
// and 8 MiB. The body is counted after it was decompressed, so that a small
// answer can't unfold into a large one; reading on is a [*TooLargeError]. Streams
// gives an answer that never ends 30 seconds to begin; what reads it bounds what
// it keeps. TCP keep-alives, and pings over HTTP/2, notice a peer that is gone.
//
// # Redirects
//
// Five redirects are followed, and none that leads from https to http or
// to another scheme. A request that is led to another host or port takes along
// only headers that can't be a secret: what a source was given for one
// server is for that server alone, under whatever header's name. From http to
// https of one host they stay. A Referer is never sent: the address may hold a secret.
//
// # Proxies
//
// Client and Streams go through the proxies that HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY name. Public refuses an address for which there is a proxy: the proxy
// would resolve the name again, and only who connects can say to where.
// Hosts in NO_PROXY are reached directly.
//
// # Public addresses
//
// Public is for addresses that somebody else has written. It connects to
// addresses of the public internet alone, see [IsPublic]. The check is of the
// address that is dialled, after the name was resolved and at each redirect, so
// that neither a name that resolves to a private address nor one that resolves
// differently the second time leads into the operator's own network.
//
// # Concurrency
//
// A Pool and its clients may be used concurrently.
package outbound
