package session

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// These are the limits for the Set-Cookie lines of the first-party app in one answer, in
// bytes. They are a part of web.MaxHeaderBlock.
const (
	maxAccessCookie = 2200
	maxTokenCookies = 2850 // both tokens together
)

// TooLongError means that a token does not fit into its cookie.
type TooLongError struct {
	Cookie     string
	Bytes, Max int
}

// Error tells the operator how to make the token shorter.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("the cookie %s would have %d bytes, but at most %d are allowed, since proxies refuse longer answers: give the user fewer roles and groups, or the client fewer scopes",
		e.Cookie, e.Bytes, e.Max)
}

// Cause returns the code for the log and for the table of answers.
func (e *TooLongError) Cause() string { return "token_too_large" }

// Tokens are the tokens of the first-party app.
type Tokens struct {
	Access     string        // read by the app's API; Signet never reads it
	AccessLife time.Duration // of the token, and of its cookie
	Refresh    string
	// RefreshLife is how long the browser stores the refresh token; 0: until it is closed.
	RefreshLife time.Duration
}

// SetTokens sets both cookies of the first-party app.
//
// *TooLongError: a token is too long, and neither cookie was set.
func (c Cookies) SetTokens(w http.ResponseWriter, t Tokens) error {
	access, refresh := c.accessCookie(t.Access), c.refreshCookie(t.Refresh)
	access.MaxAge, refresh.MaxAge = int(t.AccessLife.Seconds()), int(t.RefreshLife.Seconds())
	size := len(access.String())
	if limit := min(maxAccessCookie, maxTokenCookies-len(refresh.String())); size > limit {
		return &TooLongError{access.Name, size, limit}
	}
	setOnce(w, access)
	setOnce(w, refresh)
	return nil
}

// setOnce sets a cookie, and drops an earlier Set-Cookie line for it from the same answer:
// each name may occur only once (RFC 6265, section 4.1.1).
func setOnce(w http.ResponseWriter, cookie *http.Cookie) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, cookie.Name+"=") })
	http.SetCookie(w, cookie)
}

// RefreshToken returns the refresh token that the browser has sent; "" for none.
func (c Cookies) RefreshToken(r *http.Request) string {
	token, _ := c.read(r, c.refreshCookie("").Name)
	return token
}

// ClearTokens removes the cookies of the first-party app.
func (c Cookies) ClearTokens(w http.ResponseWriter) {
	for _, cookie := range []*http.Cookie{c.accessCookie(""), c.refreshCookie("")} {
		cookie.MaxAge = -1
		http.SetCookie(w, cookie)
	}
}

// accessCookie returns the cookie for the app's API. With a Domain, every host below the
// domain gets the cookie, which the __Host- prefix would forbid.
func (c Cookies) accessCookie(token string) *http.Cookie {
	prefix := "__Host-"
	if c.Domain != "" {
		prefix = "__Secure-"
	}
	cookie := c.newCookie(c.prefixOnHTTPS(prefix)+c.tokenName("access_token"), token)
	cookie.Domain = c.Domain
	return cookie
}

// refreshCookie returns the cookie for /refresh. Browsers send it to no other path, and only
// with calls from the same site.
func (c Cookies) refreshCookie(token string) *http.Cookie {
	cookie := c.newCookie(c.prefixOnHTTPS("__Secure-")+c.tokenName("refresh_token"), token)
	cookie.Path, cookie.SameSite = c.Path+"/refresh", http.SameSiteStrictMode
	return cookie
}

// tokenName returns the name of a token's cookie, without its prefix. It contains the base
// name unless that is the default, so that two Signets on one host do not overwrite each
// other's cookies.
func (c Cookies) tokenName(name string) string {
	if c.Base == DefaultBase {
		return name
	}
	return c.Base + "_" + name
}
