package provider

import (
	"signet/provider/keys/keeper"
	"signet/provider/oauth"
	"signet/provider/session"
)

// KeyLife tells how long the keys of such a provider live: what the settings say of
// them, and how long what they sign does. A logout token's two minutes lie within the
// time that a retired key stays published beyond that.
func (l Lifetimes) KeyLife(of keeper.Life) keeper.Life {
	l.setDefaults()
	of.Tokens = max(l.Access, l.ID)
	of.Internal = max(l.Refresh, l.Offline, l.Request, l.Code+oauth.CodeRemembered, session.DeviceLife)
	return of
}
