package federation

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/federation/foreign"
)

// relyingParty is a connector to an upstream that speaks OpenID Connect. What
// differs from kind to kind stands in its preset.
type relyingParty struct {
	base
	credentials
	issuer         string // of attempts: which upstream this is
	discoverAt     string // issuer of the discovery document's address
	documentIssuer string // what the document says it is
	allowed        []string
	discovery      *discovery
}

var asymmetric = []string{
	oidc.RS256, oidc.ES256, oidc.EdDSA, oidc.PS256, oidc.RS384, oidc.ES384, oidc.PS384, oidc.RS512, oidc.ES512, oidc.PS512,
}

var symmetric = []string{"HS256", "HS384", "HS512"}

func newOIDC(b base) (Connector, error) {
	c := &relyingParty{base: b, allowed: asymmetric}
	c.issuer = cmp.Or(b.config.Issuer, b.preset.issuer)
	c.discoverAt, c.documentIssuer = c.issuer, c.issuer
	if b.preset.adapt != nil {
		if err := b.preset.adapt(c); err != nil {
			return nil, err
		}
	}
	if c.issuer == "" {
		return nil, wrong(b.config, "issuer", "is missing")
	}
	if err := checkBase(c.discoverAt); err != nil {
		return nil, wrong(b.config, "issuer", err.Error())
	}
	var err error
	if c.credentials, err = newCredentials(c.config); err != nil {
		return nil, err
	}
	if err := c.allowAlgorithms(); err != nil {
		return nil, err
	}
	c.discovery = &discovery{fetch: c.fetchMetadata, now: b.now, limit: 2 * b.config.Timeout}
	return c, nil
}

func (c *relyingParty) allowAlgorithms() error {
	if len(c.config.Algorithms) == 0 {
		return nil
	}
	for _, a := range c.config.Algorithms {
		if slices.Contains(symmetric, a) && len(c.config.ClientSecret.Reveal()) < 32 {
			return wrong(c.config, "algorithms", "holds "+a+", which needs a client_secret of 32 bytes or more")
		}
		if !slices.Contains(asymmetric, a) && !slices.Contains(symmetric, a) {
			return wrong(c.config, "algorithms", fmt.Sprintf("holds %q", foreign.ForError(a)))
		}
	}
	c.allowed = c.config.Algorithms
	return nil
}

// issues reports whether ID tokens of that issuer are this upstream's.
func (c *relyingParty) issues(issuer string) bool {
	if c.preset.issues != nil {
		return c.preset.issues(c, issuer)
	}
	return issuer == c.issuer
}

// Start makes the authorization request (OIDC Core, section 3.1.2.1) with PKCE,
// nonce and state.
func (c *relyingParty) Start(ctx context.Context, o Options) (Attempt, string, error) {
	if err := checkRedirectURI(o.RedirectURI); err != nil {
		return Attempt{}, "", err
	}
	ctx, cancel := c.caller.inTime(ctx)
	defer cancel()
	m, err := c.discovery.get(ctx)
	if err != nil {
		return Attempt{}, "", fmt.Errorf("start: %w", err)
	}
	a := newAttempt(c.config.ID, c.issuer, o, c.now())
	client := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: o.RedirectURI, Scopes: c.Scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: m.authorization},
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	for name, value := range c.parameters(o) {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	return a, client.AuthCodeURL(a.State, options...), nil
}

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

// parameters are what an attempt asks for beyond the plain request.
func (c *relyingParty) parameters(o Options) map[string]string {
	p := map[string]string{}
	if o.Fresh {
		p["prompt"] = cmp.Or(c.preset.freshPrompt, "login")
		p["max_age"] = "0" // makes auth_time a must (OIDC Core, section 2)
	}
	if o.AuthTime {
		p["max_age"] = cmp.Or(p["max_age"], anyAge)
	}
	if o.MaxAge != nil {
		p["max_age"] = strconv.FormatInt(max(*o.MaxAge, 0), 10)
	}
	if o.LoginHint != "" {
		p["login_hint"] = o.LoginHint
	}
	if c.preset.formPost {
		p["response_mode"] = "form_post"
	}
	if c.preset.parameters != nil {
		c.preset.parameters(c, o, p)
	}
	return p
}

// anyAge is a max_age, in seconds, that asks nobody again and still makes auth_time a
// must: a year.
const anyAge = "31536000"

// Finish exchanges the callback's code and returns the identity that the ID token,
// and userinfo where needed, assert.
func (c *relyingParty) Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error) {
	ctx, cancel := c.caller.inTime(ctx)
	defer cancel()
	m, err := c.discovery.get(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("finish: %w", err)
	}
	code, err := a.code(c.config.ID, c.issuer, callback, c.callbackIssuer(m), c.now())
	if err != nil {
		return Identity{}, err
	}
	g, err := c.exchange(ctx, m.token, code, a, c.credentials.chosen(m.clientAuth))
	if err != nil {
		return Identity{}, err
	}
	claims, err := c.verifyIDToken(ctx, m, g, a.Nonce)
	if err != nil {
		return Identity{}, err
	}
	more, err := c.userinfo(ctx, m, g, claims)
	if err != nil {
		return Identity{}, err
	}
	i, err := c.identify(a, claims, more)
	if err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	if c.preset.settle != nil {
		if err := c.preset.settle(c, claims, callback, &i); err != nil {
			return Identity{}, fmt.Errorf("read identity: %w", err)
		}
	}
	if err := c.admit(claims, i); err != nil {
		return Identity{}, fmt.Errorf("check who may sign in: %w", err)
	}
	c.keep(g, &i)
	return i, nil
}

