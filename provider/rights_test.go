package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

const (
	mailAPI  = "https://mail.example.com"
	filesAPI = "https://files.example.com/api"
)

// holding makes the testbed's client one with every kind of right, and gives the
// authorization request that asks for them.
func (b *testbed) holding(t *testing.T) []string {
	t.Helper()
	b.Client.Metadata.Scope = "openid email profile offline_access"
	b.Client.Resources = []string{mailAPI, filesAPI}
	b.changeClient(t, func(*storage.Client) {})
	return []string{
		"scope", "openid email offline_access", "resource", mailAPI,
		"claims", `{"id_token":{"given_name":null},"userinfo":{"zoneinfo":null}}`,
	}
}

// lostRight is a right that a client loses, and what is left of an authorization.
type lostRight struct {
	name   string
	lose   func(*storage.Client)
	scope  string // what is left; "" if an error comes
	aud    string // beside the issuer
	claims bool   // what was asked for claim by claim is still released

	request, code, refresh string // errors at /authorize/next and at /token
}

func withoutScope(scopes ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		left := slices.DeleteFunc(strings.Fields(c.Metadata.Scope), func(s string) bool { return slices.Contains(scopes, s) })
		c.Metadata.Scope = strings.Join(left, " ")
	}
}

func withoutGrant(names ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.Metadata.GrantTypes = slices.DeleteFunc(slices.Clone(c.Metadata.GrantTypes), func(g string) bool { return slices.Contains(names, g) })
	}
}

var lostRights = []lostRight{
	{name: "nothing", lose: func(*storage.Client) {}, scope: "openid email offline_access", aud: mailAPI, claims: true},
	{name: "scope email", lose: withoutScope("email"), scope: "openid offline_access", aud: mailAPI, claims: true},
	{name: "scope of the claims", lose: withoutScope("profile"), scope: "openid email offline_access", aud: mailAPI},
	{name: "all but openid", lose: withoutScope("email", "profile", "offline_access"), scope: "openid", aud: mailAPI},
	{name: "scope openid", lose: withoutScope("openid"), scope: "email offline_access", aud: mailAPI, claims: true},
	{name: "offline_access", lose: withoutScope("offline_access"), scope: "openid email", aud: mailAPI, claims: true},
	{name: "every scope asked for", lose: withoutScope("openid", "email", "offline_access"), request: "invalid_scope", code: "invalid_grant", refresh: "invalid_grant"},
	{name: "another resource", lose: func(c *storage.Client) { c.Resources = []string{mailAPI} }, scope: "openid email offline_access", aud: mailAPI, claims: true},
	{name: "the resource", lose: func(c *storage.Client) { c.Resources = []string{filesAPI} }, request: "invalid_target", code: "invalid_target", refresh: "invalid_target"},
	{name: "every resource", lose: func(c *storage.Client) { c.Resources = nil }, request: "invalid_target", code: "invalid_target", refresh: "invalid_target"},
	{name: "refresh tokens", lose: withoutGrant("refresh_token"), scope: "openid email", aud: mailAPI, claims: true, refresh: "unauthorized_client"},
	{name: "codes", lose: withoutGrant("authorization_code"), request: "unauthorized_client", code: "unauthorized_client", scope: "openid email offline_access", aud: mailAPI, claims: true},
	{name: "redirect URI", lose: func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://app.example.com/new"} }, request: "page", code: "invalid_grant", scope: "openid email offline_access", aud: mailAPI, claims: true},
}

// A client that lost a right has lost it in all that was issued before: in sealed
// requests, codes, refresh tokens and access tokens. A refusal revokes nothing, so
// that a right that comes back works again.
func TestRights_EveryStepNarrowsToWhatTheClientMayHaveNow(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		all := b.holding(t)
		v := b.visitor(t)
		v.flow(t, all...)
		restore := func() { b.changeClient(t, func(*storage.Client) {}) }
		for _, lost := range lostRights {
			sealed, code, tokens := b.nextURL(t, v, all...), v.again(t, all...), b.redeem(t, v.again(t, all...))
			b.changeClient(t, lost.lose)

			page := v.get(t, sealed)
			switch lost.request {
			case "page":
				page.wantPage(t, http.StatusBadRequest, "invalid_redirect_uri")
			case "":
				lost.wantTokens(t, b, "request", b.redeem(t, page.code(t)))
			default:
				page.wantError(t, lost.request)
			}

			if a := b.tokenRequest(t, b.codeForm(code)); lost.code != "" {
				wantOAuthError(t, a, http.StatusBadRequest, lost.code)
			} else {
				lost.wantTokens(t, b, "code", a.json(t))
			}

			lost.wantAccess(t, b, tokens["access_token"].(string))
			lost.wantIntrospected(t, b, tokens["refresh_token"].(string))
			if lost.refresh == "" {
				lost.wantTokens(t, b, "refresh", b.refreshed(t, tokens["refresh_token"]))
				restore()
				continue
			}
			b.refuseRefresh(t, tokens["refresh_token"], lost.refresh)
			restore()
			if again := b.refreshed(t, tokens["refresh_token"]); again["scope"] != lostRights[0].scope {
				t.Errorf("%s: after the right came back: %v", lost.name, again["scope"])
			}
		}
	})
}

