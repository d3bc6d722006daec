package recovery_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// create fills in the form for a passkey.
func create(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, page providertest.Stop, a *passkeytest.Authenticator) providertest.Stop {
	t.Helper()
	f, data := page.PasskeyForm(t)
	return v.Submit(t, f, "credential", a.Create(t, data["challenge"], b.Alice.ID))
}

// A person without a second factor adds a passkey by a link of an operator, is signed in nowhere, and
// signs in with the passkey then. It has one factor, since a password stands beside it.
func TestPasskeyLink_AddsAPasskey(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		signedIn := b.Visitor(t)
		signedIn.Account(t, "/account")
		v, a, address := b.Visitor(t), b.Authenticator(t), b.PasskeyLink(t, b.Alice.ID)
		for range 2 { // GET spends nothing
			v.Get(t, address).WantText(t, "Add a passkey", b.Alice.Email, "JavaScript")
		}
		done := create(t, b, v, v.Get(t, address), a)
		done.WantAt(t, "/link/passkey?done=passkey")
		done.WantText(t, "Passkey added", "Sign in with your new passkey", `href="/login"`)
		b.WantEvent(t, storage.PasskeyRequested, b.Alice.ID)
		b.WantEvent(t, storage.PasskeyAdded, b.Alice.ID)
		b.WantEvent(t, storage.SessionsEnded, b.Alice.ID)
		signedIn.WantNoSession(t)
		if n := len(b.SessionsOf(t, b.Alice.ID)); n != 0 {
			t.Errorf("%d sessions after the link, want none", n)
		}
		v.Get(t, address).WantPage(t, http.StatusGone, "link_used")
		list := b.PasskeysOf(t, b.Alice.ID)
		if len(list) != 1 || list[0].ProvenAt != 0 {
			t.Fatalf("passkeys %+v, want one that is not proven", list)
		}
		v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a)
		if n := len(b.SessionsOf(t, b.Alice.ID)); n != 1 {
			t.Errorf("%d sessions after the sign-in, want 1", n)
		}
	})
}

// A person with an authenticator app gives a code first. It is used up with the link and not before.
// Without it, or with that of another link, there is no passkey. The passkey is proven.
func TestPasskeyLink_AsksForTheSecondFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner := b.Visitor(t)
		owner.Account(t, "/account")
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t)
		address := b.PasskeyLink(t, b.Alice.ID)
		page := v.Get(t, address)
		page.WantText(t, "authenticator app")
		if strings.Contains(page.Body, "data-passkey=") {
			t.Fatal("the page offers a passkey before the code")
		}
		code := page.FormTo(t, "/link/passkey", "", "")
		v.Submit(t, code, "code", app.Code(t, b.Now().Add(time.Hour))).WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		b.WantEvent(t, storage.UserSignInFailed, b.Alice.ID)

		given := v.Submit(t, code, "code", app.Codes[0])
		f, data := given.PasskeyForm(t)
		if codes := codesOf(t, b); codes != 10 {
			t.Errorf("%d recovery codes are left before the passkey, want 10", codes)
		}
		answer := b.Authenticator(t).Create(t, data["challenge"], b.Alice.ID)
		bare := providertest.Form{Action: f.Action, Values: map[string][]string{"link": f.Values["link"], "challenge": f.Values["challenge"]}}
		v.Submit(t, bare, "credential", answer).WantText(t, "authenticator app")
		if list := b.PasskeysOf(t, b.Alice.ID); len(list) != 0 {
			t.Fatalf("passkeys without a code: %+v", list)
		}

		newer := v.Get(t, b.PasskeyLink(t, b.Alice.ID))
		v.Get(t, address).WantPage(t, http.StatusGone, "link_replaced")
		v.Get(t, newer.At.String()+"&factor="+f.Values.Get("factor")).WantText(t, "authenticator app")

		a := b.Authenticator(t)
		given = v.Submit(t, newer.FormTo(t, "/link/passkey", "", ""), "code", app.Codes[0])
		create(t, b, v, given, a).WantText(t, "Passkey added")
		list := b.PasskeysOf(t, b.Alice.ID)
		if len(list) != 1 || list[0].ProvenAt == 0 {
			t.Errorf("passkeys %+v, want one that is proven", list)
		}
		if codes := codesOf(t, b); codes != 9 {
			t.Errorf("%d recovery codes are left, want 9", codes)
		}
		b.WantEvent(t, storage.RecoveryCodeUsed, b.Alice.ID)
	})
}

