package address_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// each runs the test on every database, with a mail server.
func each(t *testing.T, f func(t *testing.T, b *providertest.Testbed, mails *mailtest.Server)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		f(t, providertest.StartOn(t, backend, providertest.WithMail(s)), s)
	})
}

const claimed = "victim@example.com"

// signIn returns a browser that is signed in as the user with the email address and the password
// of the tests, on the page of the email address.
func signIn(t *testing.T, b *providertest.Testbed, email string) (*providertest.Visitor, providertest.Stop) {
	t.Helper()
	v := b.Visitor(t)
	page := v.SignIn(t, v.Get(t, b.Issuer+"/account/email"), email, providertest.Password)
	page.WantAt(t, "/account/email")
	return v, page
}

// newest sends the mails and returns the newest one with this subject to the address.
func newest(t *testing.T, b *providertest.Testbed, s *mailtest.Server, to, subject string) mailtest.Mail {
	t.Helper()
	b.SendMails(t)
	all := s.Received()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To[0] == to && all[i].Subject() == subject {
			return all[i]
		}
	}
	t.Fatalf("no mail %q to %s among %d", subject, to, len(all))
	return mailtest.Mail{}
}

// askForProof asks for a link to the address of the account and returns it.
func askForProof(t *testing.T, v *providertest.Visitor, s *mailtest.Server, page providertest.Stop, email string) (address, sealed string) {
	t.Helper()
	v.Submit(t, page.FormTo(t, "/account/email/verify", "", "")).WantAt(t, "/account/email?done=mail")
	return providertest.LinkIn(t, newest(t, v.Bed, s, email, "Verify your email address"))
}

func press(t *testing.T, v *providertest.Visitor, page providertest.Stop, button string) providertest.Stop {
	t.Helper()
	return v.Submit(t, page.FormTo(t, "/link/verify", "", ""), "act", button)
}

// isSignedIn reports whether the page of the account opens without a sign-in.
func isSignedIn(t *testing.T, v *providertest.Visitor) bool {
	t.Helper()
	return v.Get(t, v.Bed.Issuer+"/account").At.Path == "/account"
}

// A person proves the own address: in the own session everything stays, and the page shows the
// ways to sign in. The link works once, and is in no place that others can read.
func TestVerify_OwnSessionKeepsEverything(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		u := b.CreateUser(t, storage.User{Email: claimed, Name: "Vic"}, providertest.Password)
		v, page := signIn(t, b, claimed)
		page.WantText(t, "not verified")
		v.Get(t, b.Issuer+"/account").FormTo(t, "/account/email/verify", "", "") // the overview has the button too
		address, sealed := askForProof(t, v, s, page, claimed)
		b.WantNowhere(t, sealed)

		page = v.Get(t, address)
		page.WantText(t, claimed, `id="verify"`)
		if b.UserByEmail(t, claimed).EmailVerified {
			t.Fatal("opening the link verified the address")
		}
		done := press(t, v, page, "verify")
		done.WantAt(t, "/account/email?done=verified")
		done.WantText(t, "Your address is verified.", `href="/account/password"`)
		got := b.UserByEmail(t, claimed)
		if !got.EmailVerified || got.Name != "Vic" || len(b.SessionsOf(t, u.ID)) != 1 {
			t.Errorf("after the proof: %+v", got)
		}
		b.WantEvent(t, storage.AddressProofRequested, u.ID)
		if e := b.WantEvent(t, storage.AddressProven, u.ID); e.Reason != string(storage.ByMail) {
			t.Errorf("reason %q", e.Reason)
		}
		v.Get(t, address).WantPage(t, http.StatusGone, "link_used")
		b.WantNowhere(t, sealed)
		other, _ := signIn(t, b, claimed)
		if !isSignedIn(t, other) {
			t.Error("the password was deleted")
		}
	})
}

