package keys_test

import (
	"testing"
	"time"

	"signet/provider/keys"
)

func access() keys.AccessToken {
	return keys.AccessToken{
		Subject: "usr_alice", Audience: []string{issuer, "https://api.example.com"}, ClientID: "web",
		Scope: "openid profile", ID: "jti-1", GrantID: "grt_1", SessionID: "ses_1",
		AuthTime: noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		Roles: []string{"admin"}, Groups: []string{"staff", "<&>"},
		IssuedAt: noon.Unix(), Expires: noon.Unix() + 900,
	}
}

func identity() keys.IDToken {
	return keys.IDToken{
		Subject: "usr_alice", Audience: "web", Nonce: "n-0S6_WzA2Mj", SessionID: "ses_1",
		AuthTime: noon.Unix() - 5, ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		AtHash: keys.HalfHash("ES256", "token"), CHash: keys.HalfHash("ES256", "code"),
		IssuedAt: noon.Unix(), Expires: noon.Unix() + 900,
	}
}

func refresh() keys.RefreshToken {
	return keys.RefreshToken{
		Subject: "usr_alice", ClientID: "web", GrantID: "grt_1", Generation: 3,
		IssuedAt: noon.Unix(), Expires: noon.Add(7 * 24 * time.Hour).Unix(),
	}
}

func (h *house) accessToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignAccess(alg, access())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) idToken(t testing.TB, alg string) string {
	t.Helper()
	token, err := h.SignID(alg, identity())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) refreshToken(t testing.TB) string {
	t.Helper()
	token, err := h.SignRefresh(refresh())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) sealed(t testing.TB, purpose string) string {
	t.Helper()
	message, err := h.Seal(purpose, []byte("payload of "+purpose), noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return message
}
