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

// TestConnectorID_NoneHidesAnotherRoute: an id that a path of another route has where that
// of a connector stands is refused, by the settings and by the library alike.
func TestConnectorID_NoneHidesAnotherRoute(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		before := map[string]bool{} // what stands before the id of a connector
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
				t.Errorf("a connector %s is built: %v", word, err)
			}
		}
		if !found {
			t.Error("no route stands beside those of connectors")
		}
	})
	for _, id := range []string{"google", "account", "login", "links", "callback", "start"} {
		if err := provider.CheckConnectorID(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
