package oauth_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/providertest"
	"signet/storage"
)

func resign(t *testing.T, ring *keys.Ring, token keys.RefreshToken) string {
	t.Helper()
	signed, err := ring.SignRefresh(token)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Well signed, but not what the row says: the row is the truth.
// RT-12: Correctly signed refresh JWT whose jti is not in the database (purged, restored, other environment).
// RT-16: Token found by jti, but other claims (sub, client, family, expiry, issuer) differ from the row.
func TestRefresh_ClaimsMustEqualTheRow(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		ring := b.OpenKeys(t)
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		mallory := b.User(t, "mallory@example.com", providertest.Password)
		other := b.AsClient(b.RegisterWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		}))
		genuine, err := ring.OpenRefresh(tokens["refresh_token"].(string), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		if resign(t, ring, genuine) != tokens["refresh_token"] {
			t.Fatal("the tool does not make what Signet makes")
		}
		for name, c := range map[string]struct {
			as     *providertest.Testbed
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
			c.as.RefuseRefresh(t, token, "invalid_grant")
			c.as.WantInactive(t, name, token)
			if got := b.Introspect(t, tokens["refresh_token"]); got["active"] != true {
				t.Fatalf("%s: a false token has ended the true one: %v", name, got)
			}
		}
		// Its own expiry prolongs nothing, and shortens nothing that the row allows.
		longer := genuine
		longer.Expires += int64((365 * 24 * time.Hour).Seconds())
		b.Advance(8 * 24 * time.Hour)
		b.RefuseRefresh(t, resign(t, ring, longer), "invalid_grant")
	})
}

// The row is a generation behind a token: an older backup was restored. Nobody can
// tell who is right, so the grant ends.
// RT-13: Restore yesterday's backup: spent tokens are unspent again.
func TestRefresh_GenerationAheadOfTheRowEndsTheGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		ring := b.OpenKeys(t)
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		ahead, err := ring.OpenRefresh(tokens["refresh_token"].(string), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		ahead.Generation++
		b.RefuseRefresh(t, resign(t, ring, ahead), "invalid_grant")
		b.WantRevoked(t, tokens)
		b.WantEvent(t, storage.GrantReplayed, providertest.ClaimsOf(t, tokens["access_token"])["gid"])
	})
}

// However long ago a generation was used: as long as the grant lives its return
// is noticed. No row of it could have been swept meanwhile, since there is none.
// RT-17: Cleanup removes spent jti rows early, so reuse looks unknown instead of stolen.
func TestRefresh_OldGenerationsAreKnownForAsLongAsTheGrantLives(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		stolen := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))
		current := stolen
		for range 10 {
			b.Advance(29 * 24 * time.Hour)
			current = b.MustRefresh(t, current["refresh_token"])
		}
		b.RefuseRefresh(t, stolen["refresh_token"], "invalid_grant")
		b.WantRevoked(t, current)
	})
}

// The database is gone in the middle: 503, and the token is as good as before.
// RT-15: Database locked, full, or gone during rotation.
func TestRefresh_DatabaseGoneIsNoInvalidGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		down := b.Node(t)
		if err := down.DB.Close(); err != nil {
			t.Fatal(err)
		}
		a := down.Refresh(t, tokens["refresh_token"])
		providertest.WantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" || len(a.Cookies()) > 0 {
			t.Errorf("headers: %v", a.Header)
		}
		b.MustRefresh(t, tokens["refresh_token"])
	})
}

// A refresh token is nobody's but the token endpoint's, its introspection and its
// revocation: the matrix of jose_test.go says where; here it is in no URL and, as
// a bearer token of the API, nothing.
// RT-11: Refresh JWT as bearer at /userinfo, first-party API, admin API, introspection as access token, id_token_hint.
// RT-19: Refresh token in URL, logs, error texts, browser-readable body.
func TestRefresh_TokensStayWhereTheyBelong(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		refresh := tokens["refresh_token"].(string)
		b.WantUserinfo(t, refresh, http.StatusUnauthorized)
		query := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}.Encode()
		a := b.Post(t, "/token?"+query, providertest.FormType, strings.NewReader("grant_type=refresh_token"))
		providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_request")
		b.RefuseRefresh(t, refresh+"x", "invalid_grant")
		b.MustRefresh(t, refresh)
		if strings.Contains(b.Log.String(), refresh[len(refresh)-20:]) {
			t.Error("the log has the refresh token")
		}
	})
}