// wantTokens wants an answer of the token endpoint to hold what is left and no more.
func (lost lostRight) wantTokens(t *testing.T, b *testbed, step string, tokens map[string]any) {
	t.Helper()
	if tokens["scope"] != lost.scope {
		t.Errorf("without %s, %s: scope %v, want %q (%v)", lost.name, step, tokens["scope"], lost.scope, tokens["error"])
		return
	}
	access := claimsOf(t, tokens["access_token"])
	if aud := fmt.Sprint(access["aud"]); access["scope"] != lost.scope || strings.Contains(aud, mailAPI) != (lost.aud == mailAPI) {
		t.Errorf("without %s, %s: access token of %v for %s", lost.name, step, access["scope"], aud)
	}
	id, openid := tokens["id_token"]
	if openid != strings.Contains(lost.scope, "openid") {
		t.Errorf("without %s, %s: ID token: %v", lost.name, step, openid)
	}
	if openid {
		if _, released := claimsOf(t, id)["given_name"]; released != lost.claims {
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

// wantAccess wants an access token from before to be worth only what is left.
func (lost lostRight) wantAccess(t *testing.T, b *testbed, access string) {
	t.Helper()
	info := b.introspect(t, access)
	switch {
	case lost.scope != "":
		if info["scope"] != lost.scope || strings.Contains(fmt.Sprint(info["aud"]), mailAPI) != (lost.aud == mailAPI) {
			t.Errorf("without %s: introspected as %v", lost.name, info)
		}
		lost.wantUserinfo(t, b, access)
	case lost.refresh == "invalid_grant":
		if info["active"] != false {
			t.Errorf("without %s: introspected as %v", lost.name, info)
		}
		b.wantUserinfo(t, access, http.StatusForbidden)
	case strings.Contains(fmt.Sprint(info["aud"]), mailAPI): // a resource is lost, not the person
		t.Errorf("without %s: introspected as %v", lost.name, info)
	}
}

func (lost lostRight) wantUserinfo(t *testing.T, b *testbed, access string) {
	t.Helper()
	a := b.userinfo(t, access)
	if !strings.Contains(lost.scope, "openid") {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("without %s: userinfo: %d %s", lost.name, a.StatusCode, a.Body)
		}
		return
	}
	_, email := a.json(t)["email"]
	_, zone := a.json(t)["zoneinfo"]
	if a.StatusCode != http.StatusOK || email != strings.Contains(lost.scope, "email") || zone != lost.claims {
		t.Errorf("without %s: userinfo: %d %s", lost.name, a.StatusCode, a.Body)
	}
}

func (lost lostRight) wantIntrospected(t *testing.T, b *testbed, refresh string) {
	t.Helper()
	info := b.introspect(t, refresh)
	if lost.refresh == "invalid_grant" || lost.refresh == "unauthorized_client" {
		if info["active"] != false {
			t.Errorf("without %s: refresh token introspected as %v", lost.name, info)
		}
	} else if lost.scope != "" && info["scope"] != lost.scope {
		t.Errorf("without %s: refresh token introspected as %v", lost.name, info)
	}
}

// A grant that lost offline_access is online from its next refresh on, also when the
// right comes back: it ends with its session. No storage call is added.
func TestRights_LostOfflineAccessEndsWithTheSession(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		all := b.holding(t)
		v := b.visitor(t)
		v.flow(t, all...)
		rotated, alive, gone := b.redeem(t, v.again(t, all...)), b.redeem(t, v.again(t, all...)), b.redeem(t, v.again(t, all...))
		reads, writes := b.DB.Calls()
		b.refreshed(t, gone["refresh_token"])
		readsBefore, writesBefore := b.DB.Calls()

		b.changeClient(t, withoutScope("offline_access"))
		r1, w1 := b.DB.Calls()
		rotated = b.refreshed(t, rotated["refresh_token"])
		r2, w2 := b.DB.Calls()
		if r2-r1 != readsBefore-reads || w2-w1 != writesBefore-writes {
			t.Errorf("%d reads and %d writes, want %d and %d", r2-r1, w2-w1, readsBefore-reads, writesBefore-writes)
		}
		if rotated["scope"] != "openid email" {
			t.Errorf("scope %v", rotated["scope"])
		}
		b.changeClient(t, func(*storage.Client) {}) // the right is back, the grant stays online
		b.pass(time.Minute)
		if rotated = b.refreshed(t, rotated["refresh_token"]); rotated["scope"] != "openid email" {
			t.Errorf("after the right came back: scope %v", rotated["scope"])
		}
		// A client that repeats its scope at each refresh asks for nothing that was not granted.
		b.pass(time.Minute)
		if rotated = b.refreshed(t, rotated["refresh_token"], "scope", "openid email  offline_access"); rotated["scope"] != "openid email" {
			t.Errorf("with its scope repeated: %v", rotated["scope"])
		}

		v.get(t, b.leave("id_token_hint", rotated["id_token"].(string)))
		v.wantSignedOut(t)
		b.wantDead(t, rotated)
		b.wantUserinfo(t, alive["access_token"].(string), http.StatusOK)
		b.changeClient(t, withoutScope("offline_access"))
		// The session is gone already: what was offline until now is dead at once, everywhere.
		b.wantUserinfo(t, alive["access_token"].(string), http.StatusUnauthorized)
		b.wantInactive(t, "access token", alive["access_token"])
		b.wantInactive(t, "refresh token", alive["refresh_token"])
		b.refuseRefresh(t, alive["refresh_token"], "invalid_grant")
		b.refuseRefresh(t, gone["refresh_token"], "invalid_grant") // the generation before, late
		b.changeClient(t, func(*storage.Client) {})
		b.refreshed(t, alive["refresh_token"]) // nothing was revoked
	})
}

