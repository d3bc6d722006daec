package recovery_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// each runs the test on every database, with a mail server.
func each(t *testing.T, f func(t *testing.T, b *providertest.Testbed, mails *mailtest.Server)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		f(t, providertest.StartOn(t, backend, providertest.WithMail(s), providertest.WithRegistration(directory.RegistrationOpen)), s)
	})
}

// isSignedIn reports whether the page of the account opens without a sign-in.
func isSignedIn(t *testing.T, v *providertest.Visitor) bool {
	t.Helper()
	return v.Get(t, v.Bed.Issuer+"/account").At.Path == "/account"
}

// ask fills in the form for a forgotten password.
func ask(t *testing.T, v *providertest.Visitor, email string) providertest.Stop {
	t.Helper()
	return v.Submit(t, v.Get(t, v.Bed.Issuer+"/reset").Form(t), "email", email)
}

// askForLink asks for a link and returns it from the mail.
func askForLink(t *testing.T, b *providertest.Testbed, s *mailtest.Server, email string) (address, sealed string) {
	t.Helper()
	ask(t, b.Visitor(t), email).WantAt(t, "/reset?done=mail")
	b.SendMails(t)
	received := s.Received()
	last := received[len(received)-1]
	if last.To[0] != email || last.Subject() != "Choose a new password" {
		t.Fatalf("the mail %q goes to %q, want one with a link to %s", last.Subject(), last.To, email)
	}
	return providertest.LinkIn(t, last)
}

// The journey after a forgotten password: from the sign-in page over the mail to a
// sign-in with the new password. Everybody else is signed out, and the link is in no place that
// others can read. RC-12: the link alone signs nobody in. RC-15: it is not in the Referer of a
// request to another site, and leaves the address with the first form.
func TestReset_FromForgottenPasswordToSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		other := b.Visitor(t)
		other.Account(t, "/account")
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, other.CodeFromSession(t, "scope", "openid offline_access"))

		v := b.Visitor(t)
		page := v.Get(t, v.Get(t, b.AuthorizeURL()).Link(t, "forgot"))
		page = v.Submit(t, page.Form(t), "email", providertest.Alice)
		wantDone(t, page, "mail")
		wantSignInOf(t, page, b.Client)
		b.SendMails(t)
		address, sealed := providertest.LinkIn(t, s.Received()[0])
		b.WantNowhere(t, sealed)

		page = v.Get(t, address)
		page.WantText(t, providertest.Alice)
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		page = v.Submit(t, page.Form(t), "new-password", "short")
		page.WantPage(t, http.StatusUnprocessableEntity, "weak_password")
		if strings.Contains(page.At.String(), "link=") {
			t.Errorf("the address still has the link: %s", page.At)
		}
		page = v.Submit(t, page.Form(t), "new-password", providertest.NewPassword)
		wantDone(t, page, "password")
		wantSignInOf(t, page, b.Client)
		if isSignedIn(t, v) {
			t.Error("the link signed the browser in")
		}
		if len(b.SessionsOf(t, b.Alice.ID)) != 0 {
			t.Error("sessions are left after the reset")
		}
		b.RefuseRefresh(t, offline["refresh_token"], "invalid_grant")
		b.WantEvent(t, storage.PasswordResetRequested, b.Alice.ID)
		b.WantEvent(t, storage.PasswordChanged, b.Alice.ID)

		page = v.Get(t, page.Link(t, "back"))
		v.SignIn(t, page, providertest.Alice, providertest.Password).WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		if b.Redeem(t, v.AnswerPages(t, v.SignIn(t, page, providertest.Alice, providertest.NewPassword)).Code(t))["id_token"] == "" {
			t.Error("the sign-in does not go on to the application")
		}
		b.SendMails(t)
		told := false
		for _, m := range s.Received() {
			told = told || m.Subject() == "Your password was changed"
		}
		if !told {
			t.Error("no mail tells of the new password")
		}
		b.WantNowhere(t, sealed)
	})
}

// wantDone wants the page after a step.
func wantDone(t *testing.T, page providertest.Stop, done string) {
	t.Helper()
	if page.StatusCode != http.StatusOK || page.At.Path != "/reset" || page.At.Query().Get("done") != done {
		t.Fatalf("the walk ended at %s with status %d, want the page %q", page.At, page.StatusCode, done)
	}
}

