package main

import (
	"fmt"
	"net/http"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// mayPost is the guard's word on a post, and keeps the card of a source from
// those who may post only because anyone may: on a wall that is open to the public
// nobody puts a song on air.
func (p *program) mayPost(r *http.Request, subject stream.Subject) *access.Problem {
	if problem := p.guard.MayPublish(r, subject); problem != nil {
		return problem
	}
	wall, _ := p.site.wall(subject.Wall)
	if !subject.Keyed() || !wall.config.Post.Anyone() || access.CallerOf(r).Rights.Publish(subject) {
		return nil
	}
	for _, source := range p.site.config().Sources {
		if source.To.Subject() == subject {
			return &access.Problem{Status: http.StatusForbidden, Check: "source",
				Detail: fmt.Sprintf("Source check: the card %s is the source %s's; replacing it needs a token with the right %q.", subject, source.Name, "publish "+subject.String())}
		}
	}
	return nil
}
