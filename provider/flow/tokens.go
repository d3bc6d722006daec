package flow

import (
	"time"

	"signet/provider/keys"
	"signet/storage"
)

// Deps are what Tokens needs. All are required but Audience.
type Deps struct {
	DB        *storage.DB
	Ring      *keys.Ring
	Issuer    string
	Audience  string // of the first-party app's access tokens; "": the id of its client
	Lifetimes Lifetimes
}

// Lifetimes of grants and their tokens.
type Lifetimes struct {
	Access       time.Duration // access token
	ID           time.Duration // ID token
	Refresh      time.Duration // online grant unused
	RefreshMax   time.Duration // online grant in all
	Offline      time.Duration // offline grant unused
	OfflineMax   time.Duration // offline grant in all
	RefreshGrace time.Duration // a rotated refresh token is answered again, unless the client says otherwise
}

// Tokens makes the tokens of grants, and says which of them still stand.
type Tokens struct{ Deps }

// New gives the Tokens of one provider.
func New(d Deps) *Tokens { return &Tokens{d} }

// Grace is how long a rotated refresh token of the client is answered again.
func (t *Tokens) Grace(client storage.Client) time.Duration {
	if client.RefreshGrace >= 0 {
		return client.RefreshGrace
	}
	return t.Lifetimes.RefreshGrace
}

// FirstPartyAudience is the audience of the access tokens of the first-party app.
func (t *Tokens) FirstPartyAudience(client storage.Client) string {
	if t.Audience != "" {
		return t.Audience
	}
	return client.ID
}
