// Package jq makes events of events with jq programs: the settings map and only,
// which all sources have.
//
// # Usage
//
//	program, err := jq.Compile(jq.Settings{Map: `{kind: "push", data: {text: .message}}`, Only: `.public`})
//
// The [Program] is a sources.Transform. An error of Compile is an [*Error], which
// knows line and column in the program's text.
//
// # What a program sees
//
// Its input is the event's payload: the value of a JSON object or array, with
// numbers as they were written, and any other payload as a string. Beside it
// there are $about, what came along with the payload, such as the headers of a
// request by their names in lower case, and $event: {wall, kind, key, id, time,
// source}, where what isn't known is null.
//
// # What it makes
//
// Each output of map is an event:
//
//	null, "", or no output         none
//	a string                       flat text
//	{data, kind, key, id, time, wall}  that event; only data must be there, and nothing
//	                               else may; data is a string or an object
//	an object with a kind          that kind and key; the rest is the payload
//	any other object               the payload
//
// Anything else is an error. Wall, kind, key, id and time that are null or absent
// are those of the event that it is made of. A time is RFC 3339 or seconds since
// 1970.
//
// Only is a condition on the same input, asked before map. An event is dropped
// when it is false, null or has no output.
//
// # Bounds
//
// A program is the operator's, but its input is anybody's, so it is not trusted
// to end. It reads no environment, no file, no module and no further input. It is
// stopped after a second, when it fills the memory, and when it makes too much.
// What one step of the interpreter could do without end is looked at before; see
// guard.go.
package jq
