package example_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestFirstParty_SettingsReachTheServer signs in from another origin, and checks the cookie
// that the app's API on a sibling host receives.
func TestFirstParty_SettingsReachTheServer(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	for _, id := range []string{"shop", "other"} {
		i.CreateClient(t, "--id", id, "--type", "spa", "--first-party", "--redirect-uri", "https://app.example.com/")
	}
	i.Env = append(slices.DeleteFunc(i.Env, func(v string) bool { return strings.HasPrefix(v, "SIGNET_ISSUER=") }),
		"SIGNET_ISSUER=https://id.example.com", "SIGNET_COOKIE_DOMAIN=example.com",
		"SIGNET_FIRST_PARTY_CLIENT_ID=shop", "SIGNET_FIRST_PARTY_ORIGINS=https://app.example.com", "SIGNET_FIRST_PARTY_AUDIENCE=todo-api")
	i.Serve(t)
	r, err := http.NewRequest(http.MethodPost, i.Issuer+"/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, i.Email, i.Password)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://app.example.com")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Fatalf("got %s, %v, %v: %s", answer.Status, answer.Header, err, body)
	}
	for _, cookie := range answer.Cookies() {
		if cookie.Name != "__Secure-access_token" {
			continue
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(cookie.Value, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Issuer   string   `json:"iss"`
			Audience []string `json:"aud"`
			ClientID string   `json:"client_id"`
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		if cookie.Domain != "example.com" || claims.Issuer != "https://id.example.com" || claims.ClientID != "shop" || !slices.Equal(claims.Audience, []string{"todo-api"}) {
			t.Errorf("cookie %v with %+v", cookie, claims)
		}
		return
	}
	t.Errorf("no access token for the domain: %v", answer.Header.Values("Set-Cookie"))
}
