package address_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

const (
	confirmSubject  = "Confirm your new email address"
	changedSubject  = "The address of your account was changed"
	restoredSubject = "The change of your address was undone"
	takenSubject    = "This address has an account already"
)

// eachWithUpstreams runs the test on every database, with a mail server and upstreams.
func eachWithUpstreams(t *testing.T, f func(t *testing.T, b *providertest.Testbed, s *mailtest.Server)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, upstreams := providertest.WithUpstreams(t)
		s := mailtest.Start(t)
		f(t, providertest.StartOn(t, backend, upstreams, providertest.WithMail(s)), s)
	})
}

// askForChange fills in the form for a new address.
func askForChange(t *testing.T, v *providertest.Visitor, email string) providertest.Stop {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+"/account/email/change")
	return v.Submit(t, page.FormTo(t, "/account/email/change", "", ""), "email", email)
}

// change changes the address of the signed-in user, and returns the link that the former address
// got.
func change(t *testing.T, v *providertest.Visitor, s *mailtest.Server, from, to string) (undo, sealed string) {
	t.Helper()
	askForChange(t, v, to).WantAt(t, "/account/email?done=mail-new")
	address, _ := providertest.LinkIn(t, newest(t, v.Bed, s, to, confirmSubject))
	press(t, v, v.Get(t, address), "verify").WantAt(t, "/account/email?done=changed")
	return providertest.LinkIn(t, newest(t, v.Bed, s, from, changedSubject))
}

func undo(t *testing.T, v *providertest.Visitor, address string) providertest.Stop {
	t.Helper()
	return v.Submit(t, v.Get(t, address).FormTo(t, "/link/undo", "", ""))
}

// wantPassword wants a sign-in with the email address and the password to succeed, or not.
func wantPassword(t *testing.T, b *providertest.Testbed, email, password string, want bool) *providertest.Visitor {
	t.Helper()
	v := b.Visitor(t)
	v.SignIn(t, v.Get(t, b.Issuer+"/login"), email, password)
	if got := isSignedIn(t, v); got != want {
		t.Errorf("%s signs in with %q: %v, want %v", email, password, got, want)
	}
	return v
}

// The journey of a change: nothing counts before the link is opened; then this browser stays
// signed in, and all others and all applications are signed out. No link is in any place that
// others can read.
func TestChange_FromFormToNewAddress(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		const to = "New.Alice@example.org"
		v, other := b.Visitor(t), b.Visitor(t)
		other.Account(t, "/account")
		v.Account(t, "/account")
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, v.CodeFromSession(t, "scope", "openid offline_access"))

		page := v.Get(t, v.Get(t, b.Issuer+"/account/email").Link(t, "change"))
		page.WantAt(t, "/account/email/change")
		v.Submit(t, page.FormTo(t, "/account/email/change", "", ""), "email", to).WantAt(t, "/account/email?done=mail-new")
		address, sealed := providertest.LinkIn(t, newest(t, b, s, to, confirmSubject))
		b.WantNowhere(t, sealed)
		opened := v.Get(t, address)
		opened.WantText(t, providertest.Alice, to)
		b.UserByEmail(t, providertest.Alice)

		press(t, v, opened, "verify").WantAt(t, "/account/email?done=changed")
		if u := b.UserByEmail(t, strings.ToLower(to)); u.ID != b.Alice.ID || u.Email != to || !u.EmailVerified {
			t.Errorf("after the change: %+v", u)
		}
		if !isSignedIn(t, v) || isSignedIn(t, other) {
			t.Errorf("this browser is signed in: %v, the other: %v", isSignedIn(t, v), isSignedIn(t, other))
		}
		b.RefuseRefresh(t, offline["refresh_token"], "invalid_grant")
		b.WantEvent(t, storage.AddressChangeRequested, b.Alice.ID)
		b.WantEvent(t, storage.AddressChanged, b.Alice.ID)

		notice := newest(t, b, s, providertest.Alice, changedSubject)
		if strings.Contains(strings.ToLower(notice.Raw), "new.alice") {
			t.Error("the mail to the former address names the new one")
		}
		_, undoSealed := providertest.LinkIn(t, notice)
		b.WantNowhere(t, undoSealed)
		b.WantNowhere(t, sealed)
		wantPassword(t, b, to, providertest.Password, true)
		wantPassword(t, b, providertest.Alice, providertest.Password, false)
	})
}