// wantSignInOf wants a page that leads to the sign-in page of an authorization request.
func wantSignInOf(t *testing.T, page providertest.Stop, client storage.Client) {
	t.Helper()
	page.WantText(t, client.Name)
	if to := page.Link(t, "back"); !strings.Contains(to, "/login?request=") {
		t.Errorf("the page leads to %s, want the sign-in page of the request", to)
	}
}

// In another browser, and after the authorization request expired, the page after a new password
// leads to the application. The other browser does not get the request: it could belong to a
// stranger. An application that nobody approved is not linked.
func TestReset_LeadsToTheApplication(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		const home = "https://rp.example.org/home"
		approved, secret := b.RegisterWith(t, storage.Web, "rp", func(client *storage.Client) {
			client.Metadata.RedirectURIs, client.Metadata.ClientURI = []string{providertest.Callback}, home
		})
		made := b.RegisterItself(t, "", `{"redirect_uris":["`+providertest.Callback+`"],"client_uri":"`+home+`"}`)
		stranger, err := b.DB.Client(t.Context(), made["client_id"].(string))
		if err != nil || !stranger.IsUnapproved() {
			t.Fatalf("client %+v, %v", stranger, err)
		}
		for _, c := range []struct {
			name   string
			client *providertest.Testbed
			linked bool
		}{{"approved", b.AsClient(approved, secret), true}, {"unapproved", b.AsClient(stranger, ""), false}} {
			u := b.User(t, storage.NewID("p")+"@example.com", providertest.Password)
			v, elsewhere := b.Visitor(t), b.Visitor(t)
			v.Submit(t, v.Get(t, v.Get(t, c.client.AuthorizeURL()).Link(t, "forgot")).Form(t), "email", u.Email)
			b.SendMails(t)
			received := s.Received()
			address, _ := providertest.LinkIn(t, received[len(received)-1])
			page := elsewhere.Submit(t, elsewhere.Get(t, address).Form(t), "new-password", providertest.NewPassword)
			wantDone(t, page, "password")
			if page.At.Query().Has("request") || !strings.HasSuffix(page.Link(t, "back"), "/login") {
				t.Errorf("%s: the other browser got the request: %s", c.name, page.At)
			}
			if linked := strings.Contains(page.Body, home); linked != c.linked {
				t.Errorf("%s: linked %v, want %v", c.name, linked, c.linked)
			}
		}
	})
}

// RC-14: mail scanners open links, and use nothing up.
func TestResetLink_OpeningSpendsNothing(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, _ := askForLink(t, b, s, providertest.Alice)
		v := b.Visitor(t)
		for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodHead} {
			r, err := http.NewRequest(method, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := providertest.Do(t, v.Client, r); got.StatusCode != http.StatusOK {
				t.Errorf("%s answers %d", method, got.StatusCode)
			}
		}
		v.Submit(t, v.Get(t, address).Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
	})
}

