package config

import (
	"net/url"
	"slices"
	"strings"
)

// compare checks the settings against each other. A setting that is wrong itself is not
// compared: the second mistake would only follow from the first, and hide it.
func (r *Reading) compare() {
	r.compareLifetimes()
	r.compareKeyLife()
	r.compareFirstParty()
	r.compareTLS()
	r.comparePKCS11()
	r.compareDataDir()
}

// compared reports whether each of those settings has a value that can be compared.
func (r *Reading) compared(keys ...string) bool {
	return !slices.ContainsFunc(r.Mistakes, func(m Mistake) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			return m.Key == key || m.Source == fromEnvironment && slices.Contains(optionOf(settings, key).variables(), m.Name)
		})
	})
}

// compareLifetimes: what is unused must not last longer than the whole.
func (r *Reading) compareLifetimes() {
	l := r.Config.Lifetimes
	for _, pair := range []struct {
		idle, whole string
		tooLong     bool
	}{
		{"refresh", "refresh_max", l.Refresh > l.RefreshMax},
		{"offline", "offline_max", l.Offline > l.OfflineMax},
		{"session", "session_max", l.Session > l.SessionMax},
		{"session_kept", "session_max", l.SessionKept > l.SessionMax},
	} {
		if pair.tooLong && r.compared("lifetimes."+pair.idle, "lifetimes."+pair.whole) {
			r.complain(r.Place("lifetimes."+pair.idle), "lifetimes."+pair.idle, "is longer than lifetimes.%s, which would never let it end; raise that one or lower this one", pair.whole)
		}
	}
}

// compareKeyLife: a key is published before it signs, and long enough to be known.
func (r *Reading) compareKeyLife() {
	k := r.Config.Keys
	if k.PublishBefore > k.RotateEvery && r.compared("keys.publish_before", "keys.rotate_every") {
		r.complain(r.Place("keys.publish_before"), "keys.publish_before", "is longer than keys.rotate_every: a key would be due before it may sign; raise that one or lower this one")
	}
	// OIDC Core, section 10.1.1: who has the JWKS cached must know the key that signs.
	if k.MaxAge > k.PublishBefore && r.compared("keys.jwks_max_age", "keys.publish_before") {
		r.complain(r.Place("keys.jwks_max_age"), "keys.jwks_max_age", "is longer than keys.publish_before: relying parties would meet a key that is not in their copy; raise that one or lower this one")
	}
}

// compareFirstParty checks what depends on the issuer.
func (r *Reading) compareFirstParty() {
	c := r.Config
	if c.Issuer == "" || !r.compared("issuer") {
		return // said elsewhere, or not needed by this command
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return
	}
	if host := issuer.Hostname(); c.CookieDomain != "" && host != c.CookieDomain && !strings.HasSuffix(host, "."+c.CookieDomain) {
		r.complain(r.Place("cookie_domain"), "cookie_domain", "is %s, but the issuer's host is %s: browsers take a cookie only for a domain that its host is in; name one, or leave the setting away", c.CookieDomain, host)
	}
	if c.FirstParty.Audience == c.Issuer {
		r.complain(r.Place("first_party.audience"), "first_party.audience", "is the issuer, so that the app's tokens would be good for Signet itself: name the app's API, or leave the setting away")
	}
}

// compareTLS checks what certificate, key and issuer must have in common. It does
// not open the files: most commands may not even read them.
func (r *Reading) compareTLS() {
	if !r.compared("tls.cert", "tls.key", "issuer") {
		return
	}
	files, cert, key := r.Config.TLS, r.Place("tls.cert"), r.Place("tls.key")
	switch {
	case files.Cert != "" && files.Key == "":
		r.complain(cert, "tls.cert", "is set, and tls.key is not: set both, or neither where a proxy ends TLS")
	case files.Cert == "" && files.Key != "":
		r.complain(key, "tls.key", "is set, and tls.cert is not: set both, or neither where a proxy ends TLS")
	case files.IsSet() && strings.HasPrefix(r.Config.Issuer, "http:"):
		r.complain(cert, "tls.cert", "is set, but the issuer %s is plain http: make it https, or leave the certificate away", r.Config.Issuer)
	}
}

// comparePKCS11: the settings of the token come together.
func (r *Reading) comparePKCS11() {
	c := r.Config.PKCS11
	if !r.compared("keys.pkcs11.module", "keys.pkcs11.token", "keys.pkcs11.pin") {
		return
	}
	for _, s := range []struct {
		key   string
		given bool
	}{{"keys.pkcs11.token", c.Token != ""}, {"keys.pkcs11.pin", c.PIN.Reveal() != ""}} {
		if s.given && c.Module == "" {
			r.complain(r.Place(s.key), s.key, "is set without keys.pkcs11.module: set both, or neither")
		}
		if !s.given && c.Module != "" {
			r.complain(r.Place("keys.pkcs11.module"), s.key, "is missing, and keys.pkcs11.module is set: set both, or neither")
		}
	}
	for _, name := range c.Algorithms {
		if r.compared("keys.algorithms", "keys.pkcs11.algorithms") && !slices.Contains(r.Config.Algorithms, name) {
			r.complain(r.Place("keys.pkcs11.algorithms"), "keys.pkcs11.algorithms", "has %s, which is not one of keys.algorithms (%s)", name, strings.Join(r.Config.Algorithms, ", "))
		}
	}
}
