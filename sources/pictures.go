package sources

import "context"

// Pictures keeps pictures that sources bring or point to, as covers of songs, and
// serves them from the program's own host, so that a page on https can show them
// and viewers ask nobody else. It may be used concurrently.
type Pictures interface {
	// Put keeps a picture and returns the address under which a page finds it, the
	// same for the same picture. The error says why it isn't kept: it is no
	// picture that pages show, or too large.
	Put(ctx context.Context, picture []byte, mediaType string) (address string, err error)

	// Remote returns the address under which a page finds the picture at an
	// absolute http or https address; "" when it may not be shown.
	Remote(address string) string
}