// RC-16: the form needs a fresh sign-in, and keeps the typed address over it.
func TestChange_AsksForASignInFirst(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		form := v.Get(t, b.Issuer+"/account/email/change").FormTo(t, "/account/email/change", "", "")
		b.Advance(6 * time.Minute)
		asked := v.Submit(t, form, "email", "new@example.org")
		asked.WantText(t, "before you change your email address", providertest.Alice)
		if back := v.Get(t, asked.Link(t, "cancel")); back.At.Path != "/account/email" {
			t.Errorf("Cancel leads to %s", back.At)
		}
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Fatalf("mails without a fresh sign-in: %+v", got)
		}
		page := v.SignIn(t, asked, providertest.Alice, providertest.Password)
		again := page.FormTo(t, "/account/email/change", "", "")
		if got := again.Values.Get("email"); got != "new@example.org" {
			t.Errorf("the address after the sign-in is %q", got)
		}
		v.Submit(t, again).WantAt(t, "/account/email?done=mail-new")
	})
}

// RC-16: an address that has an account gets a mail without a link. The address of the form is
// checked.
func TestChange_RefusedAddresses(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		b.User(t, "Bob@example.com", providertest.Password)
		v := b.Visitor(t)
		v.Account(t, "/account")
		askForChange(t, v, "bob@example.com").WantAt(t, "/account/email?done=mail-new")
		if m := newest(t, b, s, "Bob@example.com", takenSubject); strings.Contains(m.Raw, "/link/") || strings.Contains(m.Raw, providertest.Alice) {
			t.Errorf("the mail has a link or the address of the other account:\n%s", m.Text)
		}
		for address, code := range map[string]string{
			"": "invalid_email", "alice": "invalid_email", "a@b\r\nBcc: eve@example.com": "invalid_email", "\u202ealice@example.com": "invalid_email",
			"a@" + strings.Repeat("b", 300) + ".com": "invalid_email", "ALICE@example.com": "same_address",
		} {
			askForChange(t, v, address).WantPage(t, http.StatusUnprocessableEntity, code)
		}
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Errorf("mails %+v", got)
		}
	})
}

// Somebody else opens the link: the page names no account, and nothing can be done without a
// sign-in to the account that asked.
func TestChange_StrangerCannotUseTheLink(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		bob := b.User(t, "bob@example.com", providertest.Password)
		v := b.Visitor(t)
		v.Account(t, "/account")
		askForChange(t, v, "new@example.org").WantAt(t, "/account/email?done=mail-new")
		address, _ := providertest.LinkIn(t, newest(t, b, s, "new@example.org", confirmSubject))

		stranger := b.Visitor(t)
		opened := stranger.Get(t, address)
		opened.WantText(t, "new@example.org", `id="sign-in"`)
		if strings.Contains(opened.Body, providertest.Alice) || strings.Contains(opened.Body, `id="evict"`) {
			t.Errorf("the page tells a stranger about the account:\n%s", opened.Body)
		}
		for _, button := range []string{"verify", "evict", ""} {
			press(t, stranger, opened, button).WantPage(t, http.StatusConflict, "stale_form")
		}
		signedIn, _ := signIn(t, b, bob.Email)
		other := signedIn.Get(t, address)
		other.WantText(t, "signed in to another account")
		press(t, signedIn, other, "verify").WantPage(t, http.StatusConflict, "stale_form")
		if b.UserByEmail(t, providertest.Alice).ID != b.Alice.ID {
			t.Error("the address was changed")
		}

		// On a phone, the same person signs in and goes on.
		login := press(t, stranger, opened, "sign-in")
		back := stranger.SignIn(t, login, providertest.Alice, providertest.Password)
		press(t, stranger, back, "verify").WantAt(t, "/account/email?done=changed")
		if isSignedIn(t, v) || !isSignedIn(t, stranger) {
			t.Error("the wrong browser is signed in after the change")
		}
	})
}

