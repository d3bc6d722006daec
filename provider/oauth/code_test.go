package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// wantNoGrant fails if the database has a grant: no code has been redeemed, so no user has a
// valid token.
func wantNoGrant(t *testing.T, b *providertest.Testbed) {
	t.Helper()
	if grants := b.Table(t, "grants"); len(grants) != 0 {
		t.Fatalf("%d grants were opened: %v", len(grants), grants)
	}
}

// CO-01: A code works once. Its second use is refused and revokes all tokens from the first
// use (RFC 6749, section 4.1.2).
// P-38: A second use of a code gives invalid_grant and revokes its tokens, even much later.
func TestCode_ReuseRevokesItsTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, wait := range []time.Duration{0, 31 * time.Second, 5 * time.Minute} {
			code := v.CodeFromSession(t)
			token := b.Redeem(t, code)["access_token"].(string)
			other := b.Redeem(t, v.CodeFromSession(t))["access_token"].(string)
			b.WantUserinfo(t, token, http.StatusOK)
			b.Advance(wait)
			b.RefuseCode(t, code, "invalid_grant")
			b.WantUserinfo(t, token, http.StatusUnauthorized)
			b.RefuseCode(t, code, "invalid_grant") // the third use changes nothing
			b.WantUserinfo(t, other, http.StatusOK)
			b.WantEvent(t, storage.GrantReplayed, providertest.ClaimsOf(t, token)["gid"])
		}
	})
}

// CO-01: A code works once. Its second use is refused and revokes all tokens from the first
// use (RFC 6749, section 4.1.2).
func TestCode_ReuseAfterExpiryIsDetected(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		gid := providertest.ClaimsOf(t, b.Redeem(t, code)["access_token"])["gid"]
		b.Advance(11 * time.Hour)
		b.RefuseCode(t, code, "invalid_grant")
		b.WantEvent(t, storage.GrantReplayed, gid)
	})
}

// The losers of the race revoke the tokens of the winner, so no valid tokens remain.
// CO-02: Of 50 parallel redemptions on one node, exactly one succeeds.
// CO-09: A replay during the first redemption leaves no valid tokens behind, or one use
// fails.
func TestCode_RaceOfOneCodeHasOneWinner(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RaceCode(t, b.Visitor(t).SignInForCode(t), b)
	})
}

// CO-04: Another client cannot redeem the code.
func TestCode_OfAnotherClientIsRefused(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.AsClient(b.Register(t, storage.Web, "other", providertest.Callback))
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", providertest.Callback))
		code := b.Visitor(t).SignInForCode(t)
		for _, thief := range []*providertest.Testbed{other, spa} {
			thief.RefuseCode(t, code, "invalid_grant")
			thief.RefuseCode(t, code, "invalid_grant", "code_verifier", strings.Repeat("w", 43))
		}
		wantNoGrant(t, b)
		token := b.Redeem(t, code)["access_token"].(string)
		for _, thief := range []*providertest.Testbed{other, spa} {
			thief.RefuseCode(t, code, "invalid_grant")
		}
		b.WantUserinfo(t, token, http.StatusOK)
	})
}

// CO-07: A code has at least 128 random bits, and failures of a client are limited (RFC 6749,
// section 10.10).
func TestCode_AlteredCodesAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		altered := map[string]string{
			"padding": code + "=", "space": code + " ", "line break": code[:20] + "\n" + code[20:], "plus": strings.ReplaceAll(code, "-", "+") + "+",
			"prefix": code[1:], "suffix": code[:len(code)-1], "twice": code + code, "dots": code + ".." + code,
			"empty box": code[:22], "one character": "A", "not base64": "Ä" + code, "upper case": strings.ToUpper(code),
			"long": strings.Repeat("A", 60<<10), "salt of another": code[:30] + v.CodeFromSession(t)[30:],
		}
		for i := 0; i < len(code); i += max(1, len(code)/40) {
			letter := byte('A')
			if code[i] == letter {
				letter = 'B'
			}
			altered["letter "+code[:i]] = code[:i] + string(letter) + code[i+1:]
		}
		for name, altered := range altered {
			if a := b.TokenRequest(t, b.CodeForm(altered)); a.StatusCode != http.StatusBadRequest || a.JSON(t)["error"] != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
			}
		}
		wantNoGrant(t, b)
		b.Redeem(t, code)
		if other := v.CodeFromSession(t); len(other) < 43 || strings.HasPrefix(other, code[:60]) {
			t.Errorf("two codes share more than version and key: %s", code[:60])
		}
	})
}

