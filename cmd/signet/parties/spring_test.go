package parties_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestRelyingParty_SpringSecurity tests more of Spring Security than the sign-in by its defaults: a
// registration with a key, an API that takes access tokens, and logout tokens.
func TestRelyingParty_SpringSecurity(t *testing.T) {
	if !signettest.InSoak() {
		return
	}
	i := signettest.NewInstance(t)
	port := signettest.FreePort(t)
	s := partySite{origin: fmt.Sprintf("http://127.0.0.1:%d", port), port: fmt.Sprint(port), issuer: i.Issuer, login: "/oauth2/authorization/signet"}
	s.client = i.CreateClient(t, "--library", "spring-security", "--redirect-uri", s.origin+"/login/oauth2/code/signet",
		"--backchannel-logout-uri", s.origin+"/logout/connect/back-channel/signet")
	private, public := newJWK(t)
	keyed := i.CreateClient(t, "--redirect-uri", s.origin+"/login/oauth2/code/keyed", "--token-endpoint-auth-method", "private_key_jwt", "--jwks", public)
	i.Serve(t)
	inJava("SpringParty", keyed.ID, private)(t, s)

	t.Run("sends a nonce and PKCE", func(t *testing.T) {
		b := signettest.NewFormBrowser(t)
		b.Open(s.origin + s.login)
		if sent := b.Left.Query(); sent.Get("nonce") == "" || sent.Get("code_challenge_method") != "S256" {
			t.Errorf("it sends %v", sent)
		}
	})

	t.Run("key", func(t *testing.T) {
		keyedSite, b := s, signettest.NewFormBrowser(t)
		keyedSite.login = "/oauth2/authorization/keyed"
		keyedSite.signIn(t, b, i)
		wantNoRefusal(t, i, keyed)
	})

	b := signettest.NewFormBrowser(t)
	s.signIn(t, b, i)

	t.Run("API", func(t *testing.T) {
		b.Visit(s.origin + "/refresh")
		token, _ := shownJSON(t, b)["access_token"].(string)
		b.Visit(s.origin + "/me")
		me := shownJSON(t, b)
		if status, body, _ := callAPI(t, s.origin+"/api", token); status != http.StatusOK || body["sub"] != me["sub"] {
			t.Errorf("the API answers %d: %v; want the subject of %v", status, body, me)
		}
		if status, _, _ := callAPI(t, s.origin+"/api", changeSignature(token)); status != http.StatusUnauthorized {
			t.Errorf("a changed token: the API answers %d", status)
		}
		// Without the decoder of docs/clients.md, Spring Boot refuses the type at+jwt.
		if status, _, challenge := callAPI(t, s.origin+"/plain-api", token); status != http.StatusUnauthorized || !strings.Contains(challenge, "typ") {
			t.Errorf("without a decoder of its own, the API answers %d: %s", status, challenge)
		}
	})

	// Spring ignores iss, since its address names the registration.
	t.Run("login from the list of applications", func(t *testing.T) {
		keepOnly(t, b, i.Issuer, "signet")
		b.Visit(s.origin + s.login + "?" + url.Values{"iss": {i.Issuer}}.Encode())
		if me := shownJSON(t, b); b.At.Path != "/me" || me["sub"] == nil {
			t.Errorf("the browser is at %s and reads %v", b.At, me)
		}
	})

	t.Run("logout token", func(t *testing.T) {
		var list struct {
			Sessions []struct {
				SessionID string   `json:"sid"`
				Clients   []string `json:"clients"`
			}
		}
		i.Command(t, "", &list, "session", "list", i.Email, "--json")
		other := signettest.NewFormBrowser(t)
		s.signIn(t, other, i)
		for _, session := range list.Sessions {
			i.Command(t, "", nil, "session", "end", session.SessionID, "--user", i.Email, "--json")
		}
		signettest.Eventually(t, 10*time.Second, "Spring ends the session", func() bool {
			b.Visit(s.origin + "/me")
			return b.At.Path == "/me" && strings.Contains(b.Text(), "nobody is signed in")
		})
		other.Visit(s.origin + "/me")
		if me := shownJSON(t, other); me["sub"] == nil {
			t.Errorf("the other session ended too: %v", me)
		}
	})
	wantNoRefusal(t, i, s.client)
}

// newJWK writes a key for ES256 to two files: the private key, and a JWKS with the public one.
func newJWK(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]), "kid": "one", "alg": "ES256", "use": "sig"}
	folder := t.TempDir()
	write := func(name string, content any) string {
		text, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(folder, name)
	}
	public = write("jwks.json", map[string]any{"keys": []any{jwk}})
	jwk["d"] = encode(secret)
	return write("private.json", jwk), public
}

// callAPI sends a token to an API. The body is empty if it is not JSON.
func callAPI(t *testing.T, target, token string) (status int, body map[string]any, challenge string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_ = json.NewDecoder(answer.Body).Decode(&body)
	return answer.StatusCode, body, answer.Header.Get("WWW-Authenticate")
}
