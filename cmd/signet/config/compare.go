package config

import (
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/mail"
)

// compare checks the settings against each other. It skips a setting that is wrong by itself,
// because the second mistake would only follow from the first and hide it.
func (r *Reading) compare() {
	r.compareLifetimes()
	r.compareWebhook()
	r.compareKeyLife()
	r.compareFirstParty()
	r.comparePasskeys()
	r.compareTLS()
	r.comparePKCS11()
	r.compareMail()
	r.compareDataDir()
}

// areValid reports whether no mistake is known about the settings with these keys.
func (r *Reading) areValid(keys ...string) bool {
	return !slices.ContainsFunc(r.Mistakes, func(m Mistake) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			return m.Key == key || m.Source == fromEnvironment && slices.Contains(optionOf(settings, key).variables(), m.Name)
		})
	})
}

// compareLifetimes checks that no idle lifetime is longer than the absolute lifetime.
func (r *Reading) compareLifetimes() {
	l := r.Config.Lifetimes
	for _, pair := range []struct {
		idle, absolute string
		tooLong        bool
	}{
		{"refresh", "refresh_max", l.Refresh > l.RefreshMax},
		{"offline", "offline_max", l.Offline > l.OfflineMax},
		{"session", "session_max", l.Session > l.SessionMax},
		{"session_kept", "session_max", l.SessionKept > l.SessionMax},
	} {
		if pair.tooLong && r.areValid("lifetimes."+pair.idle, "lifetimes."+pair.absolute) {
			r.addMistakeAt(r.Place("lifetimes."+pair.idle), "lifetimes."+pair.idle, "is longer than lifetimes.%[1]s, so it would have no effect: lower it, or raise lifetimes.%[1]s", pair.absolute)
		}
	}
}

// compareKeyLife checks that a key is published before it signs, and long enough for clients
// to fetch it.
func (r *Reading) compareKeyLife() {
	k := r.Config.Keys
	if k.PublishBefore > k.RotateEvery && r.areValid("keys.publish_before", "keys.rotate_every") {
		r.addMistakeAt(r.Place("keys.publish_before"), "keys.publish_before", "is longer than keys.rotate_every, so a key would be due to sign before it may sign: lower it, or raise keys.rotate_every")
	}
	// OIDC Core, section 10.1.1: the key that signs must be in every cached copy of the JWKS.
	if k.MaxAge > k.PublishBefore && r.areValid("keys.jwks_max_age", "keys.publish_before") {
		r.addMistakeAt(r.Place("keys.jwks_max_age"), "keys.jwks_max_age", "is longer than keys.publish_before, so clients would get tokens with a key that is not in their cached JWKS: lower it, or raise keys.publish_before")
	}
}

// compareFirstParty checks the settings of the first-party app against the issuer.
func (r *Reading) compareFirstParty() {
	c := r.Config
	if c.Issuer == "" || !r.areValid("issuer") {
		return // another check reports it, or this command needs no issuer
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return
	}
	if host := issuer.Hostname(); c.CookieDomain != "" && host != c.CookieDomain && !strings.HasSuffix(host, "."+c.CookieDomain) {
		r.addMistakeAt(r.Place("cookie_domain"), "cookie_domain", "is %s, but the issuer's host is %s: browsers accept a cookie only for a domain that contains the host; use such a domain, or remove the setting", c.CookieDomain, host)
	}
	if c.FirstParty.Audience == c.Issuer {
		r.addMistakeAt(r.Place("first_party.audience"), "first_party.audience", "is the issuer, so the app's tokens would be valid for Signet itself: use the address of the app's API, or remove the setting")
	}
}

// comparePasskeys checks the RP ID of passkeys against the issuer.
func (r *Reading) comparePasskeys() {
	c := r.Config
	if c.PasskeyRPID == "" || c.Issuer == "" || !r.areValid("issuer", "passkeys.rp_id") {
		return
	}
	switch rpID := c.RPID(); rpID {
	case c.PasskeyRPID:
	case "":
		r.addMistakeAt(r.Place("passkeys.rp_id"), "passkeys.rp_id", "is set, but browsers make no passkeys for the issuer %s: give the issuer a host name with https, or remove the setting", c.Issuer)
	default:
		r.addMistakeAt(r.Place("passkeys.rp_id"), "passkeys.rp_id", "is %s, but the issuer's host is %s: browsers accept only that host or a parent domain of it; use such a domain, or remove the setting", c.PasskeyRPID, rpID)
	}
}

