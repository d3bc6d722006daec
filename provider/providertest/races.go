package providertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"signet/storage"
)

// TestOrigin is the origin, in events, of use cases that a test calls directly.
var TestOrigin = storage.Origin{Actor: "test"}

// ParallelClient is Direct with enough idle connections for many requests at once.
var ParallelClient = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 200},
	CheckRedirect: Direct.CheckRedirect,
}

// Generation returns the generation (gen claim) of a refresh token, without checking the
// token.
func Generation(t *testing.T, token string) int64 {
	t.Helper()
	var claims struct {
		Generation *int64 `json:"gen"`
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil || claims.Generation == nil {
		t.Fatalf("refresh token %q has no gen claim: %v", token, err)
	}
	return *claims.Generation
}