// callbackIssuer judges the callback's iss parameter (RFC 9207): right if it is
// there, and there if the upstream announces it.
func (c *relyingParty) callbackIssuer(m *metadata) func(string) bool {
	return func(iss string) bool {
		if iss == "" {
			return !m.issuerInCallback
		}
		return c.issues(iss)
	}
}

func (c *relyingParty) admit(claims object, i Identity) error {
	if c.preset.admit != nil {
		return c.preset.admit(c, claims, i)
	}
	return c.allow(i)
}

// identify makes the identity of the ID token's claims and what userinfo adds.
func (c *relyingParty) identify(a Attempt, token, more object) (Identity, error) {
	subject, err := token.subject()
	if err != nil {
		return Identity{}, err
	}
	i := Identity{Connector: c.config.ID, Issuer: c.issuer, Subject: subject}
	if at, ok, _ := token.seconds("auth_time"); ok {
		i.AuthTime = at * 1000
	} else if a.wantsFresh() && c.Reauthenticates() == AsksAgain {
		i.AuthTime = a.Started
	}
	i.Fresh = a.freshBy(i.AuthTime)
	if i.ACR, err = token.text("acr"); err != nil {
		return i, err
	}
	if i.AMR, err = token.list("amr"); err != nil {
		return i, err
	}
	// Address and word on it from one document: the signed one, if it has any.
	document, other := token, more
	if token[c.config.claim("email")] == nil && more != nil {
		document, other = more, token
	}
	if err := c.readAddress(document, other, &i); err != nil {
		return i, err
	}
	all := merged(token, more)
	if name := c.config.Claims["groups"]; name != "" {
		if i.Groups, err = all.list(name); err != nil {
			return i, err
		}
	}
	c.readProfile(all, &i)
	i.Claims = all
	return i, nil
}

func (c *relyingParty) readAddress(document, other object, i *Identity) error {
	text, err := document.text(c.config.claim("email"))
	if err != nil {
		return err
	}
	name := c.config.claim("email_verified")
	said, err := document.word(name)
	if err != nil {
		return err
	}
	if said == saidYes && !c.speaksOf(document, text) {
		said = saidNothing
	}
	// A "yes" of the other document is about another address, perhaps. A "no", or what
	// cannot be read, is one all the same.
	if elsewhere, err := other.word(name); said == saidNothing && (err != nil || elsewhere == saidNo) {
		said = saidNo
	}
	c.setAddress(i, text, said)
	return nil
}

// speaksOf reports whether email_verified of the document is about this address. The
// standard claim is about the claim email (OpenID Connect Core, section 5.1): an address
// that the settings take from another claim is another one if the two differ.
func (c *base) speaksOf(document object, text string) bool {
	standard, there := document["email"].(string)
	return c.config.claim("email_verified") != "email_verified" || !there || strings.EqualFold(standard, text)
}

func (c *base) readProfile(all object, i *Identity) {
	i.Name = all.words(c.config.claim("name"))
	i.GivenName = all.words(c.config.claim("given_name"))
	i.FamilyName = all.words(c.config.claim("family_name"))
	i.Username = all.words(c.config.claim("preferred_username"))
	i.Locale = all.words(c.config.claim("locale"))
	i.Picture = pictureURL(all.words(c.config.claim("picture")))
}

// pictureURL lets only https through: a page will show it, and a data or script
// URL is no picture.
func pictureURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return text
}

// merged is what both documents say; the signed one wins.
func merged(token, more object) object {
	all := object{}
	for name, value := range more {
		all[name] = value
	}
	for name, value := range token {
		all[name] = value
	}
	return all
}

// userinfo asks the userinfo endpoint for what the ID token leaves out (OIDC
// Core, section 5.3). It costs a round trip, so only if the address or a claim
// that the settings map is missing. Nil: not asked.
func (c *relyingParty) userinfo(ctx context.Context, m *metadata, g grant, token object) (object, error) {
	if m.userinfo == "" || c.preset.noUserinfo || !c.lacks(token) {
		return nil, nil
	}
	const step = "read userinfo"
	a, err := c.caller.get(ctx, step, m.userinfo, bearer(g.access))
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, untrusted("%s: status %d", step, a.status)
	}
	var o object
	if a.mediaType() == "application/jwt" {
		o, _, err = c.verifySigned(ctx, m, strings.TrimSpace(string(a.body)), true)
	} else {
		o, err = a.object(step)
	}
	if err != nil {
		return nil, err
	}
	// OIDC Core, section 5.3.2: or it is about somebody else.
	if subject, err := o.subject(); err != nil || subject != token["sub"] {
		return nil, untrusted("%s: sub is not the ID token's", step)
	}
	return o, nil
}

func (c *relyingParty) lacks(token object) bool {
	if token[c.config.claim("email")] == nil {
		return true
	}
	for _, name := range c.config.Claims {
		if token[name] == nil {
			return true
		}
	}
	return false
}
