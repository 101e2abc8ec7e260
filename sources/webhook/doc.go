// Package webhook is the source that others post to, at /hooks/NAME.
//
//	sources:
//	  commits:
//	    webhook: {verify: github, secret: "${GITHUB_SECRET}"}
//	    map: github
//	    to: wall.main.push
//
// A sender proves itself in the way that verify names. What it sends is kept,
// answered, and then becomes one event, of which the common setting map may make
// others or none.
//
// # Schemes
//
// Every comparison takes the same time whatever is right, and signatures are
// over the bytes as they came. Of several secrets each counts, so that one can be
// replaced without a gap: add the new one, change the sender, take the old one out.
//
//	github    X-Hub-Signature-256; redelivery by X-GitHub-Delivery. Also Gitea, Forgejo and Meta.
//	gitlab    X-Gitlab-Token; or, for a secret whsec_…, webhook-signature as below.
//	          Redelivery by Idempotency-Key; before 17.4 by X-Gitlab-Event-UUID and body.
//	standard  Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature, and svix-…
//	          for these. Secrets whsec_… (v1), public keys whpk_… (v1a). Redelivery by webhook-id.
//	stripe    Stripe-Signature, or header: t=TIME,v1=SIGNATURE, of several signatures any. Also
//	          timestamp= and signature=, as Buildkite has it. Redelivery by the field id.
//	slack     X-Slack-Signature, X-Slack-Request-Timestamp. Redelivery by the field event_id.
//	zoom      X-Zm-Signature, X-Zm-Request-Timestamp. Redelivery by the body.
//	hmac      any other signature; see below.
//	bearer    Authorization: Bearer SECRET, or SECRET in header, behind prefix.
//	basic     Authorization: Basic, for user and SECRET.
//	url       /hooks/NAME?token=SECRET, the last resort.
//
// What has a time of signing is refused when that is more than tolerance ago, or
// more than that in the future. What was recorded and is sent again within the
// tolerance is a redelivery.
//
// hmac is put together from settings:
//
//	Shopify    {header: X-Shopify-Hmac-Sha256, encoding: base64, id: X-Shopify-Webhook-Id}
//	Bitbucket  {header: X-Hub-Signature, prefix: sha256=, id: X-Request-UUID}
//	Discourse  {header: X-Discourse-Event-Signature, prefix: sha256=, id: X-Discourse-Event-Id}
//	Linear     {header: Linear-Signature, id: Linear-Delivery}
//	Trello     {header: X-Trello-Webhook, algorithm: sha1, encoding: base64,
//	            signed: "{body}https://wall.example.com/hooks/NAME"}
//
// With bearer, basic and url the redelivery is known by the header id, by
// Idempotency-Key, or by a CloudEvent's id and source. Most signatures cover the
// body alone: a map that decides by a header, decides by what anybody can change
// who has seen one delivery.
//
// A secret in the address is the last resort, because addresses are written down:
// by proxies, by the sender's log and screens, by whoever is shown how it was set
// up. It also says nothing of the body. Take it for what can do no better.
//
// # Methods and handshakes
//
// Deliveries are POST or PUT; with bearer, basic and url also GET, whose
// parameters are the payload, as radio software likes it.
//
//	a look           nothing but the proof (and HEAD): 200
//	GitHub           the event ping: pong
//	Slack, Lark      type url_verification: its challenge; ssl_check=1: 200
//	Zoom             endpoint.url_validation: plainToken, and signed with the first secret
//	WebSub, Meta     GET with hub.challenge: the challenge
//	Dropbox, Nylas   GET with challenge alone: the challenge
//	Microsoft Graph  POST with ?validationToken: the token, as text
//	CloudEvents      OPTIONS with WebHook-Request-Origin: it is allowed
//
// None of these becomes an event. The first four are answered to who has proved
// itself. The others carry no signature: they must bring verify_token, as
// hub.verify_token or as ?token= in the address, or with bearer, basic and url
// the secret. Microsoft Graph, which does not sign either, is best given an
// address for url.
//
// # Content types
//
//	JSON        application/json, text/json and all +json. An object or a list is the payload
//	            byte for byte; a text, number or boolean becomes text.
//	forms       also multipart, without its files. The fields are an object of texts, of lists
//	            where a name comes several times. Where the only field is JSON, as payload= of
//	            GitHub, Slack and Plex, that is the payload. JSON and text that curl -d declares
//	            a form are read as what they are.
//	text, XML   as it stands.
//	none        and other types: an object or list in JSON, else text in UTF-8.
//
// A list needs a map, which sees it as such. The parameter charset may be any
// that browsers know. In what should be UTF-8, as where there is none, each byte
// that is not is read as Windows-1252, because radio software mixes the two. A body with a
// Content-Encoding, and one that is not what it is declared, is an error that the
// sender reads.
//
// # What a map sees
//
// The payload is the input. $about holds the headers with names in lower case, as
// $about["x-github-event"], and the parameters of the address behind a question
// mark, as $about["?channel"], of several the first; proofs and cookies are left
// out. An event that the map gives no id has that of the delivery.
//
// # Ready maps
//
// [Maps] holds jq programs to use by name, and to read and change: github,
// gitlab, azuracast, liquidsoap, mairlist, radioboss and radiodj. The comment at
// the top of each says what it makes and what to enter in the other program.
//
// # Refusals
//
// The operator is told what failed: which header is missing, how old the time of
// signing is, over how many bytes a signature matches none of how many secrets.
// The sender is told the same without what only the operator knows. Neither ever
// reads a secret, or a signature that would have been right.
//
// # Cursor
//
// {"delivery": N}: all that was delivered up to number N is done.
package webhook
