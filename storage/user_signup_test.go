package storage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signet/federation/foreign"
	"signet/storage"
)

// askForAccount asks for an account, as a stranger can, and returns the mail.
func (w *world) askForAccount(t testing.TB, email, detail string, at time.Time) storage.Mail {
	t.Helper()
	_, err := w.RequestSignUp(t.Context(), storage.SignUpRequest{
		Email: email, Detail: detail, From: storage.Origin{Address: "192.0.2.7", Agent: "Firefox"},
	}, at)
	if err != nil {
		t.Fatalf("%s: %v", email, err)
	}
	mails := w.claimMails(t, at)
	if len(mails) != 1 || mails[0].Message.Facts.Address != "192.0.2.7" {
		t.Fatalf("%s: mails %+v, want one", email, mails)
	}
	return mails[0]
}

// Each address gets exactly one mail: a new one a link with the detail, a known one the mail that
// says so, at the stored address. RC-08.
func TestSignUpRequest_OneMailToEachAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		claimed, _ := w.unprovenAccount(t, storage.NoAdminRole)
		links := w.count(t, `mail_links`)
		for i, email := range []string{w.user.Email, claimed.Email} {
			m := w.askForAccount(t, strings.ToUpper(email), "detail", noon.Add(time.Hour))
			if m.Message.Kind != storage.MailHasAccount || m.Recipient != email || m.Message.Link.ID != "" || m.UserID == "" {
				t.Errorf("%s: mail %+v, want one without a link to the stored address", email, m)
			}
			if n := w.count(t, `mail_links`) - links; n != i+1 {
				t.Errorf("%s: %d rows of links, want one for each address, so that the same statements run", email, n)
			}
		}
		m := w.askForAccount(t, "Zoe@example.com", "detail", noon.Add(time.Hour))
		l, err := w.OpenMailLink(t.Context(), m.Message.Link, noon.Add(time.Hour))
		if err != nil || m.Message.Kind != storage.MailSignUp || m.Recipient != "Zoe@example.com" || m.UserID != "" ||
			l.Kind != storage.LinkSignUp || l.Address != "Zoe@example.com" || l.Detail != "detail" || l.UserID != "" {
			t.Errorf("mail %+v, link %+v, %v", m, l, err)
		}
		if _, _, err := w.UserByEmail(t.Context(), "zoe@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("user: %v, want none", err)
		}
		if got := w.events(t)[0]; got != storage.SignUpRequested {
			t.Errorf("event %s", got)
		}
		if _, err := w.RequestSignUp(t.Context(), storage.SignUpRequest{Email: "no address"}, noon); !errors.Is(err, foreign.ErrEmail) {
			t.Errorf("no address: %v, want ErrEmail", err)
		}
	})
}

// RC-10: the limits count requests for known addresses too.
func TestSignUpRequest_LimitsCountEveryAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, email := range []string{w.user.Email, "nobody@example.com"} {
			r := storage.SignUpRequest{Email: email, Limits: []storage.Limit{{Key: "mail:" + email, Max: 3, Window: 15 * time.Minute}}}
			for range 3 {
				if _, err := w.RequestSignUp(t.Context(), r, noon); err != nil {
					t.Fatal(err)
				}
			}
			var throttled *storage.ThrottledError
			if _, err := w.RequestSignUp(t.Context(), r, noon); !errors.As(err, &throttled) {
				t.Errorf("%s: fourth request: %v, want it to be throttled", email, err)
			}
		}
	})
}

// RC-11: a newer link replaces the older one. A link does not create an account again that was
// deleted, and the rows with its address are gone.
func TestSignUpRequest_LinksEnd(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.askForAccount(t, "zoe@example.com", "1", noon).Message.Link
		second := w.askForAccount(t, "ZOE@example.com", "2", noon.Add(time.Second)).Message.Link
		_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: first, Hash: "hash"}, noon.Add(time.Minute))
		wantLinkCode(t, "older link", err, "link_replaced")
		invitation := w.signUpLink(t, storage.LinkInvitation, "zoe@example.com", noon)
		u, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: second, Hash: "hash"}, noon.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.DeleteUser(t.Context(), u.ID, storage.By{At: noon.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		for _, link := range []storage.LinkRef{second, invitation.Ref()} {
			_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: link, Hash: "hash"}, noon.Add(time.Minute))
			wantLinkCode(t, string(link.Kind)+" after the deletion", err, "link_ended")
		}
		if n := w.count(t, `mail_links WHERE holder = 'zoe@example.com'`); n != 0 {
			t.Errorf("%d links still contain the address", n)
		}
	})
}

// A link from before the end of everything of the instance, such as a restore, is dead.
func TestSignUpRequest_LinkDiesWithTheInstance(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		link := w.askForAccount(t, "zoe@example.com", "", noon).Message.Link
		w.endEverything(t, noon.Add(time.Minute))
		_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: link, Hash: "hash"}, noon.Add(2*time.Minute))
		wantLinkCode(t, "after the end", err, "link_ended")
	})
}
