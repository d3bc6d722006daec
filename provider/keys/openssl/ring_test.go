//go:build cgo && linux && (amd64 || arm64)

package openssl_test

import (
	"crypto/ecdsa"
	"runtime"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/provider/keys/openssl"
	"signet/provider/keys/vault"
	"signet/storage"
	"signet/storage/storagetest"
)

// ring returns a ring whose RSA keys are used by the library of a path.
func ring(t *testing.T, b storagetest.Backend, path string) (*keystest.Node, *openssl.Engine) {
	t.Helper()
	e := openssl.Open(openssl.Config{Paths: []string{path}})
	if f := e.Failure(); f != nil {
		t.Fatal(f.Err)
	}
	h, err := keystest.Start(t.Context(), keystest.Config{
		DB: b.Open(t), Vault: vault.Config{Master: keystest.Master, RSA: e}, Issuer: keystest.Issuer,
		Algorithms: []string{"ES256", "RS256", "PS256"}, Now: func() time.Time { return keystest.Noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, e
}

// signAll signs every kind of token with every algorithm, and verifies it.
func signAll(t *testing.T, h *keystest.Node) {
	t.Helper()
	for _, alg := range []string{"ES256", "RS256", "PS256"} {
		if _, err := h.VerifyAccess(h.AccessToken(t, alg), keystest.Noon); err != nil {
			t.Errorf("access token, %s: %v", alg, err)
		}
		if _, err := h.VerifyIDTokenHint(h.IDToken(t, alg), keystest.Noon); err != nil {
			t.Errorf("ID token, %s: %v", alg, err)
		}
		at := keystest.Noon.Unix()
		if _, err := h.SignLogout(alg, keys.LogoutToken{Subject: "s", Audience: "a", SessionID: "i", ID: "j", IssuedAt: at, Expires: at + 60}); err != nil {
			t.Errorf("logout token, %s: %v", alg, err)
		}
	}
}

// The library makes the RSA signatures of all kinds of tokens and no others. It gets the
// active and the next keys, each once, and loses them when they retire.
func TestRing_SignsInTheLibraryUntilKeysRetire(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		path := keystest.Libcrypto(t, "")
		h, e := ring(t, b, path)
		before := count(t, path, "signs")
		signAll(t, h)
		if n := count(t, path, "signs") - before; n != 6 {
			t.Errorf("the library made %d signatures of 6", n)
		}
		if set := opened(t, h, e); len(set) != 4 {
			t.Errorf("%d keys are in the library, want the active and the next one of two lines", len(set))
		}
		for round := range 2 {
			if _, err := h.Rotate(t.Context(), nil, 0, storage.By{At: keystest.Noon}); err != nil {
				t.Fatal(err)
			}
			if err := h.ReloadOnce(t.Context(), keystest.Noon); err != nil {
				t.Fatal(err)
			}
			signAll(t, h)
			if n := count(t, path, "signs") - before; n < 6*(round+2) {
				t.Errorf("after %d rotations the library made %d signatures", round+1, n)
			}
		}
		for deadline := time.Now().Add(time.Minute); count(t, path, "frees") < 4; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("%d of 4 retired keys are freed", count(t, path, "frees"))
			}
		}
		signAll(t, h)
		if f := e.Failure(); f != nil {
			t.Errorf("%s: %v", f.Reason, f.Err)
		}
	})
}

// opened returns the keys of the rows whose signer is in the library.
func opened(t *testing.T, h *keystest.Node, e *openssl.Engine) (inLibrary []*vault.Key) {
	t.Helper()
	v, err := vault.New(vault.Config{Master: keystest.Master, RSA: e})
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.Open(h.Rows(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		switch k.Signer.(type) {
		case *openssl.Signer:
			inLibrary = append(inLibrary, k)
		case *ecdsa.PrivateKey:
		default:
			t.Errorf("%s has a %T", k.Row.Line, k.Signer)
		}
	}
	return inLibrary
}

// Tokens stay right when the library begins to fail between them.
func TestRing_SurvivesAFaultOfTheLibrary(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		h, e := ring(t, b, keystest.Libcrypto(t, "50th is wrong"))
		for range 12 {
			signAll(t, h)
		}
		if f := e.Failure(); f == nil || f.Reason != openssl.WrongSignature {
			t.Errorf("failure %+v", f)
		}
		if err := h.Ready(); err != nil {
			t.Errorf("the ring is not ready: %v", err)
		}
	})
}
