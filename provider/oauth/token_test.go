package oauth_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// TK-02: Parameters in the query string are refused.
func TestToken_ParametersInTheQueryAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		for _, path := range providertest.FormEndpoints {
			form := b.GoodForm(path, code)
			for name := range form {
				moved := maps.Clone(form)
				moved.Del(name)
				query := url.Values{name: form[name]}.Encode()
				for _, body := range []url.Values{form, moved, {}} {
					a := b.Post(t, path+"?"+query, providertest.FormType, strings.NewReader(body.Encode()))
					providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
				}
			}
			secret := url.Values{"client_id": {b.Client.ID}, "client_secret": {b.Secret}}.Encode()
			for _, query := range []string{secret, "x=1", "access_token=x", "&"} {
				a := b.Post(t, path+"?"+query, providertest.FormType, strings.NewReader(form.Encode()))
				providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
			}
		}
		b.Redeem(t, code) // the refused requests have not spent it
	})
}

// TK-04: A parameter that comes twice is refused.
func TestToken_RepeatedParametersAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		for _, path := range providertest.FormEndpoints {
			form := b.GoodForm(path, code)
			for _, more := range []string{"client_id", "client_secret", "scope", "client_assertion", "unheard_of"} {
				form.Set(more, "x")
			}
			for name, first := range form {
				for _, second := range []string{first[0], "other", "other\x01"} {
					doubled := maps.Clone(b.GoodForm(path, code))
					doubled[name] = []string{first[0], second}
					providertest.WantOAuthError(t, b.Post(t, path, providertest.FormType, strings.NewReader(doubled.Encode())), http.StatusBadRequest, "invalid_request")
				}
			}
		}
		b.Redeem(t, code)
	})
}

// TK-05: Only application/x-www-form-urlencoded is accepted.
func TestToken_OtherContentTypesAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		var parts bytes.Buffer
		multi := multipart.NewWriter(&parts)
		for name, value := range b.CodeForm(code) {
			if err := multi.WriteField(name, value[0]); err != nil {
				t.Fatal(err)
			}
		}
		multi.Close()
		encoded := b.CodeForm(code).Encode()
		for _, path := range providertest.FormEndpoints {
			for kind, body := range map[string]string{
				multi.FormDataContentType():     parts.String(),
				"application/json":              `{"grant_type":"authorization_code","code":"` + code + `"}`,
				"text/plain":                    encoded,
				"":                              encoded,
				"application/octet-stream":      encoded,
				"application/x-www-form-urlenc": encoded,
				providertest.FormType + "; charset=utf-16":           encoded,
				providertest.FormType + "; charset=utf-7":            encoded,
				providertest.FormType + ", " + providertest.FormType: encoded,
				"multipart/form-data":                                encoded,
				"application/":                                       encoded,
			} {
				a := b.Post(t, path, kind, strings.NewReader(body))
				if a.StatusCode != http.StatusUnsupportedMediaType && a.StatusCode != http.StatusBadRequest || a.JSON(t)["error"] != "invalid_request" {
					t.Errorf("%s with %q: got %d %s", path, kind, a.StatusCode, a.Body)
				}
			}
		}
		if a := b.Post(t, "/token", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", strings.NewReader(encoded)); a.StatusCode != http.StatusOK {
			t.Errorf("a form with a charset: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// TK-16: A grant type that the client may not use gives unauthorized_client.
func TestToken_GrantTypeNotAllowedForTheClientIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		refresh, _ := b.Redeem(t, v.SignInForCode(t))["refresh_token"].(string)
		code := v.CodeFromSession(t)
		supported := b.Discovery(t)["grant_types_supported"].([]any)
		for _, grantType := range supported {
			b.ChangeClient(t, func(c *storage.Client) {
				c.Metadata.GrantTypes = nil
				for _, other := range supported {
					if other != grantType {
						c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, other.(string))
					}
				}
			})
			form := b.CodeForm(code, "grant_type", grantType.(string), "refresh_token", refresh)
			providertest.WantOAuthError(t, b.TokenRequest(t, form), http.StatusBadRequest, "unauthorized_client")
		}
		b.ChangeClient(t, func(*storage.Client) {})
		b.Redeem(t, code)
	})
}

