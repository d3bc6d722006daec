package session

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The share of an answer's header block that the cookies of the app may take, in bytes of
// their Set-Cookie lines: see web.MaxHeaderBlock.
const (
	maxAccessCookie = 2200
	maxTokenCookies = 2850 // with the refresh token
)

// TooLongError: a token does not fit into its cookie.
type TooLongError struct {
	Cookie      string
	Bytes, Most int
}

// Error says what to change, for the operator.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("the cookie %s would have %d bytes, and may have %d, since proxies refuse longer answers: give the user fewer roles and groups, or the client fewer scopes",
		e.Cookie, e.Bytes, e.Most)
}

// Cause is the code for the log and the table of answers.
func (e *TooLongError) Cause() string { return "token_too_large" }

// Tokens are what the first-party app lives on.
type Tokens struct {
	Access     string        // the app's API reads it; Signet never does
	AccessLife time.Duration // of the token, and of its cookie
	Refresh    string
	// RefreshLife is how long the browser keeps the refresh token; 0: until it is closed.
	RefreshLife time.Duration
}

// SetTokens sets the cookies of the first-party app, or none of them.
// *TooLongError.
func (c Cookies) SetTokens(w http.ResponseWriter, t Tokens) error {
	access, refresh := c.access(t.Access), c.refresh(t.Refresh)
	access.MaxAge, refresh.MaxAge = int(t.AccessLife.Seconds()), int(t.RefreshLife.Seconds())
	size := len(access.String())
	if most := min(maxAccessCookie, maxTokenCookies-len(refresh.String())); size > most {
		return &TooLongError{access.Name, size, most}
	}
	replace(w, access)
	replace(w, refresh)
	return nil
}

// replace sets a cookie that the same answer may have removed already: one name
// stands in it once (RFC 6265, section 4.1.1).
func replace(w http.ResponseWriter, cookie *http.Cookie) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, cookie.Name+"=") })
	http.SetCookie(w, cookie)
}

// RefreshToken is the refresh token the browser came with; "" for none.
func (c Cookies) RefreshToken(r *http.Request) string {
	token, _ := c.read(r, c.refresh("").Name)
	return token
}

// ClearTokens removes the cookies of the first-party app.
func (c Cookies) ClearTokens(w http.ResponseWriter) {
	for _, cookie := range []*http.Cookie{c.access(""), c.refresh("")} {
		cookie.MaxAge = -1
		http.SetCookie(w, cookie)
	}
}

// access is for the app's API: with a Domain every host below it gets the cookie,
// which the __Host- prefix forbids.
func (c Cookies) access(token string) *http.Cookie {
	prefix := "__Host-"
	if c.Domain != "" {
		prefix = "__Secure-"
	}
	cookie := c.make(c.prefix(prefix)+c.tokenName("access_token"), token)
	cookie.Domain = c.Domain
	return cookie
}

// refresh is for one path of ours, and for calls from the site itself.
func (c Cookies) refresh(token string) *http.Cookie {
	cookie := c.make(c.prefix("__Secure-")+c.tokenName("refresh_token"), token)
	cookie.Path, cookie.SameSite = c.Path+"/refresh", http.SameSiteStrictMode
	return cookie
}

// tokenName has the base name in it where that was chosen, so that two Signets on
// one host do not overwrite each other's.
func (c Cookies) tokenName(name string) string {
	if c.Base == DefaultBase {
		return name
	}
	return c.Base + "_" + name
}
