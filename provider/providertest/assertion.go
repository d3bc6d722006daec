package providertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/assertion"
	"signet/storage"
)

// ClientKey is a key pair with which a client, or the issuer of a workload, signs JWTs. It signs
// with another library than the one that verifies.
type ClientKey struct {
	Private   crypto.Signer
	Algorithm string
	ID        string // kid; "" for none
}

// NewClientKey makes a key pair for an algorithm.
func NewClientKey(algorithm, id string) ClientKey {
	var private crypto.Signer
	var err error
	switch {
	case algorithm == "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case algorithm == "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case strings.HasPrefix(algorithm, "ES"):
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		panic(err)
	}
	return ClientKey{private, algorithm, id}
}

// JWKS returns the JWK Set of the public keys.
func JWKS(keys ...ClientKey) string {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Sign signs claims. header changes and adds members of the header; nil removes one.
func (k ClientKey) Sign(claims map[string]any, header ...map[string]any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.ID != "" {
		options = options.WithHeader("kid", k.ID)
	}
	for _, members := range header {
		for name, value := range members {
			if value == nil {
				delete(options.ExtraHeaders, jose.HeaderKey(name))
				continue
			}
			options = options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k.Private}, options)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// AssertionClaims returns the claims of a valid assertion of the testbed's client. Each call has
// another jti.
func (b *Testbed) AssertionClaims() map[string]any {
	at := b.Now().Unix()
	return map[string]any{"iss": b.Client.ID, "sub": b.Client.ID, "aud": b.Issuer, "iat": at, "exp": at + 60, "jti": rand.Text()}
}

// PostAssertion posts a form, with this assertion as the proof of the client.
func (b *Testbed) PostAssertion(t testing.TB, path string, form url.Values, signed string) Answer {
	t.Helper()
	sent := url.Values{"client_assertion": {signed}, "client_assertion_type": {assertion.Type}}
	for name, values := range form {
		sent[name] = values
	}
	response, err := Direct.PostForm(b.Issuer+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// KeyClient registers a service that authenticates with private_key_jwt, and returns the testbed
// as this client.
func (b *Testbed) KeyClient(t testing.TB, id string, change func(*storage.Client)) *Testbed {
	t.Helper()
	return b.AsClient(b.RegisterWith(t, storage.Service, id, func(c *storage.Client) {
		c.Metadata.Scope, c.Metadata.TokenEndpointAuthMethod = "jobs", storage.AuthPrivateKey
		change(c)
	}))
}

// OwnToken is the form of a request for a token of the client itself.
func OwnToken() url.Values { return url.Values{"grant_type": {"client_credentials"}} }

// KeyServer publishes a JWK Set at its URL and counts the fetches.
type KeyServer struct {
	URL     string
	Fetches atomic.Int64

	body atomic.Pointer[string] // nil: the answer is 503
}

// ServeKeys starts a server that publishes these keys.
func ServeKeys(t testing.TB, keys ...ClientKey) *KeyServer {
	t.Helper()
	s := &KeyServer{}
	s.Publish(JWKS(keys...))
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + "/keys"
	return s
}

// Publish replaces the document.
func (s *KeyServer) Publish(document string) { s.body.Store(&document) }

// Break makes all later answers fail.
func (s *KeyServer) Break() { s.body.Store(nil) }

// ServeHTTP answers with the document.
func (s *KeyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.Fetches.Add(1)
	body := s.body.Load()
	if body == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte(*body))
}

// WantPostedError posts a valid assertion with more parameters, and fails the test unless the
// answer is this OAuth error.
func (b *Testbed) WantPostedError(t *testing.T, key ClientKey, more url.Values, status int, code string) {
	t.Helper()
	form := OwnToken()
	for name, values := range more {
		form[name] = values
	}
	WantOAuthError(t, b.PostAssertion(t, "/token", form, key.Sign(b.AssertionClaims())), status, code)
}
