package races_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// mover is a signed-in user who may change the address.
type mover struct {
	storage.User
	session storage.Session
}

// mover makes a user with a verified address and a session.
func (a *arena) mover(t *testing.T) mover {
	t.Helper()
	u := a.CreateUser(t, storage.User{Email: storage.NewID("u") + "@example.com", EmailVerified: true}, providertest.Password)
	return mover{u, a.signedIn(t, u.ID)}
}

// changeLink asks for a change of the address, and returns the link in the mail.
func (a *arena) changeLink(t *testing.T, m mover, email string) storage.LinkRef {
	t.Helper()
	err := a.DB.RequestAddressChange(t.Context(), storage.AddressRequest{
		UserID: m.ID, SessionID: m.session.ID, FreshFor: time.Hour, Email: email, From: providertest.TestOrigin,
	}, a.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a.linkTo(t, storage.MailAddressChange, email)
}

// linkTo returns the link of the newest mail of the kind to the address.
func (a *arena) linkTo(t *testing.T, kind storage.MailKind, email string) storage.LinkRef {
	t.Helper()
	list, err := a.DB.Mails(t.Context(), storage.MailFilter{}, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.Message.Kind == kind && m.Recipient == email {
			return m.Message.Link
		}
	}
	t.Fatalf("no mail of the kind %s to %s", kind, email)
	return storage.LinkRef{}
}

func (a *arena) change(on *storage.DB, m mover, link storage.LinkRef) (storage.Session, error) {
	return on.ChangeAddress(context.Background(), storage.AddressChange{
		Link: link, UserID: m.ID, SessionID: m.session.ID, Handle: storage.NewID("h"), FreshFor: time.Hour, From: providertest.TestOrigin,
	}, a.Now())
}

// changeLinkRivals change an address with one mailed link.
func changeLinkRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	m := a.mover(t)
	link := a.changeLink(t, m, storage.NewID("n")+"@example.com")
	return func(on *storage.DB, rival string) error {
		_, err := a.change(on, m, link)
		return err
	}
}

// oneAddressRivals are two users who change to one address.
func oneAddressRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	email := storage.NewID("n") + "@example.com"
	movers := []mover{a.mover(t), a.mover(t)}
	links := []storage.LinkRef{a.changeLink(t, movers[0], email), a.changeLink(t, movers[1], email)}
	var next atomic.Int64
	return func(on *storage.DB, rival string) error {
		i := next.Add(1) % 2
		_, err := a.change(on, movers[i], links[i])
		return err
	}
}

// undoLinkRivals undo a change with one mailed link.
func undoLinkRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	m := a.mover(t)
	if _, err := a.change(a.DB, m, a.changeLink(t, m, storage.NewID("n")+"@example.com")); err != nil {
		t.Fatal(err)
	}
	link := a.linkTo(t, storage.MailAddressChanged, m.Email)
	return func(on *storage.DB, rival string) error {
		return on.UndoAddressChange(context.Background(), storage.AddressUndo{Link: link, UserID: m.ID, From: providertest.TestOrigin}, a.Now())
	}
}

// An attacker changes the address further while the owner undoes the first change, on two nodes.
// In whichever order they come, the owner has the address in the end, and the attacker has no
// session.
func TestUndo_AgainstAFurtherChange(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		for range fewRounds() {
			owner := a.mover(t)
			thief := owner
			var err error
			if thief.session, err = a.change(a.DB, owner, a.changeLink(t, owner, storage.NewID("2")+"@example.com")); err != nil {
				t.Fatal(err)
			}
			further := storage.NewID("3") + "@example.com"
			undo, change := a.linkTo(t, storage.MailAddressChanged, owner.Email), a.changeLink(t, thief, further)
			results := make([]error, 2)
			providertest.Race(2, func(i int) {
				if i == 0 {
					results[0] = a.nodes[0].DB.UndoAddressChange(context.Background(), storage.AddressUndo{Link: undo, UserID: owner.ID, From: providertest.TestOrigin}, a.Now())
					return
				}
				_, results[1] = a.change(a.nodes[1].DB, thief, change)
			})
			if results[0] != nil {
				t.Fatalf("undo: %v", results[0])
			}
			if err := results[1]; err != nil && !errors.Is(err, storage.ErrLinkDead) && !errors.Is(err, storage.ErrRevoked) {
				t.Fatalf("further change: %v", err)
			}
			u, err := a.DB.User(t.Context(), owner.ID)
			if err != nil || u.Email != owner.Email || len(a.SessionsOf(t, owner.ID)) != 0 {
				t.Fatalf("in the end: %+v, %v, further change %v", u, err, results[1])
			}
			if _, err := a.DB.CreateUser(t.Context(), storage.User{Email: further}, "", storage.By{From: providertest.TestOrigin, At: a.Now()}); err != nil {
				t.Fatalf("the address of the further change is not free: %v", err)
			}
			a.Clock.Advance(time.Millisecond)
		}
	})
}

// Nobody gets an address in the moment in which its owner changes it: before, the owner has it, and
// afterwards it is reserved.
func TestReservedAddress_NoMomentInBetween(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		for range fewRounds() {
			m := a.mover(t)
			link := a.changeLink(t, m, storage.NewID("n")+"@example.com")
			results := make([]error, 12)
			providertest.Race(len(results), func(i int) {
				if i == 0 {
					_, results[0] = a.change(a.nodes[0].DB, m, link)
					return
				}
				_, results[i] = a.nodes[i%2].DB.CreateUser(context.Background(), storage.User{Email: m.Email}, "", storage.By{From: providertest.TestOrigin, At: a.Now()})
			})
			if results[0] != nil {
				t.Fatal(results[0])
			}
			for i, err := range results[1:] {
				if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrAddressReserved) {
					t.Fatal(fmt.Errorf("create user %d: %w", i, err))
				}
			}
		}
	})
}