// An account without an address, made by an upstream that vouches for none, gets one in the same
// way.
func TestChange_AccountWithoutAddressGetsOne(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		made, err := b.DB.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity:  storage.Identity{Connector: "corp", Issuer: "https://corp.example", Subject: "7"},
			AttemptID: "attempt", Until: storage.At(b.Now().Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "other", ACR: "urn:signet:1fa", AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.DB.SignIn(t.Context(), storage.SignIn{
			UserID: made.UserID, HandleHash: storage.SecretHash("a handle of this test"), ACR: "urn:signet:1fa", AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour,
		}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		v.SetCookie("signet", "a handle of this test")
		v.Get(t, b.Issuer+"/account/email").WantText(t, "Your account has no email address.", "Add an address")
		askForChange(t, v, "first@example.org").WantAt(t, "/account/email?done=mail-new")
		address, _ := providertest.LinkIn(t, newest(t, b, s, "first@example.org", confirmSubject))
		press(t, v, v.Get(t, address), "verify").WantAt(t, "/account/email?done=changed")
		if u := b.UserByEmail(t, "first@example.org"); u.ID != made.UserID || !u.EmailVerified {
			t.Errorf("user %+v", u)
		}
	})
}

// The hijack, from both sides: an attacker with the password of the owner changes the address,
// replaces the password, removes the owner's Google account and connects another one. The owner
// opens the mail at the old address, undoes it, and signs in as before.
func TestHijack_OwnerUndoes(t *testing.T) {
	eachWithUpstreams(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		owner := b.Visitor(t)
		owner.Account(t, "/account")
		owner.Connect(t, "google", "ada").WantAt(t, "/account/identities?done=linked")
		ways := b.IdentitiesOf(t, b.Alice.ID)

		thief := b.Visitor(t)
		thief.Account(t, "/account")
		link, _ := change(t, thief, s, providertest.Alice, "thief@example.org")
		if isSignedIn(t, owner) {
			t.Error("the change left another browser signed in")
		}
		thief.SignIn(t, b.Visitor(t).Get(t, b.Issuer+"/login"), "thief@example.org", providertest.Password)
		page := thief.Get(t, b.Issuer+"/account/password")
		thief.Submit(t, page.FormTo(t, "/account/password", "", ""), "current-password", providertest.Password, "new-password", providertest.NewPassword).
			WantAt(t, "/account/password?done=password")
		thief.Submit(t, thief.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)[0]).WantAt(t, "/account/identities?done=unlinked")
		thief.Connect(t, "github", "octo").WantAt(t, "/account/identities?done=linked")

		// The owner cannot sign in any more, and no other account can take the address meanwhile.
		wantPassword(t, b, providertest.Alice, providertest.Password, false)
		opened := owner.Get(t, link)
		opened.WantText(t, providertest.Alice)
		if strings.Contains(opened.Body, "thief@example.org") {
			t.Error("the page names the new address")
		}
		done := undo(t, owner, link)
		done.WantAt(t, "/link/undo?done=undone")
		if done.Link(t, "reset") != b.Issuer+"/reset" {
			t.Error("the page leads to no new password")
		}
		if isSignedIn(t, owner) {
			t.Error("the undo signed the browser in")
		}
		if isSignedIn(t, thief) || len(b.SessionsOf(t, b.Alice.ID)) != 0 {
			t.Error("the attacker is still signed in")
		}
		b.WantIdentities(t, b.Alice.ID, ways...)
		wantPassword(t, b, "thief@example.org", providertest.NewPassword, false)
		wantPassword(t, b, providertest.Alice, providertest.NewPassword, false)
		wantPassword(t, b, providertest.Alice, providertest.Password, true)
		again := b.Visitor(t)
		if got := again.Subject(t, again.AuthorizeThrough(t, "google", "ada")); got != b.Alice.ID {
			t.Errorf("the restored identity opens %s", got)
		}
		intruder := b.Visitor(t)
		if got := intruder.Subject(t, intruder.AuthorizeThrough(t, "github", "octo")); got == b.Alice.ID {
			t.Error("the attacker's identity still opens the account")
		}
		b.WantEvent(t, storage.AddressChangeUndone, b.Alice.ID)
		newest(t, b, s, "thief@example.org", restoredSubject)
		owner.Get(t, link).WantPage(t, http.StatusGone, "link_used")
	})
}

