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

// resign signs the claims of a refresh token with the keys of the provider.
func resign(t *testing.T, ring *keys.Ring, token keys.RefreshToken) string {
	t.Helper()
	signed, err := ring.SignRefresh(token)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Tokens with a valid signature whose claims differ from the row are refused.
// RT-12: A signed refresh token without a grant in the database is refused.
// RT-16: The claims of the token must equal the row of the grant.
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
			t.Fatal("resign does not make the same token as the provider")
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
				t.Fatalf("%s: the changed token has ended the genuine one: %v", name, got)
			}
		}
		// A later expiry in the token does not extend the grant.
		longer := genuine
		longer.Expires += int64((365 * 24 * time.Hour).Seconds())
		b.Advance(8 * 24 * time.Hour)
		b.RefuseRefresh(t, resign(t, ring, longer), "invalid_grant")
	})
}

// The row is one generation behind the token, because an older backup was restored. The token
// may be stolen or genuine, so the grant ends.
// RT-13: After a backup is restored, older tokens fail.
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

// The replay of an old generation is detected as long as the grant exists. Generations have no
// rows of their own that a cleanup could delete.
// RT-17: A spent generation is still recognized as a replay until the grant expires.
func TestRefresh_OldGenerationIsDetectedUntilTheGrantEnds(t *testing.T) {
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

// If the database fails, the answer is 503 and the token still works.
// RT-15: If the database fails during rotation, the answer is 503 and the old token still
// works.
func TestRefresh_DatabaseGoneGives503(t *testing.T) {
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

// A refresh token is accepted only at the token endpoint, at introspection and at revocation. The
// test tries it as a bearer token and in the query. jose_test.go tries all kinds of tokens at all
// endpoints.
// RT-11: A refresh token is not accepted as any other token.
// RT-19: A refresh token is never in a URL, a log or a body that a script of the first-party
// app can read.
func TestRefresh_TokenIsRefusedElsewhere(t *testing.T) {
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
			t.Error("the log contains the refresh token")
		}
	})
}

var visibleCharacters = regexp.MustCompile(`^[!-~]{16,}$`)

// The test covers which clients get a refresh token, its format, and its owner.
// P-39: Refresh tokens follow offline_access, and work only for their client.
func TestRefresh_TokenFormatAndOwner(t *testing.T) {
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

// P-40: A refreshed ID token keeps its identity claims (OIDC Core, section 12.2).
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

// A client that has lost the answer can repeat its request within the grace period.
// P-41: After rotation the previous token works for a grace period.
func TestRefresh_PreviousTokenIsValidWithinTheGrace(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		second := b.MustRefresh(t, first["refresh_token"])
		b.Advance(25 * time.Second)
		again := b.MustRefresh(t, first["refresh_token"])
		if again["refresh_token"] != second["refresh_token"] || !visibleCharacters.MatchString(again["refresh_token"].(string)) {
			t.Error("got another successor within the grace period, or a malformed token")
		}
		b.WantUserinfo(t, again["access_token"].(string), http.StatusOK)
		b.MustRefresh(t, again["refresh_token"])
	})
}

// A node accepts the tokens of another node whose clock differs by a minute.
// MN-06: Clocks that differ by 60 seconds cause no refusals and extend no code.
func TestRefresh_ClocksAMinuteApartAreAccepted(t *testing.T) {
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
