package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"signet/federation/foreign"
)

// gitHub is a connector to github.com or a GitHub Enterprise server. It speaks OAuth, not
// OpenID Connect: the API returns the user over TLS, for the access token of this exchange.
type gitHub struct {
	base
	credentials
	web, api string
}

func newGitHub(b base) (Connector, error) {
	c := &gitHub{base: b, web: strings.TrimSuffix(b.config.BaseURL, "/")}
	if c.web == "" {
		c.web = "https://github.com"
	}
	if err := checkBase(c.web); err != nil {
		return nil, misconfigured(b.config, "base_url", err.Error())
	}
	c.api = c.web + "/api/v3"
	if c.web == "https://github.com" {
		c.api = "https://api.github.com"
	}
	var err error
	if c.credentials, err = newCredentials(b.config); err != nil {
		return nil, err
	}
	if c.secret.Reveal() == "" {
		return nil, misconfigured(b.config, "client_secret", "is missing")
	}
	c.method = secretPost
	return c, c.checkURLLength("", reservedLength, c.authorizationURL)
}

// Start makes the authorization request. GitHub does not authenticate a user again on
// request; instead, it lets the user choose the account.
func (c *gitHub) Start(_ context.Context, o Options) (Attempt, string, error) {
	if err := checkRedirectURI(o.RedirectURI); err != nil {
		return Attempt{}, "", err
	}
	if err := c.checkURLLength(o.RedirectURI, 0, c.authorizationURL); err != nil {
		return Attempt{}, "", fmt.Errorf("start: %w", err)
	}
	a := newAttempt(c.config.ID, c.web, o, c.now())
	a.Nonce = "" // GitHub returns no signed token
	return a, c.authorizationURL(a, o), nil
}

func (c *gitHub) authorizationURL(a Attempt, o Options) string {
	client := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: o.RedirectURI, Scopes: c.Scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: c.authorizationEndpoint()},
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.Verifier)}
	if o.Fresh || o.MaxAge != nil {
		options = append(options, oauth2.SetAuthURLParam("prompt", c.preset.freshPrompt))
	}
	if o.LoginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login", o.LoginHint))
	}
	return client.AuthCodeURL(a.State, options...)
}

// Finish exchanges the code and then fetches the user and the verified addresses from the
// API, in parallel. The identity is never Fresh.
func (c *gitHub) Finish(ctx context.Context, a Attempt, callback url.Values) (Identity, error) {
	code, err := a.codeFromCallback(c.config.ID, c.web, callback, c.callbackIssuer, c.now())
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := c.caller.withDeadline(ctx)
	defer cancel()
	g, err := c.exchange(ctx, c.tokenEndpoint(), code, a, c.credentials)
	if err != nil {
		return Identity{}, err
	}
	var user object
	var email string
	var errUser, errEmail error
	done := make(chan struct{})
	go func() {
		defer close(done)
		email, errEmail = c.primaryEmail(ctx, g.access)
	}()
	user, errUser = c.user(ctx, g.access)
	<-done
	if err := cmp.Or(errUser, errEmail); err != nil {
		return Identity{}, err
	}
	i, err := c.identify(user, email)
	if err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	if err := c.checkAllowedAddress(i); err != nil {
		return Identity{}, fmt.Errorf("check who may sign in: %w", err)
	}
	c.storeTokens(g, &i)
	return i, nil
}

func (c *gitHub) authorizationEndpoint() string { return c.web + "/login/oauth/authorize" }
func (c *gitHub) tokenEndpoint() string         { return c.web + "/login/oauth/access_token" }

// callbackIssuer accepts both issuer names of GitHub's authorization server. GitHub does not
// send iss yet, so it may be absent.
func (c *gitHub) callbackIssuer(iss string) bool {
	return iss == "" || iss == c.web || iss == c.web+"/login/oauth"
}