// A leaked code is useless without the client's secret. It cannot even be spent.
// CO-10: Without client credentials, a code of a confidential client can be neither spent nor
// revoked.
func TestCode_LeakedCodeIsUselessWithoutClientSecret(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		thieves := map[string]func(*http.Request){
			"no credentials": func(r *http.Request) { r.Header.Del("Authorization") },
			"wrong secret":   func(r *http.Request) { r.SetBasicAuth(b.Client.ID, "wrong") },
		}
		steal := func() {
			for name, thief := range thieves {
				for _, verifier := range []string{providertest.Verifier, strings.Repeat("w", 43), ""} {
					a := b.TokenRequest(t, b.CodeForm(code, "code_verifier", verifier, "client_id", b.Client.ID), thief)
					if a.StatusCode != http.StatusUnauthorized || a.JSON(t)["error"] != "invalid_client" {
						t.Fatalf("%s: got %d %s", name, a.StatusCode, a.Body)
					}
				}
			}
		}
		steal()
		token := b.Redeem(t, code)["access_token"].(string)
		steal()
		b.WantUserinfo(t, token, http.StatusOK)
	})
}

// CO-10: Without client credentials, a code of a confidential client can be neither spent nor
// revoked.
func TestCode_LeakedCodeOfPublicClientIsSpentByWrongVerifier(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b = b.AsClient(b.Register(t, storage.SPA, "spa", providertest.Callback))
		v := b.Visitor(t)
		wrong := strings.Repeat("w", 43)

		code := v.SignInForCode(t)
		token := b.Redeem(t, code)["access_token"].(string)
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", wrong)
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", "")
		b.WantUserinfo(t, token, http.StatusOK) // a wrong verifier revokes no tokens

		code = v.CodeFromSession(t)
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", wrong)
		b.RefuseCode(t, code, "invalid_grant") // but the wrong verifier has spent the unused code
	})
}

// CO-11: A code is invalid after the user has signed out or changed the password.
func TestCode_RefusedAfterItsSessionUserOrURIEnds(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		bob := b.User(t, "bob@example.com", providertest.Password)
		for name, end := range map[string]func(v *providertest.Visitor){
			"signed out": func(v *providertest.Visitor) {
				v.Get(t, b.Issuer+"/end_session?id_token_hint="+b.Redeem(t, v.CodeFromSession(t))["id_token"].(string))
			},
			"another user signed in": func(v *providertest.Visitor) {
				v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), bob.Email, providertest.Password)
			},
			"user disabled":             func(*providertest.Visitor) { b.SetAliceEnabled(t, false) },
			"user disabled and enabled": func(*providertest.Visitor) { b.SetAliceEnabled(t, false); b.SetAliceEnabled(t, true) },
			"redirect URI removed": func(*providertest.Visitor) {
				b.ChangeClient(t, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://app.example.com/other"} })
			},
			"code expired": func(*providertest.Visitor) { b.Advance(61 * time.Second) },
		} {
			v := b.Visitor(t)
			v.SignInForCode(t, "prompt", "consent")
			code := v.CodeFromSession(t)
			end(v)
			if a := b.TokenRequest(t, b.CodeForm(code)); a.StatusCode != http.StatusBadRequest || a.JSON(t)["error"] != "invalid_grant" {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
			b.SetAliceEnabled(t, true)
			b.ChangeClient(t, func(*storage.Client) {})
		}
	})
}

// CO-11: A code is invalid after the user has signed out or changed the password.
func TestCode_DisabledClientCannotRedeem(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		b.SetClientEnabled(t, false)
		providertest.WantOAuthError(t, b.TokenRequest(t, b.CodeForm(code)), http.StatusUnauthorized, "invalid_client")
		b.SetClientEnabled(t, true)
		token := b.Redeem(t, code)["access_token"].(string)
		b.SetClientEnabled(t, false)
		b.WantUserinfo(t, token, http.StatusUnauthorized)
		b.SetClientEnabled(t, true)
		b.WantUserinfo(t, token, http.StatusOK)
	})
}

// P-19: Codes and tokens carry 32 random bytes; codes work once, for 60 seconds.
func TestCode_ExpiresAfterSixtySeconds(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		code, late := v.SignInForCode(t), v.CodeFromSession(t)
		b.Advance(55 * time.Second)
		b.Redeem(t, code)
		b.Advance(5 * time.Second)
		b.RefuseCode(t, late, "invalid_grant")
	})
}

