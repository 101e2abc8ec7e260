package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
)

const (
	defaultLinkLife = "24h"
	maxLinkLife     = 366 * 24 * time.Hour
)

// makeLink answers with a link that opens a private wall for a while.
func (p *program) makeLink(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	wall := r.URL.Query().Get("wall")
	if !p.site.has(wall) {
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no wall %.80q here.", wall)}).Write(w)
		return
	}
	life, err := config.ParseDuration(r.URL.Query().Get("for"))
	if err != nil || life <= 0 || life > maxLinkLife {
		(&access.Problem{Status: http.StatusBadRequest, Detail: "A link is for a time such as 12h or 30d, and a year at most."}).Write(w)
		return
	}
	grant := access.NewGrant(p.store.DeriveKey(grantPurpose), wall, time.Now().Add(life))
	query := url.Values{access.GrantParameter: {grant}}
	writeJSON(w, http.StatusOK, map[string]string{
		"url": baseURL(p.site.config(), p.listeners[0]) + "/walls/" + wall + "?" + query.Encode(),
	})
}

func setupLink(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	life := flags.String("for", defaultLinkLife, "how `LONG` it opens the wall, such as 12h or 30d")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		if len(inv.args) > 1 {
			return usagef("wallcast link takes one WALL")
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		wall, err := r.wallOr(ctx, strings.Join(inv.args, ""))
		if err != nil {
			return err
		}
		req, err := r.request(ctx, http.MethodPost, "/control/links?"+url.Values{"wall": {wall}, "for": {*life}}.Encode(), nil)
		if err != nil {
			return err
		}
		var answer struct{ URL string }
		if err := r.do(req, &answer); err != nil {
			return err
		}
		fmt.Fprintln(inv.stdout, answer.URL)
		return nil
	}
}
