package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// signUpLink issues a link that creates an account with the address.
func (w *world) signUpLink(t testing.TB, kind storage.LinkKind, email string, at time.Time) storage.MailLink {
	t.Helper()
	return w.issueLink(t, storage.LinkDraft{Kind: kind, Holder: email, Address: email}, at)
}

// wantLinkCode wants the error of a link that cannot be used.
func wantLinkCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if dead, is := errors.AsType[*storage.DeadLinkError](err); !is || dead.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// The account has the address of the link's row, which counts as verified, and nothing of the
// form decides about it. The link works once.
func TestLinkedUser_HasTheAddressOfTheLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, kind := range []storage.LinkKind{storage.LinkSignUp, storage.LinkInvitation} {
			email := "Zoe." + string(kind) + "@Example.com"
			l := w.signUpLink(t, kind, email, noon)
			made, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{
				Link: l.Ref(), User: storage.User{Name: "Zoe", Email: "mallory@example.com"}, Hash: "hash of zoe",
			}, noon)
			if err != nil {
				t.Fatal(err)
			}
			u, hash, err := w.UserByEmail(t.Context(), email)
			if err != nil || u.ID != made.ID || u.Email != email || !u.EmailVerified || u.Name != "Zoe" || u.Admin || hash != "hash of zoe" {
				t.Errorf("%s: user %+v, hash %q, %v", kind, u, hash, err)
			}
			events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.UserCreated, UserID: u.ID}, 2)
			if err != nil || len(events) != 1 || events[0].Reason != string(kind) {
				t.Errorf("%s: events %+v, %v: want one with the kind as its reason", kind, events, err)
			}
			w.wantDeadLink(t, l, noon, "link_used")
		}
	})
}

// A link opens no account that exists. The refused attempt changes nothing, and the link
// stays valid, so that the page can say why.
func TestLinkedUser_OpensNoAccountThatExists(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		verified := w.verifiedUser(t, "verified@example.com")
		claimed, s := w.unprovenAccount(t, storage.NoAdminRole)
		w.rememberSession(claimed, s)
		for _, u := range []storage.User{verified, claimed} {
			before := w.passwordHashOf(t, u.Email)
			l := w.signUpLink(t, storage.LinkSignUp, u.Email, noon)
			_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: l.Ref(), Hash: "another hash"}, noon)
			wantLinkCode(t, u.Email, err, "link_address_taken")
			w.wantPassword(t, u.Email, before)
			if _, err := w.OpenMailLink(t.Context(), l.Ref(), noon); err != nil {
				t.Errorf("%s: the link: %v", u.Email, err)
			}
		}
		w.wantEvicted(t, claimed, false)
	})
}

// RC-05: only links that create accounts do.
func TestLinkedUser_OnlyByLinksThatCreateAccounts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, kind := range []storage.LinkKind{storage.LinkReset, storage.LinkVerify, storage.LinkUndo} {
			l := w.signUpLink(t, kind, "zoe@example.com", noon)
			_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: l.Ref(), Hash: "hash"}, noon)
			wantLinkCode(t, string(kind), err, "link_ended")
		}
		l := w.signUpLink(t, storage.LinkSignUp, "zoe@example.com", noon)
		if _, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: l.Ref()}, noon); err == nil {
			t.Error("an account without a password was created")
		}
		_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: l.Ref(), Hash: "hash"}, noon.Add(24*time.Hour))
		wantLinkCode(t, "after a day", err, "link_expired")
		if _, _, err := w.UserByEmail(t.Context(), "zoe@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("user: %v, want none", err)
		}
	})
}
