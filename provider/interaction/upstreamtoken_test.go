package interaction_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/provider/providertest"
	"signet/storage"
)

// givesToken makes the liar return this access token from now on.
func givesToken(up *providertest.Upstreams, token string) {
	f := providertest.ChangeClaims("email", providertest.VictimMail)
	f.Token = map[string]any{"access_token": token}
	up.Liar.SetFaults(f)
}

// tokenOfLiar returns the stored token of the user's last sign-in through the liar, as
// JSON; "" if there is none.
func tokenOfLiar(t *testing.T, b *providertest.Testbed, userID string, master [32]byte) string {
	t.Helper()
	kept, err := b.DB.ReadUpstreamToken(context.Background(), userID, "liar", storage.By{At: b.Now()})
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

// The stored token appears in no database column, log or page in clear. It survives the
// revocation of a key of the internal line. The next sign-in with keep_token off removes it.
// FD-27: Tokens of upstreams are stored encrypted or not at all.
func TestUpstreamToken_IsStoredSealed(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		givesToken(up, "canary-kept-token")
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "liar", "victim"))
		victim, master := b.UserByEmail(t, providertest.VictimMail).ID, [32]byte{1, 2, 3}
		b.RevokeKey(t, storage.InternalLine)
		if got := tokenOfLiar(t, b, victim, master); !strings.Contains(got, `"access_token":"canary-kept-token"`) {
			t.Fatalf("stored token: %s", got)
		}
		for what, text := range map[string]string{
			"database": b.DumpDatabase(t), "log": b.Log.String(), "page": v.Get(t, b.Issuer+"/account/identities").Body,
		} {
			if strings.Contains(text, "canary-") {
				t.Errorf("the %s shows a token", what)
			}
		}

		later := b.Restarted(t, func(c *provider.Config) {
			c.Connectors = append([]provider.Connector{}, up.Connectors...)
			c.Connectors[2].KeepToken = false
		})
		w := b.Visitor(t)
		callback := w.ChooseAccount(t, w.PressConnector(t, w.Get(t, later.AuthorizeURL()), "liar"), "victim")
		w.Get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1)).Code(t)
		if got := tokenOfLiar(t, b, victim, master); got != "" {
			t.Errorf("keep_token is off, but the stored token is %s", got)
		}
	}, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.KeepToken = true }))
}

// Disconnecting an identity also removes its token.
// FD-27: Tokens of upstreams are stored encrypted or not at all.
func TestUpstreamToken_IsRemovedWithIdentity(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		givesToken(up, "canary-linked-token")
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		page := v.Connect(t, "liar", "victim")
		page.WantAt(t, "/account/identities?done=linked")
		if got := tokenOfLiar(t, b, b.Alice.ID, [32]byte{1, 2, 3}); !strings.Contains(got, "canary-linked-token") {
			t.Fatalf("kept %s", got)
		}
		v.Submit(t, page.UnlinkForms(t)[0]).WantAt(t, "/account/identities?done=unlinked")
		if got := tokenOfLiar(t, b, b.Alice.ID, [32]byte{1, 2, 3}); got != "" {
			t.Errorf("after disconnecting, the stored token is %s", got)
		}
	}, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.KeepToken = true }))
}

// A change of the master key seals the token again. A token copied to the row of another
// identity does not open.
// FD-27: Tokens of upstreams are stored encrypted or not at all.
func TestUpstreamToken_OpensOnlyInItsRow(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		givesToken(up, "canary-sealed-token")
		b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
		victim, old, target := b.UserByEmail(t, providertest.VictimMail).ID, [32]byte{1, 2, 3}, [32]byte{7, 7, 7}
		k := keystest.Keeper(t, b.DB, vault.Config{Master: old, Masters: func() ([][32]byte, error) { return [][32]byte{old, target}, nil }})
		for range 2 { // as after an interruption
			if _, _, err := k.Rewrap(context.Background(), storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		if got := tokenOfLiar(t, b, victim, target); !strings.Contains(got, "canary-sealed-token") {
			t.Errorf("under the new master key: %s", got)
		}
		kept, err := b.DB.ReadUpstreamToken(context.Background(), victim, "liar", storage.By{At: b.Now()})
		if err != nil {
			t.Fatal(err)
		}
		kept.Subject += "x"
		if _, err := k.OpenToken(context.Background(), kept); !errors.Is(err, vault.ErrNotOpened) {
			t.Errorf("in another identity's row: got %v, want ErrNotOpened", err)
		}
		b.WantEvent(t, storage.UpstreamTokenRead, victim)
	}, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.KeepToken = true }))
}