// The attacker puts his own code into the victim's browser. The victim's client sends the
// verifier of its own request, which does not match, and would see the attacker's nonce.
// CO-13: A code that is injected into another browser's sign-in fails by PKCE or nonce (RFC
// 9700, section 4.5).
func TestCode_InjectedCodeIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		mallory := b.User(t, "mallory@example.com", providertest.Password)
		m := b.Visitor(t)
		page := m.SignIn(t, m.Get(t, b.AuthorizeURL("code_challenge", strings.Repeat("A", 43), "nonce", "mallory")), mallory.Email, providertest.Password)
		code := m.Allow(t, page).Code(t)
		b.RefuseCode(t, code, "invalid_grant")
		wantNoGrant(t, b)

		token := b.Redeem(t, m.CodeFromSession(t, "nonce", "mallory"))["id_token"]
		if got := providertest.ClaimsOf(t, token)["nonce"]; got != "mallory" {
			t.Fatalf("nonce: got %v, want that of the code's own request", got)
		}
	})
}

// The client disconnects before it gets the answer. The code stays spent, and the second
// attempt revokes the tokens of the first.
// CO-14: A connection that breaks during redemption leaves the code spent.
func TestCode_ConnectionLostDuringRedemptionSpendsIt(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(b.CodeForm(code).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(b.Client.ID, b.Secret)
		b.Handler().ServeHTTP(brokenPipe{httptest.NewRecorder()}, r)
		b.RefuseCode(t, code, "invalid_grant")
		for _, e := range b.Events(t) {
			if e.Type == storage.GrantReplayed {
				return
			}
		}
		t.Fatal("got no event grant.replayed: the first redemption did not spend the code")
	})
}

// brokenPipe is a ResponseWriter whose client has disconnected.
type brokenPipe struct{ http.ResponseWriter }

func (brokenPipe) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

// CO-15: auth_time, acr, amr, nonce and sid are those of the authorization (OIDC Core,
// section 3.1.3.6).
func TestCode_ClaimsAreThoseOfItsRequest(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		before := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t))["id_token"])
		first := v.CodeFromSession(t, "nonce", "first", "scope", "openid")
		b.Advance(10 * time.Second)
		second := v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login", "nonce", "second")), providertest.Alice, providertest.Password).Code(t)

		frozen := providertest.ClaimsOf(t, b.Redeem(t, first)["id_token"])
		fresh := providertest.ClaimsOf(t, b.Redeem(t, second)["id_token"])
		if frozen["nonce"] != "first" || frozen["auth_time"] != before["auth_time"] || frozen["sid"] != before["sid"] {
			t.Errorf("the code of the first request gave %v after another sign-in, want auth_time %v", frozen, before["auth_time"])
		}
		if fresh["nonce"] != "second" || fresh["auth_time"] == before["auth_time"] || fresh["sid"] != before["sid"] {
			t.Errorf("the code of the second request gave %v", fresh)
		}
	})
}

// One sign-in link that is opened in two tabs gives two codes. Only one of them works.
func TestCode_OnlyOneCodeOfARequestWorks(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		next := b.NextURL(t, v)
		first, second := v.Get(t, next).Code(t), v.Get(t, next).Code(t)
		token := b.Redeem(t, second)["access_token"].(string)
		b.RefuseCode(t, first, "invalid_grant")
		b.WantUserinfo(t, token, http.StatusOK) // the other code of the request is not a replay
		b.RefuseCode(t, second, "invalid_grant")
		b.WantUserinfo(t, token, http.StatusUnauthorized)
	})
}

// P-36: A token answer is JSON, no-store, type Bearer (RFC 6749, section 5.1).
func TestCode_TokenAnswer(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		seen := map[string]bool{}
		for _, code := range []string{v.SignInForCode(t), v.CodeFromSession(t)} {
			a := b.TokenRequest(t, b.CodeForm(code))
			body := a.JSON(t)
			lives, err := strconv.Atoi(body["expires_in"].(interface{ String() string }).String())
			token := body["access_token"].(string)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" ||
				body["token_type"] != "Bearer" || err != nil || lives != 900 || len(token) < 100 || seen[token] {
				t.Errorf("answer: %d %v %s", a.StatusCode, a.Header, a.Body)
			}
			seen[token] = true
			if len(a.Cookies()) != 0 {
				t.Errorf("the token endpoint sets cookies: %v", a.Cookies())
			}
		}
	})
}
