package provider_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

// insider opens the keys of this installation, as another node does: what it signs is
// genuine, whatever it says.
func (b *testbed) insider(t *testing.T) *keys.Ring {
	t.Helper()
	opened, err := vault.New(vault.Config{Master: [32]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(context.Background(), keys.Config{
		DB: b.DB, Vault: opened, Issuer: b.Issuer, Now: b.now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func resign(t *testing.T, ring *keys.Ring, token keys.RefreshToken) string {
	t.Helper()
	signed, err := ring.SignRefresh(token)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Well signed, but not what the row says: the row is the truth.
func TestRT12_TestRT16_ClaimsMustEqualTheRow(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		ring := b.insider(t)
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		mallory := b.user(t, "mallory@example.com", password)
		other := b.as(b.registerWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent = []string{callback}, true
		}))
		genuine, err := ring.OpenRefresh(tokens["refresh_token"].(string), b.now())
		if err != nil {
			t.Fatal(err)
		}
		if resign(t, ring, genuine) != tokens["refresh_token"] {
			t.Fatal("the tool does not make what Signet makes")
		}
		for name, c := range map[string]struct {
			as     *testbed
			change func(*keys.RefreshToken)
		}{
			"subject":           {b, func(r *keys.RefreshToken) { r.Subject = mallory.ID }},
			"no such subject":   {b, func(r *keys.RefreshToken) { r.Subject = "usr_none" }},
			"client":            {other, func(r *keys.RefreshToken) { r.ClientID = other.Client.ID }},
			"client, presented": {b, func(r *keys.RefreshToken) { r.ClientID = other.Client.ID }},
			"grant":             {b, func(r *keys.RefreshToken) { r.GrantID = "purged" }},
			"grant with NUL":    {b, func(r *keys.RefreshToken) { r.GrantID = "gid\x00" }},
		} {
			changed := genuine
			c.change(&changed)
			token := resign(t, ring, changed)
			c.as.refuseRefresh(t, token, "invalid_grant")
			c.as.wantInactive(t, name, token)
			if got := b.introspect(t, tokens["refresh_token"]); got["active"] != true {
				t.Fatalf("%s: a false token has ended the true one: %v", name, got)
			}
		}
		// Its own expiry prolongs nothing, and shortens nothing that the row allows.
		longer := genuine
		longer.Expires += int64((365 * 24 * time.Hour).Seconds())
		b.pass(8 * 24 * time.Hour)
		b.refuseRefresh(t, resign(t, ring, longer), "invalid_grant")
	})
}

// The row is a generation behind a token: an older backup was restored. Nobody can
// tell who is right, so the grant ends.
func TestRT13_GenerationAheadOfTheRowEndsTheGrant(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		ring := b.insider(t)
		tokens := b.redeem(t, b.visitor(t).flow(t))
		ahead, err := ring.OpenRefresh(tokens["refresh_token"].(string), b.now())
		if err != nil {
			t.Fatal(err)
		}
		ahead.Generation++
		b.refuseRefresh(t, resign(t, ring, ahead), "invalid_grant")
		b.wantDead(t, tokens)
		b.wantEvent(t, storage.GrantReplayed, claimsOf(t, tokens["access_token"])["gid"])
	})
}

// However long ago a generation was used: as long as the grant lives its return
// is noticed. No row of it could have been swept meanwhile, since there is none.
func TestRT17_OldGenerationsAreKnownForAsLongAsTheGrantLives(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		stolen := b.redeem(t, b.visitor(t).flow(t, "scope", "openid offline_access"))
		current := stolen
		for range 10 {
			b.pass(29 * 24 * time.Hour)
			current = b.refreshed(t, current["refresh_token"])
		}
		b.refuseRefresh(t, stolen["refresh_token"], "invalid_grant")
		b.wantDead(t, current)
	})
}

// The database is gone in the middle: 503, and the token is as good as before.
func TestRT15_DatabaseGoneIsNoInvalidGrant(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		down := b.node(t)
		if err := down.DB.Close(); err != nil {
			t.Fatal(err)
		}
		a := down.refresh(t, tokens["refresh_token"])
		wantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" || len(a.Cookies()) > 0 {
			t.Errorf("headers: %v", a.Header)
		}
		b.refreshed(t, tokens["refresh_token"])
	})
}