// A stolen session with two factors: the attacker changes the address, removes the owner's
// authenticator app and adds another one. After the undo, a sign-in with the password is asked for
// the code of the owner's app, and the attacker's app opens nothing.
func TestHijack_RestoredFactorIsAskedNext(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t) // the browser that the attacker uses
		v.Account(t, "/account")
		own := v.AddAuthenticator(t)
		link, _ := change(t, v, s, providertest.Alice, "thief@example.org")
		v.Submit(t, v.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", "")).
			WantAt(t, "/account/security?done=no-totp")
		stolen := v.AddAuthenticator(t)
		if n := b.PlacesOf(t, own.Secret); len(n) != 0 {
			t.Errorf("the secret of the owner's app is in %v", n)
		}

		owner := b.Visitor(t)
		undo(t, owner, link).WantAt(t, "/link/undo?done=undone")
		asked := owner.SignIn(t, owner.Get(t, b.Issuer+"/login"), providertest.Alice, providertest.Password)
		if isSignedIn(t, owner) {
			t.Fatal("the password alone opens the account")
		}
		owner.EnterCode(t, asked, stolen.Code(t, b.Now())).WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		owner.EnterCode(t, asked, own.Code(t, b.Now()))
		if !isSignedIn(t, owner) {
			t.Error("the code of the restored app opens nothing")
		}
	})
}

// After seven days the change is final: the link says that it has expired, and the former address is
// free.
func TestUndo_ExpiresAfterSevenDays(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		link, _ := change(t, v, s, providertest.Alice, "new@example.org")
		b.Advance(7 * 24 * time.Hour)
		b.Visitor(t).Get(t, link).WantPage(t, http.StatusGone, "link_expired")
		b.User(t, providertest.Alice, providertest.Password) // the address is free now
	})
}

// A scanner that opens the link undoes nothing (RC-14), and a form without the link neither.
func TestUndo_OpeningChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		link, _ := change(t, v, s, providertest.Alice, "new@example.org")
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			r, err := http.NewRequest(method, link, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := providertest.Do(t, b.Visitor(t).Client, r)
			if got.StatusCode != http.StatusOK || got.Header.Get("Referrer-Policy") != "strict-origin" {
				t.Errorf("%s: %d, %s", method, got.StatusCode, got.Header.Get("Referrer-Policy"))
			}
		}
		stranger := b.Visitor(t)
		form := stranger.Get(t, link).FormTo(t, "/link/undo", "", "")
		stranger.Submit(t, form, "link", "AAAA").WantPage(t, http.StatusBadRequest, "link_invalid")
		if b.UserByEmail(t, "new@example.org").ID != b.Alice.ID {
			t.Error("the change is undone")
		}
	})
}

// Nobody gets an account with the former address while it can be restored: not through an upstream
// that vouches for it either. The page says why.
func TestReservedAddress_UpstreamMakesNoAccount(t *testing.T) {
	eachWithUpstreams(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		u := b.User(t, providertest.AdaEmail, providertest.Password)
		v, _ := signIn(t, b, u.Email)
		change(t, v, s, u.Email, "new@example.org")
		stranger := b.Visitor(t)
		stranger.WantProblem(t, stranger.AuthorizeThrough(t, "google", "ada"), http.StatusConflict, "address_reserved")
		b.WantNoUser(t, providertest.AdaEmail)
		b.Advance(7 * 24 * time.Hour)
		stranger.Allow(t, stranger.AuthorizeThrough(t, "google", "ada"))
	})
}

// MF-13: where the account has a passkey of two factors and no authenticator app, a recent sign-in by
// password changes neither the address nor the factors. The pages say what is missing, instead of
// asking for the password again and again.
func TestChange_PasswordIsNotEnoughIfThereIsAPasskey(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(s))
		owner, a := b.Visitor(t), b.Authenticator(t)
		owner.Account(t, "/account")
		owner.AddAuthenticator(t)
		owner.AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
		owner.Submit(t, owner.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", ""))
		owner.Account(t, "/account")
		askForChange(t, owner, "new@example.org").WantAt(t, "/account/email?done=mail-new")
		address, _ := providertest.LinkIn(t, newest(t, b, s, "new@example.org", confirmSubject))

		thief := b.Visitor(t)
		thief.Account(t, "/account")
		app := thief.Get(t, b.Issuer+"/account/security/totp")
		code := providertest.Authenticator{Secret: providertest.SecretOn(t, app)}.Code(t, b.Now())
		for name, refused := range map[string]providertest.Stop{
			"an app":        thief.Submit(t, app.FormTo(t, "/account/security/totp", "", ""), "code", code),
			"a new address": askForChange(t, thief, "thief@example.org"),
			"the link":      press(t, thief, thief.Get(t, address), "verify"),
			"a passkey":     thief.AddPasskey(t, b.Authenticator(t)),
		} {
			t.Log(name)
			refused.WantText(t, "Confirm this change with it")
			if refused.At.Path != "/login" || refused.StatusCode != http.StatusOK {
				t.Errorf("at %s, status %d", refused.At, refused.StatusCode)
			}
		}
		press(t, owner, owner.Get(t, address), "verify").WantAt(t, "/account/email?done=changed")
	})
}

