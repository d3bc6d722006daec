package account_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// The journey: add an app, keep the codes, make new codes, remove the app. Each change ends
// everything else, is told by mail and leaves its event.
func TestSecurity_AddAppNewCodesRemove(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		mails := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithMail(mails))
		v, other := b.Visitor(t), b.Visitor(t)
		other.Account(t, "/account")
		v.Account(t, "/account").WantText(t, "no second factor yet")
		v.Get(t, b.Issuer+"/account/security").WantText(t, "Your account has a password", `id="add-app"`)
		first := v.AddAuthenticator(t)
		if s := other.Get(t, b.Issuer+"/account"); s.At.Path != "/login" {
			t.Errorf("the other browser is still signed in, at %s", s.At)
		}
		v.Get(t, b.Issuer+"/account").WantText(t, "asked for a second factor")
		v.Get(t, b.Issuer+"/account/security").WantText(t, "You have 10 recovery codes left", `id="remove-totp"`)
		v.Get(t, b.Issuer+"/account/security/totp").WantAt(t, "/account/security?done=totp")

		page := v.Submit(t, v.Get(t, b.Issuer+"/account/security/codes").FormTo(t, "/account/security/codes", "", ""))
		codes := providertest.CodesOn(page)
		if len(codes) != 10 || slices.ContainsFunc(codes, func(c string) bool { return slices.Contains(first.Codes, c) }) {
			t.Errorf("new codes %v after %v", codes, first.Codes)
		}
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q of the codes", got)
		}
		asked := b.Visitor(t)
		form := asked.SignIn(t, asked.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		asked.EnterCode(t, form, first.Codes[0]).WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		asked.Allow(t, asked.EnterCode(t, form, codes[9])).Code(t)
		v.Get(t, b.Issuer+"/account/security").WantText(t, "You have 9 recovery codes left")

		ask := v.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", "")
		done := v.Submit(t, ask)
		done.WantAt(t, "/account/security?done=no-totp")
		done.WantText(t, `id="add-app"`)
		if strings.Contains(done.Body, "recovery code") {
			t.Errorf("recovery codes are left:\n%s", done.Body)
		}
		v.Submit(t, ask).WantPage(t, http.StatusConflict, "stale_form") // its session has ended
		asked.SignIn(t, asked.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)

		events := b.Events(t)
		for _, kind := range []storage.EventType{storage.FactorAdded, storage.FactorRemoved, storage.RecoveryCodesReplaced, storage.RecoveryCodeUsed} {
			if n := providertest.CountEvents(events, kind); n != 1 {
				t.Errorf("%d events %s, want 1", n, kind)
			}
		}
		b.SendMails(t)
		var subjects []string
		for _, m := range mails.Received() {
			subjects = append(subjects, m.Subject())
		}
		for _, want := range []string{"A second factor was added", "Your recovery codes were replaced", "A recovery code was used", "A second factor was removed"} {
			if !slices.Contains(subjects, want) {
				t.Errorf("no mail %q: %q", want, subjects)
			}
		}
		// MF-07, MF-09: neither secret nor codes are in the database, the log or a mail.
		places := map[string]string{"database": b.DumpDatabase(t), "log": b.Log.String()}
		for _, m := range mails.Received() {
			places["mails"] += m.Text
		}
		for place, text := range places {
			for _, secret := range append(append([]string{first.Secret}, codes...), first.Codes...) {
				if strings.Contains(text, secret) || strings.Contains(text, strings.ReplaceAll(secret, "-", "")) {
					t.Errorf("the %s contains %s", place, secret)
				}
			}
		}
	})
}

// A wrong first code keeps the secret, which the person has in the app already. Nothing is stored
// before the code is right, and the form belongs to its session.
func TestSecurity_OnlyAConfirmedAppIsStored(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account/security")
		page := v.Get(t, b.Issuer+"/account/security/totp")
		app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		for _, code := range []string{"", "12345", "abcdef", app.Code(t, b.Now().Add(-5*time.Minute))} {
			page = v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", code)
			page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
			if got := providertest.SecretOn(t, page); got != app.Secret {
				t.Fatalf("the secret became %s, want %s", got, app.Secret)
			}
		}
		if has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID); err != nil || has.Any() || len(has.Codes) != 0 {
			t.Fatalf("stored: %+v, %v", has, err)
		}
		// A form of a stranger, with a secret that the stranger knows, adds nothing.
		mallory := b.User(t, "mallory@example.com", providertest.Password)
		thief := b.Visitor(t)
		thief.SignIn(t, thief.Get(t, b.Issuer+"/account/security"), mallory.Email, providertest.Password)
		form := page.FormTo(t, "/account/security/totp", "", "")
		foreign := thief.Get(t, b.Issuer+"/account/security/totp")
		crossed := providertest.Form{Action: form.Action, Values: url.Values{
			"ticket": form.Values["ticket"], "secret": foreign.FormTo(t, "/account/security/totp", "", "").Values["secret"],
		}}
		known := providertest.Authenticator{Secret: providertest.SecretOn(t, foreign)}
		v.Submit(t, crossed, "code", known.Code(t, b.Now())).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, form, "secret", "x", "code", app.Code(t, b.Now())).WantPage(t, http.StatusConflict, "stale_form")
		// A session that is not fresh confirms first.
		page = v.Get(t, b.Issuer+"/account/security/totp")
		b.Advance(6 * time.Minute)
		app = providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		page = v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
		page.WantText(t, "Confirm it’s you before you change your second factors")
		v.SignIn(t, page, providertest.Alice, providertest.Password).WantAt(t, "/account/security/totp")
		v.AddAuthenticator(t)
	})
}
