package provider_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/outbound"
	"signet/provider/providertest"
	"signet/storage"
)

// observation shows the effect of one field of a client over HTTP. Two clients differ only
// in this field, and look returns a different text for each.
type observation struct {
	set  [2]func(c *storage.Client)
	look func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) string
	kept string // look returns this text for both: the server always behaves as the field asks
}

func unchanged(*storage.Client) {}

// seenAt returns a look function: it lists the texts that are on the page to which an
// authorization request leads.
func seenAt(texts []string, pairs ...string) func(*testing.T, *providertest.Testbed, *providertest.Upstreams) string {
	return func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
		page := b.Visitor(t).Get(t, b.AuthorizeURL(pairs...))
		var seen []string
		for _, text := range texts {
			if strings.Contains(page.Body, text) {
				seen = append(seen, text)
			}
		}
		return fmt.Sprint(page.StatusCode, seen)
	}
}

// withoutSession returns a look function: it names the place to which an authorization
// request leads without a session.
func withoutSession(pairs ...string) func(*testing.T, *providertest.Testbed, *providertest.Upstreams) string {
	return func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
		return placeOf(b.Visitor(t).Get(t, b.AuthorizeURL(pairs...)))
	}
}

// placeOf names the page, or the redirect with its error or code.
func placeOf(s providertest.Stop) string {
	if s.LeftTo == nil {
		return fmt.Sprint(s.StatusCode, " ", s.At.Path)
	}
	q := s.LeftTo.Query()
	return s.LeftTo.Host + s.LeftTo.Path + " " + q.Get("error") + fmt.Sprint(q.Has("code"))
}

// signedIn signs Alice in, without consent, and returns the page or redirect that follows.
func signedIn(t *testing.T, b *providertest.Testbed, pairs ...string) (*providertest.Visitor, providertest.Stop) {
	v := b.Visitor(t)
	return v, v.SignIn(t, v.Get(t, b.AuthorizeURL(pairs...)), providertest.Alice, providertest.Password)
}

// tokensOf signs Alice in, gives consent, and redeems the code.
func tokensOf(t *testing.T, b *providertest.Testbed, pairs ...string) (*providertest.Visitor, map[string]any) {
	v, page := signedIn(t, b, pairs...)
	if page.LeftTo == nil {
		page = v.Allow(t, page)
	}
	return v, b.Redeem(t, page.Code(t))
}

// another returns the testbed with a further client.
func another(t *testing.T, b *providertest.Testbed, change func(*storage.Client)) *providertest.Testbed {
	client, secret := b.RegisterWith(t, storage.Web, storage.NewID("other-"), func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		change(c)
	})
	return b.AsClient(client, secret)
}

// registersAsAnother observes a field that tells programs apart that register themselves: a
// program with another value gets another client.
func registersAsAnother(set func(*storage.Client)) observation {
	return observation{
		set: [2]func(*storage.Client){unchanged, set},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			const document = `{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none","software_id":"%s","software_version":"%s"}`
			plain := b.RegisterItself(t, "", fmt.Sprintf(document, "", ""))
			again := b.RegisterItself(t, "", fmt.Sprintf(document, b.Client.Metadata.SoftwareID, b.Client.Metadata.SoftwareVersion))
			return fmt.Sprint("same client: ", plain["client_id"] == again["client_id"])
		},
	}
}

func asService(c *storage.Client) { *c = directory.NewClient(storage.Service, c.ID, c.Name) }

func withPairwise(c *storage.Client) { c.Metadata.SubjectType = storage.SubjectPairwise }

// sectorOfCallback publishes a sector document for the redirect URI of the testbed.
var sectorOfCallback = sync.OnceValue(func() *providertest.SectorServer { return providertest.StartSector(providertest.Callback) })

const otherCallback, api = "https://app.example.com/other", "https://api.example.com/"