// A person with two factors may say that the old address is not theirs any more. The tick survives a
// sign-in in between. Then the old address is told of the change and cannot undo it. In a session with
// one factor the form does not offer it, and a forged field is not obeyed.
func TestChange_OldAddressIsNoLongerMine(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t)
		weak := v.Account(t, "/account/email/change")
		if strings.Contains(weak.Body, `id="final"`) {
			t.Error("the form offers a change without undo in a session with one factor")
		}
		v.Submit(t, weak.FormTo(t, "/account/email/change", "", ""), "email", "new@example.org", "final", "on").WantPage(t, http.StatusForbidden, "stronger_sign_in")
		app := v.AddAuthenticator(t)
		form := v.Get(t, b.Issuer+"/account/email/change").FormTo(t, "/account/email/change", "", "")
		b.Advance(6 * time.Minute)
		page := v.SignIn(t, v.Submit(t, form, "email", "new@example.org", "final", "on"), providertest.Alice, providertest.Password)
		page = v.EnterCode(t, page, app.Code(t, b.Now()))
		page.WantText(t, `name="final" checked`)
		v.Submit(t, page.FormTo(t, "/account/email/change", "", ""), "final", "on").WantAt(t, "/account/email?done=mail-new")
		address, _ := providertest.LinkIn(t, newest(t, b, s, "new@example.org", confirmSubject))
		confirm := v.Get(t, address)
		confirm.WantText(t, "You can’t undo the change from there.")
		press(t, v, confirm, "verify").WantAt(t, "/account/email?done=changed")
		if m := newest(t, b, s, providertest.Alice, changedSubject); strings.Contains(m.Raw, "/link/") || strings.Contains(m.Text, "administrator changed") {
			t.Errorf("the mail to the old address:\n%s", m.Text)
		}
		if u := b.UserByEmail(t, "new@example.org"); u.ID != b.Alice.ID {
			t.Errorf("the new address belongs to %+v", u)
		}
	})
}

// A person who stole the password changes the address and then wants to add the first factor. The
// mailed link goes to the former address, whose owner undoes the change; the page names both facts.
func TestChange_StolenPasswordAddsNoFactorAfterIt(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(s))
		thief := b.Visitor(t)
		thief.Account(t, "/account")
		undoLink, _ := change(t, thief, s, providertest.Alice, "mallory@example.org")

		for _, path := range []string{"/account/security/totp", "/account/passkeys/add"} {
			page := thief.Get(t, b.Issuer+path)
			if page.At.Path != "/account/security/proof" {
				t.Fatalf("%s is at %s", path, page.At)
			}
			page.WantText(t, providertest.Alice, `id="former"`, b.Now().Add(7*24*time.Hour).UTC().Format("2 January 2006"))
		}
		sent := thief.Submit(t, thief.Get(t, b.Issuer+"/account/security/proof?for=totp").FormTo(t, "/account/security/proof", "", ""))
		sent.WantText(t, `id="sent"`, providertest.Alice)
		b.SendMails(t)
		for _, m := range s.Received() {
			if m.Header.Get("Subject") == providertest.EnrolmentSubject && !slices.Equal(m.To, []string{providertest.Alice}) {
				t.Errorf("the link is mailed to %s", m.To)
			}
		}
		undo(t, b.Visitor(t), undoLink)
		if isSignedIn(t, thief) {
			t.Error("the thief is still signed in")
		}
		has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
		if err != nil || has.Any() || len(b.PasskeysOf(t, b.Alice.ID)) != 0 {
			t.Errorf("factors %+v, %v", has, err)
		}
	})
}