// An account with a security key or a proven passkey asks for it first, beside a code. Its answer counts
// for this link only, and once: the passkey is proven then. A key of another account, and a challenge of
// another link, are refused.
func TestPasskeyLink_TakesAKeyAsSecondFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, own := b.Visitor(t), b.SecurityKey(t)
		owner.Account(t, "/account")
		owner.AddSecurityKey(t, own)
		other := b.User(t, "bob@example.com", providertest.Password)
		stranger, foreign := b.Visitor(t), b.SecurityKey(t)
		stranger.SignIn(t, stranger.Get(t, b.Issuer+"/account"), other.Email, providertest.Password)
		stranger.AddSecurityKey(t, foreign)

		v := b.Visitor(t)
		older := v.Get(t, b.PasskeyLink(t, b.Alice.ID))
		page := v.Get(t, b.PasskeyLink(t, b.Alice.ID))
		page.WantText(t, "touch the key", "Ask the operator")
		f, data := page.PasskeyForm(t)
		if f.Values.Get("way") != "key" {
			t.Fatalf("the page offers a new passkey before the second factor: %v", f.Values)
		}
		old, _ := older.PasskeyForm(t)
		moved := providertest.Form{Action: f.Action, Values: map[string][]string{"link": f.Values["link"], "way": {"key"}, "challenge": old.Values["challenge"]}}
		v.Submit(t, moved, "credential", own.Get(t, data["challenge"])).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, f, "credential", foreign.Get(t, data["challenge"])).WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")

		answer := own.Get(t, data["challenge"])
		first, second := v.Submit(t, f, "credential", answer), v.Submit(t, f, "credential", answer)
		a := b.Authenticator(t)
		create(t, b, v, first, a).WantText(t, "Passkey added")
		if list := b.PasskeysOf(t, b.Alice.ID); len(list) != 1 || list[0].ProvenAt == 0 {
			t.Errorf("passkeys %+v, want one that is proven", list)
		}
		create(t, b, v, second, b.Authenticator(t)).WantPage(t, http.StatusGone, "link_used")

		page = v.Get(t, b.PasskeyLink(t, b.Alice.ID))
		page.WantText(t, "security key or passkey that you have")
		create(t, b, v, v.UsePasskey(t, page, a), b.Authenticator(t)).WantText(t, "Passkey added")
	})
}

// A key that is removed after its answer, and before the new passkey, proves nothing: its removal ends the
// link.
func TestPasskeyLink_RemovedKeyProvesNothing(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, lost := b.Visitor(t), b.SecurityKey(t)
		owner.Account(t, "/account")
		owner.AddSecurityKey(t, lost)
		owner.AddSecurityKey(t, b.SecurityKey(t))
		v := b.Visitor(t)
		given := v.UsePasskey(t, v.Get(t, b.PasskeyLink(t, b.Alice.ID)), lost)
		has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		remove := owner.Account(t, "/account/security/keys/remove?key="+has.Keys[0].ID)
		owner.Submit(t, remove.FormTo(t, "/account/security/keys/remove", "", ""))
		create(t, b, v, given, b.Authenticator(t)).WantPage(t, http.StatusGone, "link_ended")
		if list := b.PasskeysOf(t, b.Alice.ID); len(list) != 0 {
			t.Errorf("passkeys %+v", list)
		}
	})
}

func codesOf(t *testing.T, b *providertest.Testbed) int {
	t.Helper()
	has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	return len(has.Codes)
}

