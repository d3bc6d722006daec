package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"strings"
	"time"

	"signet/cmd/signet/config"
)

const day = 24 * time.Hour

// warnBefore lists the times before the end of a certificate at which the log warns, the
// longest first. The last warning comes when it has ended.
var warnBefore = []time.Duration{30 * day, 14 * day, 7 * day, 3 * day, day, 0}

// expiry is the end of a certificate that this process uses.
type expiry struct {
	setting string // where its file is named
	file    string
	subject string
	at      time.Time
	next    string // what an operator does about it
}

// stage returns how many of the times in warnBefore have come.
func (e expiry) stage(now time.Time) (stage int) {
	for _, before := range warnBefore {
		if !now.Before(e.at.Add(-before)) {
			stage++
		}
	}
	return stage
}

// text returns the warning.
func (e expiry) text(now time.Time) string {
	const moment = "2 January 2006 15:04 MST"
	when := fmt.Sprintf("ends on %s, %s", e.at.UTC().Format(moment), inDays(e.at.Sub(now)))
	if !now.Before(e.at) {
		when = "has ended on " + e.at.UTC().Format(moment)
	}
	return fmt.Sprintf("the certificate of %s in %s (%s) %s: %s", e.setting, e.file, e.subject, when, e.next)
}

// inDays returns the time until an end, rounded up to days.
func inDays(left time.Duration) string {
	if days := int(math.Ceil(left.Hours() / 24)); days > 1 {
		return fmt.Sprintf("in %d days", days)
	}
	return "within a day"
}

// firstToEnd returns the end of a chain: all of its certificates are needed.
func firstToEnd(chain []*x509.Certificate) *x509.Certificate {
	var first *x509.Certificate
	for _, c := range chain {
		if first == nil || c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	return first
}

// lastToEnd returns the end of a list of authorities: each of them may have signed, and old
// ones stay in the list beside their successors.
func lastToEnd(authorities []*x509.Certificate) *x509.Certificate {
	var last *x509.Certificate
	for _, c := range authorities {
		if last == nil || c.NotAfter.After(last.NotAfter) {
			last = c
		}
	}
	return last
}

// parsePEM returns the certificates in the text. It passes over anything else.
func parsePEM(text []byte) (found []*x509.Certificate) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return found
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			found = append(found, c)
		}
	}
}

// servedExpiry returns the end of the certificate of the listener.
func servedExpiry(pair *tls.Certificate, file string) expiry {
	var chain []*x509.Certificate
	for _, raw := range pair.Certificate {
		if c, err := x509.ParseCertificate(raw); err == nil {
			chain = append(chain, c)
		}
	}
	return expiryOf(firstToEnd(chain), "tls.cert", file, "renew it; the server uses the new file without a restart")
}

func expiryOf(c *x509.Certificate, setting, file, next string) expiry {
	if c == nil {
		return expiry{}
	}
	subject := c.Subject.String()
	if subject == "" && len(c.DNSNames) > 0 {
		subject = c.DNSNames[0]
	}
	return expiry{setting, file, subject, c.NotAfter, next}
}

// usedExpiries returns the ends of the other certificates in the settings. A running server
// uses them as they were at its start. env has the variables of PostgreSQL, which count for a
// parameter that the URL of the database does not have.
func usedExpiries(read *config.Reading, env map[string]string) (list []expiry) {
	const next = "renew it, then restart Signet"
	if authorities := parsePEM([]byte(read.Config.ExtraCA)); len(authorities) > 0 {
		list = append(list, expiryOf(lastToEnd(authorities), "outbound.extra_ca", read.Text("outbound.extra_ca"), next))
	}
	_, query, _ := strings.Cut(read.Config.Database.Reveal(), "?")
	parameters, err := url.ParseQuery(query)
	if err != nil || read.Config.Database.Reveal() == "" {
		return list
	}
	for _, of := range []struct {
		parameter, variable string
		end                 func([]*x509.Certificate) *x509.Certificate
	}{
		{"sslcert", "PGSSLCERT", firstToEnd},
		{"sslrootcert", "PGSSLROOTCERT", lastToEnd},
	} {
		setting, file := "database ("+of.parameter+")", parameters.Get(of.parameter)
		if file == "" {
			setting, file = of.variable, env[of.variable]
		}
		content, err := os.ReadFile(file)
		if err != nil {
			continue // a wrong file is the error of the driver
		}
		if found := of.end(parsePEM(content)); found != nil {
			list = append(list, expiryOf(found, setting, file, next))
		}
	}
	return list
}

// expiries warns before certificates end: once at each time of warnBefore. Only one goroutine
// uses it.
type expiries struct {
	certificate *Certificate // of the listener; nil for plain http
	used        []expiry     // the others
	now         func() time.Time
	log         *slog.Logger
	warned      map[expiry]int // their stage at the last warning
}

// all returns the ends of all certificates in use.
func (e *expiries) all() []expiry {
	if e.certificate == nil {
		return e.used
	}
	return append([]expiry{e.certificate.expiry()}, e.used...)
}

// start notes the warnings that the start has already logged.
func (e *expiries) start() {
	e.warned = map[expiry]int{}
	now := e.now()
	for _, one := range e.all() {
		e.warned[one] = one.stage(now)
	}
}

// warnOnce logs each certificate that has come to its next time since the last call. A new
// certificate begins anew.
func (e *expiries) warnOnce(context.Context, int) error {
	now := e.now()
	warned := map[expiry]int{}
	for _, one := range e.all() {
		stage := one.stage(now)
		if stage > e.warned[one] {
			e.log.Warn(one.text(now), "not_after", one.at.UTC())
		}
		warned[one] = stage
	}
	e.warned = warned
	return nil
}

// expiryWarnings returns the warnings about certificates that end soon or have ended.
func (p Prepared) expiryWarnings(now time.Time) (warnings []string) {
	list := p.expiries
	if p.Certificate != nil {
		list = append([]expiry{p.Certificate.expiry()}, list...)
	}
	for _, one := range list {
		if one.stage(now) > 0 {
			warnings = append(warnings, one.text(now))
		}
	}
	return warnings
}
