package session

import (
	"net/http"
	"strings"
	"time"
)

// Cookies reads and sets the cookies of one Signet. On https their names begin with
// __Host-, so that no sibling host can plant them. Safari refuses this prefix and Secure
// on plain http, so a loopback issuer on http uses neither.
type Cookies struct {
	Base   string // setting cookie_name; DefaultBase
	HTTPS  bool
	Path   string // the issuer's path
	State  bool   // setting session_management: browsers get a cookie with their state
	Domain string // setting cookie_domain: all hosts of this domain get the access token; "" for the issuer's host only
}

// DefaultBase is the base name of the cookies if cookie_name is not set.
const DefaultBase = "signet"

func (c Cookies) sessionName() string { return c.name("") }

func (c Cookies) name(suffix string) string { return c.prefixOnHTTPS("__Host-") + c.Base + suffix }

// read returns a cookie's value. If a name occurs twice, the cookie counts as absent: one
// of the two was planted, and nothing shows which one.
func (c Cookies) read(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

func (c Cookies) newCookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/",
		HttpOnly: true, Secure: c.HTTPS, SameSite: http.SameSiteLaxMode,
	}
}

// HasAnyCookie reports whether the browser has sent a cookie of Signet; the tokens of the
// first-party app do not count. It is false if the browser blocks cookies, or has never
// opened a sign-in page.
func (c Cookies) HasAnyCookie(r *http.Request) bool { return len(c.Suffixes(r, "")) > 0 }

// HasSessionCookie reports whether the browser has sent a session's cookie, valid or not.
func (c Cookies) HasSessionCookie(r *http.Request) bool {
	return len(r.CookiesNamed(c.sessionName())) > 0
}

// Read returns the value of the cookie with a suffix ("_last"). A cookie that occurs twice
// counts as absent.
func (c Cookies) Read(r *http.Request, suffix string) (string, bool) {
	return c.read(r, c.name(suffix))
}

// Set sets the cookie with a suffix. The browser deletes it after life, or when it is
// closed if life is 0.
func (c Cookies) Set(w http.ResponseWriter, suffix, value string, life time.Duration) {
	cookie := c.newCookie(c.name(suffix), value)
	cookie.MaxAge = int(life.Seconds())
	http.SetCookie(w, cookie)
}

// Clear removes the cookie with a suffix.
func (c Cookies) Clear(w http.ResponseWriter, suffix string) {
	cookie := c.newCookie(c.name(suffix), "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

// Suffixes lists the suffixes of the sent cookies that begin with prefix ("_up_").
func (c Cookies) Suffixes(r *http.Request, prefix string) []string {
	var list []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.name(prefix)) {
			list = append(list, strings.TrimPrefix(cookie.Name, c.name("")))
		}
	}
	return list
}

func (c Cookies) prefixOnHTTPS(prefix string) string {
	if c.HTTPS {
		return prefix
	}
	return ""
}
