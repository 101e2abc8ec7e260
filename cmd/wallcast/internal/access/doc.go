// Package access decides who may do what: tokens and their rights, signed
// links, the Host check, other sites, client addresses and rates.
package access