// A stranger has set up an account for the address of a person. The person opens the link without
// a session of it, and gets the account; everything of the stranger is gone.
func TestVerify_WithoutSessionEvictsTheStranger(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		u := b.CreateUser(t, storage.User{Email: claimed, Name: "Mallory"}, providertest.Password)
		mallory, page := signIn(t, b, claimed)
		address, _ := askForProof(t, mallory, s, page, claimed)

		v := b.Visitor(t)
		opened := v.Get(t, address)
		opened.WantText(t, "Somebody has set up an account", `id="sign-in"`, `id="evict"`)
		press(t, v, opened, "evict").WantAt(t, "/link/verify?done=verified")
		got := b.UserByEmail(t, claimed)
		if !got.EmailVerified || got.Name != "" || got.ID != u.ID {
			t.Errorf("after the proof: %+v", got)
		}
		if isSignedIn(t, v) || isSignedIn(t, mallory) || len(b.SessionsOf(t, u.ID)) != 0 {
			t.Error("a session is left, or the link made one")
		}
		v.SignIn(t, v.Get(t, b.Issuer+"/login"), claimed, providertest.Password).WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		b.WantEvent(t, storage.UserEvicted, u.ID)
	})
}

// The owner of the account opens the link in another browser, signs in there first, and
// keeps everything. The pages of the sign-in do not have the link in their address.
func TestVerify_SignInFirstKeepsEverything(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		u := b.CreateUser(t, storage.User{Email: claimed, Name: "Vic"}, providertest.Password)
		v, page := signIn(t, b, claimed)
		address, sealed := askForProof(t, v, s, page, claimed)

		phone := b.Visitor(t)
		login := press(t, phone, phone.Get(t, address), "sign-in")
		if login.At.Path != "/login" || login.At.Query().Has("link") || login.At.Query().Get("request") == sealed {
			t.Fatalf("the sign-in is at %s", login.At)
		}
		back := phone.SignIn(t, login, claimed, providertest.Password)
		back.WantText(t, `id="verify"`)
		press(t, phone, back, "verify").WantAt(t, "/account/email?done=verified")
		if !isSignedIn(t, v) || b.UserByEmail(t, claimed).Name != "Vic" {
			t.Error("the proof in the own session deleted something")
		}
		if got := b.UserByEmail(t, claimed); !got.EmailVerified || got.ID != u.ID {
			t.Errorf("after the proof: %+v", got)
		}
	})
}

// A session in which the sign-in is too long ago must confirm first. The proof evicts neither the
// person nor anybody else before that.
func TestVerify_OldSessionConfirmsFirst(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		b.CreateUser(t, storage.User{Email: claimed}, providertest.Password)
		v, page := signIn(t, b, claimed)
		address, _ := askForProof(t, v, s, page, claimed)
		form := v.Get(t, address).FormTo(t, "/link/verify", "", "")
		b.Advance(6 * time.Minute)
		for how, stop := range map[string]providertest.Stop{"GET": v.Get(t, address), "POST": v.Submit(t, form, "act", "verify"), "POST evict": v.Submit(t, form, "act", "evict")} {
			if stop.At.Path != "/login" {
				t.Fatalf("%s leads to %s", how, stop.At)
			}
			stop.WantText(t, "before you verify an email address")
		}
		if b.UserByEmail(t, claimed).EmailVerified {
			t.Fatal("the address was verified without a confirmation")
		}
		page = v.SignIn(t, v.Get(t, address), claimed, providertest.Password)
		press(t, v, page, "verify").WantAt(t, "/account/email?done=verified")
	})
}

// The button of the page of a session does nothing after the session ended: the page has said that
// everything stays.
func TestVerify_EndedSessionDeletesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		u := b.CreateUser(t, storage.User{Email: claimed, Name: "Vic"}, providertest.Password)
		v, page := signIn(t, b, claimed)
		address, _ := askForProof(t, v, s, page, claimed)
		opened := v.Get(t, address)
		if err := b.DB.EndSession(t.Context(), u.ID, b.SessionsOf(t, u.ID)[0].ID, "signed_out", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		press(t, v, opened, "verify").WantPage(t, http.StatusConflict, "stale_form")
		if got := b.UserByEmail(t, claimed); got.EmailVerified || got.Name != "Vic" {
			t.Errorf("after the refusal: %+v", got)
		}
	})
}

