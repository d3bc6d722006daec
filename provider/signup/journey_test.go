package signup_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// ask fills in the form of the sign-up page.
func ask(t *testing.T, v *providertest.Visitor, page providertest.Stop, email string) providertest.Stop {
	t.Helper()
	return v.Submit(t, page.Form(t), "email", email)
}

// lastLink returns the link of the newest mail, which must go to the address.
func lastLink(t *testing.T, b *providertest.Testbed, s *mailtest.Server, email string) (address, sealed string) {
	t.Helper()
	b.SendMails(t)
	received := s.Received()
	last := received[len(received)-1]
	if last.To[0] != email || last.Subject() != "Confirm your email address" {
		t.Fatalf("the mail %q goes to %q, want one with a link to %s", last.Subject(), last.To, email)
	}
	return providertest.LinkIn(t, last)
}

// The journey from the sign-in page of an application to its first sign-in. The browser that
// asked goes on to the application, the account is made when the link is used, and the link is in
// no place that others can read.
func TestSignUp_FromTheApplicationToItsFirstSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		page := v.Get(t, v.Get(t, b.AuthorizeURL("scope", "openid email")).Link(t, "create-account"))
		page.WantText(t, b.Client.Name)
		form := page.At.String()
		page = ask(t, v, page, newcomer)
		page.WantText(t, "Check your mail")
		wantNobody(t, b, newcomer)
		b.SendMails(t)
		mails := s.Received()
		if len(mails) != 1 || !strings.Contains(mails[0].Text, "Application: "+b.Client.Name) {
			t.Fatalf("mails %+v, want one that names the application", mails)
		}
		address, sealed := providertest.LinkIn(t, mails[0])
		b.WantNowhere(t, sealed)
		wantNobody(t, b, newcomer)

		page = v.AnswerPages(t, create(t, v, address, "Zoe", providertest.NewPassword))
		claims := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])
		u, _, err := b.DB.UserByEmail(t.Context(), newcomer)
		if err != nil || !u.EmailVerified || u.Name != "Zoe" || claims["sub"] != u.ID {
			t.Errorf("user %+v, %v, claims %v", u, err, claims)
		}
		if amr, _ := claims["amr"].([]any); len(amr) != 1 || amr[0] != "pwd" || claims["acr"] != storage.ACROneFactor {
			t.Errorf("acr %v, amr %v: want one factor, the password", claims["acr"], claims["amr"])
		}
		b.WantEvent(t, storage.UserCreated, u.ID)
		b.WantNowhere(t, sealed)
		if back := v.AnswerPages(t, v.Get(t, form)); back.Code(t) == "" {
			t.Errorf("the browser's Back ends at %s", back.At)
		}
		b.SendMails(t)
		for _, m := range s.Received() {
			if m.To[0] == newcomer {
				t.Errorf("one more mail, %q: the first browser is no news", m.Subject())
			}
		}
	})
}

// Without an application, the journey ends at the account.
func TestSignUp_WithoutAnApplicationEndsAtTheAccount(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		ask(t, v, v.Get(t, b.Issuer+"/signup"), newcomer).WantAt(t, "/signup?done=mail")
		address, _ := lastLink(t, b, s, newcomer)
		create(t, v, address, "Zoe", providertest.NewPassword).WantAt(t, "/account")
	})
}

// From a page of Signet, or from the first-party app, a sign-up goes on to that page.
func TestSignUp_GoesOnToThePageThatAskedForTheSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for _, app := range []bool{false, true} {
			if app {
				b.RegisterApp(t)
			}
			email := storage.NewID("z") + "@example.com"
			v := b.Visitor(t)
			page := v.Get(t, b.Issuer+"/account/profile")
			ask(t, v, v.Get(t, page.Link(t, "create-account")), email)
			address, _ := lastLink(t, b, s, email)
			create(t, v, address, "Zoe", providertest.NewPassword).WantAt(t, "/account/profile")
		}
	})
}

// After the operator closed sign-up, the links and requests from before lead to the sign-in.
func TestSignUp_ClosedLater(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL("prompt", "create"))
		ask(t, v, page, newcomer)
		address, _ := lastLink(t, b, s, newcomer)
		form := v.Get(t, address).Form(t)

		closed := b.Node(t, providertest.WithMail(s))
		elsewhere := func(address string) string { return strings.Replace(address, b.Issuer, closed.Issuer, 1) }
		v.Bed, form.Action = closed, elsewhere(form.Action)
		v.Submit(t, form, "new-password", providertest.NewPassword).WantPage(t, http.StatusForbidden, "signup_closed")
		v.Get(t, elsewhere(address)).WantPage(t, http.StatusForbidden, "signup_closed")
		wantNobody(t, b, newcomer)
		page = v.Get(t, elsewhere(page.At.String()))
		page.WantPage(t, http.StatusForbidden, "signup_closed")
		v.AnswerPages(t, v.Get(t, page.Link(t, "start"))).Code(t)
	})
}