// observations has an entry for every supported field of directory.ClientFields.
var observations = map[string]observation{
	"client_name": {
		set:  [2]func(*storage.Client){func(c *storage.Client) { c.Name = "Photographs" }, func(c *storage.Client) { c.Name = "Letters" }},
		look: seenAt([]string{"Photographs", "Letters"}),
	},
	"type": {
		set: [2]func(*storage.Client){
			func(c *storage.Client) { *c = directory.NewClient(storage.SPA, c.ID, c.Name); loopback(c) },
			func(c *storage.Client) { *c = directory.NewClient(storage.Native, c.ID, c.Name); loopback(c) },
		},
		look: withoutSession("redirect_uri", "http://127.0.0.1:50001/cb"), // RFC 8252, section 7.3
	},
	"software_id":      registersAsAnother(func(c *storage.Client) { c.Metadata.SoftwareID = "photos" }),
	"software_version": registersAsAnother(func(c *storage.Client) { c.Metadata.SoftwareVersion = "1.2" }),
	"redirect_uris": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{otherCallback} }},
		look: withoutSession("redirect_uri", otherCallback),
	},
	"post_logout_redirect_uris": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{providertest.PostLogoutURI} }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			v, tokens := tokensOf(t, b)
			return placeOf(v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI)))
		},
	},
	"token_endpoint_auth_method": {
		set: [2]func(*storage.Client){
			func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = storage.AuthBasic },
			func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = storage.AuthPost },
		},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return b.TokenRequest(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}).JSON(t)["error"].(string)
		},
	},
	"jwks": {
		set:  [2]func(*storage.Client){withKeys(observedKey), withKeys(otherKey)},
		look: acceptsAssertion,
	},
	"jwks_uri": {
		set: [2]func(*storage.Client){withKeys(), func(c *storage.Client) {
			withKeys()(c)
			c.Metadata.JWKSURI = "http://127.0.0.1:1/keys" // acceptsAssertion replaces it by the address of its server
		}},
		look: acceptsAssertion,
	},
	"token_endpoint_auth_signing_alg": {
		set: [2]func(*storage.Client){withKeys(observedKey, otherKey), func(c *storage.Client) {
			withKeys(observedKey, otherKey)(c)
			c.Metadata.TokenEndpointAuthAlg = otherKey.Algorithm
		}},
		look: acceptsAssertion,
	},
	"grant_types": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.GrantTypes = []string{storage.GrantCode} }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return fmt.Sprint(tokens["refresh_token"] != nil)
		},
	},
	"response_types": { // it goes with the grant type and the addresses (RFC 7591, section 2.1)
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) {
			c.Metadata.ResponseTypes, c.Metadata.GrantTypes, c.Metadata.RedirectURIs = nil, []string{storage.GrantClientCredentials}, nil
		}},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			b.Client.Metadata.RedirectURIs = []string{providertest.Callback}
			return placeOf(b.Visitor(t).Get(t, b.AuthorizeURL()))
		},
	},
	"scope": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.Scope = "openid" }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return tokens["scope"].(string)
		},
	},
	"client_uri": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.ClientURI = "https://app.example.com/home" }},
		look: seenAt([]string{`href="https://app.example.com/home"`}),
	},
	"logo_uri": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.LogoURI = "https://app.example.com/logo.png" }},
		look: seenAt([]string{`<img class="logo"`}),
	},
	"policy_uri": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.PolicyURI = "https://app.example.com/privacy" }},
		look: seenAt([]string{`href="https://app.example.com/privacy"`}),
	},
	"tos_uri": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.TosURI = "https://app.example.com/terms" }},
		look: seenAt([]string{`href="https://app.example.com/terms"`}),
	},
	"contacts": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.Contacts = []string{"ops@app.example.com"} }},
		look: seenAt([]string{"Tell its operator (ops@app.example.com): "}, "redirect_uri", otherCallback),
	},
	"subject_type": {
		set: [2]func(*storage.Client){unchanged, withPairwise},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return fmt.Sprint(providertest.ClaimsOf(t, tokens["id_token"])["sub"] == b.Alice.ID)
		},
	},
	"sector_identifier_uri": {
		set: [2]func(*storage.Client){withPairwise, func(c *storage.Client) { withPairwise(c); c.Metadata.SectorURI = sectorOfCallback().URI() }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return providertest.ClaimsOf(t, tokens["id_token"])["sub"].(string)
		},
	},
	"id_token_signed_response_alg": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return providertest.HeaderOf(t, tokens["id_token"])["alg"].(string)
		},
	},
	"userinfo_signed_response_alg": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = "ES256" }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return b.Userinfo(t, tokens["access_token"].(string)).Header.Get("Content-Type")
		},
	},
	"default_max_age": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.DefaultMaxAge = new(int64(60)) }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			v, _ := tokensOf(t, b)
			b.Advance(2 * time.Minute)
			return placeOf(v.Get(t, b.AuthorizeURL()))
		},
	},
	"require_auth_time": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.RequireAuthTime = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return placeOf(b.Visitor(t).AuthorizeThrough(t, "github", "octo")) // an upstream that reports no auth_time
		},
	},
	"default_acr_values": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.DefaultACRValues = []string{"phr", storage.ACROneFactor} }},
		kept: storage.ACROneFactor, // a list without this value is refused, because no sign-in has another one
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			return providertest.ClaimsOf(t, tokens["id_token"])["acr"].(string)
		},
	},
	"initiate_login_uri": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.InitiateLoginURI = "https://app.example.com/start?tenant=7" }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			v := b.Visitor(t)
			form := v.Get(t, b.AuthorizeURL("login_hint", "ada")).Form(t)
			b.Advance(time.Hour)
			at, err := url.Parse(v.Get(t, b.Issuer+"/authorize/next?"+url.Values{"request": {form.Values.Get("request")}}.Encode()).Link(t, "start"))
			if err != nil {
				t.Fatal(err)
			}
			q := at.Query()
			return fmt.Sprint(at.Host, at.Path, q.Get("iss") == b.Issuer, q.Get("login_hint"), q.Get("tenant"))
		},
	},
	"backchannel_logout_uri": {
		set: [2]func(*storage.Client){unchanged, withBackchannelLogout},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return noticeClaim(t, b, "sub")
		},
	},
	"backchannel_logout_session_required": {
		set:  [2]func(*storage.Client){withBackchannelLogout, func(c *storage.Client) { withBackchannelLogout(c); c.Metadata.BackchannelLogoutSession = true }},
		kept: "true", // OIDC Back-Channel Logout, section 2.2: true needs the sid, false allows it
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return noticeClaim(t, b, "sid")
		},
	},
	"frontchannel_logout_uri": {
		set: [2]func(*storage.Client){unchanged, withFrontchannelLogout},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return framed(t, b, "iss")
		},
	},
	"frontchannel_logout_session_required": {
		set:  [2]func(*storage.Client){withFrontchannelLogout, func(c *storage.Client) { withFrontchannelLogout(c); c.Metadata.FrontchannelSession = true }},
		kept: "true", // OIDC Front-Channel Logout, section 2: true needs iss and sid, false allows them
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return framed(t, b, "sid")
		},
	},
	"require_pushed_authorization_requests": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.RequirePushed = true }},
		look: withoutSession(),
	},
	"request_object_signing_alg": {
		set: [2]func(*storage.Client){withObjectKeys, func(c *storage.Client) {
			withObjectKeys(c)
			c.Metadata.RequestObjectAlg = otherKey.Algorithm
		}},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return placeOf(b.Visitor(t).Get(t, b.SignedURL(observedKey, b.ObjectClaims())))
		},
	},
	"require_signed_request_object": {
		set: [2]func(*storage.Client){withObjectKeys, func(c *storage.Client) {
			withObjectKeys(c)
			c.Metadata.RequireSignedRequest = true
		}},
		look: withoutSession(),
	},
	"first_party": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.FirstParty = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, page := signedIn(t, b)
			return placeOf(page)
		},
	},
	"skip_consent": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.SkipConsent = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, page := signedIn(t, b)
			return placeOf(page)
		},
	},
	"introspect": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Introspects = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, another(t, b, unchanged))
			return fmt.Sprint(b.Introspect(t, tokens["access_token"])["active"])
		},
	},
	"admin_api": {
		set: [2]func(*storage.Client){asService, func(c *storage.Client) { asService(c); c.AdminAPI = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return fmt.Sprint(b.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}, "scope": {storage.ScopeAdminRead}}).StatusCode)
		},
	},
	"pkce_optional": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.PKCEOptional = true }},
		look: withoutSession("code_challenge", "", "code_challenge_method", "", "nonce", ""),
	},
	"prompt_login": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return placeOf(b.Visitor(t).AuthorizeThrough(t, "github", "octo", "prompt", "login"))
		},
	},
	"require_acr": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.RequireACR = storage.ACRTwoFactors }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			v := b.Visitor(t)
			return placeOf(v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password))
		},
	},
	"claims_in_id_token": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Metadata.ClaimsInIDToken = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b, "scope", "openid email")
			return fmt.Sprint(providertest.ClaimsOf(t, tokens["id_token"])["email"])
		},
	},
	"unverified_email": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.UnverifiedEmail = true }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			u := b.CreateUser(t, storage.User{Email: strings.ToLower(rand.Text()) + "@example.com"}, providertest.Password)
			v := b.Visitor(t)
			tokens := b.Redeem(t, v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL()), u.Email, providertest.Password)).Code(t))
			return fmt.Sprint(b.Userinfo(t, tokens["access_token"].(string)).JSON(t)["email"] == u.Email)
		},
	},
	"resources": {
		set:  [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Resources = []string{api} }},
		look: withoutSession("resource", api),
	},
	"audiences": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Audiences = []string{api} }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, another(t, b, func(c *storage.Client) { c.Resources = []string{api} }), "resource", api)
			return fmt.Sprint(b.Introspect(t, tokens["access_token"])["active"])
		},
	},
	"allow_origins": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.Origins = []string{"https://shop.example.com"} }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			return b.TokenRequest(t, url.Values{"grant_type": {"refresh_token"}}, func(r *http.Request) { r.Header.Set("Origin", "https://shop.example.com") }).Header.Get("Access-Control-Allow-Origin")
		},
	},
	"refresh_grace": {
		set: [2]func(*storage.Client){unchanged, func(c *storage.Client) { c.RefreshGrace = 0 }},
		look: func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
			_, tokens := tokensOf(t, b)
			b.MustRefresh(t, tokens["refresh_token"])
			b.Advance(time.Second)
			return fmt.Sprint(b.Refresh(t, tokens["refresh_token"]).StatusCode)
		},
	},
}

