package keys_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// For each algorithm, another library verifies the tokens with the published JWKS, tokens
// verify after a restart, and altered signatures and those of other algorithms are refused.
func TestAlgorithms_OtherLibraryVerifiesEach(t *testing.T) {
	names := []string{"ES256", "RS256", "EdDSA", "PS256"}
	h := open(t, names...)
	again, err := h.openAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	for _, alg := range names {
		kid := h.Kid(t, alg, storage.KeyActive)
		for kind, token := range map[string]string{"access": h.AccessToken(t, alg), "ID": h.IDToken(t, alg)} {
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
		token := h.AccessToken(t, alg)
		if _, err := again.VerifyAccess(token, noon); err != nil {
			t.Errorf("%s, after a restart: %v", alg, err)
		}
		head, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
		other := h.AccessToken(t, names[(1+len(alg))%len(names)])
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