// A browser that is signed in as another user says so. It does not verify by accident in a session
// that is not the user's.
func TestVerify_OtherUserIsTold(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		b.CreateUser(t, storage.User{Email: claimed}, providertest.Password)
		v, page := signIn(t, b, claimed)
		address, _ := askForProof(t, v, s, page, claimed)
		alice := b.Visitor(t)
		alice.Account(t, "/account")
		opened := alice.Get(t, address)
		opened.WantText(t, "signed in to another account", `id="evict"`)
		press(t, alice, opened, "verify").WantPage(t, http.StatusConflict, "stale_form")
		press(t, alice, opened, "evict").WantAt(t, "/link/verify?done=verified")
		if !isSignedIn(t, alice) || len(b.SessionsOf(t, b.Alice.ID)) != 1 {
			t.Error("the proof of another account ended the session")
		}
	})
}

// RC-02, RC-05, RC-11: a link works once, for its purpose, until a newer one, a new password or a
// sign-out everywhere.
func TestVerifyLink_DeadOnesLeadToTheAccount(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for _, c := range []struct {
			code string
			kill func(u storage.User, v *providertest.Visitor)
		}{
			{"link_expired", func(storage.User, *providertest.Visitor) { b.Advance(24 * time.Hour) }},
			{"link_ended", func(u storage.User, _ *providertest.Visitor) {
				if err := b.DB.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{At: b.Now()}); err != nil {
					t.Fatal(err)
				}
			}},
			{"link_ended", func(u storage.User, v *providertest.Visitor) {
				v.ChangePassword(t, providertest.Password, providertest.NewPassword)
			}},
		} {
			u := b.CreateUser(t, storage.User{Email: storage.NewID("p") + "@example.com"}, providertest.Password)
			v, page := signIn(t, b, u.Email)
			address, _ := askForProof(t, v, s, page, u.Email)
			stranger := b.Visitor(t)
			form := stranger.Get(t, address).FormTo(t, "/link/verify", "", "")
			c.kill(u, v)
			for how, page := range map[string]providertest.Stop{"GET": stranger.Get(t, address), "POST": stranger.Submit(t, form, "act", "evict")} {
				page.WantPage(t, http.StatusGone, c.code)
				if to := page.Link(t, "start"); to != b.Issuer+"/account" {
					t.Errorf("%s, %s: the page leads to %s", c.code, how, to)
				}
			}
		}
		v := b.Visitor(t)
		for _, wrong := range []string{"", "AAAA", "\x00"} {
			v.Get(t, b.Issuer+"/link/verify?"+url.Values{"link": {wrong}}.Encode()).WantPage(t, http.StatusBadRequest, "link_invalid")
		}
	})
}

// RC-10: the mails to one address are limited, and the page says when the next one is possible.
func TestVerify_MailsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		b.CreateUser(t, storage.User{Email: claimed}, providertest.Password)
		v, page := signIn(t, b, claimed)
		form := page.FormTo(t, "/account/email/verify", "", "")
		for range 3 {
			v.Submit(t, form).WantAt(t, "/account/email?done=mail")
		}
		page = v.Submit(t, form)
		page.WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		page.WantText(t, "Try again in 15 minutes.")
	})
}

// A server that sends no mails offers no link, and names the operator.
func TestVerify_NotOfferedWithoutMails(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.CreateUser(t, storage.User{Email: claimed}, providertest.Password)
		v, page := signIn(t, b, claimed)
		page.WantText(t, "not verified", "Its operator can verify or change the address.")
		if f := v.Submit(t, providertest.Form{Action: b.Issuer + "/account/email/verify", Values: url.Values{}}); f.StatusCode != http.StatusConflict {
			t.Errorf("status %d", f.StatusCode)
		}
	})
}
