package access

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// checkPage refuses requests that a page of another site makes a browser send.
// What comes from no page, from our own pages or from the listed sites passes.
func (p *policy) checkPage(r *http.Request, allowed []Origin) *Problem {
	refuse := func(what string) *Problem {
		return &Problem{Status: http.StatusForbidden, Check: checkOrigin,
			Detail: fmt.Sprintf("Origin check: %s; add the site to the wall's origins in the configuration and allow anyone to post, or send a token", what)}
	}
	origins, sites := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	switch {
	case len(origins) > 1 || len(sites) > 1:
		return refuse("the request has an Origin or Sec-Fetch-Site header twice")
	case len(origins) == 0:
		// Browsers name the origin with every request that writes.
		if len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none" {
			return refuse("a page of another site sent this")
		}
		return nil
	case origins[0] == "null":
		return refuse("a page without an origin (sandboxed, or a file) sent this")
	}
	origin, err := ParseOrigin(origins[0])
	if err != nil || origin.Wildcard() {
		return refuse(fmt.Sprintf("%.100q is no origin", origins[0]))
	}
	if covered(allowed, origin) {
		return nil
	}
	if len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none" || !p.sameOrigin(r, origin) {
		return refuse(fmt.Sprintf("a page of %s sent this", origin))
	}
	return nil
}

func covered(allowed []Origin, origin Origin) bool {
	return slices.ContainsFunc(allowed, func(o Origin) bool { return o.Covers(origin) })
}

// sameOrigin reports whether a page of that origin is one of ours: of the
// configured url, or of the host that the request names. A proxy may speak TLS
// for us, so over plain HTTP the page's scheme may be https.
func (p *policy) sameOrigin(r *http.Request, origin Origin) bool {
	if origin == p.cfg.URL {
		return true
	}
	if r.TLS != nil && origin.scheme != "https" {
		return false
	}
	own, err := ParseOrigin(origin.scheme + "://" + r.Host)
	return err == nil && own == origin
}

// The answers to other sites' preflights.
const (
	allowMethods  = "GET, POST, DELETE"
	allowHeaders  = "Last-Event-ID, Content-Type, Idempotency-Key, Authorization"
	exposeHeaders = "Location, Retry-After"
	preflightAge  = "7200" // seconds; no browser keeps an answer longer
)

// Wall goes around the routes of a wall, whose pattern has {wall}. It says which
// sites may read the answer (CORS), answers preflights, and lets through what
// reads a private wall only with the right to. Writing is next's to check.
func (g *Guard) Wall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wall := r.PathValue("wall")
		allowed := g.allowOrigin(w, r, wall)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(w, r, wall, allowed)
			return
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if problem := g.MayRead(r, wall); problem != nil {
				problem.Write(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// allowOrigin says which site may read the answer, and reports whether the one
// that asks may. Never with credentials: cookies have no meaning here.
func (g *Guard) allowOrigin(w http.ResponseWriter, r *http.Request, wall string) bool {
	p := g.policy.Load()
	known := p.walls[wall]
	header := w.Header()
	if len(known.Origins) == 0 && !known.Private {
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Expose-Headers", exposeHeaders)
		return true
	}
	header.Add("Vary", "Origin")
	origin, err := ParseOrigin(r.Header.Get("Origin"))
	if err != nil || origin.Wildcard() || !covered(known.Origins, origin) && origin != p.cfg.URL {
		return false
	}
	header.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	header.Set("Access-Control-Expose-Headers", exposeHeaders)
	return true
}

func preflight(w http.ResponseWriter, r *http.Request, wall string, allowed bool) {
	header := w.Header()
	header.Add("Vary", "Access-Control-Request-Method")
	header.Add("Vary", "Access-Control-Request-Headers")
	if !allowed {
		(&Problem{Status: http.StatusForbidden, Check: checkOrigin,
			Detail: fmt.Sprintf("Origin check: %.100q is not among walls.%s.origins in the configuration", r.Header.Get("Origin"), wall)}).Write(w)
		return
	}
	header.Set("Access-Control-Allow-Methods", allowMethods)
	header.Set("Access-Control-Allow-Headers", allowHeaders)
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}

// FrameAncestors is the value of the CSP directive frame-ancestors for the pages
// of a wall: who may put them into a frame.
func (g *Guard) FrameAncestors(wall string) string {
	known := g.policy.Load().walls[wall]
	if len(known.Origins) == 0 && !known.Private {
		return "*"
	}
	sources := []string{"'self'"}
	for _, origin := range known.Origins {
		sources = append(sources, origin.String())
	}
	return strings.Join(sources, " ")
}
