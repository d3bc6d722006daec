package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// keyOf returns the only security key of alice.
func keyOf(t *testing.T, b *providertest.Testbed) storage.Passkey {
	t.Helper()
	has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
	if err != nil || len(has.Keys) != 1 {
		t.Fatalf("factors %+v, %v, want one key", has, err)
	}
	return has.Keys[0]
}

// A new security key brings the recovery codes, is listed, can be renamed and removed, and each act is
// an event.
func TestSecurityKeys_AddRenameRemove(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := b.Visitor(t), b.SecurityKey(t)
		added := v.AddSecurityKey(t, a)
		added.WantText(t, "The security key was added. From now on, you’re asked for it", "codes-saved")
		if codes := providertest.CodesOn(added); len(codes) != 10 {
			t.Errorf("%d recovery codes", len(codes))
		}
		b.WantEvent(t, storage.FactorAdded, b.Alice.ID)
		id := keyOf(t, b).ID
		page := v.Account(t, "/account/security")
		page.WantText(t, "A security key", "You have 10 recovery codes left.")
		rename := page.FormTo(t, "/account/security/keys/rename", "key", id)
		v.Submit(t, rename, "name", "  My <b>key  ").WantText(t, "The security key has its new name.", "My &lt;b&gt;key")
		b.WantEvent(t, storage.FactorRenamed, b.Alice.ID)
		v.Submit(t, rename, "key", "crd_x").WantPage(t, http.StatusConflict, "stale_form")

		v.AddSecurityKey(t, b.SecurityKey(t)).WantText(t, "The security key was added. Your recovery codes stay valid.")
		page = v.Get(t, b.Issuer+"/account/security/keys/remove?key="+id)
		page.WantText(t, "Remove <bdi>My &lt;b&gt;key</bdi>?", "Your other second factors stay")
		remove := page.FormTo(t, "/account/security/keys/remove", "", "")
		v.Submit(t, remove).WantText(t, "The security key was removed.", "You have 10 recovery codes left.")
		b.WantEvent(t, storage.FactorRemoved, b.Alice.ID)
		v.Get(t, b.Issuer+"/account/security/keys/remove?key="+id).WantPage(t, http.StatusNotFound, "not_found")

		last := keyOf(t, b).ID
		page = v.Get(t, b.Issuer+"/account/security/keys/remove?key="+last)
		page.WantText(t, "your first way to sign in is enough", "Your recovery codes stop working.")
		done := v.Submit(t, page.FormTo(t, "/account/security/keys/remove", "", ""))
		if done.WantText(t, "The security key was removed."); strings.Contains(done.Body, "recovery codes left") {
			t.Error("codes are left without a factor")
		}
	})
}

// Adding a key ends all other sessions of the user and all grants.
func TestSecurityKeys_AddingEndsEverythingElse(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, other := b.Visitor(t), b.Visitor(t)
		tokens := b.Redeem(t, other.SignInForCode(t, "scope", "openid offline_access"))
		v.AddSecurityKey(t, b.SecurityKey(t))
		other.WantNoSession(t)
		providertest.WantOAuthError(t, b.TokenRequest(t, map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}), http.StatusBadRequest, "invalid_grant")
		v.Account(t, "/account")
	})
}

// A key can only be added with the answer to the challenge of the own page, once, and soon after a
// sign-in. A key of the account is excluded, and a discoverable one is not forgotten by the browser.
//
// MF-10: A challenge is for one session, user and purpose, and is used once.
func TestSecurityKeys_AddingNeedsOwnFreshChallenge(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f, data := v.Account(t, "/account/security/keys/add").PasskeyForm(t)
		if _, second := data["second"]; !second || data["exclude"] != "" || data["rp"] != "id.example.com" || data["passkey"] != "create" {
			t.Errorf("data of the form: %v", data)
		}
		answer := func(challenge string, change ...func(*passkeytest.Answer)) string {
			return b.SecurityKey(t).Create(t, challenge, "", change...)
		}
		passkeyForm, _ := v.Get(t, b.Issuer+"/account/passkeys/add").PasskeyForm(t)
		other, _ := b.Visitor(t).Account(t, "/account/security/keys/add").PasskeyForm(t)
		for what, sealed := range map[string]string{"another session": other.Values.Get("challenge"), "a new passkey": passkeyForm.Values.Get("challenge"), "none": ""} {
			if s := v.Submit(t, f, "challenge", sealed, "credential", answer(data["challenge"])); s.StatusCode != http.StatusConflict {
				t.Errorf("the challenge of %s: status %d", what, s.StatusCode)
			}
		}
		f, data = v.Account(t, "/account/security/keys/add").PasskeyForm(t)
		wrong := v.Submit(t, f, "credential", answer(data["challenge"], func(a *passkeytest.Answer) { a.Algorithm = 0 }))
		wrong.WantPage(t, http.StatusUnprocessableEntity, "key_refused")
		key := b.SecurityKey(t)
		made := key.Create(t, data["challenge"], "")
		if n := len(providertest.CodesOn(v.Submit(t, f, "credential", made))); n != 10 {
			t.Fatalf("%d codes", n)
		}
		if s := v.Submit(t, f, "credential", made); s.StatusCode != http.StatusConflict {
			t.Errorf("the form again: status %d", s.StatusCode)
		}
		handle := keyOf(t, b).Handle
		if _, data := v.Account(t, "/account/security/keys/add").PasskeyForm(t); data["exclude"] != handle {
			t.Errorf("excluded: %q, want %q", data["exclude"], handle)
		}
		v.Account(t, "/account/passkeys").WantText(t, `data-accepted="`+handle+`"`)
		b.Advance(time.Hour)
		if s := v.Get(t, b.Issuer+"/account/security/keys/add"); s.At.Path == "/account/security/keys/add" {
			t.Error("a key can be added an hour after the sign-in")
		}
	})
}
