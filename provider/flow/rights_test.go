package flow_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// lostRight is a right that a client loses, and the rights that remain of an authorization.
type lostRight struct {
	name   string
	lose   func(*storage.Client)
	scope  string // remaining scope; "" for an error
	aud    string // audience beside the issuer
	claims bool   // claims of the claims parameter are still released

	request, code, refresh string // errors at /authorize/next and at /token
}

func withoutGrant(names ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.Metadata.GrantTypes = slices.DeleteFunc(slices.Clone(c.Metadata.GrantTypes), func(g string) bool { return slices.Contains(names, g) })
	}
}

var lostRights = []lostRight{
	{name: "nothing", lose: func(*storage.Client) {}, scope: "openid email offline_access", aud: providertest.MailAPI, claims: true},
	{name: "scope email", lose: providertest.WithoutScope("email"), scope: "openid offline_access", aud: providertest.MailAPI, claims: true},
	{name: "scope of the claims", lose: providertest.WithoutScope("profile"), scope: "openid email offline_access", aud: providertest.MailAPI},
	{name: "all but openid", lose: providertest.WithoutScope("email", "profile", "offline_access"), scope: "openid", aud: providertest.MailAPI},
	{name: "scope openid", lose: providertest.WithoutScope("openid"), scope: "email offline_access", aud: providertest.MailAPI, claims: true},
	{name: "offline_access", lose: providertest.WithoutScope("offline_access"), scope: "openid email", aud: providertest.MailAPI, claims: true},
	{name: "every scope asked for", lose: providertest.WithoutScope("openid", "email", "offline_access"), request: "invalid_scope", code: "invalid_grant", refresh: "invalid_grant"},
	{name: "another resource", lose: func(c *storage.Client) { c.Resources = []string{providertest.MailAPI} }, scope: "openid email offline_access", aud: providertest.MailAPI, claims: true},
	{name: "the resource", lose: func(c *storage.Client) { c.Resources = []string{providertest.FilesAPI} }, request: "invalid_target", code: "invalid_target", refresh: "invalid_target"},
	{name: "every resource", lose: func(c *storage.Client) { c.Resources = nil }, request: "invalid_target", code: "invalid_target", refresh: "invalid_target"},
	{name: "refresh tokens", lose: withoutGrant("refresh_token"), scope: "openid email", aud: providertest.MailAPI, claims: true, refresh: "unauthorized_client"},
	{name: "codes", lose: withoutGrant("authorization_code"), request: "unauthorized_client", code: "unauthorized_client", scope: "openid email offline_access", aud: providertest.MailAPI, claims: true},
	{name: "redirect URI", lose: func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://app.example.com/new"} }, request: "page", code: "invalid_grant", scope: "openid email offline_access", aud: providertest.MailAPI, claims: true},
}

// A client that lost a right has lost it in everything issued before: sealed requests, codes,
// refresh tokens and access tokens. A refusal revokes nothing: if the client gets the right
// back, it works again.
func TestRights_EveryStepNarrowsToWhatTheClientMayHaveNow(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		all := b.AllowEverything(t)
		v := b.Visitor(t)
		v.SignInForCode(t, all...)
		restore := func() { b.ChangeClient(t, func(*storage.Client) {}) }
		for _, lost := range lostRights {
			sealed, code, tokens := b.NextURL(t, v, all...), v.CodeFromSession(t, all...), b.Redeem(t, v.CodeFromSession(t, all...))
			b.ChangeClient(t, lost.lose)

			page := v.Get(t, sealed)
			switch lost.request {
			case "page":
				page.WantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			case "":
				lost.wantTokens(t, b, "request", b.Redeem(t, page.Code(t)))
			default:
				page.WantError(t, lost.request)
			}

			if a := b.TokenRequest(t, b.CodeForm(code)); lost.code != "" {
				providertest.WantOAuthError(t, a, http.StatusBadRequest, lost.code)
			} else {
				lost.wantTokens(t, b, "code", a.JSON(t))
			}

			lost.wantAccess(t, b, tokens["access_token"].(string))
			lost.wantIntrospected(t, b, tokens["refresh_token"].(string))
			if lost.refresh == "" {
				lost.wantTokens(t, b, "refresh", b.MustRefresh(t, tokens["refresh_token"]))
				restore()
				continue
			}
			b.RefuseRefresh(t, tokens["refresh_token"], lost.refresh)
			restore()
			if again := b.MustRefresh(t, tokens["refresh_token"]); again["scope"] != lostRights[0].scope {
				t.Errorf("%s: after the right came back: %v", lost.name, again["scope"])
			}
		}
	})
}

