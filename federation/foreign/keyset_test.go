package foreign_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"signet/federation/foreign"
)

// isUsableUpstream reports whether UsableKeys accepts a key of badKeySets, because its fault is in a
// member that is not needed to verify signatures.
func isUsableUpstream(name, reason string) bool {
	about := []string{"a certificate", "no certificate", "a thumbprint", "an x5u", "a kid that is empty", "key_ops and key_ops", "key_ops twice", "a use that is empty"}
	return slices.ContainsFunc(about, func(begin string) bool { return strings.HasPrefix(name, begin) }) || strings.HasSuffix(name, " with nothing") ||
		reason == "with a member of another kind"
}

func readUsableKeys(t *testing.T, keys ...any) ([]foreign.Key, int) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": append([]any{}, keys...)})
	if err != nil {
		t.Fatal(err)
	}
	found, bad, err := foreign.UsableKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return found, bad
}

// TestUsableKeys_BadKeyLeavesOthers: a valid key stays usable next to each bad key. The bad key is
// usable only if its fault is in a member that is not needed to verify signatures.
func TestUsableKeys_BadKeyLeavesOthers(t *testing.T) {
	fine := pairs()["P-384"].public
	for name, c := range badKeySets(t) {
		members, err := foreign.ReadMembers(c.document)
		if err != nil {
			continue
		}
		raw, _ := members.Raw("keys")
		list, err := foreign.ReadItems(raw)
		if err != nil || len(list) != 1 {
			continue
		}
		want := 1
		if isUsableUpstream(name, c.reason) {
			want = 2
		}
		others := strings.HasPrefix(c.reason, "unsupported") // a valid key of a kind that we do not use
		for _, order := range [][]any{{list[0], fine}, {fine, list[0]}} {
			found, ignored := readUsableKeys(t, order...)
			good := slices.ContainsFunc(found, func(k foreign.Key) bool { return k.Fits("ES384") })
			if len(found) != want || !good || ignored == 1 == (others || want == 2) {
				t.Errorf("%s: %d usable, %d ignored", name, len(found), ignored)
			}
		}
	}
}

func TestUsableKeys_InvalidElementsAreSkipped(t *testing.T) {
	fine := pairs()["P-384"].public
	for _, element := range []string{`null`, `""`, `"a key"`, `1`, `-1e999`, `true`, `[]`, `[{}]`, `{}`, `{"kty":null}`, `{"kty":{"a":[1]}}`,
		`{"kty":"EC","kty":"RSA"}`, `{"kty":"EC","KTY":"RSA"}`, `{"kty":"EC","crv":"P-256","x":"\ud800","y":"AA"}`, strings.Repeat("[", 5000) + strings.Repeat("]", 5000)} {
		good, err := json.Marshal(fine)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`{"keys":[` + element + `,` + string(good) + `]}`, `{"keys":[` + string(good) + `,` + element + `]}`} {
			found, _, err := foreign.UsableKeys([]byte(text))
			if err != nil || len(found) != 1 {
				t.Errorf("%.100s: %d keys, %v", element, len(found), err)
			}
		}
	}
}

func TestUsableKeys_UnusedMembersAreIgnored(t *testing.T) {
	fine := pairs()["P-384"].public
	for _, odd := range []any{nil, 1, "", "x", []any{}, []any{nil, 1}, map[string]any{"a": 1}} {
		key := jwk{}
		for _, name := range []string{"x5u", "x5c", "x5t", "x5t#S256", "n", "e", "oth2", "iat", "exp", "ext", "revoked"} {
			key[name] = odd
		}
		maps.Copy(key, fine)
		if found, ignored := readUsableKeys(t, key); len(found) != 1 || ignored != 0 {
			t.Errorf("members that verify nothing are %v: %d usable, %d ignored", odd, len(found), ignored)
		}
	}
	all := map[string]any{}
	for _, name := range []string{"kid", "use", "alg", "key_ops", "x5u", "x5c", "x5t", "x5t#S256", "n", "e", "d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		all[name] = nil
	}
	maps.Copy(all, fine)
	if found, ignored := readUsableKeys(t, all); len(found) != 1 || ignored != 0 {
		t.Errorf("all absent members are null: %d usable, %d ignored", len(found), ignored)
	}
}

func TestUsableKeys_OtherUsesAndTooMany(t *testing.T) {
	fine := pairs()["P-384"].public
	if found, ignored := readUsableKeys(t, fine.with("use", "enc")); len(found) != 0 || ignored != 0 {
		t.Error("a key for encryption verifies signatures")
	}
	if found, _ := readUsableKeys(t); len(found) != 0 {
		t.Error("an empty set has usable keys")
	}
	for _, none := range []string{``, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[],"keys":[]}`, `{"keys":[],"Keys":[]}`, `<html>`, `{"keys":[`, `{"keys":[]}{}`} {
		if _, _, err := foreign.UsableKeys([]byte(none)); !errors.Is(err, foreign.ErrJSON) {
			t.Errorf("%s: %v", none, err)
		}
	}
	many := make([]any, 4000)
	for i := range many {
		many[i] = fine
	}
	if found, ignored := readUsableKeys(t, many...); len(found) != 100 || ignored != 3900 {
		t.Errorf("of 4000 keys %d are used", len(found))
	}
}

// FuzzUsableKeys: a valid key stays usable next to any other element, nothing panics, and every
// usable key has the required strength.
func FuzzUsableKeys(f *testing.F) {
	for _, key := range goodKeys(f) {
		text, err := json.Marshal(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, c := range badKeySets(f) {
		f.Add(c.document)
	}
	fine, err := json.Marshal(pairs()["P-384"].public)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		found, _, err := foreign.UsableKeys([]byte(`{"keys":[` + string(text) + `,` + string(fine) + `]}`))
		if err != nil || len(found) == 0 || len(found) > 2 || !found[len(found)-1].Fits("ES384") {
			t.Fatalf("%d keys, %v", len(found), err)
		}
		for _, key := range found {
			if key, ok := key.Public.(*rsa.PublicKey); ok && (key.N.BitLen() < 2048 || key.N.BitLen() > 8192 || key.E < 65537 || key.E%2 == 0) {
				t.Fatalf("RSA of %d bits with exponent %d", key.N.BitLen(), key.E)
			}
		}
	})
}
