package user_test

import (
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// A command that an address refuses because its former user can restore it names that user and the
// end of the reservation. The address that the user has now, named with --email, ends it.
func TestUser_ReservedAddressNamesItsUser(t *testing.T) {
	a := startAttacked(t)
	a.signet(t, 0, "user", "create", "--email", "other@example.com")
	ctx, now := t.Context(), time.Now()
	a.change(t, "mallory@example.com")
	for _, args := range [][]string{{"create", "--email", "bob@example.com"}, {"update", "other@example.com", "--email", "bob@example.com"}} {
		if _, talk := a.signet(t, 5, append([]string{"user"}, args...)...); !strings.Contains(talk, "bob@example.com belonged to the user "+a.bob.ID+", and that user can restore it until ") {
			t.Errorf("%q prints %q", args, talk)
		}
	}
	a.signet(t, 0, "user", "update", "mallory@example.com", "--name", "Mallory")
	a.signet(t, 5, "user", "create", "--email", "bob@example.com")
	a.signet(t, 0, "user", "update", "mallory@example.com", "--email", "mallory@example.com")
	if _, err := a.db.CreateUser(ctx, storage.User{Email: "bob@example.com"}, "", storage.By{At: now}); err != nil {
		t.Errorf("after --email with the same address: %v", err)
	}
}

// change makes bob, whose address is verified then, change the address in a session.
func (a attacked) change(t *testing.T, to string) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	if _, err := a.db.ProveAddress(ctx, storage.AddressProof{UserID: a.bob.ID, Email: a.bob.Email, By: storage.ByMail}, now); err != nil {
		t.Fatal(err)
	}
	session := a.signIn(t, "github", "3")
	if err := a.db.RequestAddressChange(ctx, storage.AddressRequest{UserID: a.bob.ID, SessionID: session.ID, FreshFor: time.Hour, Email: to}, now); err != nil {
		t.Fatal(err)
	}
	mails, err := a.db.Mails(ctx, storage.MailFilter{}, 1)
	if err != nil || len(mails) != 1 {
		t.Fatalf("mails %+v, %v", mails, err)
	}
	_, err = a.db.ChangeAddress(ctx, storage.AddressChange{
		Link: mails[0].Message.Link, UserID: a.bob.ID, SessionID: session.ID, Handle: storage.NewID("h"), FreshFor: time.Hour,
	}, now)
	if err != nil {
		t.Fatal(err)
	}
}