// After the authorization request expired, the link goes on to the initiate_login_uri of the
// application, or else to its client_uri, or else to the account. An application that nobody
// approved leads people nowhere.
func TestSignUp_AfterTheRequestExpired(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for _, c := range []struct {
			name, start, home string
			unapproved        bool
			want              string
		}{
			{"start", "https://rp.example.org/start?from=signup", "https://rp.example.org/home", false, "https://rp.example.org/start?from=signup&iss=" + url.QueryEscape(b.Issuer)},
			{"home", "", "https://rp.example.org/home", false, "https://rp.example.org/home"},
			{"none", "", "", false, b.Path("/account")},
			{"unapproved", "https://rp.example.org/start", "https://rp.example.org/home", true, b.Path("/account")},
		} {
			t.Run(c.name, func(t *testing.T) {
				client := b.AsClient(b.RegisterWith(t, storage.Web, storage.NewID("c"), func(client *storage.Client) {
					client.Metadata.RedirectURIs = []string{providertest.Callback}
					client.Metadata.InitiateLoginURI, client.Metadata.ClientURI = c.start, c.home
				}))
				if c.unapproved {
					made := b.RegisterItself(t, "", `{"redirect_uris":["`+providertest.Callback+`"],"initiate_login_uri":"`+c.start+`","client_uri":"`+c.home+`"}`)
					registered, err := b.DB.Client(t.Context(), made["client_id"].(string))
					if err != nil || registered.Metadata.ClientURI == "" || !registered.IsUnapproved() {
						t.Fatalf("client %+v, %v", registered, err)
					}
					client = b.AsClient(registered, "")
				}
				email := storage.NewID("z") + "@example.com"
				v := b.Visitor(t)
				ask(t, v, v.Get(t, v.Get(t, client.AuthorizeURL()).Link(t, "create-account")), email)
				address, _ := lastLink(t, b, s, email)
				b.Advance(23 * time.Hour)
				form := v.Get(t, address).Form(t)
				form.Values.Set("new-password", providertest.NewPassword)
				answer := providertest.Do(t, v.Client, v.FormRequest(t, form))
				if got := answer.Header.Get("Refresh"); got != "0;url="+c.want {
					t.Errorf("the page goes on to %q, want %s", got, c.want)
				}
				v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
				b.Advance(time.Hour)
			})
		}
	})
}

// A known address gets a mail that says so, without a link that opens anything, whether the
// account is verified, claimed, without a password or disabled.
func TestSignUp_KnownAddressGetsAMailThatSaysSo(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		disabled := b.User(t, "disabled@example.com", providertest.Password)
		if err := b.DB.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.CreateUser(t, storage.User{Email: "Claimed@example.com"}, providertest.Password)
		b.SendMails(t)
		s.Received() // the notice about the disabled account
		for stored, typed := range map[string]string{providertest.Alice: strings.ToUpper(providertest.Alice), disabled.Email: disabled.Email, "Claimed@example.com": "claimed@EXAMPLE.com"} {
			v := b.Visitor(t)
			ask(t, v, v.Get(t, b.Issuer+"/signup"), typed).WantAt(t, "/signup?done=mail")
			b.SendMails(t)
			received := s.Received()
			if len(received) != 1 || received[0].To[0] != stored || received[0].Subject() != "You have an account already" || strings.Contains(received[0].Text, "/link/") {
				t.Fatalf("%s: mails %+v, want one to the stored address", typed, received)
			}
			if leads := strings.Contains(received[0].Text, b.Issuer+"/login"); leads == (stored == disabled.Email) {
				t.Errorf("%s: the mail leads to the sign-in: %t. A disabled user cannot sign in:\n%s", stored, leads, received[0].Text)
			}
		}
	})
}

// RC-10: three mails to an address in 15 minutes, known or not.
func TestSignUp_MailsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		for _, email := range []string{providertest.Alice, newcomer} {
			for range 3 {
				ask(t, v, v.Get(t, b.Issuer+"/signup"), email).WantAt(t, "/signup?done=mail")
			}
			page := ask(t, v, v.Get(t, b.Issuer+"/signup"), strings.ToUpper(email))
			page.WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
			if page.Header.Get("Retry-After") != "900" {
				t.Errorf("Retry-After %q", page.Header.Get("Retry-After"))
			}
		}
	})
}