// Claims asked for one by one go with the scope that releases them, and all of them with
// a narrowing to openid alone; the next refresh has them again.
func TestRights_ClaimsDoNotOutliveANarrowedScope(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t, "scope", "openid email address", "claims",
			`{"id_token":{"given_name":null,"email":null},"userinfo":{"zoneinfo":null,"email":null}}`))
		for _, c := range []struct {
			scope             string
			others, withEmail bool
		}{
			{"openid", false, false}, {"openid address", true, false}, {"openid email", true, true}, {"  openid   email address ", true, true}, {"", true, true},
			{" ", true, true}, // nothing named is nothing narrowed
		} {
			b.pass(time.Minute)
			tokens = b.refreshed(t, tokens["refresh_token"], "scope", c.scope)
			id := claimsOf(t, tokens["id_token"])
			info := b.userinfo(t, tokens["access_token"].(string)).json(t)
			for where, set := range map[string]map[string]any{"ID token": id, "userinfo": info} {
				_, name := set["given_name"]
				_, zone := set["zoneinfo"]
				_, email := set["email"]
				if (name || zone) != c.others || email != c.withEmail {
					t.Errorf("scope %q: %s has %v", c.scope, where, set)
				}
			}
		}
		// A client that may not have the scope cannot get its claims one by one.
		b.changeClient(t, func(c *storage.Client) { c.Metadata.Scope = "openid" })
		page := v.get(t, b.authorizeURL("scope", "openid", "claims", `{"userinfo":{"email":{"essential":true}}}`))
		info := b.userinfo(t, b.redeem(t, page.code(t))["access_token"].(string)).json(t)
		if _, released := info["email"]; released {
			t.Errorf("userinfo of a client for openid alone: %v", info)
		}
	})
}

// The consent page asks only for what the client may have when it is shown.
func TestRights_ConsentPageIsNarrowed(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		all := b.holding(t)
		v := b.visitor(t)
		v.flow(t, "scope", "openid")
		consent := v.get(t, b.nextURL(t, v, all...))
		if !strings.Contains(consent.Body, alice) || consent.At.Path != "/consent" {
			t.Fatalf("at %s", consent.At)
		}
		b.changeClient(t, withoutScope("email"))
		// The page showed other rights than would be granted now: it is stale.
		v.submit(t, consent.form(t), "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		page := v.get(t, consent.At.String())
		tokens := b.redeem(t, v.allow(t, page).code(t))
		if tokens["scope"] != "openid offline_access" {
			t.Errorf("scope %v", tokens["scope"])
		}
	})
}