// wantTokens checks that an answer of the token endpoint has exactly the remaining rights.
func (lost lostRight) wantTokens(t *testing.T, b *providertest.Testbed, step string, tokens map[string]any) {
	t.Helper()
	if tokens["scope"] != lost.scope {
		t.Errorf("without %s, %s: scope %v, want %q (%v)", lost.name, step, tokens["scope"], lost.scope, tokens["error"])
		return
	}
	access := providertest.ClaimsOf(t, tokens["access_token"])
	if aud := fmt.Sprint(access["aud"]); access["scope"] != lost.scope || strings.Contains(aud, providertest.MailAPI) != (lost.aud == providertest.MailAPI) {
		t.Errorf("without %s, %s: access token of %v for %s", lost.name, step, access["scope"], aud)
	}
	id, openid := tokens["id_token"]
	if openid != strings.Contains(lost.scope, "openid") {
		t.Errorf("without %s, %s: ID token: %v", lost.name, step, openid)
	}
	if openid {
		if _, released := providertest.ClaimsOf(t, id)["given_name"]; released != lost.claims {
			t.Errorf("without %s, %s: given_name in the ID token: %v, want %v", lost.name, step, released, lost.claims)
		}
	}
	if _, refresh := tokens["refresh_token"]; refresh != (lost.refresh == "") {
		t.Errorf("without %s, %s: refresh token: %v", lost.name, step, refresh)
	}
	if lost.aud != "" && openid {
		lost.wantUserinfo(t, b, tokens["access_token"].(string))
	}
}

// wantAccess checks that an older access token gives only the remaining rights.
func (lost lostRight) wantAccess(t *testing.T, b *providertest.Testbed, access string) {
	t.Helper()
	info := b.Introspect(t, access)
	switch {
	case lost.scope != "":
		if info["scope"] != lost.scope || strings.Contains(fmt.Sprint(info["aud"]), providertest.MailAPI) != (lost.aud == providertest.MailAPI) {
			t.Errorf("without %s: introspected as %v", lost.name, info)
		}
		lost.wantUserinfo(t, b, access)
	case lost.refresh == "invalid_grant":
		if info["active"] != false {
			t.Errorf("without %s: introspected as %v", lost.name, info)
		}
		b.WantUserinfo(t, access, http.StatusForbidden)
	case strings.Contains(fmt.Sprint(info["aud"]), providertest.MailAPI): // the resource is lost, the claims remain
		t.Errorf("without %s: introspected as %v", lost.name, info)
	}
}

func (lost lostRight) wantUserinfo(t *testing.T, b *providertest.Testbed, access string) {
	t.Helper()
	a := b.Userinfo(t, access)
	if !strings.Contains(lost.scope, "openid") {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("without %s: userinfo: %d %s", lost.name, a.StatusCode, a.Body)
		}
		return
	}
	_, email := a.JSON(t)["email"]
	_, zone := a.JSON(t)["zoneinfo"]
	if a.StatusCode != http.StatusOK || email != strings.Contains(lost.scope, "email") || zone != lost.claims {
		t.Errorf("without %s: userinfo: %d %s", lost.name, a.StatusCode, a.Body)
	}
}

func (lost lostRight) wantIntrospected(t *testing.T, b *providertest.Testbed, refresh string) {
	t.Helper()
	info := b.Introspect(t, refresh)
	if lost.refresh == "invalid_grant" || lost.refresh == "unauthorized_client" {
		if info["active"] != false {
			t.Errorf("without %s: refresh token introspected as %v", lost.name, info)
		}
	} else if lost.scope != "" && info["scope"] != lost.scope {
		t.Errorf("without %s: refresh token introspected as %v", lost.name, info)
	}
}

