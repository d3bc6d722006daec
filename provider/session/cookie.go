package session

import (
	"net/http"
	"strings"
	"time"
)

// Cookies names and shapes the cookies of one Signet. On https they carry the
// __Host- prefix, which no sibling host can plant; Safari refuses prefix and
// Secure on plain http, so a loopback http issuer goes without both.
type Cookies struct {
	Base   string // setting cookie_name; DefaultBase
	HTTPS  bool
	Path   string // the issuer's path
	Domain string // setting cookie_domain: whose hosts get the access token; "" for the issuer's host alone
}

// DefaultBase is the base name of the cookies unless another is set.
const DefaultBase = "signet"

func (c Cookies) session() string { return c.name("") }

func (c Cookies) name(suffix string) string { return c.prefix("__Host-") + c.Base + suffix }

// read gives a cookie's value. A name that comes twice counts as absent: one of
// them was planted, and there is no telling which.
func (c Cookies) read(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

func (c Cookies) make(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/",
		HttpOnly: true, Secure: c.HTTPS, SameSite: http.SameSiteLaxMode,
	}
}

// HasAnyCookie reports whether the browser has sent a cookie of ours, but for the app's tokens. It
// is false for a browser that blocks them, and for one that has never seen a sign-in page.
func (c Cookies) HasAnyCookie(r *http.Request) bool { return len(c.Suffixes(r, "")) > 0 }

// HasSessionCookie reports whether the browser has sent a session's cookie, whatever it is worth.
func (c Cookies) HasSessionCookie(r *http.Request) bool { return len(r.CookiesNamed(c.session())) > 0 }

// Read gives the cookie of a suffix ("_last"), see read.
func (c Cookies) Read(r *http.Request, suffix string) (string, bool) {
	return c.read(r, c.name(suffix))
}

// Set sets the cookie of a suffix for life; 0: until the browser is closed.
func (c Cookies) Set(w http.ResponseWriter, suffix, value string, life time.Duration) {
	cookie := c.make(c.name(suffix), value)
	cookie.MaxAge = int(life.Seconds())
	http.SetCookie(w, cookie)
}

// Clear removes the cookie of a suffix.
func (c Cookies) Clear(w http.ResponseWriter, suffix string) {
	cookie := c.make(c.name(suffix), "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

// Suffixes lists the suffixes of the cookies that begin with prefix ("_up_").
func (c Cookies) Suffixes(r *http.Request, prefix string) []string {
	var list []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.name(prefix)) {
			list = append(list, strings.TrimPrefix(cookie.Name, c.name("")))
		}
	}
	return list
}

func (c Cookies) prefix(prefix string) string {
	if c.HTTPS {
		return prefix
	}
	return ""
}
