// Package web is what sources that ask servers over HTTP have in common: the
// address and the headers that a configuration gives, conditional requests, when
// to ask again, and errors that name the server without giving a secret away.
//
// # Secrets
//
// An address may hold a secret in its path, its query or its user part, and a
// header in its value. So errors name the server's host alone.
package web
