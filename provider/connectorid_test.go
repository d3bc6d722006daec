package provider_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/provider"
	"signet/provider/providertest"
)

// TestConnectorID_NoneHidesAnotherRoute: an id is refused if another route already has it as
// the segment where routes of connectors have the id. The settings and the library both
// refuse it.
func TestConnectorID_NoneHidesAnotherRoute(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		before := map[string]bool{} // the part of a path before the id of a connector
		for _, route := range b.Routes() {
			if prefix, _, has := strings.Cut(route.Path, "{connector}"); has {
				before[prefix] = true
			}
		}
		found := false
		for _, route := range b.Routes() {
			i := strings.LastIndex(route.Path, "/") + 1
			for i > 0 && !before[route.Path[:i]] {
				i = strings.LastIndex(route.Path[:i-1], "/") + 1
			}
			word, _, _ := strings.Cut(route.Path[i:], "/")
			if i == 0 || word == "" || strings.HasPrefix(word, "{") {
				continue
			}
			found = true
			if err := provider.CheckConnectorID(word); err == nil || !strings.Contains(err.Error(), "is taken") {
				t.Errorf("%s: got %v, and %s has that path", word, err, route.Path)
			}
			c := provider.Connector{Config: federation.Config{ID: word, Kind: federation.GitHub, ClientID: "a", ClientSecret: federation.NewSecret("b")}}
			if _, err := c.Build(http.DefaultClient, time.Now); !errors.Is(err, federation.ErrMisconfigured) {
				t.Errorf("connector %s: got %v, want it misconfigured", word, err)
			}
		}
		if !found {
			t.Error("no route shares its prefix with routes of connectors")
		}
	})
	for _, id := range []string{"google", "account", "login", "links", "callback", "start"} {
		if err := provider.CheckConnectorID(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
