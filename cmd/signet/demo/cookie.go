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

// The demo's cookies. The demo reads no cookie of the provider, as a relying party on another
// host could not.
const (
	flowCookie   = "signet_demo_flow_"  // followed by a part of the state; holds the values that the answer must match
	resultCookie = "signet_demo_result" // key of the result of a finished sign-in
	flowLife     = 10 * time.Minute
	mostFlows    = 8 // unfinished sign-ins of one browser, such as one in each tab
)

// flow holds the values that the answer to one sign-in must match. It is stored in the
// browser that started the sign-in, so that strangers cannot fill the memory. A browser may
// have several, one in each tab.
type flow struct {
	State    string `json:"s"` // binds the answer to this browser
	Nonce    string `json:"n"` // binds the ID token to this sign-in
	Verifier string `json:"v"` // proves that the client that redeems the code also requested it (RFC 7636)
}

// flowName returns the name of the cookie of a sign-in. The part of the state in the name
// only distinguishes the cookies of one browser; the answer is compared with the whole state
// in the cookie.
func flowName(state string) string {
	const length = 8
	return flowCookie + strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, state[max(0, len(state)-length):])
}

// setFlow stores a new sign-in in a cookie. If the browser already has mostFlows of them,
// the others are deleted, since most of them were abandoned.
func setFlow(w http.ResponseWriter, r *http.Request, f flow) error {
	packed, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("store the sign-in: %w", err)
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

// takeFlow returns the sign-in with this state and deletes its cookie.
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

// cookie sets a cookie without Secure, because dev uses plain http and Safari refuses Secure
// cookies there. It is Lax, because the browser must send it when the provider redirects back.
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
