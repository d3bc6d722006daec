package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// An authorization code is bound to its sign-in by PKCE. If the client authenticates and gets an
// ID token, the nonce binds it too. The test combines every kind of client with every kind of
// request.
func TestAuthorize_CodeIsBoundByPKCEOrNonce(t *testing.T) {
	neither := []string{"code_challenge", "", "code_challenge_method", "", "nonce", ""}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		public := func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{providertest.Callback}, storage.AuthNone
		}
		b.Register(t, storage.SPA, "spa", providertest.Callback)
		b.Register(t, storage.Native, "native", providertest.Callback)
		b.RegisterWith(t, storage.Web, "public-web", public)
		b.RegisterWith(t, storage.Web, "no-openid", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.Scope = []string{providertest.Callback}, "email"
		})
		b.RegisterWith(t, storage.Web, "optional", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.PKCEOptional = []string{providertest.Callback}, true
		})
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, sent := range []struct {
			name    string
			params  []string
			let     []string // accepted clients
			advised bool     // the answer to web clients names nonce and --pkce-optional
		}{
			{"PKCE", []string{"nonce", ""}, []string{"app", "spa", "native", "public-web", "no-openid", "optional"}, false},
			{"nonce", []string{"code_challenge", "", "code_challenge_method", ""}, []string{"app", "optional"}, true},
			{"nonce without openid", []string{"code_challenge", "", "code_challenge_method", "", "scope", "email"}, []string{"optional"}, true},
			{"neither", neither, []string{"optional"}, true},
			{"blank nonce", append(slices.Clone(neither), "nonce", " "), []string{"app", "optional"}, true}, // a space is a value
			{"method alone", []string{"code_challenge", ""}, nil, true},                                     // PK-07: a method without a challenge is refused, not ignored
			{"plain by default", []string{"code_challenge_method", ""}, nil, false},
			{"plain", []string{"code_challenge_method", "plain"}, nil, false},
			{"plain verifier", []string{"code_challenge_method", "plain", "code_challenge", providertest.Verifier}, nil, false},
			{"lower case", []string{"code_challenge_method", "s256"}, nil, false},
			{"two methods", []string{"code_challenge_method", "S256 plain"}, nil, false},
			{"another hash", []string{"code_challenge_method", "S512"}, nil, false},
		} {
			for _, id := range []string{"app", "spa", "native", "public-web", "no-openid", "optional"} {
				v.ByBoth(t, b.Params(append(slices.Clone(sent.params), "client_id", id)...), func(t *testing.T, s providertest.Stop) {
					t.Helper()
					if slices.Contains(sent.let, id) {
						if s.LeftTo != nil && s.LeftTo.Query().Has("error") {
							t.Errorf("%s of %s: refused: %s", sent.name, id, s.LeftTo.Query())
						}
						return
					}
					s.WantError(t, "invalid_request")
					description := s.LeftTo.Query().Get("error_description")
					if got := strings.Contains(description, "--pkce-optional"); got != (sent.advised && slices.Contains([]string{"app", "no-openid", "optional"}, id)) {
						t.Errorf("%s of %s: %s", sent.name, id, description)
					}
				})
			}
		}
		// PK-07: an empty challenge counts as missing.
		v.Get(t, b.AuthorizeURL("client_id", "spa", "code_challenge", "")+"&code_challenge=").WantError(t, "invalid_request")
	})
}

// The nonce that replaces PKCE is in the ID token, where the client compares it. A verifier
// without a challenge is refused, because an attacker may have removed the challenge.
func TestToken_NonceReplacesPKCE(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		byNonce := []string{"code_challenge", "", "code_challenge_method", "", "nonce", "n-1"}
		code := v.SignInForCode(t, byNonce...)
		a := b.TokenRequest(t, b.CodeForm(code, "code_verifier", ""))
		if a.StatusCode != http.StatusOK || providertest.ClaimsOf(t, a.JSON(t)["id_token"])["nonce"] != "n-1" {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		code = v.CodeFromSession(t, byNonce...)
		b.RefuseCode(t, code, "invalid_grant")
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", "")
	})
}

