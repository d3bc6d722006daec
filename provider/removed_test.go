package provider_test

import (
	"slices"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
)

// without returns the list without one connector.
func without(list []provider.Connector, id string) []provider.Connector {
	return slices.DeleteFunc(slices.Clone(list), func(c provider.Connector) bool { return c.ID == id })
}

// signInAll signs in ada through Google, octo through GitHub and alice with her password, and
// returns the tokens of each.
func signInAll(t *testing.T, b *providertest.Testbed) (ada, octo, typed map[string]any) {
	t.Helper()
	tokens := func(v *providertest.Visitor, page providertest.Stop) map[string]any {
		return b.Redeem(t, v.Allow(t, page).Code(t))
	}
	v, w, x := b.Visitor(t), b.Visitor(t), b.Visitor(t)
	return tokens(v, v.AuthorizeThrough(t, "google", "ada")), tokens(w, w.AuthorizeThrough(t, "github", "octo")), tokens(x, x.SignIn(t, x.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password))
}

// TestRemovedConnector_ByReload removes a connector by a reload of the settings. Its sessions
// and their tokens end, and no others.
func TestRemovedConnector_ByReload(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.Follow(t)
		ada, octo, typed := signInAll(t, b)
		next, err := b.With(provider.Live{Connectors: without(up.Connectors, "google")})
		if err != nil {
			t.Fatal(err)
		}
		reloaded := *b
		reloaded.Provider = next
		reloaded.Follow(t)
		b.WantRevoked(t, ada)
		b.MustRefresh(t, octo["refresh_token"])
		b.MustRefresh(t, typed["refresh_token"])
		for _, e := range b.Events(t) {
			if e.Reason == "connector_removed" && (e.Connector != "google" || e.From.Actor != "system") {
				t.Errorf("event %+v", e)
			}
		}
		b.WantEvent(t, "session.ended", providertest.ClaimsOf(t, ada["id_token"])["sid"])

		// The connector returns, and users can sign in again.
		back, err := next.With(provider.Live{Connectors: up.Connectors})
		if err != nil {
			t.Fatal(err)
		}
		reloaded.Provider = back
		reloaded.Follow(t)
		again := b.Visitor(t)
		fresh := b.Redeem(t, again.AuthorizeThrough(t, "google", "ada").Code(t))
		b.Advance(time.Minute)
		reloaded.Follow(t)
		b.MustRefresh(t, fresh["refresh_token"])
	})
}

// TestRemovedConnector_ByRestart starts a node with an older file. It ends no sessions while
// another node serves the connector. The connector counts as removed when that node has
// stopped, or has not reported for two minutes.
func TestRemovedConnector_ByRestart(t *testing.T) {
	for name, stop := range map[string]func(*testing.T, *providertest.Testbed){
		"stopped": func(t *testing.T, b *providertest.Testbed) {
			if err := b.ReleaseConnectors(t.Context(), b.Now()); err != nil {
				t.Fatal(err)
			}
			b.Advance(31 * time.Second) // the next report of the other node
		},
		"not heard of": func(_ *testing.T, b *providertest.Testbed) { b.Advance(2*time.Minute + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				b.Follow(t)
				ada, octo, typed := signInAll(t, b)
				later := b.Restarted(t, func(c *provider.Config) { c.Connectors = without(up.Connectors, "google") })
				later.Follow(t)
				b.WantUserinfo(t, ada["access_token"].(string), 200)
				for range 4 {
					b.Advance(35 * time.Second)
					b.Follow(t)
					later.Follow(t)
				}
				b.WantUserinfo(t, ada["access_token"].(string), 200)
				stop(t, b)
				later.Follow(t)
				later.WantRevoked(t, ada)
				later.MustRefresh(t, octo["refresh_token"])
				later.MustRefresh(t, typed["refresh_token"])
			})
		})
	}
}

// TestRemovedConnector_NotByAFailedReload: after a refused reload, the former connectors stay.
func TestRemovedConnector_NotByAFailedReload(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.Follow(t)
		ada, _, _ := signInAll(t, b)
		broken := without(up.Connectors, "google")
		broken[0].ClientID = ""
		if _, err := b.With(provider.Live{Connectors: broken}); err == nil {
			t.Fatal("a connector without a client was accepted")
		}
		b.Advance(time.Minute)
		b.Follow(t)
		b.WantUserinfo(t, ada["access_token"].(string), 200)
	})
}
