package interaction

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"signet/federation"
	"signet/provider/keys"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// attempt is one trip to an upstream as it is sealed into a cookie of the browser. It is
// valid for one callback.
type attempt struct {
	Upstream federation.Attempt `json:"a"`
	Link     *visit.LinkTarget  `json:"l,omitempty"` // started on the account page
	Prove    bool               `json:"p,omitempty"` // started to prove the account of a waiting identity
	Key      string             `json:"q"`           // of the request: see session.TripKey
	Invited  *storage.LinkRef   `json:"i,omitempty"` // started to accept this invitation
	Request  string             `json:"-"`           // the sealed request, from a cookie of its own
}

// trip is a trip of the browser to an upstream and back, for one request.
type trip struct {
	step
	connector Connector
	attempt   attempt
	identity  federation.Identity // from the callback
}

// isLinking reports whether the trip was started on the account page, to connect an identity.
func (t trip) isLinking() bool { return t.attempt.Link != nil }

// storeAttempt seals the attempt into a cookie of its own, so that two tabs cannot mix up
// their attempts. A browser has at most three; a new one replaces the oldest.
func (h *Handler) storeAttempt(w http.ResponseWriter, r *http.Request, a attempt) error {
	payload, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode attempt: %w", err)
	}
	sealed, err := h.Ring.Seal("attempt", payload, h.Now().Add(session.TripLife))
	if err != nil {
		return fmt.Errorf("seal attempt: %w", err)
	}
	h.Sessions.Cookies.KeepAttempt(w, r, a.Upstream.ID, a.Key, sealed)
	return nil
}

// takeAttempt opens the cookie that the state of a callback names. It removes the cookie
// even if the callback fails. A state without a cookie in this browser is refused, so the
// callback of another person cannot sign in this browser.
func (h *Handler) takeAttempt(w http.ResponseWriter, r *http.Request, connector, state string) (attempt, error) {
	id := federation.AttemptID(state)
	if id == "" {
		return attempt{}, unknownAttempt(errNoState)
	}
	sealed, request, ok := h.Sessions.Cookies.TakeAttempt(w, r, id)
	if !ok {
		return attempt{}, unknownAttempt(errOtherBrowser)
	}
	payload, err := h.Ring.Unseal("attempt", sealed, h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return attempt{}, unknownAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return attempt{}, unknownAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return attempt{}, fmt.Errorf("open attempt: %w", err)
	}
	var a attempt
	if json.Unmarshal(payload, &a) != nil || a.Upstream.ID != id {
		return attempt{}, unknownAttempt(web.Because("attempt_invalid", keys.ErrInvalid))
	}
	if a.Upstream.Connector != connector {
		return attempt{}, unknownAttempt(errOtherConnector)
	}
	a.Upstream.RedirectURI, a.Request = CallbackURI(h.Site.Issuer.String(), connector), request
	return a, nil
}

// openTrip opens the request of an attempt, and checks that it is the request that the
// attempt was started for.
func (h *Handler) openTrip(r *http.Request, a attempt) (step, error) {
	s, err := h.open(r.Context(), a.Request)
	if err == nil && session.TripKey(s.ID) != a.Key {
		return step{}, unknownAttempt(errOtherRequest)
	}
	return s, err
}

// Reasons why a callback belongs to no attempt of this browser.
var (
	errNoState        = web.Because("state_malformed", errors.New("the state of the callback was not made by this server"))
	errOtherBrowser   = web.Because("attempt_not_of_browser", errors.New("the browser has no cookie for this state"))
	errOtherConnector = web.Because("attempt_of_other_connector", errors.New("the attempt was started for another connector"))
	errNoRequest      = web.Because("request_not_carried", errors.New("the browser has no cookie for the request"))
	errOtherRequest   = web.Because("attempt_of_other_request", errors.New("the attempt was started for another request"))
	errOtherSite      = web.Because("cross_origin", errors.New("another site sent the browser to start the attempt"))
)

// unknownAttempt returns the page for a callback that belongs to no attempt of this
// browser.
func unknownAttempt(cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "unknown_attempt", Title: words.Say("sign-in-problem.unknown-title"),
		Text:  words.Say("sign-in-problem.unknown"),
		Cause: cause,
	}
}

// usedAttemptLife is the time for which storage remembers a used attempt. It is longer than
// the life of the cookie, so an attempt cannot be used twice.
const usedAttemptLife = 2 * session.TripLife
