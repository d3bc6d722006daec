package provider_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// formEndpoints are those that a client posts a form to.
var formEndpoints = []string{"/token", "/introspect", "/revoke"}

// post sends a body to an endpoint as the testbed's client.
func (b *testbed) post(t *testing.T, path, contentType string, body io.Reader, change ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.SetBasicAuth(url.QueryEscape(b.Client.ID), url.QueryEscape(b.Secret))
	for _, c := range change {
		c(r)
	}
	return do(t, direct, r)
}

const formType = "application/x-www-form-urlencoded"

// goodForm is accepted by the endpoint.
func (b *testbed) goodForm(path, code string) url.Values {
	if path == "/token" {
		return b.codeForm(code)
	}
	return url.Values{"token": {"none"}, "token_type_hint": {"access_token"}}
}

func TestTK02_ParametersInTheQuery(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		for _, path := range formEndpoints {
			form := b.goodForm(path, code)
			for name := range form {
				moved := maps.Clone(form)
				moved.Del(name)
				query := url.Values{name: form[name]}.Encode()
				for _, body := range []url.Values{form, moved, {}} {
					a := b.post(t, path+"?"+query, formType, strings.NewReader(body.Encode()))
					wantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
				}
			}
			secret := url.Values{"client_id": {b.Client.ID}, "client_secret": {b.Secret}}.Encode()
			for _, query := range []string{secret, "x=1", "access_token=x", "&"} {
				a := b.post(t, path+"?"+query, formType, strings.NewReader(form.Encode()))
				wantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
			}
		}
		b.redeem(t, code) // none of them has touched it
	})
}

func TestTK04_RepeatedParameters(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		for _, path := range formEndpoints {
			form := b.goodForm(path, code)
			for _, more := range []string{"client_id", "client_secret", "scope", "client_assertion", "unheard_of"} {
				form.Set(more, "x")
			}
			for name, first := range form {
				for _, second := range []string{first[0], "other", "other\x01"} {
					doubled := maps.Clone(b.goodForm(path, code))
					doubled[name] = []string{first[0], second}
					wantOAuthError(t, b.post(t, path, formType, strings.NewReader(doubled.Encode())), http.StatusBadRequest, "invalid_request")
				}
			}
		}
		b.redeem(t, code)
	})
}

func TestTK05_ForeignContentTypes(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		var parts bytes.Buffer
		multi := multipart.NewWriter(&parts)
		for name, value := range b.codeForm(code) {
			if err := multi.WriteField(name, value[0]); err != nil {
				t.Fatal(err)
			}
		}
		multi.Close()
		encoded := b.codeForm(code).Encode()
		for _, path := range formEndpoints {
			for kind, body := range map[string]string{
				multi.FormDataContentType():     parts.String(),
				"application/json":              `{"grant_type":"authorization_code","code":"` + code + `"}`,
				"text/plain":                    encoded,
				"":                              encoded,
				"application/octet-stream":      encoded,
				"application/x-www-form-urlenc": encoded,
				formType + "; charset=utf-16":   encoded,
				formType + "; charset=utf-7":    encoded,
				formType + ", " + formType:      encoded,
				"multipart/form-data":           encoded,
				"application/":                  encoded,
			} {
				a := b.post(t, path, kind, strings.NewReader(body))
				if a.StatusCode != http.StatusUnsupportedMediaType && a.StatusCode != http.StatusBadRequest || a.json(t)["error"] != "invalid_request" {
					t.Errorf("%s with %q: got %d %s", path, kind, a.StatusCode, a.Body)
				}
			}
		}
		if a := b.post(t, "/token", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", strings.NewReader(encoded)); a.StatusCode != http.StatusOK {
			t.Errorf("a form that says its charset: got %d %s", a.StatusCode, a.Body)
		}
	})
}

