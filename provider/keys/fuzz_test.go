package keys_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/keys"
)

func FuzzVerifyAccess(f *testing.F) {
	h := open(f, "ES256")
	good := h.AccessToken(f, "ES256")
	f.Add(good)
	f.Add(good + "=")
	f.Add(h.IDToken(f, "ES256"))
	f.Add(h.RefreshToken(f))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := h.VerifyAccess(token, noon)
		switch {
		case token == good && err != nil:
			t.Fatalf("the good token: %v", err)
		case token != good && err == nil:
			t.Fatalf("forged: %+v", got)
		case err != nil && got.Subject != "":
			t.Fatalf("a value beside the error: %+v", got)
		}
	})
}

func FuzzUnseal(f *testing.F) {
	h := open(f, "ES256")
	good, err := h.Seal("request", []byte("payload"), noon.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("request", good)
	f.Add("code", good)
	f.Add("request", good[:len(good)-1])
	f.Add("request", "AQ")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, purpose, message string) {
		payload, err := h.Unseal(purpose, message, noon)
		if purpose == "request" && message == good {
			if err != nil || string(payload) != "payload" {
				t.Fatalf("the good message: %q, %v", payload, err)
			}
			return
		}
		if !errors.Is(err, keys.ErrInvalid) || payload != nil {
			t.Fatalf("forged: %q, %v", payload, err)
		}
	})
}

func FuzzOpenRefresh(f *testing.F) {
	h := open(f, "ES256")
	good := h.RefreshToken(f)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(h.AccessToken(f, "ES256"))
	f.Add("eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.e30.")
	f.Add("eyJhbGciOiJub25lIn0..")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := h.OpenRefresh(token, noon)
		if (token == good) != (err == nil) {
			t.Fatalf("%q: %+v, %v", token, got, err)
		}
		if err != nil && got != (keys.RefreshToken{}) {
			t.Fatalf("a value beside the error: %+v", got)
		}
	})
}

func FuzzVerifyIDTokenHint(f *testing.F) {
	h := open(f, "ES256", "RS256", "EdDSA", "PS256")
	good := map[string]bool{}
	for _, alg := range []string{"ES256", "RS256", "EdDSA", "PS256"} {
		token := h.IDToken(f, alg)
		good[token] = true
		f.Add(token)
		f.Add(token[:len(token)-2])
	}
	f.Add(h.RefreshToken(f))
	f.Add(h.AccessToken(f, "ES256"))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := h.VerifyIDTokenHint(token, noon)
		if good[token] != (err == nil) || err != nil && got.Subject != "" {
			t.Fatalf("%q: %+v, %v", token, got, err)
		}
	})
}
