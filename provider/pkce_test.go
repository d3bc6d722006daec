package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// An authorization code is bound to its sign-in by PKCE, or by the nonce of a client
// that authenticates and gets an ID token: every kind of client against everything
// that a request may bring.
func TestAuthorize_CodeIsBoundByPKCEOrNonce(t *testing.T) {
	neither := []string{"code_challenge", "", "code_challenge_method", "", "nonce", ""}
	onSQLite(t, func(t *testing.T, b *testbed) {
		public := func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{callback}, storage.AuthNone
		}
		b.register(t, storage.SPA, "spa", callback)
		b.register(t, storage.Native, "native", callback)
		b.registerWith(t, storage.Web, "public-web", public)
		b.registerWith(t, storage.Web, "no-openid", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.Scope = []string{callback}, "email"
		})
		b.registerWith(t, storage.Web, "optional", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.PKCEOptional = []string{callback}, true
		})
		v := b.visitor(t)
		v.flow(t)
		for _, sent := range []struct {
			name    string
			params  []string
			let     []string // clients
			advised bool     // the web client is told of nonce and --pkce-optional
		}{
			{"PKCE", []string{"nonce", ""}, []string{"app", "spa", "native", "public-web", "no-openid", "optional"}, false},
			{"nonce", []string{"code_challenge", "", "code_challenge_method", ""}, []string{"app", "optional"}, true},
			{"nonce without openid", []string{"code_challenge", "", "code_challenge_method", "", "scope", "email"}, []string{"optional"}, true},
			{"neither", neither, []string{"optional"}, true},
			{"blank nonce", append(slices.Clone(neither), "nonce", " "), []string{"app", "optional"}, true}, // a space is a value
			{"method alone", []string{"code_challenge", ""}, nil, true},                                     // PK-07: half a challenge is none, and not ignored
			{"plain by default", []string{"code_challenge_method", ""}, nil, false},
			{"plain", []string{"code_challenge_method", "plain"}, nil, false},
			{"plain verifier", []string{"code_challenge_method", "plain", "code_challenge", verifier}, nil, false},
			{"lower case", []string{"code_challenge_method", "s256"}, nil, false},
			{"two methods", []string{"code_challenge_method", "S256 plain"}, nil, false},
			{"another hash", []string{"code_challenge_method", "S512"}, nil, false},
		} {
			for _, id := range []string{"app", "spa", "native", "public-web", "no-openid", "optional"} {
				v.byBoth(t, b.params(append(slices.Clone(sent.params), "client_id", id)...), func(t *testing.T, s stop) {
					t.Helper()
					if slices.Contains(sent.let, id) {
						if s.Left != nil && s.Left.Query().Has("error") {
							t.Errorf("%s of %s: refused: %s", sent.name, id, s.Left.Query())
						}
						return
					}
					s.wantError(t, "invalid_request")
					tells := s.Left.Query().Get("error_description")
					if got := strings.Contains(tells, "--pkce-optional"); got != (sent.advised && slices.Contains([]string{"app", "no-openid", "optional"}, id)) {
						t.Errorf("%s of %s: %s", sent.name, id, tells)
					}
				})
			}
		}
		// PK-07: present and empty is missing.
		v.get(t, b.authorizeURL("client_id", "spa", "code_challenge", "")+"&code_challenge=").wantError(t, "invalid_request")
	})
}

// The nonce that replaces PKCE comes back in the ID token, where the client compares it;
// a verifier without a challenge is refused, for somebody has removed the challenge.
func TestToken_NonceReplacesPKCE(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		byNonce := []string{"code_challenge", "", "code_challenge_method", "", "nonce", "n-1"}
		code := v.flow(t, byNonce...)
		a := b.tokenRequest(t, b.codeForm(code, "code_verifier", ""))
		if a.StatusCode != http.StatusOK || claimsOf(t, a.json(t)["id_token"])["nonce"] != "n-1" {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		code = v.again(t, byNonce...)
		b.refuseCode(t, code, "invalid_grant")
		b.refuseCode(t, code, "invalid_grant", "code_verifier", "")
	})
}

