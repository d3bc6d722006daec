package interaction

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/federation"
	"signet/provider/keys"
	"signet/provider/visit"
	"signet/provider/web"
)

const (
	attemptPrefix  = "_up_"
	attemptLife    = 10 * time.Minute
	attemptsAtOnce = 3
)

// attempt is one trip to an upstream, as the browser's cookie carries it: sealed,
// bound to this browser, good for one callback.
type attempt struct {
	Upstream federation.Attempt `json:"a"`
	Link     *visit.Link        `json:"l,omitempty"` // started on the account page
	Request  string             `json:"-"`           // the sealed request
}

// trip is the way of a browser to an upstream and back.
type trip struct {
	step
	connector Connector
	attempt   attempt
	identity  federation.Identity // what came back
}

// links reports whether the trip was started on the account page, to connect an identity.
func (t trip) links() bool { return t.attempt.Link != nil }

// encode writes the attempt's own part as JSON behind its length, then the
// request as bytes: base64 in JSON in base64 would not fit into a cookie.
func (a attempt) encode() ([]byte, error) {
	own, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	request, err := base64.RawURLEncoding.DecodeString(a.Request)
	if err != nil {
		return nil, err
	}
	return append(append(binary.BigEndian.AppendUint16(nil, uint16(len(own))), own...), request...), nil
}

// decodeAttempt reads what encode has written; false for anything else.
func decodeAttempt(payload []byte) (attempt, bool) {
	var a attempt
	if len(payload) < 2 {
		return a, false
	}
	own := int(binary.BigEndian.Uint16(payload))
	if len(payload) < 2+own || json.Unmarshal(payload[2:2+own], &a) != nil {
		return a, false
	}
	a.Request = base64.RawURLEncoding.EncodeToString(payload[2+own:])
	return a, true
}

// keepAttempt seals the attempt into a cookie of its own, so that two tabs cannot mix up
// two attempts; the oldest beyond three makes room.
func (h *Handler) keepAttempt(w http.ResponseWriter, r *http.Request, a attempt) error {
	payload, err := a.encode()
	if err != nil {
		return fmt.Errorf("encode attempt: %w", err)
	}
	sealed, err := h.Ring.Seal("attempt", payload, h.Now().Add(attemptLife))
	if err != nil {
		return fmt.Errorf("seal attempt: %w", err)
	}
	// RFC 6265, section 5.4: a browser sends the older of two cookies first.
	older := h.Sessions.Cookies.Suffixes(r, attemptPrefix)
	for _, suffix := range older[:max(0, len(older)-attemptsAtOnce+1)] {
		h.Sessions.Cookies.Clear(w, suffix)
	}
	h.Sessions.Cookies.Set(w, attemptPrefix+a.Upstream.ID, sealed, attemptLife)
	return nil
}

// takeAttempt opens the cookie that a callback's state names and removes it,
// whatever comes of it. A state that this browser has no cookie for is refused:
// somebody else's callback signs nobody in here.
func (h *Handler) takeAttempt(w http.ResponseWriter, r *http.Request, connector, state string) (attempt, error) {
	id := federation.AttemptID(state)
	if id == "" {
		return attempt{}, lostAttempt(errNoState)
	}
	sealed, ok := h.Sessions.Cookies.Read(r, attemptPrefix+id)
	if !ok {
		return attempt{}, lostAttempt(errOtherBrowser)
	}
	h.Sessions.Cookies.Clear(w, attemptPrefix+id)
	payload, err := h.Ring.Unseal("attempt", sealed, h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return attempt{}, lostAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return attempt{}, lostAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return attempt{}, fmt.Errorf("open attempt: %w", err)
	}
	a, ok := decodeAttempt(payload)
	if !ok || a.Upstream.ID != id {
		return attempt{}, lostAttempt(web.Because("attempt_invalid", keys.ErrInvalid))
	}
	if a.Upstream.Connector != connector {
		return attempt{}, lostAttempt(errOtherConnector)
	}
	return a, nil
}

// Why a callback belongs to no attempt of this browser.
var (
	errNoState        = web.Because("state_malformed", errors.New("the callback has no state of ours"))
	errOtherBrowser   = web.Because("attempt_not_of_browser", errors.New("the browser has no cookie for this state"))
	errOtherConnector = web.Because("attempt_of_other_connector", errors.New("the attempt was started for another connector"))
	errOtherSite      = web.Because("cross_origin", errors.New("another site sent the browser to start the attempt"))
)

// lostAttempt is the page for a callback that belongs to no attempt of this browser.
func lostAttempt(cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "unknown_attempt", Title: "This sign-in was not started here",
		Text:  "It may have been finished already, have taken more than ten minutes, or have been started in another browser. Go back to the application and sign in again.",
		Cause: cause,
	}
}

// attemptRemembered is how long a used attempt is known: longer than its cookie
// can live.
const attemptRemembered = 2 * attemptLife
