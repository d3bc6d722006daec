package providertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"signet/storage"
)

// TestOrigin is where the use cases that a test calls itself come from.
var TestOrigin = storage.Origin{Actor: "test"}

// ParallelClient keeps enough connections for many requests at once.
var ParallelClient = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 200},
	CheckRedirect: Direct.CheckRedirect,
}

// Generation reads which of its grant's a refresh token is.
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
		t.Fatalf("refresh token %q says no generation: %v", token, err)
	}
	return *claims.Generation
}
