package federation_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"signet/federation"
)

func TestCheckID_OneRuleForSettingsAndConnectors(t *testing.T) {
	for id, good := range map[string]bool{
		"google": true, "0": true, "a-b-": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "A": false, "a_b": false, "a b": false, "a/b": false, "ä": false, "a\n": false, strings.Repeat("a", 33): false,
	} {
		if err := federation.CheckID(id); (err == nil) != good {
			t.Errorf("%q: got %v", id, err)
		}
		c := federation.Config{ID: id, Kind: federation.OIDC, Issuer: "https://up.example", ClientID: "c", ClientSecret: federation.NewSecret("s")}
		if _, err := federation.New(c, http.DefaultClient, newClock().now); (err == nil) != good || err != nil && !errors.Is(err, federation.ErrMisconfigured) {
			t.Errorf("a connector %q: got %v", id, err)
		}
	}
}
