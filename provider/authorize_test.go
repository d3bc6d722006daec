package provider_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// post sends an authorization request as a form on the client's page does: from
// another site, and so without any SameSite=Lax cookie.
func (v *visitor) post(t *testing.T, params url.Values) stop {
	t.Helper()
	f := form{v.b.Issuer + "/authorize", params}
	r := v.formRequest(t, f)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	a := do(t, direct, r)
	location := a.Header.Get("Location")
	if location == "" {
		return stop{answer: a, At: r.URL}
	}
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("POST /authorize goes on with status %d, want 303", a.StatusCode)
	}
	target, err := r.URL.Parse(location)
	if err != nil {
		t.Fatalf("location %q: %v", location, err)
	}
	if target.Host != r.URL.Host {
		return stop{answer: a, At: r.URL, Left: target}
	}
	return v.get(t, target.String())
}

// byBoth sends a request by GET and by POST: neither may be kinder (OIDC Core,
// section 3.1.2.1).
func (v *visitor) byBoth(t *testing.T, params url.Values, f func(t *testing.T, s stop)) {
	t.Helper()
	f(t, v.get(t, v.b.Issuer+"/authorize?"+params.Encode()))
	f(t, v.post(t, params))
}

func TestP09_GetAndPostBehaveAlike(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		stranger := b.visitor(t)
		page := stranger.signIn(t, stranger.post(t, b.params()), alice, password)
		b.redeem(t, stranger.allow(t, page).code(t))

		// A POST comes without the session's cookie; the GET that follows has it.
		b.redeem(t, stranger.post(t, b.params("prompt", "none")).code(t))
		b.redeem(t, stranger.get(t, b.authorizeURL("prompt", "none")).code(t))
	})
}

func TestP10_UnknownParametersAndOrderDoNotMatter(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		params := b.params("utm_source", "mail", "scope", "email openid", "audience", "x", "foo[bar]", "1")
		names := slices.Sorted(maps.Keys(params))
		slices.Reverse(names)
		var query []string
		for _, name := range names {
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(params.Get(name)))
		}
		tokens := b.redeem(t, v.get(t, b.Issuer+"/authorize?"+strings.Join(query, "&")).code(t))
		if got := strings.Fields(tokens["scope"].(string)); !slices.Contains(got, "openid") || !slices.Contains(got, "email") || len(got) != 2 {
			t.Fatalf("scope: got %v, want openid and email", got)
		}
	})
}

// parameters holds a value for every parameter that the endpoint reads.
func (b *testbed) parameters() url.Values {
	return b.params("prompt", "login", "max_age", "100", "display", "page", "ui_locales", "de", "claims_locales", "de",
		"login_hint", "alice", "acr_values", "1", "claims", "{}", "response_mode", "query", "id_token_hint", "a.b.c",
		"request", "a.b.c", "request_uri", "https://app.example.com/r", "registration", "{}", "unheard_of", "1")
}

func TestAZ10_RepeatedParameterIsAPage(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for name, values := range b.parameters() {
			for _, second := range []string{values[0], "other"} {
				params := b.params()
				params[name] = []string{values[0], second}
				v.byBoth(t, params, func(t *testing.T, s stop) {
					t.Helper()
					s.wantPage(t, http.StatusBadRequest, "invalid_request")
				})
			}
			// Split over both places; a parameter in the query of a POST is one too many.
			r := v.formRequest(t, form{b.Issuer + "/authorize?" + url.Values{name: values}.Encode(), b.params(name, values[0])})
			v.walk(t, r).wantPage(t, http.StatusBadRequest, "invalid_request")
		}
	})
}

func TestAZ11_OnlyCodeComesBack(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
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
			v.byBoth(t, b.params("response_type", kind), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "unsupported_response_type")
				// P17: what would answer in the fragment refuses there too.
				front := slices.ContainsFunc(strings.Fields(kind), func(k string) bool { return k == "token" || k == "id_token" })
				if inFragment := s.Left.Fragment != ""; inFragment != front {
					t.Fatalf("response_type=%s: answered at %s", kind, s.Left)
				}
			})
		}
	})
}

func TestAZ11_ClientThatMayNotUseCodes(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for id, change := range map[string]func(*storage.ClientMetadata){
			"no-type":  func(m *storage.ClientMetadata) { m.ResponseTypes = nil },
			"no-grant": func(m *storage.ClientMetadata) { m.GrantTypes = []string{"client_credentials"} },
		} {
			client, _ := b.registerWith(t, storage.Web, id, func(c *storage.Client) {
				c.Metadata.RedirectURIs = []string{callback}
				change(&c.Metadata)
			})
			b.visitor(t).get(t, b.authorizeURL("client_id", client.ID)).wantError(t, "unauthorized_client")
		}
	})
}

func TestP15_MissingResponseType(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.visitor(t).byBoth(t, b.params("response_type", ""), func(t *testing.T, s stop) {
			t.Helper()
			s.wantError(t, "invalid_request")
			if s.Left.RawQuery == "" || s.Left.Fragment != "" {
				t.Fatalf("not in the query: %s", s.Left)
			}
		})
	})
}