func TestPK08_ChallengeIsBase64urlOfAHash(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		good := challenge()
		last := good[len(good)-1]
		trailing := good[:42] + string(rune(last+1)) // the same 32 bytes for a lenient decoder
		if a, err := base64.RawURLEncoding.DecodeString(trailing); err != nil || !strings.HasPrefix(string(a), string(sum(verifier))) {
			t.Fatalf("%s does not decode to the hash: %v", trailing, err)
		}
		for _, c := range []string{
			good + "=", good + "==", trailing, good[:42], good + "A", strings.Repeat("+", 43), strings.Repeat("/", 43), good[:20] + "\n" + good[20:],
			good + "\r\n", "\n" + good[:42], " " + good, good + " ", base64.StdEncoding.EncodeToString(sum(verifier)), "x", strings.Repeat("A", 128), strings.Repeat("é", 43),
		} {
			v.byBoth(t, b.params("code_challenge", c), func(t *testing.T, s stop) {
				t.Helper()
				s.wantError(t, "invalid_request")
			})
		}
	})
}

func sum(s string) []byte {
	hash := sha256.Sum256([]byte(s))
	return hash[:]
}

// pkceOptional makes the testbed's client one that an admin let off PKCE.
func (b *testbed) pkceOptional(t *testing.T) {
	t.Helper()
	b.Client, b.Secret = b.registerWith(t, storage.Web, "lenient", func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.PKCEOptional = []string{callback}, true
	})
	b.follow(t)
}

func TestPK04_VerifierWithoutChallengeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.pkceOptional(t)
		v := b.visitor(t)
		stripped := []string{"code_challenge", "", "code_challenge_method", ""}
		code := v.flow(t, stripped...)
		b.refuseCode(t, code, "invalid_grant")                      // the client sends its verifier
		b.refuseCode(t, code, "invalid_grant", "code_verifier", "") // and the code is used up
		code = v.again(t, stripped...)
		if a := b.tokenRequest(t, b.codeForm(code, "code_verifier", "")); a.StatusCode != http.StatusOK {
			t.Fatalf("without PKCE: %d %s", a.StatusCode, a.Body)
		}
		// P32: where a challenge is sent it must be met, even if none is required.
		code = v.again(t)
		b.refuseCode(t, code, "invalid_grant", "code_verifier", "")
		b.redeem(t, v.again(t))
		// The setting is for clients that authenticate: a public one is not let off.
		b.registerWith(t, storage.SPA, "lenient-spa", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.PKCEOptional = []string{callback}, true
		})
		v.get(t, b.authorizeURL(append(stripped, "client_id", "lenient-spa")...)).wantError(t, "invalid_request")
	})
}

// TestPK05_WrongVerifierSpendsTheCode also covers P32 for confidential clients.
func TestPK05_WrongVerifierSpendsTheCode(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		spa, _ := b.register(t, storage.SPA, "spa", callback)
		web, secret := b.Client, b.Secret
		v := b.visitor(t)
		v.flow(t)
		for _, public := range []bool{false, true} {
			b.Client, b.Secret = web, secret
			if public {
				b.Client, b.Secret = spa, ""
				v.allow(t, v.get(t, b.authorizeURL()))
			}
			kept := b.redeem(t, v.again(t))
			for _, wrong := range []string{
				"", "x", strings.Repeat("a", 43), verifier + "a", verifier[:42], strings.ToUpper(verifier), challenge(), " " + verifier, verifier + "\n", verifier + "=",
			} {
				code := v.again(t)
				b.refuseCode(t, code, "invalid_grant", "code_verifier", wrong)
				b.refuseCode(t, code, "invalid_grant") // the right one comes too late
			}
			// Lengths outside RFC 7636, section 4.1, even where the hash is right.
			for _, odd := range []string{"short", strings.Repeat("v", 42), strings.Repeat("v", 129)} {
				code := v.again(t, "code_challenge", base64.RawURLEncoding.EncodeToString(sum(odd)))
				b.refuseCode(t, code, "invalid_grant", "code_verifier", odd)
			}
			// A guess costs the code and nothing else.
			if a := b.userinfo(t, kept["access_token"].(string)); a.StatusCode != http.StatusOK {
				t.Errorf("public %v: a wrong verifier ended other tokens: %d", public, a.StatusCode)
			}
		}
	})
}
