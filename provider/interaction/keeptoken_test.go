package provider_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/storage"
)

// givesToken lets the liar give this access token from now on.
func (up *upstreams) givesToken(token string) {
	f := lieOf("email", victimMail)
	f.Token = map[string]any{"access_token": token}
	up.liar.Tell(f)
}

// tokenOfLiar is what is kept of a user's last sign-in through liar, as JSON; "" if
// nothing is.
func (b *testbed) tokenOfLiar(t *testing.T, userID string, master [32]byte) string {
	t.Helper()
	kept, err := b.DB.ReadUpstreamToken(context.Background(), userID, "liar", storage.By{At: b.now()})
	if errors.Is(err, storage.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	k := keystest.Keeper(t, b.DB, vault.Config{Master: master})
	plain, err := k.OpenToken(context.Background(), kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// TestFD27_KeptTokenShowsNowhere: nor does the end of a key of the internal line
// take it away. It is dropped when the setting is off at the next sign-in.
func TestFD27_KeptTokenShowsNowhere(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		up.givesToken("canary-kept-token")
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "liar", "victim"))
		victim, master := b.userBy(t, victimMail).ID, [32]byte{1, 2, 3}
		b.revokeKey(t, storage.InternalLine)
		if got := b.tokenOfLiar(t, victim, master); !strings.Contains(got, `"access_token":"canary-kept-token"`) {
			t.Fatalf("kept %s", got)
		}
		for what, text := range map[string]string{
			"database": b.dumped(t), "log": b.Log.String(), "page": v.get(t, b.Issuer+"/account/identities").Body,
		} {
			if strings.Contains(text, "canary-") {
				t.Errorf("the %s shows a token", what)
			}
		}

		later := b.restarted(t, func(c *provider.Config) {
			c.Connectors = append([]provider.Connector{}, up.connectors...)
			c.Connectors[2].KeepToken = false
		})
		w := b.visitor(t)
		callback := w.choose(t, w.press(t, w.get(t, later.authorizeURL()), "liar"), "victim")
		w.get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1)).code(t)
		if got := b.tokenOfLiar(t, victim, master); got != "" {
			t.Errorf("keep_token is off, and kept is %s", got)
		}
	}, alter("liar", func(c *provider.Connector) { c.KeepToken = true }))
}

// A token that came on the account page goes with its identity.
func TestFD27_LinkedTokenGoesWithItsIdentity(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		up.givesToken("canary-linked-token")
		v := b.visitor(t)
		v.account(t, "/account/identities")
		page := v.connect(t, "liar", "victim")
		page.wantAt(t, "/account/identities?done=linked")
		if got := b.tokenOfLiar(t, b.Alice.ID, [32]byte{1, 2, 3}); !strings.Contains(got, "canary-linked-token") {
			t.Fatalf("kept %s", got)
		}
		v.submit(t, page.disconnects(t)[0]).wantAt(t, "/account/identities?done=unlinked")
		if got := b.tokenOfLiar(t, b.Alice.ID, [32]byte{1, 2, 3}); got != "" {
			t.Errorf("unlinked, and kept is %s", got)
		}
	}, alter("liar", func(c *provider.Connector) { c.KeepToken = true }))
}

// A kept token follows the private keys to a new master key, and opens in no other
// identity's row.
func TestFD27_KeptTokenIsSealedForItsRow(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		up.givesToken("canary-sealed-token")
		b.visitor(t).comeBy(t, "liar", "victim")
		victim, old, target := b.userBy(t, victimMail).ID, [32]byte{1, 2, 3}, [32]byte{7, 7, 7}
		k := keystest.Keeper(t, b.DB, vault.Config{Master: old, Masters: func() ([][32]byte, error) { return [][32]byte{old, target}, nil }})
		for range 2 { // as after an interruption
			if _, _, err := k.Rewrap(context.Background(), storage.Origin{}, b.now()); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.tokenOfLiar(t, victim, target); !strings.Contains(got, "canary-sealed-token") {
			t.Errorf("under the new master key: %s", got)
		}
		kept, err := b.DB.ReadUpstreamToken(context.Background(), victim, "liar", storage.By{At: b.now()})
		if err != nil {
			t.Fatal(err)
		}
		kept.Subject += "x"
		if _, err := k.OpenToken(context.Background(), kept); !errors.Is(err, vault.ErrNotOpened) {
			t.Errorf("in another identity's row: got %v, want ErrNotOpened", err)
		}
		b.wantEvent(t, storage.UpstreamTokenRead, victim)
	}, alter("liar", func(c *provider.Connector) { c.KeepToken = true }))
}
