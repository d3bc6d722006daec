package provider_test

import (
	"slices"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
)

// without is the connectors but for one.
func without(list []provider.Connector, id string) []provider.Connector {
	return slices.DeleteFunc(slices.Clone(list), func(c provider.Connector) bool { return c.ID == id })
}

// come signs ada in through Google, octo through GitHub and alice with her password,
// each with tokens.
func come(t *testing.T, b *providertest.Testbed) (ada, octo, typed map[string]any) {
	t.Helper()
	tokens := func(v *providertest.Visitor, page providertest.Stop) map[string]any {
		return b.Redeem(t, v.Allow(t, page).Code(t))
	}
	v, w, x := b.Visitor(t), b.Visitor(t), b.Visitor(t)
	return tokens(v, v.ComeBy(t, "google", "ada")), tokens(w, w.ComeBy(t, "github", "octo")), tokens(x, x.SignIn(t, x.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password))
}

// A connector that a reload takes out of the settings takes its sessions along, and
// their tokens; nothing else ends.
func TestRemovedConnector_ByReload(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.Follow(t)
		ada, octo, typed := come(t, b)
		next, err := b.With(provider.Live{Connectors: without(up.Connectors, "google")})
		if err != nil {
			t.Fatal(err)
		}
		reloaded := *b
		reloaded.Provider = next
		reloaded.Follow(t)
		b.WantDead(t, ada)
		b.Refreshed(t, octo["refresh_token"])
		b.Refreshed(t, typed["refresh_token"])
		for _, e := range b.Events(t) {
			if e.Reason == "connector_removed" && (e.Connector != "google" || e.From.Actor != "system") {
				t.Errorf("event %+v", e)
			}
		}
		b.WantEvent(t, "session.ended", providertest.ClaimsOf(t, ada["id_token"])["sid"])

		// It comes back, and people with it.
		back, err := next.With(provider.Live{Connectors: up.Connectors})
		if err != nil {
			t.Fatal(err)
		}
		reloaded.Provider = back
		reloaded.Follow(t)
		again := b.Visitor(t)
		fresh := b.Redeem(t, again.ComeBy(t, "google", "ada").Code(t))
		b.Pass(time.Minute)
		reloaded.Follow(t)
		b.Refreshed(t, fresh["refresh_token"])
	})
}

// A node that starts with an older file, or before the others have the newer one, ends
// nothing while another node serves the connector. Once that has stopped, or has not
// been heard of for two minutes, it was removed.
func TestRemovedConnector_ByRestart(t *testing.T) {
	for name, stop := range map[string]func(*testing.T, *providertest.Testbed){
		"stopped": func(t *testing.T, b *providertest.Testbed) {
			if err := b.ReleaseConnectors(t.Context(), b.Now()); err != nil {
				t.Fatal(err)
			}
			b.Pass(31 * time.Second) // the next time that the other node asks
		},
		"not heard of": func(_ *testing.T, b *providertest.Testbed) { b.Pass(2*time.Minute + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				b.Follow(t)
				ada, octo, typed := come(t, b)
				later := b.Restarted(t, func(c *provider.Config) { c.Connectors = without(up.Connectors, "google") })
				later.Follow(t)
				b.WantUserinfo(t, ada["access_token"].(string), 200)
				for range 4 {
					b.Pass(35 * time.Second)
					b.Follow(t)
					later.Follow(t)
				}
				b.WantUserinfo(t, ada["access_token"].(string), 200)
				stop(t, b)
				later.Follow(t)
				later.WantDead(t, ada)
				later.Refreshed(t, octo["refresh_token"])
				later.Refreshed(t, typed["refresh_token"])
			})
		})
	}
}

// A reload that is refused keeps what was served before.
func TestRemovedConnector_NotByAReloadThatFails(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.Follow(t)
		ada, _, _ := come(t, b)
		broken := without(up.Connectors, "google")
		broken[0].ClientID = ""
		if _, err := b.With(provider.Live{Connectors: broken}); err == nil {
			t.Fatal("a connector without a client was taken")
		}
		b.Pass(time.Minute)
		b.Follow(t)
		b.WantUserinfo(t, ada["access_token"].(string), 200)
	})
}
