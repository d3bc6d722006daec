package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

// When a user gets an address, the links that create an account with it end, whoever gives the
// address. They do not work again when the address becomes free.
func TestAddress_EndsTheLinksThatCreateItsAccount(t *testing.T) {
	by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
	for name, give := range map[string]func(t *testing.T, w *world) error{
		"CreateUser": func(t *testing.T, w *world) error {
			_, err := w.CreateUser(t.Context(), storage.User{Email: "ZOE@example.com"}, "", by)
			return err
		},
		"ReviseUser": func(t *testing.T, w *world) error {
			_, err := w.ReviseUser(t.Context(), storage.UserRevision{UserID: w.user.ID, Revise: func(u *storage.User) error {
				u.Email = "zoe@example.com"
				return nil
			}}, noon)
			return err
		},
		"SignInThrough": func(t *testing.T, w *world) error {
			_, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
				Identity: storage.Identity{Connector: "google", Issuer: "https://google", Subject: "1", Email: "zoe@example.com"}, AttemptID: "a",
				Until: storage.At(noon.Add(time.Hour)), NewUser: storage.User{Email: "zoe@example.com"}, SignIn: w.signInOf("", "handle", ""),
			}, noon)
			return err
		},
		"CreateUserByLink": func(t *testing.T, w *world) error {
			m := w.askForAccount(t, "zoe@example.com", "", noon)
			_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: m.Message.Link, Hash: "hash"}, noon)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				invited, err := w.Invite(t.Context(), storage.InvitationDraft{Email: "Zoe@example.com"}, by)
				if err != nil {
					t.Fatal(err)
				}
				if err := give(t, w); err != nil {
					t.Fatal(err)
				}
				w.wantDeadLink(t, invited, noon, "link_address_taken")
				if open, err := w.Invitations(t.Context(), storage.InvitationFilter{}, 10, noon); err != nil || len(open) != 0 {
					t.Errorf("invitations %+v, %v, want none", open, err)
				}
				u, _, err := w.UserByEmail(t.Context(), "zoe@example.com")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.ReviseUser(t.Context(), storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error {
					u.Email = "other@example.com"
					return nil
				}}, noon); err != nil {
					t.Fatal(err)
				}
				w.wantDeadLink(t, invited, noon, "link_ended")
			})
		})
	}
}

// After another caller has verified the address, a pending link that proves it has ended: its page
// announces an eviction that would not happen.
func TestAddressProof_EndsPendingLinks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		verified := true
		for name, prove := range map[string]func(u storage.User) error{
			"upstream": func(u storage.User) error {
				_, err := w.ProveAddress(t.Context(), storage.AddressProof{UserID: u.ID, Email: u.Email, By: storage.ByUpstream}, noon)
				return err
			},
			"operator": func(u storage.User) error {
				_, err := w.ReviseUser(t.Context(), storage.UserRevision{
					UserID: u.ID, Verified: &verified, Unproven: storage.KeepAttached, Revise: func(*storage.User) error { return nil },
				}, noon)
				return err
			},
		} {
			u, err := w.CreateUser(t.Context(), storage.User{Email: name + "@example.com"}, "hash", storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: u.ID, UserID: u.ID, Address: u.Email}, noon.Add(time.Second))
			if err := prove(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			w.wantDeadLink(t, l, noon.Add(time.Minute), "link_ended")
		}
	})
}

// A link that a fast clock dated in the future ends with everything of its user.
func TestLinks_FromAFastClockEndWithTheirUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, noon.Add(10*time.Minute))
		if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantDeadLink(t, l, noon.Add(11*time.Minute), "link_ended")
	})
}