func TestTK16_GrantTypeNotAllowedForTheClient(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		refresh, _ := b.redeem(t, v.flow(t))["refresh_token"].(string)
		code := v.again(t)
		supported := b.discovery(t)["grant_types_supported"].([]any)
		for _, grantType := range supported {
			b.changeClient(t, func(c *storage.Client) {
				c.Metadata.GrantTypes = nil
				for _, other := range supported {
					if other != grantType {
						c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, other.(string))
					}
				}
			})
			form := b.codeForm(code, "grant_type", grantType.(string), "refresh_token", refresh)
			wantOAuthError(t, b.tokenRequest(t, form), http.StatusBadRequest, "unauthorized_client")
		}
		b.changeClient(t, func(*storage.Client) {})
		b.redeem(t, code)
	})
}

func TestTK19_UnknownGrantTypes(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
		supported := b.discovery(t)["grant_types_supported"].([]any)
		for _, grantType := range []string{
			"password", "implicit", "Authorization_Code", "authorization_code ", "authorization_code,refresh_token", "authorization code",
			"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:ietf:params:oauth:grant-type:device_code", "\x01", "<script>",
		} {
			if slices.Contains(supported, any(grantType)) {
				continue
			}
			form := b.codeForm(code, "grant_type", grantType, "username", alice, "password", password)
			wantOAuthError(t, b.tokenRequest(t, form), http.StatusBadRequest, "unsupported_grant_type")
		}
		wantOAuthError(t, b.tokenRequest(t, b.codeForm(code, "grant_type", "")), http.StatusBadRequest, "invalid_request")
		b.redeem(t, code)
	})
}

func TestTK20_TestP37_AnswersAreNotStored(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		access := tokens["access_token"].(string)
		for name, a := range map[string]answer{
			"invalid_grant":  b.tokenRequest(t, b.codeForm("none")),
			"invalid_client": b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.SetBasicAuth("app", "none") }),
			"no form":        b.post(t, "/token", "text/plain", nil),
			"introspection":  b.post(t, "/introspect", formType, strings.NewReader("token="+access)),
			"userinfo":       b.userinfo(t, access),
			"userinfo 401":   b.userinfo(t, "none"),
			"405":            b.visitor(t).fetch(t, b.Issuer+"/token"),
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

func TestTK22_GiantRequests(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		code := v.flow(t)
		giant := strings.Repeat("a", 1<<20)
		var many strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&many, "p%d=1&", i)
		}
		for _, path := range formEndpoints {
			bodies := []string{many.String(), strings.Repeat("&", 1<<20), strings.Repeat("a=&", 20_000), strings.Repeat("a=1&", 10_000)}
			for name := range b.goodForm(path, code) {
				form := maps.Clone(b.goodForm(path, code))
				form.Set(name, giant)
				bodies = append(bodies, form.Encode())
			}
			for _, body := range bodies {
				a := b.post(t, path, formType, strings.NewReader(body))
				if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusRequestEntityTooLarge || a.json(t)["error"] != "invalid_request" {
					t.Errorf("%s with %.20s… of %d bytes: got %d %.200s", path, body, len(body), a.StatusCode, a.Body)
				}
			}
		}
		b.redeem(t, code)
	})
}

func TestTK24_ScopeIsExact(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.changeClient(t, func(c *storage.Client) { c.Metadata.Scope = "openid email phone" })
		v := b.visitor(t)
		v.flow(t)
		for asked, granted := range map[string]string{
			"openid":                               "openid",
			"openid email":                         "openid email",
			"phone openid phone":                   "phone openid",
			"openid profile admin offline_access":  "openid",
			"openid OPENID Email":                  "openid",
			"email":                                "email",
			"email profile openid2 openid.profile": "email",
		} {
			page := v.get(t, b.authorizeURL("scope", asked))
			if page.Left == nil {
				page = v.allow(t, page)
			}
			code := page.code(t)
			tokens := b.tokenRequest(t, b.codeForm(code, "scope", "openid email profile roles offline_access")).json(t)
			claims := claimsOf(t, tokens["access_token"])
			if tokens["scope"] != granted || claims["scope"] != granted {
				t.Errorf("scope %q: granted %v, in the token %v, want %q", asked, tokens["scope"], claims["scope"], granted)
			}
			_, hasID := tokens["id_token"]
			if hasID != slices.Contains(strings.Fields(granted), "openid") {
				t.Errorf("scope %q: ID token is there: %v", asked, hasID)
			}
			if !hasID {
				b.wantUserinfo(t, tokens["access_token"].(string), http.StatusForbidden)
			}
		}
	})
}

