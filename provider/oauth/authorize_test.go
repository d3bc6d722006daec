package oauth_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// P-09: GET and POST at /authorize behave alike (OIDC Core, section 3.1.2.1).
func TestAuthorize_GetAndPostBehaveAlike(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		stranger := b.Visitor(t)
		page := stranger.SignIn(t, stranger.Post(t, b.Params()), providertest.Alice, providertest.Password)
		b.Redeem(t, stranger.Allow(t, page).Code(t))

		// A POST comes without the session cookie. The GET that follows has it.
		b.Redeem(t, stranger.Post(t, b.Params("prompt", "none")).Code(t))
		b.Redeem(t, stranger.Get(t, b.AuthorizeURL("prompt", "none")).Code(t))
	})
}

// P-10: Unknown parameters and scopes are ignored, and the order does not matter.
func TestAuthorize_UnknownParametersAndOrderDoNotMatter(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		params := b.Params("utm_source", "mail", "scope", "email openid", "audience", "x", "foo[bar]", "1")
		names := slices.Sorted(maps.Keys(params))
		slices.Reverse(names)
		var query []string
		for _, name := range names {
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(params.Get(name)))
		}
		tokens := b.Redeem(t, v.Get(t, b.Issuer+"/authorize?"+strings.Join(query, "&")).Code(t))
		if got := strings.Fields(tokens["scope"].(string)); !slices.Contains(got, "openid") || !slices.Contains(got, "email") || len(got) != 2 {
			t.Fatalf("scope: got %v, want openid and email", got)
		}
	})
}

// parameters returns a value for every parameter that the endpoint reads.
func parameters(b *providertest.Testbed) url.Values {
	return b.Params("prompt", "login", "max_age", "100", "display", "page", "ui_locales", "de", "claims_locales", "de",
		"login_hint", "alice", "acr_values", "1", "claims", "{}", "response_mode", "query", "id_token_hint", "a.b.c",
		"request", "a.b.c", "request_uri", "https://app.example.com/r", "registration", "{}", "unheard_of", "1")
}

// AZ-10: A parameter that comes twice, in query or body, is refused. If it is client_id or
// redirect_uri, nothing is redirected (RFC 6749, section 3.1).
func TestAuthorize_RepeatedParameterShowsPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for name, values := range parameters(b) {
			for _, second := range []string{values[0], "other"} {
				params := b.Params()
				params[name] = []string{values[0], second}
				v.ByBoth(t, params, func(t *testing.T, s providertest.Stop) {
					t.Helper()
					s.WantPage(t, http.StatusBadRequest, "invalid_request")
				})
			}
			// The parameter is in the query and in the body of a POST.
			r := v.FormRequest(t, providertest.Form{Action: b.Issuer + "/authorize?" + url.Values{name: values}.Encode(), Values: b.Params(name, values[0])})
			v.Walk(t, r).WantPage(t, http.StatusBadRequest, "invalid_request")
		}
	})
}

// AZ-11: Response types with tokens in the front channel are refused unless an administrator has
// registered the client for them (RFC 9700, section 2.1.2).
func TestAuthorize_OnlyResponseTypeCodeIsAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		types := []string{"none", "CODE", "code code", "code none", "code,token", "co de", "foo"}
		parts := []string{"code", "token", "id_token"}
		types = append(types, parts[1:]...)
		for _, x := range parts {
			for _, y := range parts {
				if x != y {
					types = append(types, x+" "+y)
				}
				for _, z := range parts {
					if x != y && y != z && x != z {
						types = append(types, x+" "+y+" "+z)
					}
				}
			}
		}
		for _, kind := range types {
			v.ByBoth(t, b.Params("response_type", kind), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				want := "unsupported_response_type"
				if _, known := storage.FindResponseType(kind); known {
					want = "unauthorized_client"
				}
				s.WantError(t, want)
				// P-17: a refused response type that uses the fragment gets its error in the fragment.
				front := slices.ContainsFunc(strings.Fields(kind), func(k string) bool { return k == "token" || k == "id_token" })
				if inFragment := s.LeftTo.Fragment != ""; inFragment != front {
					t.Fatalf("response_type=%s: answered at %s", kind, s.LeftTo)
				}
			})
		}
	})
}

