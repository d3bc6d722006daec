package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/provider"
	"signet/provider/assertion"
	"signet/provider/keys"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// usesAdvertised uses one advertised value, or one entry if the value is a list. It fails if
// the server does not support the value.
type usesAdvertised func(t *testing.T, b *providertest.Testbed, value string)

// advertised has an entry for every member of the discovery document.
var advertised = map[string]usesAdvertised{
	"issuer": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, b)
		wantEqual(t, "iss", providertest.ClaimsOf(t, tokens["id_token"])["iss"], value)
	},
	"authorization_endpoint": isThere, "token_endpoint": isThere, "userinfo_endpoint": isThere, "introspection_endpoint": isThere,
	"revocation_endpoint": isThere, "device_authorization_endpoint": isThere, "end_session_endpoint": isThere, "jwks_uri": isThere,

	"scopes_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, b, "scope", "openid "+value)
		if !slices.Contains(strings.Fields(tokens["scope"].(string)), value) {
			t.Errorf("got the scope %q", tokens["scope"])
		}
	},
	"response_types_supported": usesResponseType,
	"response_modes_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		v, page := signedIn(t, b, "response_mode", value)
		s := v.Allow(t, page)
		in := map[string]string{"query": s.LeftTo.RawQuery, "fragment": s.LeftTo.Fragment, "form_post": s.Posted.Encode()}[value]
		if q, err := url.ParseQuery(in); err != nil || !q.Has("code") {
			t.Errorf("got %v", s.LeftTo)
		}
	},
	"grant_types_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		b = another(t, b, func(c *storage.Client) {
			c.Metadata.Scope, c.Metadata.GrantTypes = "", append(c.Metadata.GrantTypes, storage.GrantClientCredentials, storage.GrantDevice)
		})
		v, tokens := tokensOf(t, b)
		d := b.StartDevice(t)
		v.AnswerDevice(t, d, "allow")
		form := map[string]url.Values{
			"authorization_code": b.CodeForm(v.CodeFromSession(t)),
			"refresh_token":      {"refresh_token": {tokens["refresh_token"].(string)}}, "client_credentials": {},
			storage.GrantDevice: {"device_code": {d.Code}},
		}[value]
		if value == storage.GrantImplicit { // it has no token request
			usesResponseType(t, b, "id_token")
			return
		}
		form.Set("grant_type", value)
		wantEqual(t, "the status", b.TokenRequest(t, form).StatusCode, http.StatusOK)
	},
	"acr_values_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		essential := `{"id_token":{"acr":{"essential":true,"value":"` + value + `"}}}`
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.Issuer+"/account/security"), b.User(t, storage.NewID("acr")+"@example.com", providertest.Password).Email, providertest.Password)
		if value != storage.ACROneFactor {
			v.AddAuthenticator(t)
		}
		page := v.Get(t, b.AuthorizeURL("claims", essential, "acr_values", value))
		wantEqual(t, "acr", providertest.ClaimsOf(t, b.Redeem(t, v.Allow(t, page).Code(t))["id_token"])["acr"], value)
		v.Get(t, b.AuthorizeURL("claims", strings.Replace(essential, value, value+"x", 1))).WantError(t, "unmet_authentication_requirements")
	},
	"subject_types_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, b)
		_, others := tokensOf(t, another(t, b, func(c *storage.Client) { c.Metadata.SubjectType = value }))
		same := providertest.ClaimsOf(t, tokens["id_token"])["sub"] == providertest.ClaimsOf(t, others["id_token"])["sub"]
		wantEqual(t, "the same subject as at another client", same, value == "public")
	},
	"id_token_signing_alg_values_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, another(t, b, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = value }))
		signed, err := jose.ParseSignedCompact(tokens["id_token"].(string), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(value)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(b.PublicKeys(t)); err != nil {
			t.Errorf("verify ID token: %v", err)
		}
	},
	"userinfo_signing_alg_values_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		b = another(t, b, func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = value })
		_, tokens := tokensOf(t, b)
		signed, err := jose.ParseSignedCompact(b.Userinfo(t, tokens["access_token"].(string)).Body, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(value)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(b.PublicKeys(t)); err != nil {
			t.Errorf("verify userinfo: %v", err)
		}
	},
	"token_endpoint_auth_methods_supported":                    authenticates("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, http.StatusBadRequest),
	"revocation_endpoint_auth_methods_supported":               authenticates("/revoke", url.Values{"token": {"x"}}, http.StatusOK),
	"introspection_endpoint_auth_methods_supported":            authenticates("/introspect", url.Values{"token": {"x"}}, http.StatusOK),
	"token_endpoint_auth_signing_alg_values_supported":         assertsWith("/token", providertest.OwnToken()),
	"revocation_endpoint_auth_signing_alg_values_supported":    assertsWith("/revoke", url.Values{"token": {"x"}}),
	"introspection_endpoint_auth_signing_alg_values_supported": assertsWith("/introspect", url.Values{"token": {"x"}}),
	"claim_types_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, b)
		claims := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
		if value != "normal" || claims["email"] != providertest.Alice || claims["_claim_names"] != nil {
			t.Errorf("%s: %v", value, claims)
		}
	},
	"claims_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid profile email address phone roles groups",
			"claims", `{"userinfo":{"`+value+`":null},"id_token":{"`+value+`":{"essential":true}}}`)), complete, providertest.Password)
		tokens := b.Redeem(t, v.Allow(t, page).Code(t))
		if _, is := providertest.ClaimsOf(t, tokens["id_token"])[value]; !is {
			t.Errorf("the ID token has no %s", value)
		}
	},
	"code_challenge_methods_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		b.Redeem(t, b.Visitor(t).SignInForCode(t, "code_challenge", providertest.Challenge(), "code_challenge_method", value))
		b.Visitor(t).Get(t, b.AuthorizeURL("code_challenge_method", "plain")).WantError(t, "invalid_request")
	},
	"request_parameter_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		b = another(t, b, withObjectKeys)
		page := b.Visitor(t).Get(t, b.SignedURL(observedKey, b.ObjectClaims("prompt", "none")))
		wantEqual(t, "prompt in the object counts", fmt.Sprint(page.Response(t).Get("error") == "login_required"), value)
	},
	"request_object_signing_alg_values_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		key := providertest.NewClientKey(value, "1")
		b = another(t, b, func(c *storage.Client) { c.Metadata.JWKS, c.Metadata.RequestObjectAlg = providertest.JWKS(key), value })
		v := b.Visitor(t)
		b.Redeem(t, v.SignIn(t, v.Get(t, b.SignedURL(key, b.ObjectClaims())), providertest.Alice, providertest.Password).Code(t))
	},
	"request_uri_parameter_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "the flag", value, "false")
		b.Visitor(t).Get(t, b.AuthorizeURL("request_uri", "https://app.example.com/r")).WantError(t, "request_uri_not_supported")
	},
	"pushed_authorization_request_endpoint": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "the endpoint", value, b.Issuer+"/par")
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.PushedURL(b.MustPush(t))), providertest.Alice, providertest.Password)
		b.Redeem(t, v.Allow(t, page).Code(t))
	},
	"require_pushed_authorization_requests": func(t *testing.T, b *providertest.Testbed, value string) {
		page := b.Visitor(t).Get(t, b.AuthorizeURL())
		wantEqual(t, "refused", fmt.Sprint(page.LeftTo != nil), value)
	},
	"backchannel_logout_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "told of a sign-out", noticeClaim(t, another(t, b, withBackchannelLogout), "sub"), value)
	},
	"backchannel_logout_session_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "told of the session", noticeClaim(t, another(t, b, withBackchannelLogout), "sid"), value)
	},
	"frontchannel_logout_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "framed after a sign-out", framed(t, another(t, b, withFrontchannelLogout), "iss"), value)
	},
	"frontchannel_logout_session_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		wantEqual(t, "framed with the session", framed(t, another(t, b, withFrontchannelLogout), "sid"), value)
	},
	"check_session_iframe": func(t *testing.T, b *providertest.Testbed, value string) {
		isThere(t, b, value)
		for _, prompt := range []string{"", "none"} {
			wantEqual(t, "session_state", responseOf(t, b, prompt).Has("session_state"), true)
		}
	},
	"authorization_response_iss_parameter_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		for _, response := range []string{"", "none"} {
			wantEqual(t, "iss", fmt.Sprint(responseOf(t, b, response).Get("iss") == b.Issuer), value)
		}
	},
	"prompt_values_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		if value == "none" {
			b.Visitor(t).Get(t, b.AuthorizeURL("prompt", value)).WantError(t, "login_required")
			return
		}
		v, _ := tokensOf(t, b)
		v.CodeFromSession(t) // without it there is no consent page
		wantEqual(t, "the page", v.Get(t, b.AuthorizeURL("prompt", value)).At.Path, map[string]string{"login": "/login", "consent": "/consent", "select_account": "/select", "create": "/signup"}[value])
	},
	"claims_parameter_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		_, tokens := tokensOf(t, b, "claims", `{"id_token":{"given_name":null}}`)
		_, is := providertest.ClaimsOf(t, tokens["id_token"])["given_name"]
		wantEqual(t, "the claim is there", fmt.Sprint(is), value)
	},
	"ui_locales_supported": func(t *testing.T, b *providertest.Testbed, value string) {
		page := b.Visitor(t).Get(t, b.AuthorizeURL("ui_locales", value+" fr"))
		if !strings.Contains(page.Body, `<html lang="`+value+`"`) {
			t.Errorf("the page is in another language than %s", value)
		}
	},
}