// observedKey signs the assertion of acceptsAssertion.
var observedKey, otherKey = providertest.NewClientKey("ES256", "1"), providertest.NewClientKey("EdDSA", "2")

// withKeys makes a client authenticate with its own keys, and registers these.
func withKeys(keys ...providertest.ClientKey) func(*storage.Client) {
	return func(c *storage.Client) {
		c.Metadata.TokenEndpointAuthMethod = storage.AuthPrivateKey
		if len(keys) > 0 {
			c.Metadata.JWKS = providertest.JWKS(keys...)
		}
	}
}

// withObjectKeys registers keys for request objects.
func withObjectKeys(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(observedKey, otherKey) }

// acceptsAssertion reports whether an assertion that observedKey has signed proves the client.
func acceptsAssertion(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) string {
	if b.Client.Metadata.JWKSURI != "" {
		served := providertest.ServeKeys(t, observedKey)
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.JWKSURI = served.URL })
	}
	return fmt.Sprint(b.PostAssertion(t, "/revoke", url.Values{"token": {"x"}}, observedKey.Sign(b.AssertionClaims())).StatusCode)
}

func loopback(c *storage.Client) { c.Metadata.RedirectURIs = []string{"http://127.0.0.1/cb"} }

// withBackchannelLogout sets a URI that noticeClaim replaces by the address of its server.
func withBackchannelLogout(c *storage.Client) {
	c.Metadata.BackchannelLogoutURI = "http://127.0.0.1:1/out"
}

