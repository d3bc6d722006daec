package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"signet/storage"
)

// TestPK01_ChallengeIsRequired also covers PK-07 and the method plain.
func TestPK01_ChallengeIsRequired(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		spa, _ := b.register(t, storage.SPA, "spa", callback)
		native, _ := b.register(t, storage.Native, "native", callback)
		v := b.visitor(t)
		v.flow(t)
		for _, client := range []storage.Client{b.Client, spa, native} {
			for _, change := range [][]string{
				{"code_challenge", "", "code_challenge_method", ""},
				{"code_challenge", ""}, // PK-07: the method alone
				{"code_challenge_method", ""},
				{"code_challenge_method", "plain"},
				{"code_challenge_method", "plain", "code_challenge", verifier},
				{"code_challenge_method", "s256"},
				{"code_challenge_method", "S256 plain"},
				{"code_challenge_method", "S512"},
			} {
				v.byBoth(t, b.params(append(change, "client_id", client.ID)...), func(t *testing.T, s stop) {
					t.Helper()
					s.wantError(t, "invalid_request")
				})
			}
			// PK-07: present and empty is missing.
			v.get(t, b.authorizeURL("client_id", client.ID, "code_challenge", "")+"&code_challenge=").wantError(t, "invalid_request")
		}
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
		// Half a challenge is none, and not ignored.
		v.get(t, b.authorizeURL("code_challenge", "")).wantError(t, "invalid_request")
		v.get(t, b.authorizeURL("code_challenge_method", "plain", "code_challenge", verifier)).wantError(t, "invalid_request")
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