// TK-19: grant_type=password is not supported (RFC 9700, section 2.4).
func TestToken_UnknownGrantTypesAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		supported := b.Discovery(t)["grant_types_supported"].([]any)
		for _, grantType := range []string{
			"password", "implicit", "Authorization_Code", "authorization_code ", "authorization_code,refresh_token", "authorization code",
			"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:ietf:params:oauth:grant-type:device_code", "\x01", "<script>",
		} {
			if slices.Contains(supported, any(grantType)) {
				continue
			}
			form := b.CodeForm(code, "grant_type", grantType, "username", providertest.Alice, "password", providertest.Password)
			providertest.WantOAuthError(t, b.TokenRequest(t, form), http.StatusBadRequest, "unsupported_grant_type")
		}
		providertest.WantOAuthError(t, b.TokenRequest(t, b.CodeForm(code, "grant_type", "")), http.StatusBadRequest, "invalid_request")
		b.Redeem(t, code)
	})
}

// TK-20: Answers with tokens are no-store (RFC 6749, section 5.1).
// P-37: Token errors are registered codes; invalid_grant is 400 (RFC 6749, section 5.2).
func TestToken_AnswersAreNotCached(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		access := tokens["access_token"].(string)
		for name, a := range map[string]providertest.Answer{
			"invalid_grant":  b.TokenRequest(t, b.CodeForm("none")),
			"invalid_client": b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.SetBasicAuth("app", "none") }),
			"no form":        b.Post(t, "/token", "text/plain", nil),
			"introspection":  b.Post(t, "/introspect", providertest.FormType, strings.NewReader("token="+access)),
			"userinfo":       b.Userinfo(t, access),
			"userinfo 401":   b.Userinfo(t, "none"),
			"405":            b.CallRoute(t, http.MethodGet, "/token", nil),
		} {
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control %q", name, got)
			}
			if got := a.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%s: Content-Type %q", name, got)
			}
		}
	})
}

// TK-22: Huge parameters, or thousands of them, are refused within milliseconds.
func TestToken_GiantRequestsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		giant := strings.Repeat("a", 1<<20)
		var many strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&many, "p%d=1&", i)
		}
		for _, path := range providertest.FormEndpoints {
			bodies := []string{many.String(), strings.Repeat("&", 1<<20), strings.Repeat("a=&", 20_000), strings.Repeat("a=1&", 10_000)}
			for name := range b.GoodForm(path, code) {
				form := maps.Clone(b.GoodForm(path, code))
				form.Set(name, giant)
				bodies = append(bodies, form.Encode())
			}
			for _, body := range bodies {
				a := b.Post(t, path, providertest.FormType, strings.NewReader(body))
				if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusRequestEntityTooLarge || a.JSON(t)["error"] != "invalid_request" {
					t.Errorf("%s with %.20s… of %d bytes: got %d %.200s", path, body, len(body), a.StatusCode, a.Body)
				}
			}
		}
		b.Redeem(t, code)
	})
}

// TK-24: An ID token needs openid; scope in the answer and the access token is exact.
func TestToken_ScopeIsExact(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope = "openid email phone" })
		v := b.Visitor(t)
		v.SignInForCode(t)
		for asked, granted := range map[string]string{
			"openid":                               "openid",
			"openid email":                         "openid email",
			"phone openid phone":                   "phone openid",
			"openid profile admin offline_access":  "openid",
			"openid OPENID Email":                  "openid",
			"email":                                "email",
			"email profile openid2 openid.profile": "email",
		} {
			page := v.Get(t, b.AuthorizeURL("scope", asked))
			if page.LeftTo == nil {
				page = v.Allow(t, page)
			}
			code := page.Code(t)
			tokens := b.TokenRequest(t, b.CodeForm(code, "scope", "openid email profile roles offline_access")).JSON(t)
			claims := providertest.ClaimsOf(t, tokens["access_token"])
			if tokens["scope"] != granted || claims["scope"] != granted {
				t.Errorf("scope %q: granted %v, in the token %v, want %q", asked, tokens["scope"], claims["scope"], granted)
			}
			_, hasID := tokens["id_token"]
			if hasID != slices.Contains(strings.Fields(granted), "openid") {
				t.Errorf("scope %q: has an ID token: %v", asked, hasID)
			}
			if !hasID {
				b.WantUserinfo(t, tokens["access_token"].(string), http.StatusForbidden)
			}
		}
	})
}