// noticeClaim signs out and reports whether the client of b receives a logout token, and
// whether the token has the claim.
func noticeClaim(t *testing.T, b *providertest.Testbed, claim string) string {
	received := make(chan string, 1)
	party := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.FormValue("logout_token") }))
	defer party.Close()
	if b.Client.Metadata.BackchannelLogoutURI != "" {
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = party.URL })
	}
	v, tokens := tokensOf(t, b)
	v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
	b.Drain()
	if err := b.DeliverOnce(context.Background(), b.Now()); err != nil {
		t.Fatal(err)
	}
	select {
	case token := <-received:
		_, there := providertest.ClaimsOf(t, token)[claim]
		return fmt.Sprint(there)
	default:
		return "no notice"
	}
}

func withFrontchannelLogout(c *storage.Client) {
	c.Metadata.FrontchannelLogoutURI = "https://app.example.com/out"
}

// framed signs Alice in and out. It reports whether the iframe of the client has the parameter.
func framed(t *testing.T, b *providertest.Testbed, parameter string) string {
	v, tokens := tokensOf(t, b)
	frames := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string))).Frames(t)
	if len(frames) != 1 {
		return fmt.Sprint(len(frames), " frames")
	}
	address, err := url.Parse(frames[0])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(address.Query().Has(parameter))
}

// TestClientFields_HaveAnEffect: a field exists only if code reads it. The test sets each
// field to two values and sees a difference over HTTP. A new field fails here until it has
// an observation.
func TestClientFields_HaveAnEffect(t *testing.T) {
	known := map[string]bool{}
	for _, f := range directory.ClientFields() {
		known[f.Name] = true
		if _, there := observations[f.Name]; !there {
			t.Errorf("%s has no observation", f.Name)
		}
	}
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		rules := directory.New(directory.Deps{DB: b.DB, Outbound: outbound.New(sectorOfCallback().Outbound()), FrontchannelLogout: true, Now: b.Now})
		for name, o := range observations {
			if !known[name] {
				t.Errorf("%s has an observation, but is not a field", name)
			}
			var got [2]string
			for i, set := range o.set {
				wanted := directory.NewClient(storage.Web, storage.NewID("app-"), "An application")
				wanted.Metadata.RedirectURIs = []string{providertest.Callback}
				set(&wanted)
				made, secret, err := rules.CreateClient(t.Context(), wanted, providertest.TestOrigin)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				b.Follow(t)
				got[i] = o.look(t, b.AsClient(made, secret), up)
			}
			switch {
			case o.kept != "" && got != [2]string{o.kept, o.kept}:
				t.Errorf("%s: got %q, want %q with each value", name, got, o.kept)
			case o.kept == "" && got[0] == got[1]:
				t.Errorf("%s: got %q with both values, want a difference", name, got[0])
			}
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) {
		c.Registration.Mode, c.FrontchannelLogout = directory.RegistrationOpen, true
	})
}
