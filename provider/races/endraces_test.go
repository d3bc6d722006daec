package races_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// ender is a use case that ends the tokens of a sign-in.
type ender struct {
	name string
	end  func(a *arena, on *storage.DB, f ending) error
	undo func(a *arena) error // prepares the next round; nil if that is not needed

	// keepsCodes: a code that was issued before the end may still be redeemed after it.
	keepsCodes bool
	oneGrant   bool // ends only the first grant
}

// ending is the session and the grant that a round ends, and the time.
type ending struct {
	sessionID string
	grantID   string // of the first grant
	at        time.Time
}

var enders = []ender{
	{name: "EndSession", end: func(a *arena, on *storage.DB, f ending) error {
		return on.EndSession(context.Background(), a.Alice.ID, f.sessionID, "signed_out", storage.By{From: providertest.TestOrigin, At: f.at})
	}},
	{name: "SignOutEverywhere", end: func(a *arena, on *storage.DB, f ending) error {
		return on.SignOutEverywhere(context.Background(), a.Alice.ID, "asked", storage.By{From: providertest.TestOrigin, At: f.at})
	}},
	{name: "SetUserEnabled", end: func(a *arena, on *storage.DB, f ending) error {
		return on.SetUserEnabled(context.Background(), a.Alice.ID, false, storage.By{From: providertest.TestOrigin, At: f.at})
	}, undo: func(a *arena) error {
		return a.DB.SetUserEnabled(context.Background(), a.Alice.ID, true, storage.By{From: providertest.TestOrigin, At: a.Now()})
	}},
	{name: "SetClientEnabled", end: func(a *arena, on *storage.DB, f ending) error {
		return on.SetClientEnabled(context.Background(), a.Client.ID, false, storage.By{From: providertest.TestOrigin, At: f.at})
	}, undo: func(a *arena) error {
		return a.DB.SetClientEnabled(context.Background(), a.Client.ID, true, storage.By{From: providertest.TestOrigin, At: a.Now()})
	}},
	{name: "WithdrawConsent", end: func(a *arena, on *storage.DB, f ending) error {
		return on.WithdrawConsent(context.Background(), a.Alice.ID, a.Client.ID, storage.By{From: providertest.TestOrigin, At: f.at})
	}},
	{name: "RevokeGrant", keepsCodes: true, oneGrant: true, end: func(a *arena, on *storage.DB, f ending) error {
		return on.RevokeGrant(context.Background(), f.grantID, "revoked", storage.By{From: providertest.TestOrigin, At: f.at})
	}},
	{name: "ChangePassword", end: changePassword},
}

// changePassword sets the same password of alice with another hash, so that she can sign in
// in the next round.
func changePassword(a *arena, on *storage.DB, f ending) error {
	user, old, err := on.UserByEmail(context.Background(), providertest.Alice)
	if err != nil {
		return err
	}
	hash, err := credential.New(credential.Config{DB: on, Params: providertest.CheapHash}).Hash(context.Background(), providertest.Password, user)
	if err != nil {
		return err
	}
	_, err = on.ChangePassword(context.Background(), storage.PasswordChange{
		UserID: a.Alice.ID, OldHash: old, NewHash: hash, SessionID: f.sessionID, Handle: storage.NewID("h"), From: providertest.TestOrigin,
	}, f.at)
	return err
}

// TestRefresh_RacesWithItsEnd: the clients of a session refresh and redeem on both nodes
// while an ender ends the session, the grant or the account, early or late. Afterwards all
// issued tokens are refused, in every order of the commits.
// RT-09: Logout, a new password, removed consent, or a disabled user or client ends
// refreshing. Changed roles appear in the next token.
// RT-18: Refresh and logout at the same time: the grant ends, in either order.
func TestRefresh_RacesWithItsEnd(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		for _, e := range enders {
			t.Run(e.name, func(t *testing.T) {
				for round := range fewRounds() {
					a.raceWithEnd(t, e, round)
				}
			})
		}
	})
}

func (a *arena) raceWithEnd(t *testing.T, e ender, round int) {
	t.Helper()
	v, first := a.signInAlice(t)
	clients := []tokenAnswer{first}
	for !e.oneGrant && len(clients) < 3 {
		clients = append(clients, a.exchange(t, v.CodeFromSession(t)))
	}
	code := v.CodeFromSession(t)
	claims := providertest.ClaimsOf(t, first.Access)
	f := ending{sessionID: claims["sid"].(string), grantID: claims["gid"].(string)}

	var refreshed atomic.Int64
	var over atomic.Bool       // the end is committed
	due := make(chan struct{}) // closed after the number of refreshes of this round
	answered := make([][]tokenAnswer, len(clients))
	var redeemed tokenAnswer
	providertest.Race(len(clients)+2, func(i int) {
		switch {
		case i < len(clients):
			answered[i] = a.refreshUntilRefused(t, i+round, clients[i], &over, func() {
				if refreshed.Add(1) == int64(round%5) {
					close(due)
				}
			})
		case i == len(clients):
			redeemed = a.ask(t, round, a.CodeForm(code))
		default:
			if round%5 > 0 {
				<-due
			}
			f.at = a.Now()
			if err := e.end(a, a.nodes[round%2].DB, f); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
			over.Store(true)
		}
	})
	for _, tokens := range answered {
		a.wantEnded(t, tokens...)
	}
	if redeemed.status == http.StatusOK && !e.keepsCodes {
		a.wantEnded(t, redeemed)
	}
	if e.undo != nil {
		if err := e.undo(a); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range a.nodes {
		node.Follow(t)
	}
}

// refreshUntilRefused refreshes on the nodes in turn until a refusal. It returns all tokens
// that it got and the first ones. A refresh that begins after the end must be refused.
func (a *arena) refreshUntilRefused(t *testing.T, node int, tokens tokenAnswer, over *atomic.Bool, worked func()) []tokenAnswer {
	all := []tokenAnswer{tokens}
	for {
		last := over.Load()
		got := a.ask(t, node, rotation(all[len(all)-1].Refresh))
		switch {
		case got.status == http.StatusOK && !last:
			all = append(all, got)
			worked()
		case got.Error == "invalid_grant" || got.Error == "invalid_client":
			return all
		case last:
			t.Error("a refresh that began after the end succeeded")
			return all
		default:
			t.Errorf("refresh: got %v, want tokens or invalid_grant", got)
			return all
		}
		node++
	}
}