// compareTLS checks that certificate, key and issuer fit together. It does not open the
// files, because most commands may run as a user that cannot read them.
func (r *Reading) compareTLS() {
	if !r.areValid("tls.cert", "tls.key", "issuer") {
		return
	}
	files, cert, key := r.Config.TLS, r.Place("tls.cert"), r.Place("tls.key")
	switch {
	case files.Cert != "" && files.Key == "":
		r.addMistakeAt(cert, "tls.cert", "is set, but tls.key is not: set both, or neither if a proxy terminates TLS")
	case files.Cert == "" && files.Key != "":
		r.addMistakeAt(key, "tls.key", "is set, but tls.cert is not: set both, or neither if a proxy terminates TLS")
	case files.IsSet() && strings.HasPrefix(r.Config.Issuer, "http:"):
		r.addMistakeAt(cert, "tls.cert", "is set, but the issuer %s is plain http: change it to https, or remove tls.cert and tls.key", r.Config.Issuer)
	}
}

// comparePKCS11 checks that module, token and PIN are set together.
func (r *Reading) comparePKCS11() {
	c := r.Config.PKCS11
	if !r.areValid("keys.pkcs11.module", "keys.pkcs11.token", "keys.pkcs11.pin") {
		return
	}
	for _, s := range []struct {
		key   string
		given bool
	}{{"keys.pkcs11.token", c.Token != ""}, {"keys.pkcs11.pin", c.PIN.Reveal() != ""}} {
		if s.given && c.Module == "" {
			r.addMistakeAt(r.Place(s.key), s.key, "is set, but keys.pkcs11.module is not: set both, or neither")
		}
		if !s.given && c.Module != "" {
			r.addMistakeAt(r.Place("keys.pkcs11.module"), s.key, "is missing, but keys.pkcs11.module is set: set both, or neither")
		}
	}
	for _, name := range c.Algorithms {
		if r.areValid("keys.algorithms", "keys.pkcs11.algorithms") && !slices.Contains(r.Config.Algorithms, name) {
			r.addMistakeAt(r.Place("keys.pkcs11.algorithms"), "keys.pkcs11.algorithms", "contains %s, which is not in keys.algorithms (%s)", name, strings.Join(r.Config.Algorithms, ", "))
		}
	}
}

// compareWebhook checks that the webhook has an address and a key.
func (r *Reading) compareWebhook() {
	w := r.Config.Webhook
	if !r.areValid("events.webhook.url", "events.webhook.secret") || w.IsSet() == w.Secret.IsSet() {
		return
	}
	if w.IsSet() {
		r.addMistakeAt(r.Place("events.webhook.url"), "events.webhook.secret", "is missing, but events.webhook.url is set: set it to the output of: echo whsec_$(openssl rand -base64 32)")
		return
	}
	r.addMistakeAt(r.Place("events.webhook.secret"), "events.webhook.secret", "is set, but events.webhook.url is not: set both, or neither")
}

// compareMail checks that the settings of the mail server are complete, and that passwords and
// mails are not sent unencrypted over a network.
func (r *Reading) compareMail() {
	c := r.Config.Mail
	if !r.areValid("smtp.host", "smtp.port", "smtp.tls", "smtp.username", "smtp.password", "mail.from") {
		return
	}
	for _, s := range []struct {
		key   string
		given bool
	}{{"smtp.port", c.Port != 0}, {"smtp.username", c.Username != ""}, {"smtp.password", c.Password.Reveal() != ""}, {"mail.from", c.From.IsSet()}} {
		if s.given && !c.IsSet() {
			r.addMistakeAt(r.Place(s.key), s.key, "is set, but smtp.host is not: set both, or neither")
		}
	}
	host := r.Place("smtp.host")
	switch {
	case !c.IsSet():
	case !c.From.IsSet():
		r.addMistakeAt(host, "mail.from", "is missing, but smtp.host is set: set it to the sender of the mails, such as no-reply@example.com")
	case c.Username != "" && c.Password.Reveal() == "":
		r.addMistakeAt(r.Place("smtp.username"), "smtp.password", "is missing, but smtp.username is set: set both, or neither")
	case c.Username == "" && c.Password.Reveal() != "":
		r.addMistakeAt(r.Place("smtp.password"), "smtp.username", "is missing, but smtp.password is set: set both, or neither")
	case c.Encryption == mail.None && !foreign.IsLoopback(c.Host):
		r.addMistakeAt(r.Place("smtp.tls"), "smtp.tls", "is none, but %s is not a loopback host: use starttls or tls, so that passwords and links are encrypted", c.Host)
	}
}
