package example_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// pretendSignet publishes two keys of each kind, as Signet does, and signs any token.
type pretendSignet struct {
	*httptest.Server
	answers atomic.Pointer[http.HandlerFunc] // the answer of /jwks instead of the keys
	ec      map[string]*ecdsa.PrivateKey     // by key id
	rsa     *rsa.PrivateKey                  // key id "rsa"
}

func newPretendSignet(t *testing.T) *pretendSignet {
	t.Helper()
	p := &pretendSignet{ec: map[string]*ecdsa.PrivateKey{}}
	var set jose.JSONWebKeySet
	publish := func(id, alg string, key crypto.Signer) {
		set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: id, Algorithm: alg, Use: "sig", Key: key.Public()})
	}
	for _, id := range []string{"active", "next", "unpublished"} {
		p.ec[id] = ecKey(t)
		if id != "unpublished" {
			publish(id, "ES256", p.ec[id])
		}
	}
	var err error
	if p.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	publish("rsa", "RS256", p.rsa)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead := p.answers.Load(); instead != nil {
			(*instead)(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(set); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// members holds a header or claims; nil removes a member.
type members map[string]any

// token signs a valid access token with the given changes and the algorithm in its header. It
// signs with key, or with the key that the header names.
func (p *pretendSignet) token(t *testing.T, key any, header, claims members) string {
	t.Helper()
	h := members{"typ": "at+jwt", "alg": "ES256", "kid": "active"}
	c := members{"iss": p.URL, "sub": "usr_1", "aud": []string{"app"}, "iat": time.Now().Unix(), "exp": time.Now().Unix() + 300}
	maps.Copy(h, header)
	maps.Copy(c, claims)
	if key == nil {
		key = p.ec[fmt.Sprint(h["kid"])]
	}
	signed := encodePart(t, h) + "." + encodePart(t, c)
	sum := sha256.Sum256([]byte(signed))
	var signature []byte
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		var err error
		if signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			t.Fatal(err)
		}
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		signature = mac.Sum(nil)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encodePart(t *testing.T, m members) string {
	t.Helper()
	maps.DeleteFunc(m, func(_ string, value any) bool { return value == nil })
	plain, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(plain)
}

// bothAPIs starts the example's API in Go and in Node.
func bothAPIs(t *testing.T, issuer string) map[string]string {
	t.Helper()
	apis := map[string]string{}
	for _, language := range []string{"go", "node"} {
		apis[language] = startAPI(t, issuer, language)
	}
	return apis
}

// TestFirstParty_APIsTakeNoOtherToken checks that the example's API accepts only the app's
// access token, and no other token that the same keys sign or an attacker derives from it.
func TestFirstParty_APIsTakeNoOtherToken(t *testing.T) {
	t.Parallel()
	p := newPretendSignet(t)
	apis := bothAPIs(t, p.URL)
	der, err := x509.MarshalPKIXPublicKey(p.ec["active"].Public())
	if err != nil {
		t.Fatal(err)
	}
	own := ecKey(t)
	good := p.token(t, nil, nil, nil)
	parts := strings.Split(good, ".")
	now := time.Now().Unix()
	for name, cookies := range map[string][]string{
		"typ of an ID token":        {p.token(t, nil, members{"typ": "JWT"}, nil)},
		"typ of a refresh token":    {p.token(t, nil, members{"typ": "rt+jwt"}, nil)},
		"typ of a logout token":     {p.token(t, nil, members{"typ": "logout+jwt"}, nil)},
		"no typ":                    {p.token(t, nil, members{"typ": nil}, nil)},
		"typ is no string":          {p.token(t, nil, members{"typ": []string{"at+jwt"}}, nil)},
		"aud is another API":        {p.token(t, nil, nil, members{"aud": []string{"other"}})},
		"aud is the issuer":         {p.token(t, nil, nil, members{"aud": p.URL})},
		"aud begins like ours":      {p.token(t, nil, nil, members{"aud": "app2"})},
		"no aud":                    {p.token(t, nil, nil, members{"aud": nil})},
		"iss is another":            {p.token(t, nil, nil, members{"iss": "https://evil.example"})},
		"iss with a slash":          {p.token(t, nil, nil, members{"iss": p.URL + "/"})},
		"no iss":                    {p.token(t, nil, nil, members{"iss": nil})},
		"expired":                   {p.token(t, nil, nil, members{"exp": now - 1})},
		"never expires":             {p.token(t, nil, nil, members{"exp": nil})},
		"no sub":                    {p.token(t, nil, nil, members{"sub": nil})},
		"alg none":                  {p.token(t, []byte(nil), members{"alg": "none"}, nil)},
		"alg none, unsigned":        {encodePart(t, members{"alg": "none", "typ": "at+jwt", "kid": "active"}) + "." + parts[1] + "."},
		"RS256 by a published key":  {p.token(t, p.rsa, members{"alg": "RS256", "kid": "rsa"}, nil)},
		"RS256 under the EC key":    {p.token(t, p.rsa, members{"alg": "RS256"}, nil)},
		"ES256 under the RSA key":   {p.token(t, own, members{"kid": "rsa"}, nil)},
		"HS256 by the public key":   {p.token(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), members{"alg": "HS256"}, nil)},
		"HS256 called ES256":        {p.token(t, der, nil, nil)},
		"a key of nobody":           {p.token(t, own, nil, nil)},
		"a key that is not there":   {p.token(t, nil, members{"kid": "unpublished"}, nil)},
		"another key's id":          {p.token(t, p.ec["next"], nil, nil)},
		"no key id":                 {p.token(t, own, members{"kid": nil}, nil)},
		"its own key in the header": {p.token(t, own, members{"jwk": jose.JSONWebKey{Key: own.Public()}}, nil)},
		"an unknown critical part":  {p.token(t, nil, members{"crit": []string{"x"}, "x": 1}, nil)},
		"claims of another":         {parts[0] + "." + encodePart(t, members{"iss": p.URL, "sub": "usr_2", "aud": "app", "exp": now + 300}) + "." + parts[2]},
		"cut off":                   {parts[0] + "." + parts[1]},
		"no token":                  {"x"},
		"empty":                     {""},
		"the cookie twice":          {good, good},
		"a planted one before it":   {p.token(t, own, nil, nil), good},
		"a planted one after it":    {good, "x"},
		"no cookie":                 nil,
	} {
		for language, api := range apis {
			if got := callAPI(t, api, cookies...); got != http.StatusUnauthorized {
				t.Errorf("%s, in %s: got %d, want 401", name, language, got)
			}
		}
	}
	for language, api := range apis {
		for _, token := range []string{good, p.token(t, nil, members{"kid": "next"}, members{"aud": []string{"other", "app"}})} {
			if got := callAPI(t, api, token); got != http.StatusOK {
				t.Errorf("a good token, in %s: got %d", language, got)
			}
		}
	}
}

// TestFirstParty_APIsTakeNoOtherTokenOfSignet checks that the API refuses the tokens that
// Signet issues to the app's client and to another client for other uses.
func TestFirstParty_APIsTakeNoOtherTokenOfSignet(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	es256 := []string{"--redirect-uri", signettest.Nowhere, "--id-token-signed-response-alg", "ES256"}
	app := i.CreateClient(t, append(es256, "--id", "app", "--type", "spa", "--first-party")...)
	other := i.CreateClient(t, es256...)
	i.Serve(t)
	tokens := map[string]string{}
	for name, client := range map[string]signettest.CreatedClient{"the app's": app, "another client's": other} {
		party := signettest.NewGoParty(t, i, client)
		if client.Secret == "" {
			party.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		}
		got := party.SignIn(t, i, signettest.NewFormBrowser(t))
		tokens[name+" access token"], tokens[name+" refresh token"] = got.AccessToken, got.RefreshToken
		tokens[name+" ID token"], _ = got.Extra("id_token").(string)
		// The app's ID token has the same audience, issuer, key and times.
		if _, err := party.Provider.Verifier(&oidc.Config{ClientID: client.ID, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), tokens[name+" ID token"]); err != nil {
			t.Fatal(err)
		}
	}
	cookies := i.AppCookies(t)
	tokens["the refresh cookie"] = cookies["refresh_token"]
	for language, api := range bothAPIs(t, i.Issuer) {
		if got := callAPI(t, api, cookies["access_token"]); got != http.StatusOK {
			t.Errorf("the access cookie, in %s: got %d", language, got)
		}
		for name, token := range tokens {
			if got := callAPI(t, api, token); got != http.StatusUnauthorized || token == "" {
				t.Errorf("%s (%q), in %s: got %d, want 401", name, token, language, got)
			}
		}
	}
}

// TestFirstParty_APIsWhileTheKeysCannotBeRead checks that the API answers 503 for a token
// that it cannot check, so that the person stays signed in, and that it needs no restart when
// the keys can be read again.
func TestFirstParty_APIsWhileTheKeysCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]http.HandlerFunc{
		"answers 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"hangs":       func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"is cut off":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"is no JSON":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Welcome</h1>") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPretendSignet(t)
			p.answers.Store(&broken)
			token := p.token(t, nil, nil, nil)
			for language, api := range bothAPIs(t, p.URL) {
				answer := askAPI(t, api, token)
				if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
					t.Errorf("in %s: got %d, %v; want 503 and Retry-After", language, answer.StatusCode, answer.Header)
				}
				p.answers.Store(nil)
				signettest.Eventually(t, time.Minute, "the API in "+language+" takes the token", func() bool { return callAPI(t, api, token) == http.StatusOK })
				p.answers.Store(&broken)
				if got := callAPI(t, api, token); got != http.StatusOK {
					t.Errorf("in %s, with a key that it knows: got %d", language, got)
				}
			}
		})
	}
}
