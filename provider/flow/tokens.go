package flow

import (
	"time"

	"signet/provider/keys"
	"signet/provider/subject"
	"signet/storage"
)

// Deps holds the parts that Tokens needs. All but Audience are required.
type Deps struct {
	DB        *storage.DB
	Ring      *keys.Ring
	Subjects  subject.Subjects
	Issuer    string
	Audience  string // of the first-party app's access tokens; "": the id of its client
	Lifetimes Lifetimes
}

// Lifetimes of grants and their tokens.
type Lifetimes struct {
	Access       time.Duration // access token
	ID           time.Duration // ID token
	Refresh      time.Duration // an unused online grant ends after this
	RefreshMax   time.Duration // an online grant ends after this
	Offline      time.Duration // an unused offline grant ends after this
	OfflineMax   time.Duration // an offline grant ends after this
	RefreshGrace time.Duration // a rotated refresh token is accepted again for this long; a client may have its own value
}

// Tokens makes the tokens of grants, and checks which of them are still valid.
type Tokens struct{ Deps }

// New returns the Tokens of one provider.
func New(d Deps) *Tokens { return &Tokens{d} }

// Grace returns how long a rotated refresh token of the client is accepted again.
func (t *Tokens) Grace(client storage.Client) time.Duration {
	if client.RefreshGrace >= 0 {
		return client.RefreshGrace
	}
	return t.Lifetimes.RefreshGrace
}

// FirstPartyAudience returns the audience of the access tokens of the first-party app.
func (t *Tokens) FirstPartyAudience(client storage.Client) string {
	if t.Audience != "" {
		return t.Audience
	}
	return client.ID
}