// AZ-11: Response types with tokens in the front channel are refused (RFC 9700, section
// 2.1.2).
func TestAuthorize_ClientWithoutCodeGrantIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for id, change := range map[string]func(*storage.ClientMetadata){
			"no-type":  func(m *storage.ClientMetadata) { m.ResponseTypes = nil },
			"no-grant": func(m *storage.ClientMetadata) { m.GrantTypes = []string{"client_credentials"} },
		} {
			client, _ := b.RegisterWith(t, storage.Web, id, func(c *storage.Client) {
				c.Metadata.RedirectURIs = []string{providertest.Callback}
				change(&c.Metadata)
			})
			b.Visitor(t).Get(t, b.AuthorizeURL("client_id", client.ID)).WantError(t, "unauthorized_client")
		}
	})
}

// P-15: A missing, unknown or forbidden response_type gives the registered error.
func TestAuthorize_MissingResponseTypeIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Visitor(t).ByBoth(t, b.Params("response_type", ""), func(t *testing.T, s providertest.Stop) {
			t.Helper()
			s.WantError(t, "invalid_request")
			if s.LeftTo.RawQuery == "" || s.LeftTo.Fragment != "" {
				t.Fatalf("the error is not in the query: %s", s.LeftTo)
			}
		})
	})
}

// AZ-12: A response mode that is not allowed for the client is refused.
func TestAuthorize_OnlyKnownResponseModesAreAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, mode := range []string{"form_post.jwt", "FORM_POST", "query.jwt", "fragment.jwt", "jwt", "web_message", "okta_post_message", "QUERY", "query fragment", "\"><script>", "javascript:"} {
			v.ByBoth(t, b.Params("response_mode", mode), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, "invalid_request")
			})
		}
		// P-17: codes and errors are in the query by default, and in the fragment on request.
		for mode, where := range map[string]func(*url.URL) string{
			"":         func(u *url.URL) string { return u.RawQuery },
			"query":    func(u *url.URL) string { return u.RawQuery },
			"fragment": func(u *url.URL) string { return u.Fragment },
		} {
			for response, s := range map[string]providertest.Stop{
				"code=":                   v.Get(t, b.AuthorizeURL("response_mode", mode)),
				"error=invalid_scope":     v.Get(t, b.AuthorizeURL("response_mode", mode, "scope", "nothing")),
				"error=invalid_request":   v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "unheard")),
				"error=consent_required&": v.Get(t, b.AuthorizeURL("response_mode", mode, "prompt", "none", "scope", "openid phone")),
			} {
				if s.LeftTo == nil || !strings.Contains(where(s.LeftTo), response) {
					t.Errorf("response_mode=%s: no %s in %v", mode, response, s.LeftTo)
				}
				if s.LeftTo != nil && mode == "fragment" && s.LeftTo.RawQuery != "from=signet" {
					t.Errorf("response_mode=fragment: the query is %s, want only from=signet", s.LeftTo)
				}
			}
		}
	})
}

// AZ-13: An unknown or disabled client, or an unregistered redirect URI, gives a page and
// never a redirect (RFC 6749, section 4.1.2.1).
// P-12: client and redirect URI are checked before all other parameters.
func TestAuthorize_UnknownClientOrRedirectURIShowsPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		disabled, _ := b.Register(t, storage.Web, "disabled", providertest.Callback)
		if err := b.DB.SetClientEnabled(context.Background(), disabled.ID, false, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		machine, _ := b.Register(t, storage.Service, "machine")
		b.Follow(t)
		unproven := []struct{ client, uri string }{
			{"", providertest.Callback}, {"unheard-of", providertest.Callback}, {disabled.ID, providertest.Callback}, {machine.ID, providertest.Callback}, {machine.ID, ""},
			{b.Alice.ID, providertest.Callback}, {"APP", providertest.Callback}, {"app ", providertest.Callback}, {"a\x01pp", providertest.Callback}, {strings.Repeat("a", 1000), providertest.Callback}, {"' OR 1=1 --", providertest.Callback},
			{b.Client.ID, ""}, {b.Client.ID, "https://evil.example/callback"},
		}
		others := [][]string{
			{}, {"scope", "\x01"}, {"response_type", "token"}, {"response_mode", "form_post"}, {"prompt", "none"},
			{"prompt", "none login"}, {"code_challenge", ""}, {"request", "a.b.c"}, {"claims", "{"}, {"max_age", "-1"}, {"id_token_hint", "x"},
		}
		v := b.Visitor(t)
		for _, sent := range unproven {
			code := "invalid_client"
			if sent.client == b.Client.ID || sent.client == machine.ID {
				code = "invalid_redirect_uri"
			}
			for _, other := range others {
				params, want := b.Params(append([]string{"client_id", sent.client, "redirect_uri", sent.uri}, other...)...), code
				if params.Has("request") && sent.uri == "" && code == "invalid_redirect_uri" {
					want = "request_not_supported" // the redirect URI could be in the object
				}
				v.ByBoth(t, params, func(t *testing.T, s providertest.Stop) {
					t.Helper()
					s.WantPage(t, http.StatusBadRequest, want)
				})
			}
		}
	})
}

