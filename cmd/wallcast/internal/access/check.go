package access

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// MayRead returns why the wall can't be read, or nil. Every wall that is not
// private can.
func (g *Guard) MayRead(r *http.Request, wall string) *Problem {
	p := g.policy.Load()
	if !p.walls[wall].Private {
		return nil
	}
	if grant := r.URL.Query().Get(GrantParameter); grant != "" {
		switch verifyGrant(p.cfg.GrantKey, wall, grant, time.Now()) {
		case grantGood:
			return nil
		case grantExpired:
			return &Problem{Status: http.StatusForbidden, Check: checkGrant, Detail: "Grant check: this link to the wall has expired; ask for a new one"}
		default:
			return &Problem{Status: http.StatusForbidden, Check: checkGrant, Detail: fmt.Sprintf("Grant check: the link's grant is not one for the wall %s; copy the whole link, or ask for a new one", wall)}
		}
	}
	return p.needs(r, Right{Read, wall}, CallerOf(r).Rights.Read(wall))
}

// MayPublish returns why an event can't be stored under subject, or nil. It
// counts towards the rate of who is asking. A token that is not allowed to may
// still do what anyone may; one that is not known may nothing, for whoever sent
// it should hear of that.
func (g *Guard) MayPublish(r *http.Request, subject stream.Subject) *Problem {
	p, c := g.policy.Load(), CallerOf(r)
	wall := p.walls[subject.Wall]
	if wall.Anyone && !c.Rights.Publish(subject) && (!c.sent || c.Token != "") {
		if problem := p.checkPage(r, wall.Origins); problem != nil {
			return problem
		}
		return g.countAnyone(c, wall)
	}
	if problem := p.needs(r, Right{Publish, subject.String()}, c.Rights.Publish(subject)); problem != nil {
		return problem
	}
	if c.Token == "" || c.local {
		return nil
	}
	return g.count(limitKey{"token", c.Token}, p.cfg.TokenRate, fmt.Sprintf("the token %s", c.Token))
}

// countAnyone counts a post without a token. Loopback is limited only if the
// configuration has a rate.
func (g *Guard) countAnyone(c Caller, wall Wall) *Problem {
	limit := wall.Rate
	if limit == (Rate{}) {
		if c.local {
			return nil
		}
		limit = defaultAnyoneRate
	}
	return g.count(limitKey{"wall " + wall.Name, c.LimitKey()}, limit, "one address without a token")
}

func (g *Guard) count(key limitKey, limit Rate, who string) *Problem {
	wait := g.limits.take(key, limit, time.Now())
	if wait == 0 {
		return nil
	}
	return &Problem{Status: http.StatusTooManyRequests, Check: checkRate, RetryAfter: wait,
		Detail: fmt.Sprintf("Rate check: %s may post %s; wait and try again", who, limit)}
}

// MayRetract returns why events can't be taken off the wall, or nil.
func (g *Guard) MayRetract(r *http.Request, wall string) *Problem {
	return g.policy.Load().needs(r, Right{Retract, wall}, CallerOf(r).Rights.Retract(wall))
}

// MayAdmin returns why the program can't be administrated, or nil.
func (g *Guard) MayAdmin(r *http.Request) *Problem {
	return g.policy.Load().needs(r, Right{Verb: Admin}, CallerOf(r).Rights.Admin())
}

// needs returns nil if the caller has the right: by a token, or, as long as
// there are no tokens, by being on this computer.
func (p *policy) needs(r *http.Request, right Right, has bool) *Problem {
	c := CallerOf(r)
	switch {
	case has:
		return nil
	case c.Token != "":
		return &Problem{Status: http.StatusForbidden, Check: checkRight,
			Detail: fmt.Sprintf("Right check: the token %s has no right %q; add it to tokens.%s.allow in the configuration", c.Token, right, c.Token)}
	case c.sent:
		return &Problem{Status: http.StatusUnauthorized, Check: checkToken,
			Detail: "Token check: the token that was sent is not known; compare it with what wallcast token printed, and its hash with tokens in the configuration"}
	case len(p.cfg.Tokens) == 0:
		return p.checkLocal(r, right)
	}
	detail := fmt.Sprintf("Token check: this needs a token with the right %q; send it as Authorization: Bearer SECRET", right)
	if c.basic {
		detail += " (Bearer, not Basic: browsers send the latter on their own)"
	}
	return &Problem{Status: http.StatusUnauthorized, Check: checkToken,
		Detail: detail + fmt.Sprintf("; make one with wallcast token NAME --allow %q", right)}
}

// checkLocal is the check where no tokens are configured: whoever is on this
// computer may do everything, but pages of other sites in its browser may not.
func (p *policy) checkLocal(r *http.Request, right Right) *Problem {
	remedy := fmt.Sprintf("configure a token: wallcast token NAME --allow %q prints one", right)
	refuse := func(check, detail string) *Problem {
		return &Problem{Status: http.StatusForbidden, Check: check,
			Detail: fmt.Sprintf("%s; %s", detail, remedy)}
	}
	c := CallerOf(r)
	name, ok := hostName(r.Host)
	switch {
	case !onLoopback(r):
		return refuse(checkListener, "Listener check: no tokens are configured, and then this is allowed over a listener on 127.0.0.1 or [::1] only")
	case c.forwarded != "":
		return refuse(checkProxy, fmt.Sprintf("Proxy check: no tokens are configured, and then this is not allowed through a proxy (the request %s)", c.forwarded))
	case !c.local:
		return refuse(checkListener, "Listener check: no tokens are configured, and then this is allowed from this computer only")
	case !ok || !loopbackName(name) && name != p.publicName:
		return refuse(checkHost, fmt.Sprintf("Host check: no tokens are configured, and then this is allowed under a loopback host or the url's only, not under %.100q", r.Host))
	}
	if problem := p.checkPage(r, nil); problem != nil {
		problem.Detail += "; or " + remedy
		return problem
	}
	return nil
}