// The person has allowed what the page said, and no right that comes back right after.
func TestRights_ConsentIsForWhatWasShown(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		all := b.holding(t)
		v := b.visitor(t)
		v.flow(t, "scope", "openid")
		sealed := b.nextURL(t, v, all...)
		b.changeClient(t, withoutScope("email"))
		f := v.get(t, sealed).form(t)
		f.values.Set("decision", "allow")
		a := do(t, v.client, v.formRequest(t, f))
		_, on, _ := strings.Cut(a.Header.Get("Refresh"), "url=")
		b.changeClient(t, func(*storage.Client) {})
		if tokens := b.redeem(t, v.get(t, b.Issuer+on).code(t)); tokens["scope"] != "openid offline_access" {
			t.Errorf("scope %v", tokens["scope"])
		}
	})
}

// A code that only its nonce protects is worth nothing once no ID token results.
func TestRights_NonceBindsOnlyWithOpenID(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.holding(t)
		v := b.visitor(t)
		byNonce := []string{"scope", "openid email", "code_challenge", "", "code_challenge_method", ""}
		v.flow(t, byNonce...)
		sealed, code := b.nextURL(t, v, byNonce...), v.again(t, byNonce...)
		b.changeClient(t, withoutScope("openid"))
		v.get(t, sealed).wantError(t, "invalid_request")
		b.refuseCode(t, code, "invalid_grant", "code_verifier", "")
	})
}

// Each renewal of the first-party app is for what the client is registered for now, and
// none for a client that is first-party no more.
func TestRights_FirstPartyRenewalIsNarrowed(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		client, err := b.DB.Client(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		app := b.as(client, "")
		v := b.visitor(t)
		v.signInApp(t)
		for _, scope := range []string{"openid email", "openid", "openid profile offline_access"} {
			app.changeClient(t, func(c *storage.Client) { c.Metadata.Scope = scope })
			for range 2 { // within the grace and after it
				p := v.refreshApp(t)
				if got := claimsOf(t, p.access.Value)["scope"]; got != strings.TrimSuffix(scope, " offline_access") {
					t.Errorf("registered for %q: got %v", scope, got)
				}
				b.pass(time.Minute)
			}
		}
		access := v.refreshApp(t).access.Value
		app.changeClient(t, func(c *storage.Client) { c.FirstParty = false })
		wantAppError(t, v.app(t, "/refresh", ""), http.StatusNotFound, "first_party_not_configured")
		b.as(b.Client, b.Secret).changeClient(t, func(c *storage.Client) { c.Introspects = true })
		b.wantInactive(t, "access token of what was first-party", access)
	})
}

// A service's own token is worth what the service may have now.
func TestRights_ServiceTokens(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		service := b.as(b.registerWith(t, storage.Service, "service", func(c *storage.Client) {
			c.Metadata.Scope, c.Resources = "mail.read mail.send", []string{mailAPI}
		}))
		b.follow(t)
		issue := func(pairs ...string) any {
			form := url.Values{"grant_type": {"client_credentials"}}
			for i := 0; i < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			return service.tokenRequest(t, form).json(t)["access_token"]
		}
		plain, targeted := issue(), issue("resource", mailAPI)
		service.changeClient(t, func(c *storage.Client) { c.Metadata.Scope, c.Resources = "mail.read", nil })
		if got := service.introspect(t, plain); got["scope"] != "mail.read" {
			t.Errorf("without mail.send: %v", got)
		}
		service.wantInactive(t, "token for a lost resource", targeted)
		service.changeClient(t, func(c *storage.Client) { c.Metadata.Scope = "other" })
		service.wantInactive(t, "token of which no scope is left", plain)
		service.changeClient(t, func(c *storage.Client) { c.Metadata.GrantTypes = []string{"authorization_code"} })
		service.wantInactive(t, "token of a lost grant type", plain)
	})
}

// authorization_details is refused at every endpoint, since none reads it (RFC 9396).
func TestAuthorizationDetails_AreRefused(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		const details = `[{"type":"payment_initiation"}]`
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t, "scope", "openid email offline_access"))
		v.byBoth(t, b.params("authorization_details", details), func(t *testing.T, s stop) {
			t.Helper()
			s.wantError(t, "invalid_authorization_details")
		})
		code := v.again(t)
		b.refuseCode(t, code, "invalid_authorization_details", "authorization_details", details)
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_authorization_details", "authorization_details", details)
		b.redeem(t, code) // neither is spent
		b.refreshed(t, tokens["refresh_token"])
	})
}
