package signup_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

const newcomer = "Zoe@example.com"

// each runs the test on every database, with a mail server.
func each(t *testing.T, f func(t *testing.T, b *providertest.Testbed, mails *mailtest.Server)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		f(t, providertest.StartOn(t, backend, providertest.WithMail(s), providertest.WithSignUp, providertest.WithRegistration(directory.RegistrationOpen)), s)
	})
}

// mailLink has a link for a new account mailed, and returns it.
func mailLink(t *testing.T, b *providertest.Testbed, s *mailtest.Server, email string) (address, sealed string) {
	t.Helper()
	err := b.DB.RequestMail(t.Context(), storage.MailRequest{
		Link: &storage.LinkDraft{Kind: storage.LinkSignUp, Holder: strings.ToLower(email), Address: email},
		Mail: &storage.MailDraft{Kind: storage.MailSignUp, Recipient: email},
	}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.SendMails(t)
	received := s.Received()
	return providertest.LinkIn(t, received[len(received)-1])
}

// create fills in the form of a link.
func create(t *testing.T, v *providertest.Visitor, address, name, password string) providertest.Stop {
	t.Helper()
	return v.Submit(t, v.Get(t, address).Form(t), "name", name, "new-password", password)
}

// wantNobody wants no account with the address.
func wantNobody(t *testing.T, b *providertest.Testbed, email string) {
	t.Helper()
	if u, _, err := b.DB.UserByEmail(t.Context(), email); err == nil {
		t.Errorf("there is an account: %+v", u)
	}
}

// In a browser that did not ask for it, a link makes the account and signs nobody in: a link that
// somebody forwards must not sign another person in to their account.
func TestNewAccount_SignsNobodyInElsewhere(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, sealed := mailLink(t, b, s, newcomer)
		v := b.Visitor(t)
		page := v.Get(t, address)
		page.WantText(t, newcomer)
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		wantNobody(t, b, newcomer)
		page = create(t, v, address, "Zoe", providertest.NewPassword)
		page.WantAt(t, "/signup?done=account")
		if at := v.Get(t, b.Issuer+"/account").At.Path; at == "/account" {
			t.Error("the link signed the browser in")
		}
		v.SignIn(t, v.Get(t, page.Link(t, "back")), newcomer, providertest.NewPassword)
		if at := v.Get(t, b.Issuer+"/account").At.Path; at != "/account" {
			t.Errorf("the new account cannot sign in: %s", at)
		}
		b.WantNowhere(t, sealed)
	})
}

// RC-14: mail scanners open links, and use nothing up. RC-02: a link works once.
func TestNewAccount_OnlyPOSTSpendsTheLink(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, _ := mailLink(t, b, s, newcomer)
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
		wantNobody(t, b, newcomer)
		form := v.Get(t, address).Form(t)
		v.Submit(t, form, "new-password", providertest.NewPassword).WantAt(t, "/signup?done=account")
		page := v.Submit(t, form, "new-password", providertest.NewPassword)
		page.WantPage(t, http.StatusGone, "link_used")
		v.Get(t, address).WantPage(t, http.StatusGone, "link_used")
		if got := page.Link(t, "start"); !strings.HasSuffix(got, "/login") {
			t.Errorf("the page leads to %s, want the sign-in", got)
		}
	})
}

// A refused password or name spends nothing, and the form keeps the name.
func TestNewAccount_RefusedInputSpendsNothing(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, _ := mailLink(t, b, s, newcomer)
		v := b.Visitor(t)
		for _, c := range []struct{ name, password, code string }{
			{"Zoe", "short", "weak_password"},
			{"Zoe", strings.ToLower(newcomer), "weak_password"},
			{"Zoe", "password1234", "weak_password"},
			{strings.Repeat("long ", 200), providertest.NewPassword, "invalid_name"},
			{"\u202eeoZ", providertest.NewPassword, "invalid_name"},
			{"Zoe\r\nBcc: eve@example.com", providertest.NewPassword, "invalid_name"},
		} {
			page := create(t, v, address, c.name, c.password)
			page.WantPage(t, http.StatusUnprocessableEntity, c.code)
			if strings.Contains(page.At.String(), "link=") {
				t.Errorf("the address still has the link: %s", page.At)
			}
		}
		wantNobody(t, b, newcomer)
		page := create(t, v, address, "Zoë", "short")
		if got := page.Form(t).Values.Get("name"); got != "Zoë" {
			t.Errorf("the form has the name %q", got)
		}
		v.Submit(t, page.Form(t), "new-password", providertest.NewPassword).WantAt(t, "/signup?done=account")
	})
}

// An account that was created meanwhile stays as it is, and the page of the link leads to its
// sign-in, by GET and by POST.
func TestNewAccount_LeadsToTheSignInOfAnAccountThatExists(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, _ := mailLink(t, b, s, newcomer)
		v := b.Visitor(t)
		form := v.Get(t, address).Form(t)
		b.CreateUser(t, storage.User{Email: strings.ToUpper(newcomer)}, providertest.Password) // not verified
		for _, page := range []providertest.Stop{v.Submit(t, form, "new-password", providertest.NewPassword), v.Get(t, address)} {
			page.WantPage(t, http.StatusGone, "link_address_taken")
			if got := page.Link(t, "start"); !strings.HasSuffix(got, "/login") {
				t.Errorf("the page leads to %s, want the sign-in", got)
			}
		}
		v.SignIn(t, v.Get(t, b.Issuer+"/account"), newcomer, providertest.Password)
		if at := v.Get(t, b.Issuer+"/account").At.Path; at != "/account" {
			t.Errorf("the password of the account was changed: %s", at)
		}
	})
}

// Links that are expired or altered are pages that say what to do.
func TestNewAccount_DeadLinksLeadToAnotherOne(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		address, _ := mailLink(t, b, s, newcomer)
		v := b.Visitor(t)
		v.Get(t, address[:len(address)-1]).WantPage(t, http.StatusBadRequest, "link_invalid")
		b.Advance(24 * time.Hour)
		page := v.Get(t, address)
		page.WantPage(t, http.StatusGone, "link_expired")
		if got := page.Link(t, "start"); !strings.HasSuffix(got, "/signup") {
			t.Errorf("the page leads to %s", got)
		}
	})
}
