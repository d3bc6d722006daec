package keys_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/keys"
	"signet/storage"
)

// Each algorithm signs what another library verifies by our JWKS, opens after a
// restart, and takes no signature that was altered or is of another algorithm.
func TestAlgorithms_EachSignsWhatOthersVerify(t *testing.T) {
	names := []string{"ES256", "RS256", "EdDSA", "PS256"}
	h := open(t, names...)
	again, err := h.again(t, func(*keys.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	for _, alg := range names {
		kid := h.kid(t, alg, storage.KeyActive)
		for kind, token := range map[string]string{"access": h.accessToken(t, alg), "ID": h.idToken(t, alg)} {
			parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Errorf("%s %s token: %v", alg, kind, err)
				continue
			}
			found := set.Key(kid)
			if len(found) != 1 || found[0].Algorithm != alg || found[0].Use != "sig" || !found[0].IsPublic() || !found[0].Valid() {
				t.Errorf("%s: published as %+v", alg, found)
				continue
			}
			if _, err := parsed.Verify(found[0]); err != nil {
				t.Errorf("%s %s token: %v", alg, kind, err)
			}
		}
		token := h.accessToken(t, alg)
		if _, err := again.VerifyAccess(token, noon); err != nil {
			t.Errorf("%s, after a restart: %v", alg, err)
		}
		head, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
		other := h.accessToken(t, names[(1+len(alg))%len(names)])
		for what, bad := range map[string]string{
			"altered":   head + flipped(signature),
			"cut short": head + signature[:len(signature)-4],
			"foreign":   head + other[strings.LastIndexByte(other, '.')+1:],
			"none":      head,
		} {
			if bad == token {
				continue
			}
			if _, err := h.VerifyAccess(bad, noon); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("%s, %s signature: got %v, want ErrInvalid", alg, what, err)
			}
		}
	}
}

// flipped changes the first character of a segment.
func flipped(segment string) string {
	if segment[0] == 'A' {
		return "B" + segment[1:]
	}
	return "A" + segment[1:]
}

// An algorithm ends in a running system: what it signed is good until it expires,
// then its keys leave, and it can begin again.
func TestRetire_AnAlgorithmEndsAndBeginsAgain(t *testing.T) {
	h := open(t, "ES256", "EdDSA")
	token, hint := h.accessToken(t, "EdDSA"), h.idToken(t, "EdDSA")
	if err := h.Retire(t.Context(), "EdDSA", storage.Origin{}, noon); !errors.Is(err, keys.ErrConfigured) {
		t.Errorf("while it is configured: got %v, want ErrConfigured", err)
	}
	later, err := h.again(t, func(c *keys.Config) { c.Algorithms = []string{"ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Retire(t.Context(), "EdDSA", storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	if err := later.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if _, err := later.VerifyAccess(token, noon); err != nil {
		t.Errorf("a token that lives: %v", err)
	}
	live(t, later, noon, noon.Add(20*time.Minute)) // 15 minutes of the last token, and 5
	if states := h.states(t, "EdDSA"); states[storage.KeyGone] != 2 || len(states) != 1 {
		t.Errorf("%v, want two keys that are gone", states)
	}
	if _, err := later.VerifyAccess(token, noon); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("afterwards: got %v, want ErrInvalid", err)
	}
	if _, err := later.VerifyIDTokenHint(hint, noon); err != nil {
		t.Errorf("its ID token as a hint: %v", err)
	}
	anew, err := h.again(t, func(*keys.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := anew.Ready(); err != nil {
		t.Errorf("configured again: %v", err)
	}
	if err := later.Retire(t.Context(), "PS256", storage.Origin{}, noon); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a line that is not there: got %v, want ErrNotFound", err)
	}
}
