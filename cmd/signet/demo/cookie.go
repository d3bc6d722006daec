package demo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The demo's cookies. Both are its own: a relying party on another host could
// hold no others.
const (
	flowCookie   = "signet_demo_flow_"  // and the end of a state: what that unfinished sign-in must come back with
	resultCookie = "signet_demo_result" // key of what a finished one brought
	flowLife     = 10 * time.Minute
	mostFlows    = 8 // that a browser may have under way, such as one in each tab
)

// flow is what one sign-in must come back with. It lives in the browser that
// began it, which may have several in its tabs: nothing is kept for a stranger.
type flow struct {
	State    string `json:"s"` // binds the answer to this browser
	Nonce    string `json:"n"` // binds the ID token to this sign-in
	Verifier string `json:"v"` // proves that who redeems the code asked for it
}

// flowName is the name of a sign-in's cookie. It holds enough of the state to tell apart
// those of one browser; what binds the answer is the whole state, in the cookie.
func flowName(state string) string {
	const length = 8
	return flowCookie + strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, state[max(0, len(state)-length):])
}

// setFlow keeps a sign-in that begins. A browser that has very many under way has left
// most of them: they are given up.
func setFlow(w http.ResponseWriter, r *http.Request, f flow) error {
	packed, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	under := slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, flowCookie) })
	if len(under) >= mostFlows {
		for _, c := range under {
			clearCookie(w, c.Name)
		}
	}
	http.SetCookie(w, cookie(flowName(f.State), base64.RawURLEncoding.EncodeToString(packed), flowLife))
	return nil
}

// takeFlow gives the sign-in that an answer with this state ends, and forgets it.
func takeFlow(w http.ResponseWriter, r *http.Request, state string) (flow, error) {
	var f flow
	cookies := r.CookiesNamed(flowName(state))
	clearCookie(w, flowName(state))
	if len(cookies) != 1 {
		return f, errors.New("this browser has not started that sign-in, has finished it already, or took too long: start again")
	}
	packed, err := base64.RawURLEncoding.DecodeString(cookies[0].Value)
	if err == nil {
		err = json.Unmarshal(packed, &f)
	}
	if err != nil || f.State == "" || f.Nonce == "" || f.Verifier == "" {
		return f, errors.New("the cookie of this sign-in cannot be read: start again")
	}
	return f, nil
}

// cookie is not Secure: dev is plain http, and Safari keeps no Secure cookie
// there. Lax, because it must be there when the provider sends the browser back.
func cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: Path, MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func clearCookie(w http.ResponseWriter, name string) {
	c := cookie(name, "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
}
