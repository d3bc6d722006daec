package session

import "net/http"

// Cookies names and shapes the cookies of one Signet. On https they carry the
// __Host- prefix, which no sibling host can plant; Safari refuses prefix and
// Secure on plain http, so a loopback http issuer goes without both.
type Cookies struct {
	Base  string // setting cookie_name; "signet"
	HTTPS bool
}

func (c Cookies) session() string { return c.name("") }

func (c Cookies) name(suffix string) string {
	if c.HTTPS {
		return "__Host-" + c.Base + suffix
	}
	return c.Base + suffix
}

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