// Each dead link is a page with its own code that leads to the form for another link, by GET and
// by POST; a used one leads to the sign-in, since a person who sends the form twice has a new
// password. RC-02: a link works once. RC-11: a newer link and a new password end older ones.
func TestResetLink_DeadOnesLeadToTheWayOn(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for _, c := range []struct {
			code string
			kill func(u storage.User, address string)
		}{
			{"link_used", func(_ storage.User, address string) {
				v := b.Visitor(t)
				v.Submit(t, v.Get(t, address).Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
			}},
			{"link_replaced", func(u storage.User, _ string) { askForLink(t, b, s, u.Email) }},
			{"link_expired", func(storage.User, string) { b.Advance(30 * time.Minute) }},
			{"link_ended", func(u storage.User, _ string) {
				if err := b.DB.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
					t.Fatal(err)
				}
			}},
			{"link_ended", func(u storage.User, _ string) {
				if err := b.DB.SetUserEnabled(t.Context(), u.ID, false, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			u := b.User(t, storage.NewID("p")+"@example.com", providertest.Password)
			address, _ := askForLink(t, b, s, u.Email)
			v := b.Visitor(t)
			form := v.Get(t, address).Form(t)
			c.kill(u, address)
			for how, page := range map[string]providertest.Stop{"GET": v.Get(t, address), "POST": v.Submit(t, form, "new-password", providertest.NewPassword)} {
				page.WantPage(t, http.StatusGone, c.code)
				if got := page.Header.Get("Referrer-Policy"); how == "GET" && got != "strict-origin" {
					t.Errorf("%s: Referrer-Policy %q: the address holds a link", c.code, got)
				}
				way := b.Issuer + "/reset"
				if c.code == "link_used" {
					way = b.Issuer + "/login"
				}
				if to := page.Link(t, "start"); to != way {
					t.Errorf("%s, %s: the page leads to %s", c.code, how, to)
				}
			}
		}
	})
}

// RC-05, RC-06: a damaged link, a link of another kind and fields of another user set no
// password.
func TestResetLink_OnlyItsOwnTextOpensIt(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, sealed := askForLink(t, b, s, providertest.Alice)
		v, bob := b.Visitor(t), b.User(t, "bob@example.com", providertest.Password)
		form := v.Get(t, address).Form(t)
		for _, wrong := range []string{"", sealed[:len(sealed)-1], sealed + "A", strings.Repeat("A", 4000), "\x00", "é"} {
			v.Get(t, b.Issuer+"/link/reset?"+url.Values{"link": {wrong}}.Encode()).WantPage(t, http.StatusBadRequest, "link_invalid")
			f := providertest.Form{Action: form.Action, Values: url.Values{"link": {wrong}, "new-password": {providertest.NewPassword}}}
			if got := v.Submit(t, f); got.StatusCode != http.StatusBadRequest {
				t.Errorf("%q: %d", wrong, got.StatusCode)
			}
		}
		v.Submit(t, form, "user_id", bob.ID, "new-password", providertest.NewPassword).WantPage(t, http.StatusBadRequest, "invalid_request")
		form.Values.Del("user_id")
		v.Submit(t, form, "username", bob.Email, "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
		v.SignIn(t, v.Get(t, b.Issuer+"/login"), bob.Email, providertest.Password)
		if !isSignedIn(t, v) {
			t.Error("the password of bob was changed")
		}
	})
}

// The first proof of an address evicts: a stranger with an account for the address loses it.
func TestReset_FirstProofOfAnAddressEvicts(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		squatted := b.CreateUser(t, storage.User{Email: "victim@example.com", Name: "Mallory"}, providertest.Password)
		mallory := b.Visitor(t)
		mallory.SignIn(t, mallory.Get(t, b.Issuer+"/account"), squatted.Email, providertest.Password)
		if !isSignedIn(t, mallory) {
			t.Fatal("mallory is not signed in")
		}
		address, _ := askForLink(t, b, s, squatted.Email)
		v := b.Visitor(t)
		v.Submit(t, v.Get(t, address).Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
		if isSignedIn(t, mallory) {
			t.Error("mallory is still signed in")
		}
		u, err := b.DB.User(t.Context(), squatted.ID)
		if err != nil || !u.EmailVerified || u.Name != "" {
			t.Errorf("user %+v, %v: want a verified address and no profile", u, err)
		}
	})
}

// RC-12: A reset does not get around a second factor. The new password alone signs nobody in, and
// the authenticator app of before is asked for.
func TestReset_SecondFactorIsStillAsked(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		owner := b.Visitor(t)
		owner.Account(t, "/account/security")
		app := owner.AddAuthenticator(t)
		address, _ := askForLink(t, b, s, providertest.Alice)
		v := b.Visitor(t)
		v.Submit(t, v.Get(t, address).Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
		b.Advance(time.Minute)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.NewPassword)
		if page.At.Path != "/login/factor" || isSignedIn(t, v) {
			t.Fatalf("at %s, left to %v: the new password signs in alone", page.At, page.LeftTo)
		}
		v.EnterCode(t, page, "000000").WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		v.Allow(t, v.EnterCode(t, page, app.Code(t, b.Now()))).Code(t)
	})
}

