package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/storage"
)

// keeper is what the command line changes keys with.
func (b *testbed) keeper(t *testing.T) *keeper.Keeper {
	t.Helper()
	return b.keeperOf(t, provider.Lifetimes{})
}

// keeperOf is the keeper of a provider with these lifetimes.
func (b *testbed) keeperOf(t *testing.T, of provider.Lifetimes) *keeper.Keeper {
	t.Helper()
	opened, err := vault.New(vault.Config{Master: [32]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.New(keeper.Config{DB: b.DB, Vault: opened, Life: of.KeyLife(keeper.Life{})})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (b *testbed) kid(t *testing.T, line string, state storage.KeyState) string {
	t.Helper()
	rows, err := b.DB.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(k storage.Key) bool { return k.Line == line && k.State == state })
	if i < 0 {
		t.Fatalf("there is no %s key on line %s", state, line)
	}
	return rows[i].ID
}

func (b *testbed) revokeKey(t *testing.T, line string) {
	t.Helper()
	if _, err := b.keeper(t).Revoke(t.Context(), b.kid(t, line, storage.KeyActive), "leaked", storage.Origin{Actor: "cli"}, b.now()); err != nil {
		t.Fatal(err)
	}
}

// A rotation costs a token nothing: neither before this node has seen it, nor after.
func TestCalls_ATokenCostsTheSameAcrossARotation(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		service, secret := b.registerWith(t, storage.Service, "robot", func(c *storage.Client) { c.Metadata.Scope = "jobs" })
		b.follow(t)
		robot := b.as(service, secret)
		tokens := b.redeem(t, b.visitor(t).flow(t))
		cost := func(when string) {
			t.Helper()
			for _, step := range []struct {
				what          string
				reads, writes int64
				request       func()
			}{
				{"client credentials", 0, 0, func() {
					if a := robot.tokenRequest(t, url.Values{"grant_type": {"client_credentials"}}); a.StatusCode != http.StatusOK {
						t.Fatalf("client credentials: %d %s", a.StatusCode, a.Body)
					}
				}},
				{"refresh", 0, 1, func() { tokens = b.refreshed(t, tokens["refresh_token"]) }},
				{"userinfo", 1, 0, func() { b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK) }},
				{"JWKS", 0, 0, func() { do(t, direct, mustGet(t, b.Issuer+"/jwks")) }},
			} {
				readsBefore, writesBefore := b.DB.Calls()
				step.request()
				reads, writes := b.DB.Calls()
				if reads -= readsBefore; reads != step.reads {
					t.Errorf("%s, %s: %d reads, want %d", when, step.what, reads, step.reads)
				}
				if writes -= writesBefore; writes != step.writes {
					t.Errorf("%s, %s: %d write transactions, want %d", when, step.what, writes, step.writes)
				}
			}
		}
		cost("before the rotation")
		first := headerOf(t, tokens["access_token"])["kid"]
		if _, err := b.keeper(t).Rotate(t.Context(), nil, 0, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		cost("before this node has seen it")
		b.follow(t)
		cost("after it")
		if got := headerOf(t, tokens["access_token"])["kid"]; got == first || got != b.kid(t, "ES256", storage.KeyActive) {
			t.Errorf("signed by %v, before by %v", got, first)
		}
	})
}

// The schedule rotates on both nodes' ticks at once: one does, and what either
// signed before, between and after is good at both.
func TestRotateOnce_TwoNodesHandOver(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		nodes := []*testbed{b, b.node(t)}
		tokens := b.redeem(t, b.visitor(t).flow(t, "scope", "openid offline_access"))
		for range 3 {
			b.pass(30*24*time.Hour - time.Minute)
			first := b.refreshed(t, tokens["refresh_token"])
			b.pass(time.Minute)
			race(2, func(i int) {
				if err := nodes[i].RotateOnce(context.Background(), b.now()); err != nil {
					t.Error(err)
				}
			})
			tokens = nodes[1].refreshed(t, first["refresh_token"])
			for _, n := range nodes {
				n.wantUserinfo(t, first["access_token"].(string), http.StatusOK)
				n.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
				n.follow(t)
				n.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			}
		}
		rotated := 0
		for _, e := range b.events(t) {
			if e.Type == storage.KeyRotated {
				rotated++
			}
		}
		if rotated != 3*3 { // ES256, RS256 and the internal line
			t.Errorf("%d rotations, want 9", rotated)
		}
	})
}

