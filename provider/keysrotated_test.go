package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// TestCalls_ATokenCostsTheSameAcrossARotation: a token needs the same number of calls before
// and after this node has seen a rotation.
func TestCalls_ATokenCostsTheSameAcrossARotation(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		service, secret := b.RegisterWith(t, storage.Service, "robot", func(c *storage.Client) { c.Metadata.Scope = "jobs" })
		b.Follow(t)
		robot := b.AsClient(service, secret)
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		cost := func(when string) {
			t.Helper()
			for _, step := range []struct {
				name          string
				reads, writes int64
				request       func()
			}{
				{"client credentials", 0, 0, func() {
					if a := robot.TokenRequest(t, url.Values{"grant_type": {"client_credentials"}}); a.StatusCode != http.StatusOK {
						t.Fatalf("client credentials: %d %s", a.StatusCode, a.Body)
					}
				}},
				{"refresh", 0, 1, func() { tokens = b.MustRefresh(t, tokens["refresh_token"]) }},
				{"userinfo", 1, 0, func() { b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK) }},
				{"JWKS", 0, 0, func() { providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.Issuer+"/jwks")) }},
			} {
				readsBefore, writesBefore := b.DB.Calls()
				step.request()
				reads, writes := b.DB.Calls()
				if reads -= readsBefore; reads != step.reads {
					t.Errorf("%s, %s: got %d reads, want %d", when, step.name, reads, step.reads)
				}
				if writes -= writesBefore; writes != step.writes {
					t.Errorf("%s, %s: got %d write transactions, want %d", when, step.name, writes, step.writes)
				}
			}
		}
		cost("before the rotation")
		first := providertest.HeaderOf(t, tokens["access_token"])["kid"]
		if _, err := b.Keeper(t).Rotate(t.Context(), nil, 0, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		cost("before this node has seen it")
		b.Follow(t)
		cost("after it")
		if got := providertest.HeaderOf(t, tokens["access_token"])["kid"]; got == first || got != b.Kid(t, "ES256", storage.KeyActive) {
			t.Errorf("got the key %v after the rotation, and %v before; want another key", got, first)
		}
	})
}

// TestRotateOnce_TwoNodesHandOver lets both nodes rotate at once: one of them does. Both
// nodes accept the tokens of both, from before, during and after the rotation.
func TestRotateOnce_TwoNodesHandOver(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		nodes := []*providertest.Testbed{b, b.Node(t)}
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))
		for range 3 {
			b.Advance(30*24*time.Hour - time.Minute)
			first := b.MustRefresh(t, tokens["refresh_token"])
			b.Advance(time.Minute)
			providertest.Race(2, func(i int) {
				if err := nodes[i].RotateOnce(context.Background(), b.Now()); err != nil {
					t.Error(err)
				}
			})
			tokens = nodes[1].MustRefresh(t, first["refresh_token"])
			for _, n := range nodes {
				n.WantUserinfo(t, first["access_token"].(string), http.StatusOK)
				n.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
				n.Follow(t)
				n.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			}
		}
		rotated := 0
		for _, e := range b.Events(t) {
			if e.Type == storage.KeyRotated {
				rotated++
			}
		}
		if rotated != 3*3 { // ES256, RS256 and the internal line
			t.Errorf("got %d rotations, want 9", rotated)
		}
	})
}

// TestJWKS_RotationPublishesNewKeysBesideOld rotates in the running server. The old keys stay in the
// JWKS, the new ones have a kid and material of their own, and tokens of before and after verify.
//
// P-08: keys rotate without a restart, and old keys stay published.
func TestJWKS_RotationPublishesNewKeysBesideOld(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		old := b.Redeem(t, v.SignInForCode(t))
		before := b.PublicKeys(t)
		if _, err := b.Keeper(t).Rotate(t.Context(), nil, 0, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		after, fresh := b.PublicKeys(t), b.Redeem(t, v.CodeFromSession(t))
		for _, key := range before.Keys {
			if same := after.Key(key.KeyID); len(same) != 1 || !reflect.DeepEqual(same[0].Key, key.Key) {
				t.Errorf("the key %s is not published any more", key.KeyID)
			}
		}
		if len(after.Keys) <= len(before.Keys) {
			t.Errorf("%d keys after the rotation, %d before", len(after.Keys), len(before.Keys))
		}
		for i, key := range after.Keys {
			for _, other := range after.Keys[:i] {
				if other.KeyID == key.KeyID || reflect.DeepEqual(other.Key, key.Key) {
					t.Errorf("%s and %s are one key", other.KeyID, key.KeyID)
				}
			}
		}
		if providertest.HeaderOf(t, old["id_token"])["kid"] == providertest.HeaderOf(t, fresh["id_token"])["kid"] {
			t.Error("a token after the rotation has the old key")
		}
		for name, tokens := range map[string]map[string]any{"before": old, "after": fresh} {
			key := after.Key(providertest.HeaderOf(t, tokens["id_token"])["kid"].(string))
			signed, err := jose.ParseSignedCompact(tokens["id_token"].(string), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
			if err == nil && len(key) == 1 {
				_, err = signed.Verify(key[0])
			}
			if err != nil || len(key) != 1 {
				t.Errorf("the ID token of %s the rotation: %d keys, %v", name, len(key), err)
			}
		}
	})
}

