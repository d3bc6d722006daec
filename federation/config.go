package federation

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
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
	// Claims names the upstream's claim for email, email_verified, name, given_name,
	// family_name, preferred_username, picture, locale and groups where it is not
	// the standard one. Groups are taken only if named here.
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

// base is what all connectors share.
type base struct {
	config Config
	preset preset
	caller caller
	now    func() time.Time
}

func (c *base) ID() string   { return c.config.ID }
func (c *base) Kind() Kind   { return c.config.Kind }
func (c *base) Name() string { return c.config.Name }
func (c *base) Trust() Trust { return c.config.Trust }

// Reauthenticates is what the settings say, or else what the kind is known for.
func (c *base) Reauthenticates() Reauthentication {
	switch said := c.config.Reauthenticates; {
	case said == nil:
		return c.preset.reauthenticates
	case *said:
		return AsksAgain
	}
	return NeverAsks
}

// AnswersByPOST reports whether the callback is a cross-site POST.
func (c *base) AnswersByPOST() bool { return c.preset.formPost }

// New makes one connector. It calls nobody. The client is that of outbound for
// configured hosts; its redirect rule is replaced by a stricter one.
//
// ErrMisconfigured: the settings cannot work; the text names the key.
func New(c Config, client *http.Client, now func() time.Time) (Connector, error) {
	preset, known := presets[c.Kind]
	if !known {
		return nil, wrong(c, "type", "is not one of "+strings.Join(KindNames(), ", "))
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Name == "" {
		c.Name = preset.name
	}
	b := base{preset: preset, caller: newCaller(client, c.Timeout), now: now}
	var err error
	if b.config, err = checked(c); err != nil {
		return nil, err
	}
	if b.config, err = trusting(b.config, preset.trust); err != nil {
		return nil, err
	}
	if c.Kind == GitHub {
		return newGitHub(b)
	}
	return newOIDC(b)
}

func wrong(c Config, key, what string) error {
	return fmt.Errorf("connector %q: %s %s: %w", foreign.ForError(c.ID), key, what, ErrMisconfigured)
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

// checked refuses what no kind can work with, and puts domains into one form.
func checked(c Config) (Config, error) {
	if err := CheckID(c.ID); err != nil {
		return c, wrong(c, "id", err.Error())
	}
	switch {
	case c.ClientID == "":
		return c, wrong(c, "client_id", "is missing")
	case c.Reauthenticates != nil && *c.Reauthenticates && !presets[c.Kind].knowsLogin():
		return c, wrong(c, "reauthenticates", "cannot be true: this type of upstream does not know prompt=login")
	case c.Trust < Distrust || c.Trust > Authoritative:
		return c, wrong(c, "trust", "must be unknown, verifies or authoritative")
	}
	var err error
	if c.AllowedDomains, err = domainsOf(c, "allowed_domains", c.AllowedDomains); err != nil {
		return c, err
	}
	if !slices.Contains(c.Domains, "*") { // judged by trusting
		if c.Domains, err = domainsOf(c, "domains", c.Domains); err != nil {
			return c, err
		}
	}
	for _, host := range c.Hosts {
		if err := foreign.CheckHostname(host); err != nil {
			return c, wrong(c, "hosts", fmt.Sprintf("holds %q, which %v", foreign.ForError(host), err))
		}
	}
	for name := range c.Claims {
		if !slices.Contains(mappable, name) {
			return c, wrong(c, "claims", fmt.Sprintf("names %q: only %s can be mapped", foreign.ForError(name), strings.Join(mappable, ", ")))
		}
	}
	return c, nil
}

// domainsOf puts a setting's domains into one form.
func domainsOf(c Config, key string, list []string) ([]string, error) {
	domains := make([]string, len(list))
	for i, d := range list {
		if domains[i] = canonicalDomain(d); domains[i] == "" {
			return nil, wrong(c, key, fmt.Sprintf("holds %q, which is no domain (example: %s: [example.com])", foreign.ForError(d), key))
		}
	}
	return domains, nil
}

var mappable = []string{
	"email", "email_verified", "name", "given_name", "family_name", "preferred_username", "picture", "locale", "groups",
}

// claim is the upstream's name for a claim.
func (c Config) claim(name string) string {
	if mapped := c.Claims[name]; mapped != "" {
		return mapped
	}
	return name
}

// checkBase says why no upstream can be at a URL of the settings.
func checkBase(text string) error {
	const want = "must be an https URL without query (http for loopback hosts)"
	u, err := upstreamURL(text)
	switch {
	case err != nil:
		return fmt.Errorf(want+": %w", err)
	case u.RawQuery != "":
		return errors.New(want)
	}
	return nil
}

// upstreamURL checks a URL that the settings or a discovery document give: https,
// or http to a loopback host; no name, password or fragment in it.
func upstreamURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("%q is not an absolute URL", foreign.ForError(text))
	case u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("the URL at %s holds a password or a fragment", u.Host)
	case u.Scheme != "https" && !(u.Scheme == "http" && foreign.IsLoopback(u.Hostname())):
		return nil, fmt.Errorf("%q is not https", foreign.ForError(text))
	}
	if err := foreign.CheckHostname(u.Hostname()); err != nil {
		return nil, fmt.Errorf("%q %w", foreign.ForError(text), err)
	}
	return u, nil
}
