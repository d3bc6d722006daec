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
// ErrUntrusted, ErrNoEmail, ErrNotAllowed and ErrMisconfigured, wrapped with the
// step it came from and holding no secret. All methods may be called at once from
// several goroutines.
type Connector interface {
	// ID is as configured: part of the callback's path and of every identity.
	ID() string
	// Kind says which upstream it is, for the button and the texts about it.
	Kind() Kind
	// Name is what people call it: the label of the button.
	Name() string
	// Trust is the most that may be thought of an address it vouches for; what
	// holds for one identity is Identity.Trust.
	Trust() Trust
	// Reauthenticates says what the upstream does when it is asked to let the user
	// prove again who it is.
	Reauthenticates() Reauthentication
	// Scopes are what every attempt asks for.
	Scopes() []string
	// MapsUsername reports whether the settings let the upstream name new users.
	MapsUsername() bool
	// TakesGroups reports whether the settings name the claim that groups come from.
	TakesGroups() bool
	// Issuers are the values that Identity.Issuer may have.
	Issuers() []string
	// Start makes an attempt and the URL to send the browser to. It may fetch the
	// upstream's discovery document, which is then remembered.
	Start(ctx context.Context, o Options) (Attempt, string, error)
	// Finish exchanges the callback's code and returns the identity the upstream
	// asserts. The callback is the query, or the form of an upstream that answers
	// by POST (see AnswersByPOST). Finish checks state, nonce, issuer, signature,
	// audience and times, in that order where they come so.
	//
	// It does not spend the attempt: the caller does, in the transaction that signs
	// in. It does not decide which user this is, nor whether the address may be
	// used to find one.
	Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error)
	// AnswersByPOST reports whether the upstream's callback is a form that the
	// browser posts across sites; from all others a POST is to be refused.
	AnswersByPOST() bool
	// Probe does what a sign-in does, up to the point where a person is needed: it reads
	// discovery document and keys anew, asks for the sign-in page without a browser's
	// cookies, and redeems a made-up code, which only a client that the upstream knows is
	// refused for. redirectURI is the one that sign-ins use; without it, "", the page is not
	// asked for.
	Probe(ctx context.Context, redirectURI string) Report
}

// Report is what a look at an upstream found.
type Report struct {
	Issuer string
	// Err says why nobody can sign in through it now; nil if all is well. It is one
	// of a Connector's errors, the one that a sign-in would end with.
	Err error
	// Warnings say what may stop some sign-ins, in sentences without a capital and a full
	// stop.
	Warnings []string
	// ClockSkew is how far the upstream's clock is ahead of ours, to the second, by
	// its Date header.
	ClockSkew time.Duration
	// Endpoints by name (authorization, token, userinfo, jwks).
	Endpoints map[string]string
	// What it says it can do; empty where it does not say.
	Algorithms, Scopes, ClientAuth, Prompts []string
	PKCE                                    bool
	// IssuerInCallback: the callback names the issuer (RFC 9207).
	IssuerInCallback bool
	Keys             int // published keys that tokens may be verified with
	IgnoredKeys      int // and others of kinds that we use, which are malformed, too weak or too many
}

// base is what all connectors share.
type base struct {
	config Config
	preset preset
	caller caller
	now    func() time.Time
}

// ID is the id of the settings.
func (c *base) ID() string { return c.config.ID }

// Kind is the type of the settings.
func (c *base) Kind() Kind { return c.config.Kind }

// Name is that of the settings, or else the kind's.
func (c *base) Name() string { return c.config.Name }

// Trust is that of the settings, or else the kind's. It is never Distrust.
func (c *base) Trust() Trust { return c.config.Trust }

// Reauthenticates is what the settings say, or else what the kind is known for.
func (c *base) Reauthenticates() Reauthentication {
	switch said := c.config.Reauthenticates; {
	case said == nil:
		return c.preset.reauthenticates
	case *said:
		return AlwaysReauthenticates
	}
	return NeverReauthenticates
}

// MapsUsername is Config.MapsUsername.
func (c *base) MapsUsername() bool { return c.config.MapsUsername() }

// TakesGroups reports whether the settings name the claim of groups.
func (c *base) TakesGroups() bool { return c.config.Claims["groups"] != "" }

// AnswersByPOST reports whether the callback is a cross-site POST.
func (c *base) AnswersByPOST() bool { return c.preset.formPost }

// Scopes are those of the kind, and then those of the settings.
func (c *base) Scopes() []string {
	all := slices.Clone(c.preset.scopes)
	for _, s := range c.config.Scopes {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// setAddress notes an upstream's address and what the upstream's word on it is
// worth. Text that is no address counts as none.
func (c *base) setAddress(i *Identity, text string, said assertion) {
	whole, domain := parseAddress(text)
	i.Email, i.verified, i.EmailVerified, i.Trust = whole, said, false, Unknown
	if whole == "" {
		i.verified = notAsserted
		return
	}
	i.setTrust(c.config.trustFor(domain))
}

// checkAllowedAddress applies the settings' rules on addresses. AllowedDomains goes by the
// upstream's own word: it limits who may sign in and opens no account.
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

// clockSkew is how far the upstream's clock is ahead, to the second. An answer from a
// cache says how old it is (RFC 9111, section 5.1).
func (c *base) clockSkew(h http.Header) time.Duration {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	if age, err := strconv.Atoi(h.Get("Age")); err == nil && age > 0 && age < 1<<30 {
		at = at.Add(time.Duration(age) * time.Second)
	}
	return at.Sub(c.now().Truncate(time.Second)) // as the header is
}
