package flow_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/providertest"
	"signet/storage"
)

// verified checks a token with go-jose and the published keys, as a relying party does, and
// returns the algorithm of the key.
func verified(t *testing.T, b *providertest.Testbed, token any) string {
	t.Helper()
	keys := b.PublicKeys(t)
	parsed, err := jose.ParseSignedCompact(token.(string), []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Signatures[0].Header
	found := keys.Key(header.KeyID)
	if len(found) != 1 || found[0].Algorithm != header.Algorithm {
		t.Fatalf("the JWKS has %d keys %q of algorithm %s", len(found), header.KeyID, header.Algorithm)
	}
	if _, err := parsed.Verify(found[0]); err != nil {
		t.Fatalf("verify: %v", err)
	}
	return header.Algorithm
}

// P-42: ID tokens have the required claims with the right types (OIDC Core, section 2).
// P-43: RS256 is the default; the client's algorithm is used, and kid is present.
// P-44: at_hash is right wherever it appears.
// P-47: sub is the same in all tokens and at userinfo.
// P-48: sid is present where logout uses sessions.
func TestIDToken_SaysWhatTheRequestAskedFor(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		sid := ""
		for _, c := range []struct{ set, want string }{{"", "RS256"}, {"RS256", "RS256"}, {"ES256", "ES256"}} {
			b.ChangeClient(t, func(client *storage.Client) { client.Metadata.IDTokenSignedResponseAlg = c.set })
			tokens := b.Redeem(t, v.CodeFromSession(t, "nonce", "N~o-n.c_e "+c.set))
			id := providertest.ClaimsOf(t, tokens["id_token"])
			if got := verified(t, b, tokens["id_token"]); got != c.want {
				t.Errorf("id_token_signed_response_alg %q: signed with %s", c.set, got)
			}
			now := b.Now().Unix()
			iat, exp, authTime := number(t, id["iat"]), number(t, id["exp"]), number(t, id["auth_time"])
			if id["iss"] != b.Issuer || id["sub"] != b.Alice.ID || fmt.Sprint(id["aud"]) != "[app]" || id["nonce"] != "N~o-n.c_e "+c.set ||
				iat > now || iat < now-60 || exp != iat+900 || authTime > iat || authTime < now-300 || id["azp"] != nil {
				t.Errorf("ID token: %v", id)
			}
			if id["acr"] != "urn:signet:1fa" || fmt.Sprint(id["amr"]) != "[pwd]" {
				t.Errorf("acr %v, amr %v", id["acr"], id["amr"])
			}
			sum := sha256.Sum256([]byte(tokens["access_token"].(string)))
			if want := base64.RawURLEncoding.EncodeToString(sum[:16]); id["at_hash"] != want || id["c_hash"] != nil {
				t.Errorf("at_hash: got %v, want %s", id["at_hash"], want)
			}
			if sid == "" {
				sid = fmt.Sprint(id["sid"])
			}
			if id["sid"] != sid || len(sid) < 20 {
				t.Errorf("sid: got %v, want %s", id["sid"], sid)
			}
			access := providertest.ClaimsOf(t, tokens["access_token"])
			if userinfo := b.Userinfo(t, tokens["access_token"].(string)).JSON(t); userinfo["sub"] != id["sub"] || access["sub"] != id["sub"] {
				t.Errorf("sub: ID token %v, access token %v, userinfo %v", id["sub"], access["sub"], userinfo["sub"])
			}
			verified(t, b, tokens["access_token"])
			if typ := providertest.HeaderOf(t, tokens["access_token"])["typ"]; typ != "at+jwt" {
				t.Errorf("typ of the access token: %v", typ)
			}
			for _, claim := range strings.Fields("iss sub aud client_id scope jti gid sid auth_time acr amr iat exp") {
				if access[claim] == nil {
					t.Errorf("the access token lacks %s", claim)
				}
			}
		}
	})
}

func number(t *testing.T, value any) int64 {
	t.Helper()
	n, ok := value.(interface{ Int64() (int64, error) })
	if !ok {
		t.Fatalf("%#v is no number", value)
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// P-46: ID tokens carry only registered and requested claims.
func TestIDToken_NoNonceNoNonceClaim(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		id := providertest.ClaimsOf(t, b.Redeem(t, b.Visitor(t).SignInForCode(t, "nonce", ""))["id_token"])
		if _, there := id["nonce"]; there {
			t.Errorf("nonce: %v", id["nonce"])
		}
	})
}

// auth_time is the time when the user proved their identity, not the time of the token.
// P-26: auth_time is the time of the sign-in and stays the same at refresh.
func TestIDToken_AuthTimeIsStable(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := providertest.ClaimsOf(t, b.Redeem(t, v.SignInForCode(t))["id_token"])
		b.Advance(time.Hour)
		later := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t))["id_token"])
		if first["auth_time"] != later["auth_time"] || number(t, later["iat"]) < number(t, first["iat"])+3600 {
			t.Errorf("auth_time moved from %v to %v, iat from %v to %v", first["auth_time"], later["auth_time"], first["iat"], later["iat"])
		}
	})
}

// Values of people and registrations cannot replace the claims of the protocol.
// P-46: ID tokens carry only registered and requested claims.
func TestIDToken_UsersCannotWriteProtocolClaims(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		asked := `{"id_token":{"iss":{"value":"https://evil.example"},"aud":null,"sub":null,"azp":null,"client_id":null,"scope":null,"events":null}}`
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "claims", asked))
		id := providertest.ClaimsOf(t, tokens["id_token"])
		for _, name := range []string{"azp", "client_id", "scope", "events"} {
			if _, there := id[name]; there {
				t.Errorf("%s is in the ID token: %v", name, id[name])
			}
		}
		if id["iss"] != b.Issuer || strings.Count(string(providertest.Decoded(t, tokens["id_token"])), `"iss"`) != 1 {
			t.Errorf("iss: %s", providertest.Decoded(t, tokens["id_token"]))
		}
	})
}