// Of a revoked secret: what was under way begins again, codes and refresh tokens
// fail, and who is signed in stays so.
func TestRevokedSecret_SessionsGoOn(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.withApp(t)
		v, other := b.visitor(t), b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		code := v.again(t)
		pending := other.get(t, b.authorizeURL()).form(t)
		b.revokeKey(t, storage.InternalLine)
		b.follow(t)

		b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
		b.refuseCode(t, code, "invalid_grant")
		page := other.submit(t, pending, "username", alice, "password", password)
		page.wantPage(t, http.StatusBadRequest, "invalid_link")
		if !strings.Contains(page.Body, "sign in from there") {
			t.Errorf("the page does not say how to start again: %s", page.Body)
		}
		if !v.signedIn(t) {
			t.Error("the session ended")
		}
		b.redeem(t, v.again(t))
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK) // its own key is not revoked
	})
}

func TestRevokedSecret_FirstPartyUsersGoOnByTheirSession(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		before := v.signInApp(t)
		b.revokeKey(t, storage.InternalLine)
		b.follow(t)
		if after := v.refreshApp(t); after.refresh.Value == before.refresh.Value {
			t.Error("the refresh token is the one of the revoked secret")
		}
		v.wantApp(t, true)
	})
}

// An ID token of a gone key still signs out at once. One of a revoked key counts for
// nothing: the person is asked.
func TestKeys_HintOfAGoneKeyAndOfARevokedOne(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, later := b.visitor(t), b.visitor(t)
		hint, hintLater := v.arrive(t, alice)["id_token"].(string), later.arrive(t, alice)["id_token"].(string)
		if _, err := b.keeper(t).Rotate(t.Context(), []string{"RS256"}, 0, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.pass(21 * time.Minute)
		if err := b.RotateOnce(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		if err := b.RotateOnce(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		gone := b.kid(t, "RS256", storage.KeyGone)
		if headerOf(t, hint)["kid"] != gone || strings.Contains(do(t, direct, mustGet(t, b.Issuer+"/jwks")).Body, gone) {
			t.Fatal("the key that signed the hint is not gone")
		}
		v.get(t, b.leave("id_token_hint", hint))
		v.wantSignedOut(t)
		if _, err := b.keeper(t).Revoke(t.Context(), gone, "", storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		if page := later.get(t, b.leave("id_token_hint", hintLater)); page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `id="signout"`) {
			t.Errorf("a hint of a revoked key: %d %s", page.StatusCode, page.Body)
		}
		later.wantSignedIn(t)
	})
}

// RFC 9111: the JWKS says how long it may be kept, and its tag changes with it.
func TestJWKS_MaxAgeAndETag(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		first := do(t, direct, mustGet(t, b.Issuer+"/jwks"))
		if got := first.Header.Get("Cache-Control"); got != "public, max-age=42" {
			t.Errorf("Cache-Control: %s", got)
		}
		if _, err := b.keeper(t).Rotate(t.Context(), nil, 0, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		r := mustGet(t, b.Issuer+"/jwks")
		r.Header.Set("If-None-Match", first.Header.Get("ETag"))
		second := do(t, direct, r)
		if second.StatusCode != http.StatusOK || strings.Count(second.Body, `"kid"`) != strings.Count(first.Body, `"kid"`)+2 {
			t.Errorf("after a rotation: %d %s", second.StatusCode, second.Body)
		}
	}, func(c *provider.Config) { c.Keys.MaxAge = 42 * time.Second })
}
