package keys_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/keys"
)

func FuzzVerifyAccess(f *testing.F) {
	h := open(f, "ES256")
	good := h.accessToken(f, "ES256")
	f.Add(good)
	f.Add(good + "=")
	f.Add(h.idToken(f, "ES256"))
	f.Add(h.refreshToken(f))
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
