package demo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The demo's cookies. Both are its own: a relying party on another host could
// hold no others.
const (
	flowCookie   = "signet_demo_flow"   // what an unfinished sign-in must come back with
	resultCookie = "signet_demo_result" // key of what a finished one brought
	flowLife     = 10 * time.Minute
)

// flow is what one sign-in must come back with. It lives in the browser that
// began it: nothing is kept for a stranger.
type flow struct {
	State    string `json:"s"` // binds the answer to this browser
	Nonce    string `json:"n"` // binds the ID token to this sign-in
	Verifier string `json:"v"` // proves that who redeems the code asked for it
}

func setFlow(w http.ResponseWriter, f flow) error {
	packed, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	http.SetCookie(w, cookie(flowCookie, base64.RawURLEncoding.EncodeToString(packed), flowLife))
	return nil
}

func flowOf(r *http.Request) (flow, error) {
	var f flow
	cookies := r.CookiesNamed(flowCookie)
	if len(cookies) != 1 {
		return f, errors.New("this browser has not started a sign-in, or it took too long: start again")
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