// P-18: iss in a response equals the issuer (RFC 9207).
// AZ-14: Every authorization response, error or not, carries iss (RFC 9207).
func TestAuthorize_EveryResponseNamesTheIssuer(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for name, s := range map[string]providertest.Stop{
			"success":  v.Get(t, b.AuthorizeURL()),
			"fragment": v.Get(t, b.AuthorizeURL("response_mode", "fragment")),
			"early":    v.Get(t, b.AuthorizeURL("response_type", "token")),
			"late":     v.Get(t, b.AuthorizeURL("prompt", "none", "scope", "openid phone")),
			"posted":   v.Post(t, b.Params("scope", "\"")),
			"silent":   b.Visitor(t).Get(t, b.AuthorizeURL("prompt", "none")),
		} {
			if got := s.Response(t)["iss"]; len(got) != 1 || got[0] != b.Issuer {
				t.Errorf("%s: iss is %q, want %q", name, got, b.Issuer)
			}
		}
		discovery := v.Fetch(t, b.Issuer+"/.well-known/openid-configuration").JSON(t)
		if discovery["authorization_response_iss_parameter_supported"] != true || discovery["issuer"] != b.Issuer {
			t.Errorf("discovery does not advertise iss: %v", discovery["authorization_response_iss_parameter_supported"])
		}
	}, providertest.WithIssuerPath("/tenants/one"))
}

// P-30: A request object of a client without keys, a request_uri of others and registration are refused
// with the registered error, never ignored (OIDC Core, section 6).
// P-31, PJ-09: A request_uri is never fetched.
func TestAuthorize_UnsupportedObjectsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		object := "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9."
		for name, code := range map[string]string{
			"request": "request_not_supported", "request_uri": "request_uri_not_supported", "registration": "registration_not_supported",
		} {
			for _, value := range []string{object, "https://app.example.com/request.jwt", "urn:ietf:params:oauth:request_uri", "x"} {
				v.ByBoth(t, b.Params(name, value), func(t *testing.T, s providertest.Stop) {
					t.Helper()
					s.WantError(t, code)
				})
			}
			// client_id and redirect_uri must be outside of the request object.
			v.Get(t, b.AuthorizeURL(name, object, "redirect_uri", "https://evil.example/")).WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			v.Get(t, b.AuthorizeURL(name, object, "client_id", "")).WantPage(t, http.StatusBadRequest, "invalid_client")
		}
		var fetches atomic.Int64
		party := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetches.Add(1) }))
		defer party.Close()
		for _, uri := range []string{party.URL + "/request.jwt", "http://169.254.169.254/latest/meta-data"} {
			v.Get(t, b.AuthorizeURL("request_uri", uri)).WantError(t, "request_uri_not_supported")
			v.Get(t, b.AuthorizeURL("request_uri", uri, "request", object)).WantError(t, "request_uri_not_supported")
		}
		if fetches.Load() != 0 || b.Discovery(t)["request_uri_parameter_supported"] != false {
			t.Errorf("%d fetches; discovery says %v", fetches.Load(), b.Discovery(t)["request_uri_parameter_supported"])
		}
	})
}

// OIDC Core, section 4: A page that stops a sign-in leads back to the client, which starts a new one.
func TestAuthorize_StoppedSignInLeadsToClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		unregistered := b.AuthorizeURL("redirect_uri", providertest.EvilRedirectURI)
		if page := v.Get(t, unregistered); strings.Contains(page.Body, `id="start"`) {
			t.Errorf("without an initiate_login_uri, the page has a link:\n%s", page.Body)
		}
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.InitiateLoginURI = "https://app.example.com/begin?tenant=7" })
		form := v.Get(t, b.AuthorizeURL("login_hint", "alice")).Form(t)
		b.Advance(time.Hour)
		expired := b.Issuer + "/authorize/next?" + url.Values{"request": {form.Values.Get("request")}}.Encode()
		iss := "https://app.example.com/begin?iss=" + url.QueryEscape(b.Issuer)
		for target, want := range map[string]string{unregistered: iss + "&tenant=7", expired: iss + "&login_hint=alice&tenant=7"} {
			page := v.Get(t, target)
			if got := page.Link(t, "start"); got != want {
				t.Errorf("%s: the page leads to %s, want %s", target, got, want)
			}
			page.WantText(t, "Back to App app")
		}
	})
}