// PK-08: A challenge with padding, another alphabet or spare bits never matches.
func TestPKCE_ChallengeIsBase64urlOfAHash(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		good := providertest.Challenge()
		last := good[len(good)-1]
		trailing := good[:42] + string(rune(last+1)) // the same 32 bytes for a lenient decoder
		if a, err := base64.RawURLEncoding.DecodeString(trailing); err != nil || !strings.HasPrefix(string(a), string(sum(providertest.Verifier))) {
			t.Fatalf("%s does not decode to the hash: %v", trailing, err)
		}
		for _, c := range []string{
			good + "=", good + "==", trailing, good[:42], good + "A", strings.Repeat("+", 43), strings.Repeat("/", 43), good[:20] + "\n" + good[20:],
			good + "\r\n", "\n" + good[:42], " " + good, good + " ", base64.StdEncoding.EncodeToString(sum(providertest.Verifier)), "x", strings.Repeat("A", 128), strings.Repeat("é", 43),
		} {
			v.ByBoth(t, b.Params("code_challenge", c), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				s.WantError(t, "invalid_request")
			})
		}
	})
}

func sum(s string) []byte {
	hash := sha256.Sum256([]byte(s))
	return hash[:]
}

// pkceOptional replaces the client of the testbed with one that need not use PKCE.
func pkceOptional(t *testing.T, b *providertest.Testbed) {
	t.Helper()
	b.Client, b.Secret = b.RegisterWith(t, storage.Web, "lenient", func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.PKCEOptional = []string{providertest.Callback}, true
	})
	b.Follow(t)
}

// PK-04: A verifier for a code without a challenge is refused (RFC 9700, section 4.8).
func TestPKCE_VerifierWithoutChallengeIsRefused(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		pkceOptional(t, b)
		v := b.Visitor(t)
		stripped := []string{"code_challenge", "", "code_challenge_method", ""}
		code := v.SignInForCode(t, stripped...)
		b.RefuseCode(t, code, "invalid_grant")                      // the client sends its verifier
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", "") // the refusal has spent the code
		code = v.CodeFromSession(t, stripped...)
		if a := b.TokenRequest(t, b.CodeForm(code, "code_verifier", "")); a.StatusCode != http.StatusOK {
			t.Fatalf("without PKCE: %d %s", a.StatusCode, a.Body)
		}
		// P-32: a challenge that was sent must be met, even if the client does not need one.
		code = v.CodeFromSession(t)
		b.RefuseCode(t, code, "invalid_grant", "code_verifier", "")
		b.Redeem(t, v.CodeFromSession(t))
		// The setting has no effect for public clients.
		b.RegisterWith(t, storage.SPA, "lenient-spa", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.PKCEOptional = []string{providertest.Callback}, true
		})
		v.Get(t, b.AuthorizeURL(append(stripped, "client_id", "lenient-spa")...)).WantError(t, "invalid_request")
	})
}

// P-32: a PKCE challenge that is sent must be met.
// PK-05: A wrong verifier spends the code (RFC 7636, section 4.6).
func TestPKCE_WrongVerifierSpendsTheCode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		spa, _ := b.Register(t, storage.SPA, "spa", providertest.Callback)
		web, secret := b.Client, b.Secret
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, public := range []bool{false, true} {
			b.Client, b.Secret = web, secret
			if public {
				b.Client, b.Secret = spa, ""
				v.Allow(t, v.Get(t, b.AuthorizeURL()))
			}
			kept := b.Redeem(t, v.CodeFromSession(t))
			for _, wrong := range []string{
				"", "x", strings.Repeat("a", 43), providertest.Verifier + "a", providertest.Verifier[:42], strings.ToUpper(providertest.Verifier), providertest.Challenge(), " " + providertest.Verifier, providertest.Verifier + "\n", providertest.Verifier + "=",
			} {
				code := v.CodeFromSession(t)
				b.RefuseCode(t, code, "invalid_grant", "code_verifier", wrong)
				b.RefuseCode(t, code, "invalid_grant") // the right verifier comes too late
			}
			// Verifiers of a length outside RFC 7636, section 4.1, with the right hash.
			for _, odd := range []string{"short", strings.Repeat("v", 42), strings.Repeat("v", 129)} {
				code := v.CodeFromSession(t, "code_challenge", base64.RawURLEncoding.EncodeToString(sum(odd)))
				b.RefuseCode(t, code, "invalid_grant", "code_verifier", odd)
			}
			// A wrong verifier spends the code and has no other effect.
			if a := b.Userinfo(t, kept["access_token"].(string)); a.StatusCode != http.StatusOK {
				t.Errorf("public %v: a wrong verifier ended other tokens: %d", public, a.StatusCode)
			}
		}
	})
}
