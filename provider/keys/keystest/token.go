package keystest

import (
	"testing"
	"time"

	"signet/provider/keys"
)

// AccessContent is the content of an access token.
func AccessContent() keys.AccessToken {
	return keys.AccessToken{
		Subject: "usr_alice", Audience: []string{Issuer, "https://api.example.com"}, ClientID: "web",
		Scope: "openid profile", ID: "jti-1", GrantID: "grt_1", SessionID: "ses_1",
		AuthTime: Noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		Roles: []string{"admin"}, Groups: []string{"staff", "<&>"},
		IssuedAt: Noon.Unix(), Expires: Noon.Unix() + 900,
	}
}

// IDContent is the content of an ID token.
func IDContent() keys.IDToken {
	return keys.IDToken{
		Subject: "usr_alice", Audience: "web", Nonce: "n-0S6_WzA2Mj", SessionID: "ses_1",
		AuthTime: Noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		AtHash: keys.HalfHash("ES256", "token"), CHash: keys.HalfHash("ES256", "code"),
		IssuedAt: Noon.Unix(), Expires: Noon.Unix() + 900,
	}
}

// RefreshContent is the content of a refresh token.
func RefreshContent() keys.RefreshToken {
	return keys.RefreshToken{
		Subject: "usr_alice", ClientID: "web", GrantID: "grt_1", Generation: 3,
		IssuedAt: Noon.Unix(), Expires: Noon.Add(7 * 24 * time.Hour).Unix(),
	}
}

// AccessToken signs an access token with the algorithm.
func (h *Node) AccessToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignAccess(alg, AccessContent())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// IDToken signs an ID token with the algorithm.
func (h *Node) IDToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignID(alg, IDContent())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// RefreshToken signs a refresh token.
func (h *Node) RefreshToken(t testing.TB) string {
	t.Helper()
	token, err := h.SignRefresh(RefreshContent())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// SealedMessage seals a message that expires a minute after Noon.
func (h *Node) SealedMessage(t testing.TB, purpose string) string {
	t.Helper()
	message, err := h.Seal(purpose, []byte("payload of "+purpose), Noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return message
}
