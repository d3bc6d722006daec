package storage_test

import (
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// FD-12: Email addresses are parsed strictly and have one canonical form (next-auth
// CVE-2022-35924). RC-08: letters that look alike are not folded (Django CVE-2019-19844).
func TestCanonicalEmail(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"alice@example.com", "alice@example.com"},
		{" Alice@Example.COM\n", "alice@example.com"},
		{"a.b+tag@example.com", "a.b+tag@example.com"},
		{"o'neil@example.com", "o'neil@example.com"},
		{"alice@bücher.example", "alice@xn--bcher-kva.example"},
		{"alice@BÜCHER.example", "alice@xn--bcher-kva.example"},
		{"alice@XN--BCHER-KVA.example", "alice@xn--bcher-kva.example"},
		{"alice@ｅｘａｍｐｌｅ．com", "alice@example.com"},
		{"alice@localhost", "alice@localhost"},
	} {
		got, err := storage.CanonicalEmail(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.in, got, err, c.want)
		}
		if again, err := storage.CanonicalEmail(got); err != nil || again != got {
			t.Errorf("%q is not its own canonical form: %q, %v", got, again, err)
		}
	}
}

// FD-12: addresses that two programs read in different ways (oauth2-proxy CVE-2026-40574).
func TestCanonicalEmail_Refuses(t *testing.T) {
	for _, in := range []string{
		"", "@", "alice", "alice@", "@example.com", "alice@example.com.", "alice@.example.com", "alice@exa..mple.com",
		"a@b@example.com", `"a@b"@example.com`, `"alice"@example.com`, "alice(comment)@example.com", "alice@(c)example.com",
		"Alice <alice@example.com>", "alice@example.com, bob@example.com", "alice@example.com;bob@example.com",
		"al ice@example.com", "alice@exa mple.com", "alice@example.com\r\nBcc: bob@example.com", "al\x00ice@example.com", "alice@example.com\x00",
		"\x7falice@example.com", "zoë@example.com", "аlice@example.com", "alice@[192.0.2.1]", "alice@exa_mple.com", "alice@-example.com",
		"alice@\xff.com", ".alice@example.com", "alice.@example.com", "a..b@example.com", "alice@xn--zzzzzzz-.example", "alice@exam\u200dple.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b", 64) + ".com", "a@" + strings.Repeat("bbbbbbb.", 40) + "com",
	} {
		if got, err := storage.CanonicalEmail(in); err == nil {
			t.Errorf("%q was accepted as %q", in, got)
		} else if in != "" && len(in) > 8 && strings.Contains(err.Error(), in) {
			t.Errorf("the error repeats the address: %v", err)
		}
	}
}

// No caller stores white space around an address: the mail server would refuse every mail to it.
func TestUsers_AddressIsStoredWithoutSpaces(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		created, err := w.CreateUser(t.Context(), storage.User{Email: " Zoe@example.com\n"}, "", by)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReviseUser(t.Context(), storage.UserRevision{UserID: w.user.ID, Revise: func(u *storage.User) error {
			u.Email = "\tNew@example.com "
			return nil
		}}, noon); err != nil {
			t.Fatal(err)
		}
		session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: storage.Identity{Connector: "google", Issuer: "https://google", Subject: "1", Email: "Up@example.com"}, AttemptID: "a", Until: storage.At(noon.Add(time.Hour)),
			NewUser: storage.User{Email: " Up@example.com "}, SignIn: w.signInOf("", "handle", ""),
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		l, err := w.Invite(t.Context(), storage.InvitationDraft{Email: " Guest@example.com ", Mail: true}, by)
		if err != nil || l.Address != "Guest@example.com" {
			t.Errorf("invitation of %q, %v", l.Address, err)
		}
		if mails := w.claimMails(t, noon); len(mails) != 1 || mails[0].Recipient != "Guest@example.com" {
			t.Errorf("mails %+v", mails)
		}
		for id, want := range map[string]string{created.ID: "Zoe@example.com", w.user.ID: "New@example.com", session.UserID: "Up@example.com"} {
			if u, err := w.User(t.Context(), id); err != nil || u.Email != want {
				t.Errorf("address %q, %v, want %q", u.Email, err, want)
			}
		}
	})
}
