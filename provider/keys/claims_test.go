package keys_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// claims returns the claims of a token as go-jose reads them with the published JWKS. It
// fails the test if the typ header is not kind.
func (h *testNode) claims(t *testing.T, token, alg, kind string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Headers[0].ExtraHeaders[jose.HeaderType]; got != kind {
		t.Errorf("typ: got %v, want %s", got, kind)
	}
	var claims map[string]any
	if err := parsed.Claims(set, &claims); err != nil {
		t.Fatalf("%s %s: %v", alg, kind, err)
	}
	return claims
}

// P-43: RS256 is the default; the client's algorithm is used, and kid is present.
func TestTokens_AnotherImplementationVerifiesOurTokens(t *testing.T) {
	h := open(t)
	for _, alg := range h.Algorithms() {
		got := h.claims(t, h.AccessToken(t, alg), alg, "at+jwt")
		want := map[string]any{
			"iss": issuer, "sub": "usr_alice", "aud": []any{issuer, "https://api.example.com"},
			"client_id": "web", "scope": "openid profile", "jti": "jti-1", "gid": "grt_1", "sid": "ses_1",
			"auth_time": 1799999995.0, "acr": "urn:signet:1fa", "amr": []any{"pwd"},
			"roles": []any{"admin"}, "groups": []any{"staff", "<&>"}, "iat": 1800000000.0, "exp": 1800000900.0,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("access token: got %v, want %v", got, want)
		}
		got = h.claims(t, h.IDToken(t, alg), alg, "JWT")
		want = map[string]any{
			"iss": issuer, "sub": "usr_alice", "aud": []any{"web"}, "nonce": "n-0S6_WzA2Mj", "sid": "ses_1",
			"auth_time": 1799999995.0, "acr": "urn:signet:1fa", "amr": []any{"pwd"},
			"at_hash": keys.HalfHash(alg, "token"), "c_hash": keys.HalfHash(alg, "code"),
			"iat": 1800000000.0, "exp": 1800000900.0,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("ID token: got %v, want %v", got, want)
		}
	}
}

// KY-11: kid is the thumbprint of the key and unique (RFC 7638).
func TestTokens_KidIsTheThumbprint(t *testing.T) {
	h := open(t)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.KeyID, base64.RawURLEncoding.EncodeToString(sum); got != want {
			t.Errorf("kid: got %s, want %s", got, want)
		}
	}
	for _, row := range h.Rows(t) {
		if strings.HasPrefix(row.ID, "-") {
			t.Errorf("kid %s reads as a flag on a command line", row.ID)
		}
	}
}

