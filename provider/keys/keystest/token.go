package keystest

import (
	"testing"
	"time"

	"signet/provider/keys"
)

// Access is the content of an access token.
func Access() keys.AccessToken {
	return keys.AccessToken{
		Subject: "usr_alice", Audience: []string{Issuer, "https://api.example.com"}, ClientID: "web",
		Scope: "openid profile", ID: "jti-1", GrantID: "grt_1", SessionID: "ses_1",
		AuthTime: Noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		Roles: []string{"admin"}, Groups: []string{"staff", "<&>"},
		IssuedAt: Noon.Unix(), Expires: Noon.Unix() + 900,
	}
}

// Identity is the content of an ID token.
func Identity() keys.IDToken {
	return keys.IDToken{
		Subject: "usr_alice", Audience: "web", Nonce: "n-0S6_WzA2Mj", SessionID: "ses_1",
		AuthTime: Noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		AtHash: keys.HalfHash("ES256", "token"), CHash: keys.HalfHash("ES256", "code"),
		IssuedAt: Noon.Unix(), Expires: Noon.Unix() + 900,
	}
}

// Refresh is the content of a refresh token.
func Refresh() keys.RefreshToken {
	return keys.RefreshToken{
		Subject: "usr_alice", ClientID: "web", GrantID: "grt_1", Generation: 3,
		IssuedAt: Noon.Unix(), Expires: Noon.Add(7 * 24 * time.Hour).Unix(),
	}
}

// AccessToken signs one with the algorithm.
func (h *House) AccessToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignAccess(alg, Access())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// IDToken signs one with the algorithm.
func (h *House) IDToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignID(alg, Identity())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// RefreshToken signs one.
func (h *House) RefreshToken(t testing.TB) string {
	t.Helper()
	token, err := h.SignRefresh(Refresh())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Sealed seals a message for a minute.
func (h *House) Sealed(t testing.TB, purpose string) string {
	t.Helper()
	message, err := h.Seal(purpose, []byte("payload of "+purpose), Noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return message
}
