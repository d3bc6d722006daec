package oauth_test

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// calls returns a valid call of every endpoint to which programs POST.
func calls(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) map[string]func(change func(*http.Request)) providertest.Answer {
	t.Helper()
	tokens := v.SignInAndRedeem(t, providertest.Alice)
	post := func(path, kind string, body func() string, authorization string) func(func(*http.Request)) providertest.Answer {
		return func(change func(*http.Request)) providertest.Answer {
			r, err := http.NewRequest(http.MethodPost, b.Issuer+path, strings.NewReader(body()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			change(r)
			return providertest.Do(t, v.Client, r)
		}
	}
	form := func(values url.Values) func() string { return values.Encode }
	client, bearer := providertest.Basic(b.Client.ID, b.Secret), "Bearer "+tokens["access_token"].(string)
	token := url.Values{"token": {tokens["access_token"].(string)}}
	return map[string]func(func(*http.Request)) providertest.Answer{
		"/token":       post("/token", providertest.FormType, func() string { return b.CodeForm(v.CodeFromSession(t)).Encode() }, client),
		"/introspect":  post("/introspect", providertest.FormType, form(token), client),
		"/revoke":      post("/revoke", providertest.FormType, form(url.Values{"token": {"x"}}), client),
		"/authorize":   post("/authorize", providertest.FormType, form(b.Params()), ""),
		"/end_session": post("/end_session", providertest.FormType, form(url.Values{"client_id": {b.Client.ID}}), ""),
		"/userinfo":    post("/userinfo", providertest.FormType, form(url.Values{}), bearer),
		"/refresh":     post("/refresh", "application/json", func() string { return "{}" }, ""),
		"/logout":      post("/logout", "application/json", func() string { return "{}" }, ""),
		"/login":       post("/login", "application/json", func() string { return providertest.Credentials }, ""),
	}
}

// These differences change no answer at any endpoint to which programs POST: the spelling of
// the media type, the case of the scheme, headers and parameters that the endpoint ignores, and
// the type of a body that the endpoint does not read.
func TestPost_HarmlessDifferencesChangeNothing(t *testing.T) {
	everywhere := map[string]func(*http.Request){
		"charset":          func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; charset=UTF-8") },
		"quoted charset":   func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+`;charset="utf-8"`) },
		"charset utf8":     func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; charset=utf8") },
		"case of the type": func(r *http.Request) { r.Header.Set("Content-Type", strings.ToUpper(r.Header.Get("Content-Type"))) },
		"other parameter":  func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; version=2; q=1") },
		"open semicolon":   func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+";") },
		"half a parameter": func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; charset") },
		"case of the scheme": func(r *http.Request) {
			if scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " "); found {
				r.Header.Set("Authorization", strings.ToUpper(scheme)+" "+rest)
			}
		},
		"no Accept":     func(r *http.Request) { r.Header.Del("Accept") },
		"other headers": func(r *http.Request) { r.Header.Set("X-Requested-With", "XMLHttpRequest") },
		"no length":     func(r *http.Request) { r.ContentLength = -1 },
	}
	latin := func(r *http.Request) {
		r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; charset=ISO-8859-1")
	}
	addsToForm := func(more string) func(*http.Request) {
		return func(r *http.Request) {
			body := new(strings.Builder)
			if _, err := io.Copy(body, r.Body); err != nil {
				panic(err)
			}
			*r = *withBody(r, strings.TrimPrefix(body.String()+"&"+more, "&"))
		}
	}
	replaced := func(kind, body string) func(*http.Request) {
		return func(r *http.Request) {
			again := withBody(r, body)
			if again.Header.Del("Content-Type"); kind != "" {
				again.Header.Set("Content-Type", kind)
			}
			*r = *again
		}
	}
	unread := map[string]func(*http.Request){
		"no body and no type": replaced("", ""), "no body, but a type": replaced("text/plain", ""), "JSON": replaced("application/json", "{}"),
		"text": replaced("text/plain", "{}"), "a form": replaced(providertest.FormType, "x=1"), "parts": replaced("multipart/form-data; boundary=x", "--x--"), "no type": replaced("", "{}"),
	}
	forms := map[string]func(*http.Request){
		"charset of the library": latin, "unknown parameter": addsToForm("unheard_of=x"), "empty parameters": addsToForm("unheard_of=&claims=&resource=&max_age="),
	}
	only := map[string]map[string]func(*http.Request){
		"/token": forms, "/introspect": forms, "/revoke": forms, "/authorize": maps.Clone(forms), "/end_session": maps.Clone(forms),
		"/refresh": maps.Clone(unread), "/logout": maps.Clone(unread), "/userinfo": maps.Clone(unread),
	}
	only["/userinfo"]["harmless query"] = func(r *http.Request) {
		replaced("", "")(r)
		r.URL.RawQuery = "schema=openid" // passport-openidconnect
	}
	only["/userinfo"]["harmless query beside a form"] = func(r *http.Request) { r.URL.RawQuery = "schema=openid" }
	only["/end_session"]["no body and no type"] = replaced("", "")
	for _, path := range []string{"/end_session", "/userinfo", "/refresh", "/logout"} {
		only[path]["chunks of nothing and no type"] = func(r *http.Request) {
			replaced("", "")(r)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), -1
		}
	}
	// These endpoints ignore the Authorization header.
	for _, path := range []string{"/authorize", "/end_session", "/refresh", "/logout"} {
		only[path]["needless Authorization"] = func(r *http.Request) { r.Header.Set("Authorization", "Bearer added.by.a.proxy") }
	}
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		want := map[string]int{}
		for path := range calls(t, b, b.Visitor(t)) {
			want[path] = calls(t, b, b.Visitor(t))[path](func(*http.Request) {}).StatusCode
		}
		for _, path := range slices.Sorted(maps.Keys(want)) {
			if want[path] >= 400 && path != "/refresh" {
				t.Errorf("%s without a difference: got %d", path, want[path])
			}
			differences := maps.Clone(everywhere)
			maps.Copy(differences, only[path])
			for name, change := range differences {
				call := calls(t, b, b.Visitor(t))[path] // each call uses a new browser
				if a := call(change); a.StatusCode != want[path] {
					t.Errorf("%s with %s: got %d, want %d: %.200s", path, name, a.StatusCode, want[path], a.Body)
				}
			}
		}
	})
}