// withOnlyPasskey creates a user with a passkey as the only way in.
func withOnlyPasskey(t *testing.T, b *providertest.Testbed, email string) (storage.User, *passkeytest.Authenticator) {
	t.Helper()
	u, err := b.DB.CreateUser(t.Context(), storage.User{Email: email, EmailVerified: true}, "", storage.By{At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	v, own := b.Visitor(t), b.Authenticator(t)
	f, data := v.Get(t, b.PasskeyLink(t, u.ID)).PasskeyForm(t)
	v.Submit(t, f, "credential", own.Create(t, data["challenge"], u.ID)).WantAt(t, b.Path("/link/passkey?done=passkey"))
	return u, own
}

// RC-12: a thief with the mailbox of an account that has only passkeys sets a password and does not get
// in: the page after it asks for a passkey of the account, or a recovery code. A second reset and a
// passkey of the thief do not help. The owner gets in with either; without both, the page names the
// operator. The first mail about the password says so.
func TestReset_MailboxAloneDoesNotOpenAPasskeyAccount(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(s))
		u, own := withOnlyPasskey(t, b, "ada@example.com")
		_, other := withOnlyPasskey(t, b, "mallory@example.com")
		owner := b.Visitor(t)
		owner.Allow(t, owner.UsePasskey(t, owner.Get(t, b.AuthorizeURL()), own)).Code(t)
		made := owner.Get(t, b.Issuer+"/account/security/codes")
		codes := providertest.CodesOn(owner.Submit(t, made.FormTo(t, "/account/security/codes", "", "")))

		thief, told := b.Visitor(t), 0
		for _, chosen := range []string{providertest.NewPassword, providertest.NewPassword + " again"} {
			address, _ := askForLink(t, b, s, u.Email)
			thief.Submit(t, thief.Get(t, address).Form(t), "new-password", chosen).WantAt(t, b.Path("/reset?done=password"))
			page := thief.SignIn(t, thief.Get(t, b.AuthorizeURL("acr_values", storage.ACROneFactor)), u.Email, chosen)
			if page.At.Path != b.Path("/login/factor") {
				t.Fatalf("the password alone leads to %s (left to %v)", page.At, page.LeftTo)
			}
			page.WantText(t, "security key or passkey", "recovery codes", "operator of this service")
			thief.UsePasskey(t, page, other).WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")
			thief.EnterCode(t, page, "aaaaa-bbbbb").WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
			thief.WantNoSession(t)
			b.SendMails(t)
			for _, m := range s.Received() {
				if m.Subject() == "Your password was changed" && strings.Contains(strings.Join(strings.Fields(m.Text), " "), "asked for your passkey or a recovery code") {
					told++
				}
			}
		}
		if told != 1 {
			t.Errorf("%d mails say that the passkey is asked for from now on, want 1", told)
		}
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), u.Email, providertest.NewPassword+" again")
		v.UsePasskey(t, page, own).Code(t)
		v = b.Visitor(t)
		page = v.SignIn(t, v.Get(t, b.AuthorizeURL()), u.Email, providertest.NewPassword+" again")
		v.EnterCode(t, page, codes[0]).Code(t)

		if _, err := b.DB.ResetFactors(t.Context(), storage.FactorReset{UserID: u.ID}, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		v = b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), u.Email, providertest.NewPassword+" again").Code(t)
	})
}

// RC-01, HT-01: the link names the issuer of the settings, whatever host the request names
// (ZITADEL CVE-2023-49097, CVE-2025-48936 and CVE-2025-64101).
func TestReset_LinkNamesTheIssuer(t *testing.T) {
	s := mailtest.Start(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		at := strings.TrimPrefix(b.Issuer, "http://")
		for name, head := range map[string]string{
			"forwarding headers": "POST /reset HTTP/1.1\r\nHost: " + at + "\r\nX-Forwarded-Host: evil.example\r\nX-Original-Host: evil.example\r\nX-Host: evil.example\r\n" +
				"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 666\r\nX-Forwarded-Prefix: /evil.example\r\nForwarded: host=evil.example\r\n",
			"Host":                   "POST /reset HTTP/1.1\r\nHost: evil.example\r\n",
			"port in Host":           "POST /reset HTTP/1.1\r\nHost: " + at + ":evil.example\r\n",
			"user before the host":   "POST /reset HTTP/1.1\r\nHost: " + at + "@evil.example\r\n",
			"path in Host":           "POST /reset HTTP/1.1\r\nHost: evil.example/?\r\n",
			"two Hosts":              "POST /reset HTTP/1.1\r\nHost: " + at + "\r\nHost: evil.example\r\n",
			"no Host":                "POST /reset HTTP/1.0\r\n",
			"absolute request line":  "POST http://evil.example/reset HTTP/1.1\r\nHost: " + at + "\r\n",
			"double slash":           "POST //evil.example/reset HTTP/1.1\r\nHost: " + at + "\r\n",
			"absolute, of this host": "POST " + b.Issuer + "/reset HTTP/1.1\r\nHost: evil.example\r\n",
		} {
			user := b.User(t, storage.NewID("h")+"@example.com", providertest.Password)
			body := url.Values{"email": {user.Email}}.Encode()
			status := b.SendRaw(t, http.MethodPost, head+"Origin: "+b.Issuer+"\r\nContent-Type: application/x-www-form-urlencoded\r\n", body).StatusCode
			b.SendMails(t)
			mails := s.Received()
			if (status == http.StatusSeeOther) != (len(mails) == 1) || status >= 500 {
				t.Errorf("%s: status %d and %d mails", name, status, len(mails))
			}
			for _, mail := range mails {
				if address, _ := providertest.LinkIn(t, mail); !strings.HasPrefix(address, b.Issuer+"/link/reset?") || strings.Contains(mail.Raw, "evil.example") {
					t.Errorf("%s: the link is %s", name, address)
				}
			}
			if name == "forwarding headers" && len(mails) != 1 {
				t.Errorf("%s: %d mails", name, len(mails))
			}
		}
	}, providertest.WithMail(s))
}