// The challenge belongs to the link and to this purpose, and an answer of another page is refused.
//
// MF-10: a challenge is for one link, user and purpose.
func TestPasskeyLink_TakesItsOwnChallengeOnly(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		added, _ := b.Visitor(t).Account(t, "/account/passkeys/add").PasskeyForm(t)
		older, _ := v.Get(t, b.PasskeyLink(t, b.Alice.ID)).PasskeyForm(t)
		f, data := v.Get(t, b.PasskeyLink(t, b.Alice.ID)).PasskeyForm(t)
		for what, sealed := range map[string]string{"account page": added.Values.Get("challenge"), "older link": older.Values.Get("challenge"), "none": ""} {
			foreign := providertest.Form{Action: f.Action, Values: map[string][]string{"link": f.Values["link"], "challenge": {sealed}}}
			got := v.Submit(t, foreign, "credential", b.Authenticator(t).Create(t, data["challenge"], b.Alice.ID))
			if got.StatusCode != http.StatusConflict || !strings.Contains(got.Body, "stale_form") {
				t.Errorf("challenge of %s: status %d", what, got.StatusCode)
			}
		}
		wrong := v.Submit(t, f, "credential", b.Authenticator(t).Create(t, "AAAA", b.Alice.ID))
		wrong.WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")
		create(t, b, v, wrong, b.Authenticator(t)).WantText(t, "Passkey added")
	})
}

// A person who lost a proven passkey and has no recovery code is told to ask the operator. After the
// operator has reset the factors, a new link asks for none.
func TestPasskeyLink_NamesTheOperatorWithoutAFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner := b.Visitor(t)
		owner.Account(t, "/account")
		owner.AddAuthenticator(t)
		owner.AddPasskey(t, b.Authenticator(t))
		has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
		if err != nil || len(has.Passkeys) != 1 {
			t.Fatalf("%+v, %v, want a proven passkey", has, err)
		}
		remove := owner.Account(t, "/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", "")
		owner.Submit(t, remove)
		for _, code := range has.Codes {
			use := linkedUse(t, b, code)
			if err := b.DB.AddPasskeyByLink(t.Context(), use, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		v := b.Visitor(t)
		v.Get(t, b.PasskeyLink(t, b.Alice.ID)).WantText(t, "Ask the operator")
		if _, err := b.DB.ResetFactors(t.Context(), storage.FactorReset{UserID: b.Alice.ID}, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Advance(time.Second)
		create(t, b, v, v.Get(t, b.PasskeyLink(t, b.Alice.ID)), b.Authenticator(t)).WantText(t, "Passkey added")
	})
}

// linkedUse uses up a recovery code.
func linkedUse(t *testing.T, b *providertest.Testbed, code []byte) storage.LinkedPasskey {
	t.Helper()
	b.Advance(time.Second)
	l, err := b.DB.IssuePasskeyLink(t.Context(), storage.PasskeyLink{UserID: b.Alice.ID, Reason: "by_administrator", Unproven: storage.KeepAttached}, storage.By{At: b.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return storage.LinkedPasskey{
		Link: l.Ref(), UserID: b.Alice.ID, ChallengeID: storage.NewID("c"), Until: storage.At(b.Now().Add(time.Hour)), Factor: &storage.FactorUse{CodeHash: code},
		Passkey: storage.Passkey{Handle: storage.NewID("h"), RPID: "id.example.com", PublicKey: []byte("key")},
	}
}

// A link for a passkey is not for a password, and a notice tells the user.
func TestPasskeyLink_TellsTheUser(t *testing.T) {
	mails := mailtest.Start(t)
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		create(t, b, v, v.Get(t, b.PasskeyLink(t, b.Alice.ID)), b.Authenticator(t)).WantText(t, "Passkey added")
		b.SendMails(t)
		if !slices.ContainsFunc(mails.Received(), func(m mailtest.Mail) bool { return strings.Contains(m.Subject(), "passkey") }) {
			t.Error("no mail tells of the passkey")
		}
	}, providertest.WithMail(mails))
}
