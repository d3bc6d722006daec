package keys

import (
	"testing"

	"signet/provider/keys/vault"
	"signet/storage"
)

// A key set indexes the keys of each state for signing and for look-up.
func TestAssemble_IndexesEachStateForItsUses(t *testing.T) {
	v, err := vault.New(vault.Config{Master: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		state                  storage.KeyState
		signs, verifies, hints bool
	}{
		{storage.KeyNext, false, true, true},
		{storage.KeyActive, true, true, true},
		{storage.KeyRetired, false, true, true},
		{storage.KeyGone, false, false, true},
		{storage.KeyRevoked, false, false, false},
	} {
		none, err := v.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		var rows []storage.Key
		for _, line := range []string{"ES256", storage.InternalLine} {
			row, err := v.Make(none, line)
			if err != nil {
				t.Fatal(err)
			}
			row.State = c.state
			rows = append(rows, row)
		}
		opened, err := v.Open(rows)
		if err != nil {
			t.Fatal(err)
		}
		set, err := assemble(opened)
		if err != nil {
			t.Fatal(err)
		}
		key, secret := rows[0].ID, rows[1].ID
		for what, is := range map[string]struct{ got, want bool }{
			"signs":           {set.signing["ES256"] != nil, c.signs},
			"verifies":        {set.access[readyHeader("ES256", key, typAccess)] != nil, c.verifies},
			"is good as hint": {set.hints[readyHeader("ES256", key, typID)] != nil, c.hints},
			"seals":           {set.secret != nil, c.signs},
			"opens":           {len(set.secrets) == 1, c.verifies},
			"opens refresh":   {set.refresh[readyHeader("HS256", secret, typRefresh)] != nil, c.verifies},
		} {
			if is.got != is.want {
				t.Errorf("a %s key %s: %v, want %v", c.state, what, is.got, is.want)
			}
		}
	}
}