// TK-25: An unregistered resource gives invalid_target (RFC 8707).
func TestToken_ResourcesNeverWiden(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const mail, files = "https://mail.example.com", "https://files.example.com/api"
		b.ChangeClient(t, func(c *storage.Client) { c.Resources = []string{mail, files} })
		v := b.Visitor(t)
		v.SignInForCode(t)
		ask := func(resources ...string) string {
			params := b.Params()
			params["resource"] = resources
			page := v.Get(t, b.Issuer+"/authorize?"+params.Encode())
			if page.LeftTo == nil {
				page = v.Allow(t, page)
			}
			return page.Code(t)
		}
		redeem := func(code string, named ...string) providertest.Answer {
			form := b.CodeForm(code)
			form["resource"] = named
			return b.TokenRequest(t, form)
		}
		for _, foreign := range []string{"https://evil.example.com", mail + "/", "HTTPS://mail.example.com", b.Issuer, "app", "*"} {
			v.Get(t, b.AuthorizeURL("resource", foreign)).WantError(t, "invalid_target")
			code := ask(mail)
			providertest.WantOAuthError(t, redeem(code, foreign), http.StatusBadRequest, "invalid_target")
			providertest.WantOAuthError(t, redeem(code, mail, foreign), http.StatusBadRequest, "invalid_target")
			providertest.WantOAuthError(t, redeem(code, files), http.StatusBadRequest, "invalid_target") // registered for the client, but not granted
			if a := redeem(code, mail); a.StatusCode != http.StatusOK {
				t.Fatalf("the code was spent by a refusal: %d %s", a.StatusCode, a.Body)
			}
		}
		for _, c := range []struct{ asked, named, want []string }{
			{nil, nil, []string{b.Issuer}},
			{[]string{mail}, nil, []string{mail, b.Issuer}},
			{[]string{mail, files}, nil, []string{mail, files, b.Issuer}},
			{[]string{mail, files}, []string{files}, []string{files}},
		} {
			a := redeem(ask(c.asked...), c.named...)
			token := a.JSON(t)["access_token"]
			if got := providertest.ClaimsOf(t, token)["aud"]; fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("asked for %v, named %v: audience %v, want %v", c.asked, c.named, got, c.want)
			}
			b.WantUserinfo(t, token.(string), map[bool]int{true: 200, false: 401}[slices.Contains(c.want, b.Issuer)])
		}
		code := ask()
		form := b.CodeForm(code, "audience", "https://evil.example.com")
		if got := providertest.ClaimsOf(t, b.TokenRequest(t, form).JSON(t)["access_token"])["aud"]; fmt.Sprint(got) != fmt.Sprint([]string{b.Issuer}) {
			t.Errorf("audience in the token request: aud is %v", got)
		}
	})
}

// TK-27: Pages at unregistered origins get no CORS headers; credentials are never allowed.
func TestToken_CORSForOriginsOfTheClientOnly(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb"))
		b.Register(t, storage.SPA, "other", "https://other.example.com/cb")
		b.Follow(t)
		v := b.Visitor(t)
		for origin, allowed := range map[string]bool{
			"https://spa.example.com": true, "https://other.example.com": false, "https://evil.example": false, "null": false,
			"http://spa.example.com": false, "https://spa.example.com:8443": false, "https://spa.example.com.evil.example": false,
			"https://xspa.example.com": false, "HTTPS://SPA.EXAMPLE.COM": false, "*": false, b.Issuer: false,
		} {
			a := spa.TokenRequest(t, spa.CodeForm("none"), func(r *http.Request) { r.Header.Set("Origin", origin) })
			providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			want := ""
			if allowed {
				want = origin
			}
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != want || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("origin %s: allowed %q, credentials %q", origin, got, a.Header.Get("Access-Control-Allow-Credentials"))
			}
			if !slices.Contains(a.Header.Values("Vary"), "Origin") {
				t.Errorf("origin %s: Vary is %v", origin, a.Header.Values("Vary"))
			}
		}
		sv := &providertest.Visitor{Bed: spa, Client: v.Client}
		code := sv.SignInForCode(t)
		a := spa.TokenRequest(t, spa.CodeForm(code), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("tokens are readable from another origin")
		}
	})
}

// The answer to one request never contains details of another request that runs at the same
// time.
// CF-13: Errors are made for each request, never shared.
func TestToken_ErrorsAreBuiltPerRequest(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		answers := make([]providertest.Answer, 100)
		providertest.Race(len(answers), func(i int) {
			form := url.Values{"grant_type": {"authorization_code"}, fmt.Sprintf("mark_%d_", i): {"a", "b"}}
			switch i % 4 {
			case 0, 1:
				answers[i] = b.TokenRequest(t, form)
			case 2:
				answers[i] = b.Visitor(t).Fetch(t, b.Issuer+"/authorize?"+form.Encode())
			case 3:
				answers[i] = b.TokenRequest(t, b.CodeForm("none"))
			}
		})
		for i, a := range answers {
			for j := range answers {
				want := i == j && i%4 != 3
				if got := strings.Contains(a.Body, fmt.Sprintf("mark_%d_", j)); got != want {
					t.Fatalf("answer %d names the parameter of request %d: %v, want %v\n%s", i, j, got, want, a.Body)
				}
			}
		}
	})
}