// A body that means something else in another charset is refused.
func TestPost_AmbiguousCharsetsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		form := b.Params("state", "\u00e9").Encode()
		for _, charset := range []string{"iso-8859-1", "windows-1252", "us-ascii", "utf-16", "utf-7", "ibm037"} {
			a := b.Post(t, "/token", providertest.FormType+"; charset="+charset, strings.NewReader(form))
			providertest.WantOAuthError(t, a, http.StatusUnsupportedMediaType, "invalid_request")
		}
	})
}

// scope may contain extra spaces and repeated values.
func TestToken_OddSpacesInScope(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "  openid   email openid "))
		if tokens["scope"] != "openid email" {
			t.Errorf("at /authorize: %v", tokens["scope"])
		}
		if again := b.MustRefresh(t, tokens["refresh_token"], "scope", " email  openid email "); again["scope"] != "openid email" {
			t.Errorf("at a refresh: %v", again["scope"])
		}
		service := b.AsClient(b.RegisterWith(t, storage.Service, "service", func(c *storage.Client) { c.Metadata.Scope = "mail.read mail.send" }))
		for scope, want := range map[string]string{" mail.send   mail.read mail.send ": "mail.send mail.read", "  ": "mail.read mail.send"} {
			a := service.TokenRequest(t, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
			if got := a.JSON(t)["scope"]; got != want {
				t.Errorf("client_credentials for %q: %v", scope, got)
			}
		}
	})
}