func TestAZ12_OnlyKnownResponseModes(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, mode := range []string{"form_post", "form_post.jwt", "query.jwt", "fragment.jwt", "jwt", "web_message", "okta_post_message", "QUERY", "query fragment", "\"><script>", "javascript:"} {
			v.byBoth(t, b.params("response_mode", mode), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "invalid_request")
			})
		}
		// P17: query is the default of code, fragment on request, errors likewise.
		for mode, where := range map[string]func(*url.URL) string{
			"":         func(u *url.URL) string { return u.RawQuery },
			"query":    func(u *url.URL) string { return u.RawQuery },
			"fragment": func(u *url.URL) string { return u.Fragment },
		} {
			for response, s := range map[string]stop{
				"code=":                   v.get(t, b.authorizeURL("response_mode", mode)),
				"error=invalid_scope":     v.get(t, b.authorizeURL("response_mode", mode, "scope", "nothing")),
				"error=invalid_request":   v.get(t, b.authorizeURL("response_mode", mode, "prompt", "unheard")),
				"error=consent_required&": v.get(t, b.authorizeURL("response_mode", mode, "prompt", "none", "scope", "openid phone")),
			} {
				if s.Left == nil || !strings.Contains(where(s.Left), response) {
					t.Errorf("response_mode=%s: no %s in %v", mode, response, s.Left)
				}
				if s.Left != nil && mode == "fragment" && s.Left.RawQuery != "from=signet" {
					t.Errorf("response_mode=fragment adds to the query: %s", s.Left)
				}
			}
		}
	})
}

func TestAZ13_NoRedirectBeforeClientAndRedirectURIAreProven(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		disabled, _ := b.register(t, storage.Web, "disabled", callback)
		if err := b.DB.SetClientEnabled(context.Background(), disabled.ID, false, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		machine, _ := b.register(t, storage.Service, "machine")
		b.follow(t)
		unproven := []struct{ client, uri string }{
			{"", callback}, {"unheard-of", callback}, {disabled.ID, callback}, {machine.ID, callback}, {machine.ID, ""},
			{b.Alice.ID, callback}, {"APP", callback}, {"app ", callback}, {"a\x01pp", callback}, {strings.Repeat("a", 1000), callback}, {"' OR 1=1 --", callback},
			{b.Client.ID, ""}, {b.Client.ID, "https://evil.example/callback"},
		}
		others := [][]string{
			{}, {"scope", "\x01"}, {"response_type", "token"}, {"response_mode", "form_post"}, {"prompt", "none"},
			{"prompt", "none login"}, {"code_challenge", ""}, {"request", "a.b.c"}, {"claims", "{"}, {"max_age", "-1"}, {"id_token_hint", "x"},
		}
		v := b.visitor(t)
		for _, who := range unproven {
			code := "invalid_client"
			if who.client == b.Client.ID || who.client == machine.ID {
				code = "invalid_redirect_uri"
			}
			for _, other := range others {
				params := b.params(append([]string{"client_id", who.client, "redirect_uri", who.uri}, other...)...)
				v.byBoth(t, params, func(t *testing.T, s stop) {
					t.Helper()
					s.wantPage(t, http.StatusBadRequest, code)
				})
			}
		}
	})
}

// TestAZ14_EveryResponseNamesTheIssuer also covers P18.
func TestAZ14_EveryResponseNamesTheIssuer(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for name, s := range map[string]stop{
			"success":  v.get(t, b.authorizeURL()),
			"fragment": v.get(t, b.authorizeURL("response_mode", "fragment")),
			"early":    v.get(t, b.authorizeURL("response_type", "token")),
			"late":     v.get(t, b.authorizeURL("prompt", "none", "scope", "openid phone")),
			"posted":   v.post(t, b.params("scope", "\"")),
			"silent":   b.visitor(t).get(t, b.authorizeURL("prompt", "none")),
		} {
			if got := s.response(t)["iss"]; len(got) != 1 || got[0] != b.Issuer {
				t.Errorf("%s: iss is %q, want %q", name, got, b.Issuer)
			}
		}
		discovery := v.fetch(t, b.Issuer+"/.well-known/openid-configuration").json(t)
		if discovery["authorization_response_iss_parameter_supported"] != true || discovery["issuer"] != b.Issuer {
			t.Errorf("discovery does not announce iss: %v", discovery["authorization_response_iss_parameter_supported"])
		}
	}, under("/tenants/one"))
}

func TestP30_RequestObjectsAreRefusedNotIgnored(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		object := "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9."
		for name, code := range map[string]string{
			"request": "request_not_supported", "request_uri": "request_uri_not_supported", "registration": "registration_not_supported",
		} {
			for _, value := range []string{object, "https://app.example.com/request.jwt", "urn:ietf:params:oauth:request_uri:x", "x"} {
				v.byBoth(t, b.params(name, value), func(t *testing.T, s stop) {
					t.Helper()
					s.wantError(t, code)
				})
			}
			// What only the object would say does not prove a client.
			v.get(t, b.authorizeURL(name, object, "redirect_uri", "https://evil.example/")).wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			v.get(t, b.authorizeURL(name, object, "client_id", "")).wantPage(t, http.StatusBadRequest, "invalid_client")
		}
		discovery := v.fetch(t, b.Issuer+"/.well-known/openid-configuration").json(t)
		if discovery["request_parameter_supported"] != false || discovery["request_uri_parameter_supported"] != false {
			t.Errorf("discovery announces what is refused: %v, %v", discovery["request_parameter_supported"], discovery["request_uri_parameter_supported"])
		}
	})
}
