package provider_test

import (
	"slices"
	"testing"
	"time"

	"signet/provider"
)

// without is the connectors but for one.
func without(list []provider.Connector, id string) []provider.Connector {
	return slices.DeleteFunc(slices.Clone(list), func(c provider.Connector) bool { return c.ID == id })
}

// come signs ada in through Google, octo through GitHub and alice with her password,
// each with tokens.
func come(t *testing.T, b *testbed) (ada, octo, typed map[string]any) {
	t.Helper()
	tokens := func(v *visitor, page stop) map[string]any { return b.redeem(t, v.allow(t, page).code(t)) }
	v, w, x := b.visitor(t), b.visitor(t), b.visitor(t)
	return tokens(v, v.comeBy(t, "google", "ada")), tokens(w, w.comeBy(t, "github", "octo")), tokens(x, x.signIn(t, x.get(t, b.authorizeURL()), alice, password))
}

// A connector that a reload takes out of the settings takes its sessions along, and
// their tokens; nothing else ends.
func TestRemovedConnector_ByReload(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		b.follow(t)
		ada, octo, typed := come(t, b)
		next, err := b.With(provider.Live{Connectors: without(up.connectors, "google")})
		if err != nil {
			t.Fatal(err)
		}
		reloaded := *b
		reloaded.Provider = next
		reloaded.follow(t)
		b.wantDead(t, ada)
		b.refreshed(t, octo["refresh_token"])
		b.refreshed(t, typed["refresh_token"])
		for _, e := range b.events(t) {
			if e.Reason == "connector_removed" && (e.Connector != "google" || e.From.Actor != "system") {
				t.Errorf("event %+v", e)
			}
		}
		b.wantEvent(t, "session.ended", claimsOf(t, ada["id_token"])["sid"])

		// It comes back, and people with it.
		back, err := next.With(provider.Live{Connectors: up.connectors})
		if err != nil {
			t.Fatal(err)
		}
		reloaded.Provider = back
		reloaded.follow(t)
		again := b.visitor(t)
		fresh := b.redeem(t, again.comeBy(t, "google", "ada").code(t))
		b.pass(time.Minute)
		reloaded.follow(t)
		b.refreshed(t, fresh["refresh_token"])
	})
}

// A node that starts with an older file, or before the others have the newer one, ends
// nothing while another node serves the connector. Once that has stopped, or has not
// been heard of for two minutes, it was removed.
func TestRemovedConnector_ByRestart(t *testing.T) {
	for name, stop := range map[string]func(*testing.T, *testbed){
		"stopped": func(t *testing.T, b *testbed) {
			if err := b.LeaveConnectors(t.Context(), b.now()); err != nil {
				t.Fatal(err)
			}
			b.pass(31 * time.Second) // the next time that the other node asks
		},
		"not heard of": func(_ *testing.T, b *testbed) { b.pass(2*time.Minute + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				b.follow(t)
				ada, octo, typed := come(t, b)
				later := b.restarted(t, func(c *provider.Config) { c.Connectors = without(up.connectors, "google") })
				later.follow(t)
				b.wantUserinfo(t, ada["access_token"].(string), 200)
				for range 4 {
					b.pass(35 * time.Second)
					b.follow(t)
					later.follow(t)
				}
				b.wantUserinfo(t, ada["access_token"].(string), 200)
				stop(t, b)
				later.follow(t)
				later.wantDead(t, ada)
				later.refreshed(t, octo["refresh_token"])
				later.refreshed(t, typed["refresh_token"])
			})
		})
	}
}

// A reload that is refused keeps what was served before.
func TestRemovedConnector_NotByAReloadThatFails(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		b.follow(t)
		ada, _, _ := come(t, b)
		broken := without(up.connectors, "google")
		broken[0].ClientID = ""
		if _, err := b.With(provider.Live{Connectors: broken}); err == nil {
			t.Fatal("a connector without a client was taken")
		}
		b.pass(time.Minute)
		b.follow(t)
		b.wantUserinfo(t, ada["access_token"].(string), 200)
	})
}
