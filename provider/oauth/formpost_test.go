package oauth_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/provider/providertest"
	"signet/storage"
)

// formPost adds response_mode=form_post to an authorization request.
func formPost(pairs ...string) []string { return append(pairs, "response_mode", "form_post") }

// P-75: The response is a page with a form of hidden fields that is posted to the redirect URI.
// P-17: Successes and errors are posted, from every place that answers a request.
// P-11, P-14: state and the query of the redirect URI are returned unchanged.
func TestFormPost_EveryResponseIsForm(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const state = `a"b<c>&d='e'+é%20&#10; ;` + "\u2028"
		v := b.Visitor(t)
		v.SignInForCode(t)
		for name, s := range map[string]providertest.Stop{
			"code":                              v.Get(t, b.AuthorizeURL(formPost("state", state)...)),
			"code=":                             v.AnswerPages(t, v.Get(t, b.AuthorizeURL(formPost("state", state, "prompt", "consent")...))),
			"invalid_scope":                     v.Get(t, b.AuthorizeURL(formPost("state", state, "scope", "nothing")...)),
			"invalid_request":                   v.Post(t, b.Params(formPost("state", state, "prompt", "unheard")...)),
			"unsupported_response_type":         v.Get(t, b.AuthorizeURL(formPost("state", state, "response_type", "token")...)),
			"request_not_supported":             v.Get(t, b.AuthorizeURL(formPost("state", state, "request", "a.b.c")...)),
			"consent_required":                  v.Get(t, b.AuthorizeURL(formPost("state", state, "prompt", "none", "scope", "openid phone")...)),
			"login_required":                    b.Visitor(t).Get(t, b.AuthorizeURL(formPost("state", state, "prompt", "none")...)),
			"access_denied":                     v.Submit(t, v.Get(t, b.AuthorizeURL(formPost("state", state, "prompt", "consent")...)).Form(t), "decision", "deny"),
			"unmet_authentication_requirements": v.Get(t, b.AuthorizeURL(formPost("state", state, "claims", `{"id_token":{"acr":{"essential":true,"value":"x"}}}`)...)),
		} {
			checkFormPost(t, name, s)
			if got := s.Posted; got.Get("state") != state || got.Get("iss") != b.Issuer {
				t.Errorf("%s: state %q, iss %q", name, got.Get("state"), got.Get("iss"))
			}
			if want := strings.TrimSuffix(name, "="); want == "code" {
				b.Redeem(t, s.Code(t))
			} else {
				s.WantError(t, want)
			}
		}
	})
}

// checkFormPost checks the page of a response as OAuth 2.0 Form Post Response Mode wants it.
func checkFormPost(t *testing.T, name string, s providertest.Stop) {
	t.Helper()
	if s.Posted == nil || s.LeftTo.String() != providertest.Callback {
		t.Fatalf("%s: no form is posted to the redirect URI: at %s, status %d, left to %v", name, s.At, s.StatusCode, s.LeftTo)
	}
	if csp := s.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "; form-action https:; ") || !strings.Contains(csp, "script-src 'self'") {
		t.Errorf("%s: the policy is %s", name, csp)
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "strict-origin", "Location": "", "Refresh": ""} {
		if got := s.Header.Get(header); got != want {
			t.Errorf("%s: %s is %q, want %q", name, header, got, want)
		}
	}
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	buttons := 0
	for n := range doc.Descendants() {
		switch n.Data {
		case "form":
			if providertest.Attr(n, "method") != "post" || providertest.Attr(n, "enctype")+providertest.Attr(n, "accept-charset")+providertest.Attr(n, "target") != "" {
				t.Errorf("%s: the form has the attributes %v", name, n.Attr)
			}
		case "input":
			if providertest.Attr(n, "type") != "hidden" {
				t.Errorf("%s: the field %s is not hidden", name, providertest.Attr(n, "name"))
			}
		case "button":
			if buttons++; providertest.Attr(n, "name") != "" {
				t.Errorf("%s: the button adds a parameter", name)
			}
		}
	}
	if buttons != 1 {
		t.Errorf("%s: %d buttons, want one for people without scripts", name, buttons)
	}
}

// AZ-12, RU-07: form_post is refused, in the default mode, if a form cannot carry the response.
func TestFormPost_IsRefusedIfFormCannotCarryResponse(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		native, _ := b.Register(t, storage.Native, "native", "com.example.app:/callback", "http://127.0.0.1/callback", "http://[::1]/callback")
		b.Follow(t)
		asNative := b.AsClient(native, "")
		for name, c := range map[string]struct {
			bed   *providertest.Testbed
			pairs []string
		}{
			"custom scheme": {asNative, []string{"redirect_uri", "com.example.app:/callback"}},
			"line break":    {b, []string{"state", "a\nb"}},
			"carriage":      {b, []string{"state", "a\rb"}},
		} {
			s := b.Visitor(t).Get(t, c.bed.AuthorizeURL(formPost(c.pairs...)...))
			if s.Posted != nil || s.LeftTo == nil || s.LeftTo.RawQuery == "" {
				t.Errorf("%s: posted %v, left to %v", name, s.Posted, s.LeftTo)
				continue
			}
			s.WantError(t, "invalid_request")
		}
		for _, uri := range []string{"http://127.0.0.1:4711/callback", "http://[::1]:4711/callback"} {
			s := b.Visitor(t).Get(t, asNative.AuthorizeURL(formPost("redirect_uri", uri, "prompt", "none")...))
			if s.Posted.Get("error") != "login_required" || !strings.Contains(s.Header.Get("Content-Security-Policy"), "; form-action http: https:; ") {
				t.Errorf("%s: posted %v with the policy %s", uri, s.Posted, s.Header.Get("Content-Security-Policy"))
			}
		}
	})
}

// ASP.NET Core sends these requests by default, with response_type=id_token or code, a long state, and
// parameters of its own.
func TestFormPost_RequestsOfASPNETCore(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const redirectURI = "https://app.example.com/signin-oidc"
		client, secret := b.RegisterWith(t, storage.Web, "aspnet", func(c *storage.Client) {
			c.Metadata.RedirectURIs = []string{redirectURI}
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit), []string{"code", "id_token"}
		})
		b.Follow(t)
		b = b.AsClient(client, secret)
		state := "CfDJ8" + strings.Repeat("NvXo5-0aT_9kqKyMZ2bE7wRs", 25)
		const nonce = "638999999999999999.YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5YWJjZGVmZ2hpamts"
		for kind, sent := range map[string][]string{
			"id_token": {"code_challenge", "", "code_challenge_method", ""},
			"code":     nil,
		} {
			v := b.Visitor(t)
			s := v.AnswerPages(t, v.Get(t, b.AuthorizeURL(formPost(append([]string{
				"response_type", kind, "scope", "openid profile", "nonce", nonce, "state", state, "x-client-SKU", "ID_NET8_0", "x-client-ver", "7.1.2.0",
			}, sent...)...)...)))
			if s.Posted.Get("state") != state || s.LeftTo.String() != redirectURI {
				t.Fatalf("%s: status %d, left to %v", kind, s.StatusCode, s.LeftTo)
			}
			token := s.Posted.Get("id_token")
			if kind == "code" {
				token = b.Redeem(t, s.Code(t))["id_token"].(string)
			}
			if got := providertest.ClaimsOf(t, token)["nonce"]; got != nonce {
				t.Errorf("%s: nonce %v", kind, got)
			}
		}
	})
}