func (c *gitHub) identify(user object, email string) (Identity, error) {
	// A float64 would lose digits above 2^53. The login is not used as subject, because
	// GitHub can give it to another person.
	value, err := user.value("id")
	if err != nil {
		return Identity{}, err
	}
	number, _ := value.(json.Number)
	id, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || id <= 0 {
		return Identity{}, untrusted("id is missing or not a positive integer")
	}
	i := Identity{
		Connector: c.config.ID, Issuer: c.web, Subject: strconv.FormatInt(id, 10),
		Name: user.optionalText("name"), Username: user.optionalText("login"), Picture: pictureURL(user.optionalText("avatar_url")),
	}
	for name, into := range i.textClaims() {
		if mapped := c.config.Claims[name]; mapped != "" {
			*into = user.optionalText(mapped)
		}
	}
	i.Picture = pictureURL(i.Picture)
	c.setAddress(&i, email, assertedTrue) // primaryEmail returns only verified addresses
	return i, nil
}

func (c *gitHub) user(ctx context.Context, token string) (object, error) {
	const step = "read user"
	a, err := c.getAPI(ctx, step, "/user", token)
	if err != nil {
		return object{}, err
	}
	if a.status != http.StatusOK {
		return object{}, apiError(step, a)
	}
	return a.object(step)
}

// primaryEmail returns the user's primary address if it is verified. The address on the
// profile is not verified, and the other verified addresses may be abandoned mailboxes. ""
// if there is no such address, if it cannot receive mail, or if the user did not grant the
// scope.
func (c *gitHub) primaryEmail(ctx context.Context, token string) (string, error) {
	const step = "read email addresses"
	a, err := c.getAPI(ctx, step, "/user/emails?per_page=100", token)
	if err != nil {
		return "", err
	}
	switch {
	case a.status == http.StatusNotFound, a.status == http.StatusForbidden && !isRateLimited(a):
		return "", nil
	case a.status != http.StatusOK:
		return "", apiError(step, a)
	}
	list, err := foreign.ReadItems(a.body)
	if err != nil {
		return "", untrusted("%s: the answer %v", step, err)
	}
	return verifiedPrimary(step, list)
}

// verifiedPrimary returns the address of the entry that is primary and verified; "" if there
// is none. All other entries may have any content.
func verifiedPrimary(step string, list []json.RawMessage) (string, error) {
	found, readable := "", 0
	for _, element := range list {
		entry, err := readObject(element)
		if err != nil {
			continue
		}
		readable++
		if primary, err := entry.value("primary"); err != nil || primary != true {
			continue
		}
		if verified, err := entry.value("verified"); err != nil || verified != true {
			continue
		}
		text, err := entry.text("email")
		switch {
		case err != nil:
			return "", atStep(step, err)
		case text == "":
			return "", untrusted("%s: email of the primary entry is missing", step)
		case found != "" && found != text:
			return "", untrusted("%s: two entries with different email are primary", step)
		}
		found = text
	}
	if readable == 0 && len(list) > 0 {
		return "", untrusted("%s: no entry is an object", step)
	}
	if isNoReply(found) {
		return "", nil
	}
	return found, nil
}

// isNoReply reports whether the address is one that GitHub generates to hide the real one.
// Such an address cannot receive mail.
func isNoReply(text string) bool {
	_, domain := parseAddress(text)
	return domain == "users.noreply.github.com" || strings.HasPrefix(domain, "users.noreply.") || domain == "noreply.github.com"
}

func (c *gitHub) getAPI(ctx context.Context, step, path, token string) (response, error) {
	header := http.Header{}
	if token != "" {
		header = bearerHeader(token)
	}
	header.Set("Accept", "application/vnd.github+json")
	header.Set("X-GitHub-Api-Version", "2022-11-28")
	return c.caller.get(ctx, step, c.api+path, header)
}

// apiError returns the error for a status of the API. 401 and 403 are ErrDenied: the token
// was issued a moment ago, so the user has revoked it.
func apiError(step string, a response) error {
	switch {
	case isRateLimited(a):
		return unreachable("%s: status %d: GitHub's rate limit is exceeded", step, a.status)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return fmt.Errorf("%s: status %d: %w", step, a.status, ErrDenied)
	}
	return untrusted("%s: status %d", step, a.status)
}

func isRateLimited(a response) bool {
	return a.status == http.StatusForbidden && (a.header.Get("X-RateLimit-Remaining") == "0" || a.header.Get("Retry-After") != "")
}

// Issuers lists the base URL of GitHub.
func (c *gitHub) Issuers() []string { return []string{c.web} }