// A grant that lost offline_access is online from its next refresh on and ends with its
// session, even if the client gets the right back. No storage call is added.
func TestRights_LostOfflineAccessEndsWithTheSession(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		all := b.AllowEverything(t)
		v := b.Visitor(t)
		v.SignInForCode(t, all...)
		rotated, alive, gone := b.Redeem(t, v.CodeFromSession(t, all...)), b.Redeem(t, v.CodeFromSession(t, all...)), b.Redeem(t, v.CodeFromSession(t, all...))
		reads, writes := b.DB.Calls()
		b.MustRefresh(t, gone["refresh_token"])
		readsBefore, writesBefore := b.DB.Calls()

		b.ChangeClient(t, providertest.WithoutScope("offline_access"))
		r1, w1 := b.DB.Calls()
		rotated = b.MustRefresh(t, rotated["refresh_token"])
		r2, w2 := b.DB.Calls()
		if r2-r1 != readsBefore-reads || w2-w1 != writesBefore-writes {
			t.Errorf("%d reads and %d writes, want %d and %d", r2-r1, w2-w1, readsBefore-reads, writesBefore-writes)
		}
		if rotated["scope"] != "openid email" {
			t.Errorf("scope %v", rotated["scope"])
		}
		b.ChangeClient(t, func(*storage.Client) {}) // the client gets the right back, and the grant stays online
		b.Advance(time.Minute)
		if rotated = b.MustRefresh(t, rotated["refresh_token"]); rotated["scope"] != "openid email" {
			t.Errorf("after the right came back: scope %v", rotated["scope"])
		}
		// A client may repeat its whole scope at each refresh: all of it was granted.
		b.Advance(time.Minute)
		if rotated = b.MustRefresh(t, rotated["refresh_token"], "scope", "openid email  offline_access"); rotated["scope"] != "openid email" {
			t.Errorf("with its scope repeated: %v", rotated["scope"])
		}

		v.Get(t, b.EndSessionURL("id_token_hint", rotated["id_token"].(string)))
		v.WantSignedOut(t)
		b.WantRevoked(t, rotated)
		b.WantUserinfo(t, alive["access_token"].(string), http.StatusOK)
		b.ChangeClient(t, providertest.WithoutScope("offline_access"))
		// The session has already ended, so the grant that was offline until now ends at once.
		b.WantUserinfo(t, alive["access_token"].(string), http.StatusUnauthorized)
		b.WantInactive(t, "access token", alive["access_token"])
		b.WantInactive(t, "refresh token", alive["refresh_token"])
		b.RefuseRefresh(t, alive["refresh_token"], "invalid_grant")
		b.RefuseRefresh(t, gone["refresh_token"], "invalid_grant") // the generation before, after the grace
		b.ChangeClient(t, func(*storage.Client) {})
		b.MustRefresh(t, alive["refresh_token"]) // the refusal revoked nothing
	})
}

// Claims of the claims parameter are lost with the scope that releases them. A refresh that
// is narrowed to openid has none of them; the next refresh has them again.
func TestRights_ClaimsDoNotOutliveANarrowedScope(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid email address", "claims",
			`{"id_token":{"given_name":null,"email":null},"userinfo":{"zoneinfo":null,"email":null}}`))
		for _, c := range []struct {
			scope             string
			others, withEmail bool
		}{
			{"openid", false, false}, {"openid address", true, false}, {"openid email", true, true}, {"  openid   email address ", true, true}, {"", true, true},
			{" ", true, true}, // a request without scopes narrows nothing
		} {
			b.Advance(time.Minute)
			tokens = b.MustRefresh(t, tokens["refresh_token"], "scope", c.scope)
			id := providertest.ClaimsOf(t, tokens["id_token"])
			info := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
			for where, set := range map[string]map[string]any{"ID token": id, "userinfo": info} {
				_, name := set["given_name"]
				_, zone := set["zoneinfo"]
				_, email := set["email"]
				if (name || zone) != c.others || email != c.withEmail {
					t.Errorf("scope %q: %s has %v", c.scope, where, set)
				}
			}
		}
		// A client that may not have a scope cannot get its claims by the claims parameter.
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope = "openid" })
		page := v.Get(t, b.AuthorizeURL("scope", "openid", "claims", `{"userinfo":{"email":{"essential":true}}}`))
		info := b.Userinfo(t, b.Redeem(t, page.Code(t))["access_token"].(string)).JSON(t)
		if _, released := info["email"]; released {
			t.Errorf("userinfo of a client for openid alone: %v", info)
		}
	})
}

// A code that only a nonce protects is refused if it gives no ID token.
func TestRights_NonceBindsOnlyWithOpenID(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.AllowEverything(t)
		v := b.Visitor(t)
		byNonce := []string{"scope", "openid email", "code_challenge", "", "code_challenge_method", ""}
		v.SignInForCode(t, byNonce...)
		sealed, code := b.NextURL(t, v, byNonce...), v.CodeFromSession(t, byNonce...)
		b.ChangeClient(t, providertest.WithoutScope("openid"))
		v.Get(t, sealed).WantError(t, "invalid_request")
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", "")
	})
}

// A service token gives only the rights that its client has now.
func TestRights_ServiceTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		service := b.AsClient(b.RegisterWith(t, storage.Service, "service", func(c *storage.Client) {
			c.Metadata.Scope, c.Resources = "mail.read mail.send", []string{providertest.MailAPI}
		}))
		b.Follow(t)
		issue := func(pairs ...string) any {
			form := url.Values{"grant_type": {"client_credentials"}}
			for i := 0; i < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			return service.TokenRequest(t, form).JSON(t)["access_token"]
		}
		plain, targeted := issue(), issue("resource", providertest.MailAPI)
		service.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope, c.Resources = "mail.read", nil })
		if got := service.Introspect(t, plain); got["scope"] != "mail.read" {
			t.Errorf("without mail.send: %v", got)
		}
		service.WantInactive(t, "token for a lost resource", targeted)
		service.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope = "other" })
		service.WantInactive(t, "token of which no scope is left", plain)
		service.ChangeClient(t, func(c *storage.Client) { c.Metadata.GrantTypes = []string{"authorization_code"} })
		service.WantInactive(t, "token of a lost grant type", plain)
	})
}