// RC-10: three mails to an address in 15 minutes, and the page says when the next one is
// possible. RC-13: an unknown address has the same limit.
func TestReset_MailsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		for _, email := range []string{providertest.Alice, "nobody@example.com"} {
			for range 3 {
				ask(t, v, email).WantAt(t, "/reset?done=mail")
			}
			page := ask(t, v, strings.ToUpper(email))
			page.WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
			page.WantText(t, "Try again in 15 minutes.")
			if page.Header.Get("Retry-After") != "900" {
				t.Errorf("Retry-After %q", page.Header.Get("Retry-After"))
			}
		}
		b.SendMails(t)
		if got := len(s.Received()); got != 1 { // the older links are replaced, and their mails not sent
			t.Errorf("%d mails, want 1", got)
		}
		b.Advance(15 * time.Minute)
		ask(t, v, providertest.Alice).WantAt(t, "/reset?done=mail")
	})
}

func TestReset_RefusesWhatIsNoAddress(t *testing.T) {
	s := mailtest.Start(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, wrong := range []string{"", "alice", "a@b@c", "alice@example.com\r\nBcc: eve@example.com", "a@" + strings.Repeat("b", 300) + ".com", "\x00@example.com", "\u202ealice@example.com"} {
			page := v.Submit(t, providertest.Form{Action: b.Issuer + "/reset", Values: url.Values{"email": {wrong}}})
			if strings.Contains(wrong, "\x00") {
				page.WantPage(t, http.StatusBadRequest, "invalid_request") // refused in every form
				continue
			}
			page.WantPage(t, http.StatusUnprocessableEntity, "invalid_email")
		}
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Errorf("mails %+v", got)
		}
	}, providertest.WithMail(s))
}

// A server that sends no mails offers no link: it names the operator.
func TestReset_NotOfferedWithoutMails(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		if page := v.Get(t, b.AuthorizeURL()); strings.Contains(page.Body, `id="forgot"`) {
			t.Error("the sign-in page offers a link by mail")
		}
		v.Get(t, b.Issuer+"/reset").WantPage(t, http.StatusForbidden, "no_mails")
		v.Submit(t, providertest.Form{Action: b.Issuer + "/reset", Values: url.Values{"email": {providertest.Alice}}}).WantPage(t, http.StatusForbidden, "no_mails")
	})
}

// The story of a stolen password: at an instance without mails, the thief adds a passkey of their own.
// Then the operator sets mails up, and the owner chooses a new password by mail. The thief's passkey
// opens nothing afterwards, and the mail says that it is gone.
func TestReset_RemovesPasskeyOfAThief(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
		thief, stolen := b.Visitor(t), b.Authenticator(t)
		thief.AddPasskey(t, stolen).WantAt(t, "/account/passkeys?done=passkey")
		b.DB = backend.Open(t)
		b.Serve(t, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(s))
		address, _ := askForLink(t, b, s, providertest.Alice)
		owner := b.Visitor(t)
		form := owner.Get(t, address)
		form.WantText(t, "Passkeys that were added after a sign-in with the password alone are removed.")
		owner.Submit(t, form.Form(t), "new-password", providertest.NewPassword).WantAt(t, "/reset?done=password")
		thief.WantNoSession(t)
		thief.UsePasskey(t, thief.Get(t, b.AuthorizeURL()), stolen).WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")
		thief.WantNoSession(t)
		b.SendMails(t)
		mails := s.Received()
		if last := mails[len(mails)-1]; last.Subject() != "Your password was changed" || !strings.Contains(last.Text, "Passkeys that were added") {
			t.Errorf("the last mail is %q:\n%s", last.Subject(), last.Text)
		}
	})
}
