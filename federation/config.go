package federation

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"signet/federation/foreign"
)

// Config is one connector of the settings.
type Config struct {
	ID   string // see CheckID
	Kind Kind
	Name string // "": the upstream's

	ClientID     string
	ClientSecret Secret
	// ClientAuth is client_secret_basic, client_secret_post, private_key_jwt or none.
	// "": by what is configured and what the upstream advertises.
	ClientAuth string
	// ClientKey is a PEM private key (PKCS #8, PKCS #1 or SEC 1), for private_key_jwt
	// and for Apple's client secret, ClientKeyID its name at the upstream.
	ClientKey   Secret
	ClientKeyID string
	TeamID      string // Apple's

	// Issuer of the upstream, exactly as in its discovery document. "": the kind's.
	Issuer string
	// BaseURL of GitHub Enterprise. "": https://github.com.
	BaseURL string
	// Tenants of Microsoft that may sign in, by their ids (GUIDs).
	Tenants []string

	// Scopes beyond those the kind asks for.
	Scopes []string
	// AllowedDomains limits who may sign in: by Google's hd claim, by the domain of
	// the verified address elsewhere. Empty: anybody.
	AllowedDomains []string
	// RequireEmail refuses people without a verified address.
	RequireEmail bool
	// Claims names the upstream's claim for email, email_verified, address, groups and the
	// claims of one text about a person (OIDC Core, section 5.1) where it is not the
	// standard one. Groups and preferred_username count only if named here.
	Claims map[string]string
	// Algorithms that may sign ID tokens. Empty: the asymmetric ones. HS256, HS384
	// and HS512, by the client secret, only if named; none never.
	Algorithms []string
	// Hosts that the upstream's endpoints may lie on beside its own domain.
	Hosts []string
	// Trust in its addresses. Zero: the kind's; Distrust is unknown whatever the kind.
	// Authoritative needs Domains.
	Trust Trust
	// Reauthenticates says whether the upstream lets the user prove again who it is when
	// it is asked to. Nil: the kind's.
	Reauthenticates *bool
	// Domains whose mailboxes the upstream runs: its word on an address counts as
	// authoritative there and nowhere else. One "*" alone means every domain. Google
	// knows its own domains; there the list narrows them.
	Domains []string
	// KeepToken puts the upstream's tokens into the identity.
	KeepToken bool

	// Timeout ends one call to the upstream; 0: 5 s. Start and Finish end after twice
	// that.
	Timeout time.Duration
}

// IDPattern is the regular expression of the ids that a connector may have: they are part
// of a path, of a cookie's name and of an HTML id.
const IDPattern = `^[a-z0-9][a-z0-9-]{0,31}$`

var idPattern = regexp.MustCompile(IDPattern)

// CheckID says why a connector cannot have that id.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return errors.New("must be 1 to 32 lower-case letters, digits and -, and begin with a letter or digit")
	}
	return nil
}

// claim is the upstream's name for a claim.
func (c Config) claim(name string) string {
	if mapped := c.Claims[name]; mapped != "" {
		return mapped
	}
	return name
}

// trustFor is the most that the upstream's word on an address of this domain is worth.
func (c Config) trustFor(domain string) Trust {
	if c.Trust < Authoritative || len(c.Domains) == 0 || isEveryDomain(c.Domains) || slices.Contains(c.Domains, domain) {
		return c.Trust
	}
	return Unknown
}

// isEveryDomain reports whether the list is the "*" that has to be written to trust an
// upstream with the addresses of every domain.
func isEveryDomain(domains []string) bool { return len(domains) == 1 && domains[0] == "*" }

// Warnings says which settings work and are dangerous all the same.
func (c Config) Warnings() []string {
	var list []string
	if c.Trust == Authoritative && isEveryDomain(c.Domains) {
		list = append(list, fmt.Sprintf("connector %s: domains is *, so its upstream can take over the account of every address; "+
			"name the domains whose mailboxes it runs (example: domains: [example.com])", c.ID))
	}
	if c.Trust <= Unknown && presets[c.Kind].trust == Unknown && len(c.AllowedDomains) > 0 {
		list = append(list, fmt.Sprintf("connector %s: allowed_domains goes by the address, and trust is unknown, so anybody may have typed it; "+
			"if email_verified of this upstream is to be believed, set trust: verifies", c.ID))
	}
	return list
}

func misconfigured(c Config, key, what string) error {
	return fmt.Errorf("connector %q: %s %s: %w", foreign.ForError(c.ID), key, what, ErrMisconfigured)
}