var visibleCharacters = regexp.MustCompile(`^[!-~]{16,}$`)

// PROTOCOL 39: who gets a refresh token, how it looks, whose it is.
// P-39: Refresh tokens issued for offline_access (with prompt=consent) to clients registered for refresh_token; 16+ bytes.
func TestRefresh_Tokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid email offline_access", "prompt", "consent"))
		if !visibleCharacters.MatchString(tokens["refresh_token"].(string)) || !strings.Contains(tokens["scope"].(string), "offline_access") {
			t.Errorf("got %v", tokens)
		}
		narrow := b.MustRefresh(t, tokens["refresh_token"], "scope", "openid")
		if narrow["scope"] != "openid" || !visibleCharacters.MatchString(narrow["refresh_token"].(string)) {
			t.Errorf("narrowed: %v", narrow)
		}
		other := b.AsClient(b.Register(t, storage.Web, "other", providertest.Callback))
		other.RefuseRefresh(t, narrow["refresh_token"], "invalid_grant")
		b.MustRefresh(t, narrow["refresh_token"])

		without := b.AsClient(b.RegisterWith(t, storage.Web, "without", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.GrantTypes = []string{providertest.Callback}, []string{"authorization_code"}
		}))
		if got := without.Redeem(t, without.Visitor(t).SignInForCode(t, "scope", "openid offline_access")); got["refresh_token"] != nil {
			t.Error("a client that is not registered for the grant got a refresh token")
		}
		providertest.WantOAuthError(t, without.Refresh(t, narrow["refresh_token"]), http.StatusBadRequest, "unauthorized_client")
	})
}

// PROTOCOL 40 (OIDC Core, section 12.2).
// P-40: On refresh an id_token, if returned: same iss, sub, aud (and azp, auth_time), new iat (seconds).
func TestRefresh_RefreshedIDTokenIsOfTheSameSignIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		first := providertest.ClaimsOf(t, tokens["id_token"])
		for range 3 {
			b.Advance(10 * time.Minute)
			tokens = b.MustRefresh(t, tokens["refresh_token"])
			got := providertest.ClaimsOf(t, tokens["id_token"])
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
// P-41: Rotation is optional; if rotated, keep the previous token usable for a grace period (FAPI 2.0) and new ones satisfy 39.
func TestRefresh_TheTokenBeforeIsGoodWithinTheGrace(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		second := b.MustRefresh(t, first["refresh_token"])
		b.Advance(25 * time.Second)
		again := b.MustRefresh(t, first["refresh_token"])
		if again["refresh_token"] != second["refresh_token"] || !visibleCharacters.MatchString(again["refresh_token"].(string)) {
			t.Error("the grace gave another successor")
		}
		b.WantUserinfo(t, again["access_token"].(string), http.StatusOK)
		b.MustRefresh(t, again["refresh_token"])
	})
}

// A node takes the tokens of another whose clock is a minute off.
// MN-06: Node clocks differ by 60 s.
func TestRefresh_ClocksAMinuteApart(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, off := range []time.Duration{-time.Minute, time.Minute} {
			skewed := *b
			skewed.Clock = &providertest.Clock{Moved: off}
			other := skewed.Node(t)
			tokens := other.MustRefresh(t, b.Redeem(t, v.CodeFromSession(t))["refresh_token"])
			for _, at := range []*providertest.Testbed{b, other} {
				at.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
				if got := at.Introspect(t, tokens["access_token"]); got["active"] != true {
					t.Errorf("%s: introspection %v", off, got)
				}
				tokens = at.MustRefresh(t, tokens["refresh_token"])
			}
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		}
	})
}