func TestTK25_ResourcesNeverWiden(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		const mail, files = "https://mail.example.com", "https://files.example.com/api"
		b.changeClient(t, func(c *storage.Client) { c.Resources = []string{mail, files} })
		v := b.visitor(t)
		v.flow(t)
		ask := func(resources ...string) string {
			params := b.params()
			params["resource"] = resources
			page := v.get(t, b.Issuer+"/authorize?"+params.Encode())
			if page.Left == nil {
				page = v.allow(t, page)
			}
			return page.code(t)
		}
		redeem := func(code string, named ...string) answer {
			form := b.codeForm(code)
			form["resource"] = named
			return b.tokenRequest(t, form)
		}
		for _, foreign := range []string{"https://evil.example.com", mail + "/", "HTTPS://mail.example.com", b.Issuer, "app", "*"} {
			v.get(t, b.authorizeURL("resource", foreign)).wantError(t, "invalid_target")
			code := ask(mail)
			wantOAuthError(t, redeem(code, foreign), http.StatusBadRequest, "invalid_target")
			wantOAuthError(t, redeem(code, mail, foreign), http.StatusBadRequest, "invalid_target")
			wantOAuthError(t, redeem(code, files), http.StatusBadRequest, "invalid_target") // registered, not granted
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
			token := a.json(t)["access_token"]
			if got := claimsOf(t, token)["aud"]; fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("asked for %v, named %v: audience %v, want %v", c.asked, c.named, got, c.want)
			}
			b.wantUserinfo(t, token.(string), map[bool]int{true: 200, false: 401}[slices.Contains(c.want, b.Issuer)])
		}
		code := ask()
		form := b.codeForm(code, "audience", "https://evil.example.com")
		if got := claimsOf(t, b.tokenRequest(t, form).json(t)["access_token"])["aud"]; fmt.Sprint(got) != fmt.Sprint([]string{b.Issuer}) {
			t.Errorf("audience in the token request gave %v", got)
		}
	})
}

func TestTK27_OriginsAtTheTokenEndpoint(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		spa := b.as(b.register(t, storage.SPA, "spa", "https://spa.example.com/cb"))
		b.register(t, storage.SPA, "other", "https://other.example.com/cb")
		b.follow(t)
		v := b.visitor(t)
		for origin, allowed := range map[string]bool{
			"https://spa.example.com": true, "https://other.example.com": false, "https://evil.example": false, "null": false,
			"http://spa.example.com": false, "https://spa.example.com:8443": false, "https://spa.example.com.evil.example": false,
			"https://xspa.example.com": false, "HTTPS://SPA.EXAMPLE.COM": false, "*": false, b.Issuer: false,
		} {
			a := spa.tokenRequest(t, spa.codeForm("none"), func(r *http.Request) { r.Header.Set("Origin", origin) })
			wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
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
		sv := &visitor{spa, v.client}
		code := sv.flow(t)
		a := spa.tokenRequest(t, spa.codeForm(code), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("tokens are readable from another origin")
		}
	})
}

// One request's details must not show in another's answer, however many run at
// the same time: an error value is nobody's but its request's.
func TestCF13_ErrorsAreBuiltPerRequest(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		answers := make([]answer, 100)
		race(len(answers), func(i int) {
			form := url.Values{"grant_type": {"authorization_code"}, fmt.Sprintf("mark_%d_", i): {"a", "b"}}
			switch i % 4 {
			case 0, 1:
				answers[i] = b.tokenRequest(t, form)
			case 2:
				answers[i] = b.visitor(t).fetch(t, b.Issuer+"/authorize?"+form.Encode())
			case 3:
				answers[i] = b.tokenRequest(t, b.codeForm("none"))
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
