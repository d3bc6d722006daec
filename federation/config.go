package federation

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"signet/federation/foreign"
)

// Config holds the settings of one connector.
type Config struct {
	ID   string // see CheckID
	Kind Kind
	Name string // "": the name of the kind

	ClientID     string
	ClientSecret Secret
	// ClientAuth is client_secret_basic, client_secret_post, private_key_jwt or none.
	// "": chosen by the configured credentials and the methods that the upstream
	// advertises.
	ClientAuth string
	// ClientKey is a PEM private key (PKCS #8, PKCS #1 or SEC 1), for private_key_jwt
	// and for Apple's client secret. ClientKeyID is its id at the upstream.
	ClientKey   Secret
	ClientKeyID string
	TeamID      string // of the developer account at Apple

	// Issuer of the upstream, exactly as in its discovery document. "": the issuer of the
	// kind.
	Issuer string
	// BaseURL of GitHub Enterprise. "": https://github.com.
	BaseURL string
	// Tenants lists the ids (GUIDs) of the Microsoft tenants that may sign in.
	Tenants []string

	// Scopes are requested in addition to those of the kind.
	Scopes []string
	// AllowedDomains limits the people who may sign in: for Google by the hd claim, for all
	// others by the domain of the verified address. Empty: everybody.
	AllowedDomains []string
	// RequireEmail refuses people without a verified address.
	RequireEmail bool
	// Claims maps a standard claim to the upstream's claim, if they differ: email,
	// email_verified, address, groups, and the claims about a person that are one text
	// (OIDC Core, section 5.1). Groups and preferred_username are used only if mapped here.
	Claims map[string]string
	// Algorithms that may sign ID tokens. Empty: all asymmetric ones. HS256, HS384 and
	// HS512, which use the client secret, count only if listed; none never counts.
	Algorithms []string
	// Hosts that endpoints of the upstream may be on, in addition to its own domain.
	Hosts []string
	// Trust in the upstream's addresses. Zero: the trust of the kind. Distrust: unknown,
	// whatever the kind. Authoritative needs Domains.
	Trust Trust
	// Reauthenticates says whether the upstream authenticates the user again on request.
	// Nil: the value of the kind.
	Reauthenticates *bool
	// Domains whose mailboxes the upstream runs. The upstream is authoritative only for
	// addresses of these domains. A single "*" means every domain. Google reports its own
	// domains; for Google the list narrows them.
	Domains []string
	// KeepToken puts the upstream's tokens into the identity.
	KeepToken bool

	// Timeout ends one call to the upstream; 0: 5 s. Start and Finish end after twice
	// this time.
	Timeout time.Duration
}

// IDPattern is the regular expression for connector ids: they are part of a path, of a
// cookie's name and of an HTML id.
const IDPattern = `^[a-z0-9][a-z0-9-]{0,31}$`

var idPattern = regexp.MustCompile(IDPattern)

// CheckID returns an error if a connector cannot have that id.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return errors.New("must be 1 to 32 lower-case letters, digits and -, and begin with a letter or digit")
	}
	return nil
}

// claim returns the upstream's name for a standard claim.
func (c Config) claim(name string) string {
	if mapped := c.Claims[name]; mapped != "" {
		return mapped
	}
	return name
}

// trustFor returns the highest trust in an address of this domain.
func (c Config) trustFor(domain string) Trust {
	if c.Trust < Authoritative || len(c.Domains) == 0 || isEveryDomain(c.Domains) || slices.Contains(c.Domains, domain) {
		return c.Trust
	}
	return Unknown
}

// isEveryDomain reports whether the list is the single "*", which trusts an upstream with
// the addresses of every domain.
func isEveryDomain(domains []string) bool { return len(domains) == 1 && domains[0] == "*" }

// Warnings lists the settings that work but are dangerous or useless.
func (c Config) Warnings() []string {
	var list []string
	if c.Trust == Authoritative && isEveryDomain(c.Domains) {
		list = append(list, fmt.Sprintf("connector %s: domains is *, so the upstream can take over every account; "+
			"list the domains whose mailboxes it runs (example: domains: [example.com])", c.ID))
	}
	if c.Trust <= Unknown && presets[c.Kind].trust == Unknown && len(c.AllowedDomains) > 0 {
		list = append(list, fmt.Sprintf("connector %s: allowed_domains checks the domain of the email address, but trust is unknown, so people may have entered any address; "+
			"if this upstream verifies addresses before it sends email_verified, set trust: verifies", c.ID))
	}
	return list
}

func misconfigured(c Config, key, what string) error {
	return fmt.Errorf("connector %q: %s %s: %w", foreign.ForError(c.ID), key, what, ErrMisconfigured)
}