// TestRevokedSecret_SessionsGoOn revokes the internal secret. Sign-ins in progress have to
// start again, and codes and refresh tokens fail. Users stay signed in.
func TestRevokedSecret_SessionsGoOn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterApp(t)
		v, other := b.Visitor(t), b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		code := v.CodeFromSession(t)
		pending := other.Get(t, b.AuthorizeURL()).Form(t)
		b.RevokeKey(t, storage.InternalLine)
		b.Follow(t)

		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
		b.RefuseCode(t, code, "invalid_grant")
		page := other.Submit(t, pending, "username", providertest.Alice, "password", providertest.Password)
		page.WantPage(t, http.StatusBadRequest, "invalid_link")
		if !strings.Contains(page.Body, "sign in from there") {
			t.Errorf("the page does not say how to start again: %s", page.Body)
		}
		if !v.SignedIn(t) {
			t.Error("the session ended")
		}
		b.Redeem(t, v.CodeFromSession(t))
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK) // signed with a key that is not revoked
	})
}

// TestRevokedSecret_FirstPartyUsersGoOnByTheirSession: the first-party app gets a new refresh
// token for the session, although the old one fails.
func TestRevokedSecret_FirstPartyUsersGoOnByTheirSession(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		before := v.SignInApp(t)
		b.RevokeKey(t, storage.InternalLine)
		b.Follow(t)
		if after := v.RefreshApp(t); after.Refresh.Value == before.Refresh.Value {
			t.Error("the refresh token is still the one of the revoked secret")
		}
		v.WantApp(t, true)
	})
}

// TestKeys_HintOfAGoneKeyAndOfARevokedOne: an ID token of a gone key is still valid as a hint
// at sign-out. A hint of a revoked key is ignored, and the user is asked.
func TestKeys_HintOfAGoneKeyAndOfARevokedOne(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, later := b.Visitor(t), b.Visitor(t)
		hint, hintLater := v.SignInAndRedeem(t, providertest.Alice)["id_token"].(string), later.SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
		if _, err := b.Keeper(t).Rotate(t.Context(), []string{"RS256"}, 0, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Advance(21 * time.Minute)
		if err := b.RotateOnce(t.Context(), b.Now()); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		if err := b.RotateOnce(t.Context(), b.Now()); err != nil {
			t.Fatal(err)
		}
		gone := b.Kid(t, "RS256", storage.KeyGone)
		if providertest.HeaderOf(t, hint)["kid"] != gone || strings.Contains(providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.Issuer+"/jwks")).Body, gone) {
			t.Fatal("the key that signed the hint is not gone")
		}
		v.Get(t, b.EndSessionURL("id_token_hint", hint))
		v.WantSignedOut(t)
		if _, err := b.Keeper(t).Revoke(t.Context(), gone, "", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		if page := later.Get(t, b.EndSessionURL("id_token_hint", hintLater)); page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `id="signout"`) {
			t.Errorf("a hint of a revoked key: %d %s", page.StatusCode, page.Body)
		}
		later.WantSignedIn(t)
	})
}

// TestJWKS_MaxAgeAndETag: the JWKS has a lifetime for caches, and its ETag changes with the
// keys (RFC 9111).
func TestJWKS_MaxAgeAndETag(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		first := providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.Issuer+"/jwks"))
		if got := first.Header.Get("Cache-Control"); got != "public, max-age=42" {
			t.Errorf("Cache-Control: %s", got)
		}
		if _, err := b.Keeper(t).Rotate(t.Context(), nil, 0, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		r := providertest.NewGetRequest(t, b.Issuer+"/jwks")
		r.Header.Set("If-None-Match", first.Header.Get("ETag"))
		second := providertest.Do(t, providertest.Direct, r)
		if second.StatusCode != http.StatusOK || strings.Count(second.Body, `"kid"`) != strings.Count(first.Body, `"kid"`)+2 {
			t.Errorf("after a rotation: %d %s", second.StatusCode, second.Body)
		}
	}, func(c *provider.Config) { c.Keys.MaxAge = 42 * time.Second })
}