// RC-11: a newer link replaces the older one, also if a stranger asked for it. Then the owner of
// the address creates the account with the newest mail, and the stranger's browser gets nothing.
func TestSignUp_StrangerWhoAsksGetsNothing(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		owner, stranger := b.Visitor(t), b.Visitor(t)
		ask(t, owner, owner.Get(t, b.Issuer+"/signup"), newcomer)
		first, _ := lastLink(t, b, s, newcomer)
		ask(t, stranger, stranger.Get(t, b.Issuer+"/signup"), newcomer)
		second, _ := lastLink(t, b, s, newcomer)
		owner.Get(t, first).WantPage(t, http.StatusGone, "link_replaced")
		create(t, owner, second, "Zoe", providertest.NewPassword).WantAt(t, "/signup?done=account")
		stranger.WantNoSession(t)
		owner.WantNoSession(t)
	})
}

// The session of another user in the browser ends, as with every sign-in.
func TestSignUp_ReplacesTheSessionOfAnotherUser(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		ask(t, v, v.Get(t, b.Issuer+"/signup"), newcomer)
		address, _ := lastLink(t, b, s, newcomer)
		page := create(t, v, address, "Zoe", providertest.NewPassword)
		page.WantAt(t, "/account")
		page.WantText(t, "Zoe")
		if len(b.SessionsOf(t, b.Alice.ID)) != 0 {
			t.Error("the session of the other user is left")
		}
	})
}

// Nothing that is no address gets a mail: line breaks, hidden characters, overlong texts and
// local parts that mail servers read in different ways. Addresses with an internationalized
// domain or an unusual local part do.
func TestSignUp_AddressesOfTheForm(t *testing.T) {
	s := mailtest.Start(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, wrong := range []string{
			"", "zoe", "a@b@c", "zoe@example.com\r\nBcc: eve@example.com", "zoe@example.com,eve@example.com", "zoe@example.com eve@example.com",
			"a@" + strings.Repeat("b", 300) + ".com", strings.Repeat("a", 65) + "@example.com", "\u202ezoe@example.com", "zoe@exam\u200bple.com\u202e",
			"zoë@example.com", `"zoe"@example.com`, "zoe..x@example.com", "<zoe@example.com>", "zoe@[192.0.2.1]", "zoe@example.com\x00",
		} {
			page := v.Submit(t, providertest.Form{Action: b.Issuer + "/signup", Values: url.Values{"email": {wrong}}})
			if strings.Contains(wrong, "\x00") {
				page.WantPage(t, http.StatusBadRequest, "invalid_request") // refused in every form
				continue
			}
			page.WantPage(t, http.StatusUnprocessableEntity, "invalid_email")
		}
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Fatalf("mails %+v", got)
		}
		for typed, stored := range map[string]string{
			"zoe@bücher.example": "zoe@bücher.example", " zoe+tag@example.com ": "zoe+tag@example.com",
			"o'neil/x=y@example.com": "o'neil/x=y@example.com", "ZOE@EXAMPLE.COM": "ZOE@EXAMPLE.COM",
		} {
			ask(t, v, v.Get(t, b.Issuer+"/signup"), typed).WantAt(t, "/signup?done=mail")
			b.SendMails(t)
			received := s.Received()
			address, _ := providertest.LinkIn(t, received[len(received)-1])
			create(t, v, address, "Zoe", providertest.NewPassword).WantAt(t, "/account")
			if u, _, err := b.DB.UserByEmail(t.Context(), strings.TrimSpace(typed)); err != nil || u.Email != stored || !u.EmailVerified {
				t.Errorf("%q: user %+v, %v, want the address %q", typed, u, err, stored)
			}
		}
	}, providertest.WithMail(s), providertest.WithSignUp)
}

// Where people cannot sign up, no page offers it and no endpoint does it, and the pages lead to
// the sign-in. A link from before the change of the setting does nothing either.
func TestSignUp_OnlyWhereItIsOpenAndMailsAreSent(t *testing.T) {
	s := mailtest.Start(t)
	for name, c := range map[string]struct {
		code    string
		options []providertest.Option
	}{
		"closed":   {"signup_closed", []providertest.Option{providertest.WithMail(s)}},
		"no mails": {"no_mails", []providertest.Option{providertest.WithSignUp}},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				v := b.Visitor(t)
				if page := v.Get(t, b.AuthorizeURL()); strings.Contains(page.Body, `id="create-account"`) {
					t.Error("the sign-in page offers an account")
				}
				pages := map[string]providertest.Stop{
					"form": v.Get(t, b.Issuer+"/signup"),
					"post": v.Submit(t, providertest.Form{Action: b.Issuer + "/signup", Values: url.Values{"email": {newcomer}}}),
					"link": v.Get(t, b.Issuer+"/link/signup?link=x"),
					"act":  v.Submit(t, providertest.Form{Action: b.Issuer + "/link/signup", Values: url.Values{"link": {"x"}, "new-password": {providertest.NewPassword}}}),
				}
				for what, page := range pages {
					page.WantPage(t, http.StatusForbidden, c.code)
					if got := page.Link(t, "start"); !strings.HasSuffix(got, "/login") {
						t.Errorf("%s: leads to %s", what, got)
					}
				}
			}, c.options...)
		})
	}
}
