package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// askForProof asks for a link to the address of a user, in a session of the user.
func (w *world) askForProof(t testing.TB, u storage.User, session string, at time.Time) error {
	t.Helper()
	return w.RequestAddressProof(t.Context(), storage.AddressRequest{
		UserID: u.ID, SessionID: session, Email: u.Email, From: storage.Origin{Address: "192.0.2.7", Agent: "Firefox"},
	}, at)
}

// A mail that proves an address goes to the stored address only, and only for a live session of an
// account whose address is unverified.
func TestAddressProof_NeedsASessionAndAnUnverifiedAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.askForProof(t, w.user, w.session.ID, noon); err != nil {
			t.Fatal(err)
		}
		mails := w.claimMails(t, noon)
		if len(mails) != 1 || mails[0].Message.Kind != storage.MailAddressProof || mails[0].Recipient != w.user.Email || mails[0].Message.Link.Kind != storage.LinkVerify {
			t.Fatalf("mails %+v, want one with a link to %s", mails, w.user.Email)
		}
		proven := w.verifiedUser(t, "proven@example.com")
		own := w.signIn(t, proven.ID, "handle of proven", "", noon)
		moved := w.user
		moved.Email = "other@example.com"
		for name, c := range map[string]struct {
			user    storage.User
			session string
			want    error
		}{
			"verified address":        {proven, own.ID, storage.ErrConflict},
			"an address of before":    {moved, w.session.ID, storage.ErrConflict},
			"session of another user": {w.user, own.ID, storage.ErrRevoked},
			"no session":              {w.user, "none", storage.ErrRevoked},
			"no user":                 {storage.User{ID: "usr_none", Email: "a@example.com"}, own.ID, storage.ErrRevoked},
		} {
			if err := w.askForProof(t, c.user, c.session, noon); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if left := w.claimMails(t, noon.Add(time.Second)); len(left) != 0 {
			t.Errorf("mails %+v after refused requests", left)
		}
	})
}

// A link proves only the address that it was mailed to. If the user has another one meanwhile,
// nothing is proven and nothing is spent.
func TestVerifyAddress_ProvesOnlyTheMailedAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		l, err := w.IssueLink(t.Context(), storage.LinkDraft{Kind: storage.LinkVerify, Holder: w.user.ID, UserID: w.user.ID, Address: "former@example.com"}, noon)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]storage.AddressVerification{
			"another address": {Link: l.Ref(), UserID: w.user.ID},
			"another user":    {Link: l.Ref(), UserID: w.createUser(t, "eve@example.com").ID},
			"another kind":    {Link: storage.LinkRef{Kind: storage.LinkReset, Holder: l.Holder, ID: l.ID}, UserID: w.user.ID},
		} {
			if _, err := w.VerifyAddress(t.Context(), v, noon); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: %v, want a dead link", name, err)
			}
		}
		if u, _, err := w.UserByEmail(t.Context(), w.user.Email); err != nil || u.EmailVerified {
			t.Errorf("user %+v, %v", u, err)
		}
		if _, err := w.OpenMailLink(t.Context(), l.Ref(), noon); err != nil {
			t.Errorf("the link was spent: %v", err)
		}
	})
}