// A refresh token is nobody's but the token endpoint's, its introspection and its
// revocation: the matrix of jose_test.go says where; here it is in no URL and, as
// a bearer token of the API, nothing.
func TestRT11_TestRT19_RefreshTokensStayWhereTheyBelong(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		refresh := tokens["refresh_token"].(string)
		b.wantUserinfo(t, refresh, http.StatusUnauthorized)
		query := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}.Encode()
		a := b.post(t, "/token?"+query, formType, strings.NewReader("grant_type=refresh_token"))
		wantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
		b.refuseRefresh(t, refresh+"x", "invalid_grant")
		b.refreshed(t, refresh)
		if strings.Contains(b.Log.String(), refresh[len(refresh)-20:]) {
			t.Error("the log has the refresh token")
		}
	})
}

var visibleCharacters = regexp.MustCompile(`^[!-~]{16,}$`)

// PROTOCOL 39: who gets a refresh token, how it looks, whose it is.
func TestP39_RefreshTokens(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t, "scope", "openid email offline_access", "prompt", "consent"))
		if !visibleCharacters.MatchString(tokens["refresh_token"].(string)) || !strings.Contains(tokens["scope"].(string), "offline_access") {
			t.Errorf("got %v", tokens)
		}
		narrow := b.refreshed(t, tokens["refresh_token"], "scope", "openid")
		if narrow["scope"] != "openid" || !visibleCharacters.MatchString(narrow["refresh_token"].(string)) {
			t.Errorf("narrowed: %v", narrow)
		}
		other := b.as(b.register(t, storage.Web, "other", callback))
		other.refuseRefresh(t, narrow["refresh_token"], "invalid_grant")
		b.refreshed(t, narrow["refresh_token"])

		without := b.as(b.registerWith(t, storage.Web, "without", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.GrantTypes = []string{callback}, []string{"authorization_code"}
		}))
		if got := without.redeem(t, without.visitor(t).flow(t, "scope", "openid offline_access")); got["refresh_token"] != nil {
			t.Error("a client that is not registered for the grant got a refresh token")
		}
		wantOAuthError(t, without.refresh(t, narrow["refresh_token"]), http.StatusBadRequest, "unauthorized_client")
	})
}

// PROTOCOL 40 (OIDC Core, section 12.2).
func TestP40_RefreshedIDTokenIsOfTheSameSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		first := claimsOf(t, tokens["id_token"])
		for range 3 {
			b.pass(10 * time.Minute)
			tokens = b.refreshed(t, tokens["refresh_token"])
			got := claimsOf(t, tokens["id_token"])
			for _, name := range []string{"iss", "sub", "auth_time", "azp", "acr", "sid"} {
				if got[name] != first[name] {
					t.Errorf("%s: was %v, is %v", name, first[name], got[name])
				}
			}
			if !contains(got["aud"], b.Client.ID) || contains(got["aud"], b.Issuer) || got["iat"] == first["iat"] || got["nonce"] != nil {
				t.Errorf("aud %v, iat %v after %v, nonce %v", got["aud"], got["iat"], first["iat"], got["nonce"])
			}
		}
	})
}

func contains(list any, want string) bool {
	many, ok := list.([]any)
	if !ok {
		return list == want
	}
	for _, one := range many {
		if one == want {
			return true
		}
	}
	return false
}

// PROTOCOL 41: a client that lost the answer goes on, within the grace.
func TestP41_TheTokenBeforeIsGoodWithinTheGrace(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		first := b.redeem(t, b.visitor(t).flow(t))
		second := b.refreshed(t, first["refresh_token"])
		b.pass(25 * time.Second)
		again := b.refreshed(t, first["refresh_token"])
		if again["refresh_token"] != second["refresh_token"] || !visibleCharacters.MatchString(again["refresh_token"].(string)) {
			t.Error("the grace gave another successor")
		}
		b.wantUserinfo(t, again["access_token"].(string), http.StatusOK)
		b.refreshed(t, again["refresh_token"])
	})
}

// A node takes the tokens of another whose clock is a minute off.
func TestMN06_ClocksAMinuteApart(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, off := range []time.Duration{-time.Minute, time.Minute} {
			skewed := *b
			skewed.clock = &clock{moved: off}
			other := skewed.node(t)
			tokens := other.refreshed(t, b.redeem(t, v.again(t))["refresh_token"])
			for _, at := range []*testbed{b, other} {
				at.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
				if got := at.introspect(t, tokens["access_token"]); got["active"] != true {
					t.Errorf("%s: introspection %v", off, got)
				}
				tokens = at.refreshed(t, tokens["refresh_token"])
			}
			b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		}
	})
}
