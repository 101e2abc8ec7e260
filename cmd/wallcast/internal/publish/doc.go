// Package publish takes events over HTTP: POST /walls/{wall}/events[/{kind}[/{key}]].
//
// # Bodies
//
//	application/json                     a JSON object, kept byte for byte
//	text/plain, or no type               flat UTF-8 text, or a JSON object, kept byte for byte
//	application/x-www-form-urlencoded    a form with a field that cards know becomes a JSON object of its
//	                                     fields. Any other body is what "curl -d" was given: kept byte for byte
//	multipart/form-data                  the same, without files
//	application/cloudevents+json         a CloudEvent in structured mode; its data is the payload
//	any, with ce- headers                a CloudEvent in binary mode
//
// A field is known to cards if it is one of package stream's Content. Any JSON and
// XML may be the data of a CloudEvent; what is no object is taken for text.
//
// The kind of a CloudEvent is the address's or, where that names none, its type
// if that is a valid kind.
//
// # Answers
//
// 201 with {"id"} once the store has acknowledged, also for a repeat, which gets
// the id of the first. A repeat is a request with the Idempotency-Key, or a
// CloudEvent with the source and id, of an earlier one by the same publisher to
// the same wall, kind and key. A browser's form (Accept: text/html) is sent back
// to the wall instead. Anything else is an application/problem+json.
package publish