// usesResponseType sends a request with the response type and checks the content of the response.
func usesResponseType(t *testing.T, b *providertest.Testbed, value string) {
	b = another(t, b, func(c *storage.Client) {
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit), []string{"code", value}
		if value == storage.ResponseTypeCode {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantCode, storage.GrantRefresh}, []string{value}
		}
	})
	v, page := signedIn(t, b, "response_type", value, "nonce", "n")
	got, kind := v.AnswerPages(t, page).Response(t), strings.Fields(value)
	for member, word := range map[string]string{"code": "code", "id_token": "id_token", "access_token": "token"} {
		wantEqual(t, "the response has "+member, got.Has(member), slices.Contains(kind, word))
	}
	if got.Has("code") {
		b.Redeem(t, got.Get("code"))
	}
}

// complete is the email address of a user with every claim.
const complete = "complete@example.com"

// isThere checks that the URL answers.
func isThere(t *testing.T, b *providertest.Testbed, value string) {
	if a := b.Visitor(t).Fetch(t, value); a.StatusCode == http.StatusNotFound || !strings.HasPrefix(value, b.Issuer+"/") {
		t.Errorf("%s: got %d", value, a.StatusCode)
	}
}

// authenticates returns a check that sends the form with the advertised method of client
// authentication.
func authenticates(path string, form url.Values, want int) usesAdvertised {
	return func(t *testing.T, b *providertest.Testbed, method string) {
		kind := storage.Web
		if method == storage.AuthNone {
			kind = storage.SPA
		}
		client, secret := b.RegisterWith(t, kind, storage.NewID("auth-"), func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{providertest.Callback}, method
		})
		sent := url.Values{"client_id": {client.ID}}
		for name, values := range form {
			sent[name] = values
		}
		if method == storage.AuthPost {
			sent.Set("client_secret", secret)
		}
		if method == storage.AuthPrivateKey {
			key := providertest.NewClientKey("ES256", "1")
			b = b.AsClient(client, "")
			b.ChangeClient(t, func(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(key) })
			sent.Set("client_assertion_type", assertion.Type)
			sent.Set("client_assertion", key.Sign(b.AssertionClaims()))
		}
		r, err := http.NewRequest(http.MethodPost, b.Issuer+path, strings.NewReader(sent.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", providertest.FormType)
		if method == storage.AuthBasic {
			r.SetBasicAuth(client.ID, secret)
		}
		if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != want || strings.Contains(a.Body, "invalid_client") {
			t.Errorf("got %d %s, want %d", a.StatusCode, a.Body, want)
		}
	}
}

// assertsWith returns a check that sends the form with an assertion that is signed with the
// advertised algorithm.
func assertsWith(path string, form url.Values) usesAdvertised {
	return func(t *testing.T, b *providertest.Testbed, algorithm string) {
		key := providertest.NewClientKey(algorithm, "1")
		b = b.KeyClient(t, storage.NewID("auth-"), func(c *storage.Client) {
			c.Metadata.JWKS, c.Metadata.TokenEndpointAuthAlg = providertest.JWKS(key), algorithm
		})
		wantEqual(t, "the status", b.PostAssertion(t, path, form, key.Sign(b.AssertionClaims())).StatusCode, http.StatusOK)
	}
}

// responseOf returns an authorization response: a success if prompt is "", else an error.
func responseOf(t *testing.T, b *providertest.Testbed, prompt string) url.Values {
	if prompt != "" {
		return b.Visitor(t).Get(t, b.AuthorizeURL("prompt", prompt)).Response(t)
	}
	v, page := signedIn(t, b)
	return v.Allow(t, page).Response(t)
}

func wantEqual(t *testing.T, name string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

// TestDiscovery_EveryAdvertisedValueWorks uses each value of the document, with the default
// settings and with the settings that add values. A new member fails until advertised has a check
// for it. Values that a setting adds are not there without it.
func TestDiscovery_EveryAdvertisedValueWorks(t *testing.T) {
	checked := map[string]bool{}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) { useAdvertised(t, b, checked) })
	byDefault := len(checked)
	everything := func(c *provider.Config) {
		c.ResponseTypes, c.Algorithms = storage.ResponseTypeNames(), keys.SigningAlgorithms()
		c.FrontchannelLogout, c.SessionManagement, c.OpenSignUp = true, true, true
		providertest.WithMail(mailtest.Start(t))(c)
	}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) { useAdvertised(t, b, checked) }, everything)
	// Five response types, the implicit grant, two algorithms each of ID tokens and userinfo, two
	// members of front-channel logout, the iframe, and prompt=create.
	if added := len(checked) - byDefault; added != 14 {
		t.Errorf("the settings add %d values to the document, want 14", added)
	}
}

