// Package bench is the load tester behind "wallcast bench": it holds many
// viewers open on one wall, publishes to it, and says how late each event came
// and whether every viewer got every event once and in order.
//
// # What is measured
//
// Each payload begins with a marker: the run, the event's number and the
// monotonic time at which its request was sent. Publishers and viewers are one
// process, so that the latency, from sending the request to reading the event,
// is the difference of two readings of one clock. It is taken of events that were
// published while the viewer was connected; what a viewer that came back is
// replayed counts as replayed. Viewers that are slow on purpose have no latency.
// Events without the run's marker are not ours, and are ignored.
//
// # Completeness
//
// A viewer is to get every acknowledged event behind the id of its first
// wall:hello, whatever was cut meanwhile. An [account] keeps, of each viewer, one
// bit for each event that is not yet received behind one that is. What is missing
// in the end is lost, unless a wall:gap told of it, or the run ended while the
// viewer was still being sent what came before ("late"). An event that comes with
// an id not behind the last one's was doubled, or came out of order.
//
// Where nothing may be published, the viewers are held against each other: what
// any of them got, all are to get.
//
// # The generator
//
// On Linux one goroutine for each processor reads the connections of all
// viewers, with one system call for what has come; elsewhere, over TLS, and for
// viewers that are slow on purpose each viewer has one of its own. An idle viewer
// holds no read buffer (over TLS it does). Parsing costs some 0.25 µs a delivery,
// the read itself several times as much: where there is little to read at a
// time, that is the generator's floor. The generator watches itself: its CPU, how late its own timers
// fire, and whether an event was late because all publishers still waited for
// acknowledgements or because the generator came too late itself. [Report.Limit]
// says who was the limit.
//
// # The server
//
// Without an address, bench serves a wall itself: a second process of the same
// executable, as people run it, on a temporary data folder and a loopback port.
// Its CPU and memory are read from /proc. The memory of a viewer is what the process
// has more, resident, than before the viewers came; the kernel's socket
// buffers are not in it.
package bench
