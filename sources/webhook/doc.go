// Package webhook is the source that others post to, at /hooks/NAME.
package webhook
