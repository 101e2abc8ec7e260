package access

import (
	"context"
	"net/http"
)

// Operator goes around the routes in place of [Guard.Handler] where the
// connection itself has proved that the caller may do everything: on the
// administration socket, which only the program's own user can open.
func Operator(next http.Handler) http.Handler {
	operator := Caller{Rights: Rights{{Verb: Admin}}, local: true, operator: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey, operator)))
	})
}
