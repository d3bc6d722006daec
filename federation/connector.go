package federation

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Connector turns a callback into an identity.
//
// Every error of Start and Finish is one of ErrDenied, ErrUnreachable,
// ErrUntrusted, ErrNoEmail, ErrNotAllowed and ErrMisconfigured. It is wrapped with the
// step that failed and contains no secret. All methods may be called at once from
// several goroutines.
type Connector interface {
	// ID returns the configured id: part of the callback's path and of every identity.
	ID() string
	// Kind returns the type of upstream, for the button and the texts about it.
	Kind() Kind
	// Name returns the label of the button.
	Name() string
	// Trust returns the highest trust in an address that this upstream verifies.
	// Identity.Trust is the trust in one address.
	Trust() Trust
	// Reauthenticates says how the upstream reacts to a request to authenticate the user
	// again.
	Reauthenticates() Reauthentication
	// Scopes lists the scopes that every attempt requests.
	Scopes() []string
	// MapsUsername reports whether the settings let the upstream name new users.
	MapsUsername() bool
	// TakesGroups reports whether the settings name a claim for groups.
	TakesGroups() bool
	// Issuers lists the possible values of Identity.Issuer.
	Issuers() []string
	// Start makes an attempt and the URL to send the browser to. It may fetch the
	// upstream's discovery document, which is then cached.
	Start(ctx context.Context, o Options) (Attempt, string, error)
	// Finish exchanges the callback's code and returns the identity that the upstream
	// asserts. callback is the query, or the form if the upstream answers by POST (see
	// AnswersByPOST). Finish checks state, nonce, issuer, signature, audience and times,
	// in the order in which they arrive.
	//
	// It does not mark the attempt as used: the caller does so in the transaction that
	// signs in. It does not decide which user this is, nor whether the address may be
	// used to find a user.
	Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error)
	// AnswersByPOST reports whether the upstream's callback is a form that the browser
	// posts across sites. The caller must refuse a POST from all other upstreams.
	AnswersByPOST() bool
	// Probe makes the calls of a sign-in up to the point where a person is needed. It
	// fetches the discovery document and the keys again, requests the sign-in page
	// without cookies, and redeems a made-up code: an upstream refuses that code with
	// invalid_grant only if it accepts the client's credentials. redirectURI is the one
	// of sign-ins; with "" the sign-in page is not requested.
	Probe(ctx context.Context, redirectURI string) Report
}

// Report is the result of Probe.
type Report struct {
	Issuer string
	// Err says why nobody can sign in through the upstream now; nil if people can. It is
	// one of a Connector's errors, the same that a sign-in would end with.
	Err error
	// Warnings name faults that may stop some sign-ins, in sentences without a capital
	// letter and a full stop.
	Warnings []string
	// ClockSkew is how far the upstream's clock is ahead of ours, to the second, by
	// its Date header.
	ClockSkew time.Duration
	// Endpoints by name (authorization, token, userinfo, jwks).
	Endpoints map[string]string
	// The capabilities that the upstream advertises; empty if it advertises none.
	Algorithms, Scopes, ClientAuth, Prompts []string
	PKCE                                    bool
	// IssuerInCallback: the callback names the issuer (RFC 9207).
	IssuerInCallback bool
	Keys             int // published keys that can verify tokens
	IgnoredKeys      int // other keys of kinds that we use: malformed, too weak or too many
}

// base holds the parts that all connectors share.
type base struct {
	config Config
	preset preset
	caller caller
	now    func() time.Time
}

// ID returns the id of the settings.
func (c *base) ID() string { return c.config.ID }

// Kind returns the type of the settings.
func (c *base) Kind() Kind { return c.config.Kind }

// Name returns the name of the settings, or else the name of the kind.
func (c *base) Name() string { return c.config.Name }

// Trust returns the trust of the settings, or else that of the kind. It is never Distrust.
func (c *base) Trust() Trust { return c.config.Trust }

// Reauthenticates returns the value of the settings, or else that of the kind.
func (c *base) Reauthenticates() Reauthentication {
	switch configured := c.config.Reauthenticates; {
	case configured == nil:
		return c.preset.reauthenticates
	case *configured:
		return AlwaysReauthenticates
	}
	return NeverReauthenticates
}

// MapsUsername is Config.MapsUsername.
func (c *base) MapsUsername() bool { return c.config.MapsUsername() }

// TakesGroups reports whether the settings name a claim for groups.
func (c *base) TakesGroups() bool { return c.config.Claims["groups"] != "" }

// AnswersByPOST reports whether the callback is a cross-site POST.
func (c *base) AnswersByPOST() bool { return c.preset.formPost }

// Scopes lists the scopes of the kind, and then those of the settings.
func (c *base) Scopes() []string {
	all := slices.Clone(c.preset.scopes)
	for _, s := range c.config.Scopes {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// setAddress sets the address of an identity and the trust in it. verified is the value of
// email_verified. If text is not an email address, the identity has no address.
func (c *base) setAddress(i *Identity, text string, verified assertion) {
	whole, domain := parseAddress(text)
	i.Email, i.verified, i.EmailVerified, i.Trust = whole, verified, false, Unknown
	if whole == "" {
		i.verified = notAsserted
		return
	}
	i.setTrust(c.config.trustFor(domain))
}

// checkAllowedAddress applies the settings' rules on addresses. ErrNoEmail, ErrNotAllowed.
// For AllowedDomains the upstream's own email_verified is enough, whatever the trust: the
// setting only limits sign-ins and gives access to no account.
func (c *base) checkAllowedAddress(i Identity) error {
	if c.config.RequireEmail && !i.HasTrustedEmail() || len(c.config.AllowedDomains) > 0 && !i.EmailVerified {
		return ErrNoEmail
	}
	_, domain := parseAddress(i.Email)
	if len(c.config.AllowedDomains) > 0 && !slices.Contains(c.config.AllowedDomains, domain) {
		return ErrNotAllowed
	}
	return nil
}

// clockSkew returns how far the upstream's clock is ahead, to the second; 0 without a Date
// header. It adds the Age of an answer from a cache (RFC 9111, section 5.1).
func (c *base) clockSkew(h http.Header) time.Duration {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	if age, err := strconv.Atoi(h.Get("Age")); err == nil && age > 0 && age < 1<<30 {
		at = at.Add(time.Duration(age) * time.Second)
	}
	return at.Sub(c.now().Truncate(time.Second)) // the header has no fractions of a second
}