// useAdvertised uses each value of the document of b that is not in checked, and adds it there.
func useAdvertised(t *testing.T, b *providertest.Testbed, checked map[string]bool) {
	b.CreateUser(t, storage.User{
		Email: complete, EmailVerified: true, Name: "Ada Lovelace", FamilyName: "Lovelace", GivenName: "Ada", MiddleName: "King", Nickname: "Ada",
		PreferredUsername: "ada", Profile: "https://ada.example/", Picture: "https://ada.example/a.png", Website: "https://ada.example/", Gender: "female",
		Birthdate: "1815-12-10", Zoneinfo: "Europe/London", Locale: "en-GB", PhoneNumber: "+442071838750", Address: storage.Address{Country: "UK"},
		Roles: []string{"reader"}, Groups: []string{"staff"},
	}, providertest.Password)
	for name, value := range b.Discovery(t) {
		use, known := advertised[name]
		if !known {
			t.Errorf("advertised has no check for %s", name)
			continue
		}
		list, is := value.([]any)
		if !is {
			list = []any{value}
		}
		for _, each := range list {
			// The URLs of another provider are other values of the same member.
			text := fmt.Sprint(name, " ", strings.TrimPrefix(fmt.Sprint(each), b.Issuer))
			if checked[text] {
				continue
			}
			checked[text] = true
			t.Run(text, func(t *testing.T) {
				client, secret := b.Register(t, storage.Web, storage.NewID("app-"), providertest.Callback) // without any consent
				use(t, b.AsClient(client, secret), fmt.Sprint(each))
			})
		}
	}
}