// P-46: ID tokens carry only registered and requested claims.
func TestTokens_AbsentClaimsAreAbsent(t *testing.T) {
	h := open(t, "ES256")
	token, err := h.SignAccess("ES256", keys.AccessToken{
		Subject: "svc", Audience: []string{"api"}, ClientID: "svc", ID: "j", IssuedAt: noon.Unix(), Expires: noon.Unix() + 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims := h.claims(t, token, "ES256", "at+jwt")
	for _, name := range []string{"gid", "sid", "auth_time", "acr", "amr", "roles", "groups"} {
		if value, there := claims[name]; there {
			t.Errorf("%s: %v", name, value)
		}
	}
	// RFC 9068, section 2.2.3: the scope claim is there although no scope was granted.
	if scope, there := claims["scope"]; !there || scope != "" {
		t.Errorf("scope: %v", scope)
	}
	id, err := h.SignID("ES256", keys.IDToken{Subject: "u", Audience: "c", IssuedAt: noon.Unix(), Expires: noon.Unix() + 1})
	if err != nil {
		t.Fatal(err)
	}
	if claims := h.claims(t, id, "ES256", "JWT"); len(claims) != 5 {
		t.Errorf("ID token: %v", claims)
	}
}

func TestVerifyAccess_ReturnsSignedContent(t *testing.T) {
	h := open(t)
	for _, alg := range h.Algorithms() {
		got, err := h.VerifyAccess(h.AccessToken(t, alg), noon)
		if err != nil || !reflect.DeepEqual(got, keystest.AccessContent()) {
			t.Errorf("%s: got %+v, %v", alg, got, err)
		}
	}
}

func TestVerifyAccess_Times(t *testing.T) {
	h := open(t, "ES256")
	token := h.AccessToken(t, "ES256")
	for _, moment := range []struct {
		after time.Duration
		want  error
	}{
		{-61 * time.Second, keys.ErrInvalid}, // further ahead than the clocks of nodes may differ
		{-60 * time.Second, nil},
		{0, nil},
		{15*time.Minute - time.Millisecond, nil},
		{15 * time.Minute, keys.ErrExpired},
		{365 * 24 * time.Hour, keys.ErrExpired},
	} {
		if _, err := h.VerifyAccess(token, noon.Add(moment.after)); !errors.Is(err, moment.want) {
			t.Errorf("%v after: got %v, want %v", moment.after, err, moment.want)
		}
	}
}

// P-27: id_token_hint works after expiry; another user gives login_required.
func TestTokens_ExpiredIDTokenIsAHintFor400Days(t *testing.T) {
	h := open(t, "ES256")
	token := h.IDToken(t, "ES256")
	const day = 24 * time.Hour
	for _, moment := range []struct {
		after time.Duration
		want  error
	}{
		{-61 * time.Second, keys.ErrInvalid},
		{0, nil},
		{399 * day, nil},
		{400*day + 15*time.Minute - time.Second, nil},
		{400*day + 15*time.Minute, keys.ErrExpired},
	} {
		got, err := h.VerifyIDTokenHint(token, noon.Add(moment.after))
		if !errors.Is(err, moment.want) {
			t.Errorf("%v after: got %v, want %v", moment.after, err, moment.want)
		}
		if err == nil && !reflect.DeepEqual(got, keystest.IDContent()) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestSign_RefusesIncompleteContent(t *testing.T) {
	h := open(t, "ES256")
	for name, spoil := range map[string]func(*keys.AccessToken){
		"no subject":   func(a *keys.AccessToken) { a.Subject = "" },
		"no audience":  func(a *keys.AccessToken) { a.Audience = nil },
		"no client":    func(a *keys.AccessToken) { a.ClientID = "" },
		"no jti":       func(a *keys.AccessToken) { a.ID = "" },
		"no iat":       func(a *keys.AccessToken) { a.IssuedAt = 0 },
		"expired born": func(a *keys.AccessToken) { a.Expires = a.IssuedAt },
	} {
		token := keystest.AccessContent()
		spoil(&token)
		if _, err := h.SignAccess("ES256", token); err == nil {
			t.Errorf("access token with %s was made", name)
		}
	}
	for name, spoil := range map[string]func(*keys.IDToken){
		"no subject":  func(i *keys.IDToken) { i.Subject = "" },
		"no audience": func(i *keys.IDToken) { i.Audience = "" },
		"no exp":      func(i *keys.IDToken) { i.Expires = 0 },
	} {
		token := keystest.IDContent()
		spoil(&token)
		if _, err := h.SignID("ES256", token); err == nil {
			t.Errorf("ID token with %s was made", name)
		}
	}
	if _, err := h.SignRefresh(keys.RefreshToken{}); err == nil {
		t.Error("an empty refresh token was made")
	}
	for _, alg := range []string{"", "none", "HS256", "RS256", "internal"} {
		if _, err := h.SignAccess(alg, keystest.AccessContent()); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("alg %q: got %v, want ErrNoKey", alg, err)
		}
	}
}

func TestSignID_RequestedClaims(t *testing.T) {
	h := open(t, "ES256")
	token := keystest.IDContent()
	token.Claims = map[string]any{"email": "alice@example.com", "email_verified": false, "address": map[string]any{"country": "PT"}}
	signed, err := h.SignID("ES256", token)
	if err != nil {
		t.Fatal(err)
	}
	claims := h.claims(t, signed, "ES256", "JWT")
	if claims["email"] != "alice@example.com" || claims["email_verified"] != false || claims["sub"] != "usr_alice" {
		t.Errorf("got %v", claims)
	}
	got, err := h.VerifyIDTokenHint(signed, noon)
	if err != nil || !reflect.DeepEqual(got, keystest.IDContent()) {
		t.Errorf("as a hint: %+v, %v", got, err)
	}
}

func TestSignID_ReservedClaimsAreRefused(t *testing.T) {
	h := open(t, "ES256")
	names := strings.Fields("iss sub aud exp iat nbf jti sid scope client_id azp acr amr auth_time nonce act cnf " +
		"at_hash c_hash gid SUB Sub ſub") // encoding/json takes the last three for sub
	for _, name := range append(names, "") {
		token := keystest.IDContent()
		token.Claims = map[string]any{"email": "a@b.c", name: "x"}
		if _, err := h.SignID("ES256", token); err == nil {
			t.Errorf("the claim %q was signed", name)
		}
	}
}

// JW-22: at_hash is correct for the algorithm (OIDC Core, section 3.1.3.6).
func TestTokens_HalfHash(t *testing.T) {
	// OIDC Core, appendix A.3 and A.4.
	if got := keys.HalfHash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash: got %s", got)
	}
	if got := keys.HalfHash("ES256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"); got != "LDktKdoQak3Pk0cnXxCltA" {
		t.Errorf("c_hash: got %s", got)
	}
	if got := len(keys.HalfHash("EdDSA", "x")); got != 43 {
		t.Errorf("EdDSA takes SHA-512: %d characters, want 43", got)
	}
}

func TestRefreshToken_SameContentSameBytes(t *testing.T) {
	h := open(t, "ES256")
	token := h.RefreshToken(t)
	other, err := h.openAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.SignRefresh(keystest.RefreshContent())
	if err != nil || again != token {
		t.Errorf("got %s, want %s (%v)", again, token, err)
	}
	next := keystest.RefreshContent()
	next.Generation++
	if later, err := h.SignRefresh(next); err != nil || later == token {
		t.Errorf("the next generation is the same token (%v)", err)
	}
}

func TestRefreshToken_BothOpenAfterRotationBetweenThem(t *testing.T) {
	before := open(t, "ES256")
	after := before.openAltered(t, promoteNext)
	old, renewed := before.RefreshToken(t), after.RefreshToken(t)
	if old == renewed {
		t.Error("the secret did not change")
	}
	for _, token := range []string{old, renewed} {
		got, err := after.OpenRefresh(token, noon)
		if err != nil || got != keystest.RefreshContent() {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestOpenRefresh_ExpiredTokenIsReturnedWithError(t *testing.T) {
	h := open(t, "ES256")
	token := h.RefreshToken(t)
	if got, err := h.OpenRefresh(token, noon.Add(7*24*time.Hour-time.Second)); err != nil || got != keystest.RefreshContent() {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := h.OpenRefresh(token, noon.Add(7*24*time.Hour)); !errors.Is(err, keys.ErrExpired) || got != keystest.RefreshContent() {
		t.Errorf("got %+v, %v; want the token and ErrExpired", got, err)
	}
}

// KY-12: Each key has one purpose.
func TestRefreshToken_UsesNoPublishedKey(t *testing.T) {
	h := open(t)
	header, _, _ := splitToken(h.RefreshToken(t))
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	kid := h.Kid(t, storage.InternalLine, storage.KeyActive)
	if want := `{"alg":"HS256","kid":"` + kid + `","typ":"rt+jwt"}`; string(raw) != want {
		t.Errorf("header: got %s, want %s", raw, want)
	}
	if slices.Contains(h.Published(t), kid) {
		t.Error("the internal line is published")
	}
}

// RFC 8725, section 3.2: deterministic ECDSA (RFC 6979).
func TestSign_ES256NeedsNoRandomness(t *testing.T) {
	h := open(t, "ES256")
	if first, again := h.AccessToken(t, "ES256"), h.AccessToken(t, "ES256"); first != again {
		t.Errorf("the same claims were signed as\n%s\nand as\n%s", first, again)
	}
}
