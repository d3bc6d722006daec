package interaction_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// withOnlyAPasskey gives alice a proven passkey and no other second factor. Her browser is v.
func withOnlyAPasskey(t *testing.T, b *providertest.Testbed) (v *providertest.Visitor, own *passkeytest.Authenticator) {
	t.Helper()
	v, _ = withFactor(t, b)
	own = b.Authenticator(t)
	v.AddPasskey(t, own).WantAt(t, "/account/passkeys?done=passkey")
	remove := v.Account(t, "/account/security/totp/remove")
	v.Submit(t, remove.FormTo(t, "/account/security/totp/remove", "", "")).WantAt(t, "/account/security?done=no-totp")
	return v, own
}

// changeAlwaysAsk opens the page of the choice from the security page and confirms it.
func changeAlwaysAsk(t *testing.T, v *providertest.Visitor) providertest.Stop {
	t.Helper()
	page := v.Get(t, v.Account(t, "/account/security").Link(t, "change-always-ask"))
	return v.Submit(t, page.FormTo(t, "/account/security/always-ask", "", ""))
}

// The journey: a person with a passkey chooses to be asked for it. Then a password leads to the page for
// the second factor, where the passkey or a recovery code is enough, until the person takes the choice
// back. The other browsers are signed out each time.
func TestAlwaysAsk_PasswordLeadsToThePasskey(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, own := withOnlyAPasskey(t, b)
		v.Get(t, b.Issuer+"/account/security").WantText(t, "is enough to sign in. You can choose")
		codes := providertest.CodesOn(v.Submit(t, v.Account(t, "/account/security/codes").FormTo(t, "/account/security/codes", "", "")))
		other := b.Visitor(t)
		other.Account(t, "/account")
		on := changeAlwaysAsk(t, v)
		on.WantAt(t, "/account/security?done=always-ask")
		on.WantText(t, "From now on, you’re asked for your passkey at every sign-in.")
		other.WantNoSession(t)
		b.WantEvent(t, storage.AlwaysAskChanged, b.Alice.ID)

		w := b.Visitor(t)
		page := askedForCode(t, w, "acr_values", "phr")
		page.WantText(t, "Use a security key or passkey", "Recovery code")
		if strings.Contains(page.Body, `inputmode="numeric"`) {
			t.Error("the page asks for the code of an app, and there is none")
		}
		w.WantNoSession(t)
		acr, amr := tokensOf(t, w, w.UsePasskey(t, page, own))
		if acr != storage.ACRPhishingResistant || !slices.Contains(amr, "pwd") || !slices.Contains(amr, "pop") || !slices.Contains(amr, "mfa") {
			t.Errorf("acr %s, amr %q", acr, amr)
		}
		x := b.Visitor(t)
		if acr, amr := tokensOf(t, x, x.EnterCode(t, askedForCode(t, x), codes[0])); acr != storage.ACRTwoFactors || !slices.Equal(amr, []string{"mfa", "pwd"}) {
			t.Errorf("with a recovery code: acr %s, amr %q", acr, amr)
		}
		alone := b.Visitor(t)
		tokensOf(t, alone, alone.UsePasskey(t, alone.Get(t, b.AuthorizeURL()), own))

		changeAlwaysAsk(t, v).WantAt(t, "/account/security?done=not-always-ask")
		y := b.Visitor(t)
		if acr, _ := tokensOf(t, y, y.SignIn(t, y.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)); acr != storage.ACROneFactor {
			t.Errorf("after it was switched off: acr %s", acr)
		}
	})
}

// The form counts for its own session and choice, once, and soon after a sign-in. A person with an app
// or without a proven passkey sees no choice.
func TestAlwaysAsk_OnlyForWhomItMatters(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		bare := b.Visitor(t).Account(t, "/account/security")
		v, _ := withFactor(t, b)
		own := b.Authenticator(t)
		v.AddPasskey(t, own)
		for what, page := range map[string]providertest.Stop{"no passkey": bare, "an app": v.Account(t, "/account/security")} {
			if strings.Contains(page.Body, "change-always-ask") {
				t.Errorf("%s: the page offers the choice", what)
			}
		}
		v.Submit(t, v.Account(t, "/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", ""))
		f := v.Get(t, b.Issuer+"/account/security/always-ask").FormTo(t, "/account/security/always-ask", "", "")
		v.Submit(t, f, "choice", "off").WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, f, "ticket", "").WantPage(t, http.StatusConflict, "stale_form")
		b.Advance(time.Hour)
		if s := v.Submit(t, f); s.At.Path == b.Path("/account/security") {
			t.Error("the choice changed an hour after the sign-in")
		}
		if u, err := b.DB.User(t.Context(), b.Alice.ID); err != nil || u.AlwaysAskAt != 0 {
			t.Errorf("always asks since %d, %v", u.AlwaysAskAt, err)
		}
	})
}
