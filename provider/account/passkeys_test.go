package account_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// A new passkey is listed, can be renamed and removed, and each act is an event.
func TestPasskeys_AddRenameRemove(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := b.Visitor(t), b.Authenticator(t)
		v.Account(t, "/account/passkeys").WantText(t, "You have no passkey yet.")
		v.AddPasskey(t, a).WantText(t, "The passkey was added.", "counts as one factor")
		b.WantEvent(t, storage.PasskeyAdded, b.Alice.ID)
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		page := v.Account(t, "/account/passkeys")
		rename := page.FormTo(t, "/account/passkeys/rename", "passkey", id)
		v.Submit(t, rename, "name", "  My <b>phone  ").WantText(t, "The passkey has its new name.", "My &lt;b&gt;phone")
		b.WantEvent(t, storage.PasskeyRenamed, b.Alice.ID)
		v.Submit(t, rename, "passkey", "crd_x").WantPage(t, http.StatusConflict, "stale_form")

		page = v.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id)
		page.WantText(t, "Remove <bdi>My &lt;b&gt;phone</bdi>?")
		remove := page.FormTo(t, "/account/passkeys/remove", "", "")
		v.Submit(t, remove).WantText(t, "The passkey was removed.", "You have no passkey yet.")
		b.WantEvent(t, storage.PasskeyRemoved, b.Alice.ID)
		v.Submit(t, remove).WantPage(t, http.StatusNotFound, "not_found")
		v.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).WantPage(t, http.StatusNotFound, "not_found")
		v.Submit(t, rename, "passkey", id).WantPage(t, http.StatusNotFound, "not_found")
	})
}

// Adding a passkey ends all other sessions of the user and all grants. The browser that added it
// stays signed in, with a new session.
func TestPasskeys_AddingEndsEverythingElse(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, other := b.Visitor(t), b.Visitor(t)
		tokens := b.Redeem(t, other.SignInForCode(t, "scope", "openid offline_access"))
		v.Account(t, "/account")
		before := v.Cookie(t, b.SessionCookie()).Value
		v.AddPasskey(t, b.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		other.WantNoSession(t)
		providertest.WantOAuthError(t, b.TokenRequest(t, map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}), http.StatusBadRequest, "invalid_grant")
		if v.Cookie(t, b.SessionCookie()).Value == before || len(b.SessionsOf(t, b.Alice.ID)) != 1 {
			t.Errorf("the browser has its old handle, or %d sessions are left", len(b.SessionsOf(t, b.Alice.ID)))
		}
		v.Account(t, "/account")
	})
}

// A passkey can only be added with the answer to the challenge of the own page, once, and soon
// after a sign-in.
//
// MF-10: A challenge is for one session, user and purpose, and is used once.
func TestPasskeys_AddingNeedsOwnFreshChallenge(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f, data := v.Account(t, "/account/passkeys/add").PasskeyForm(t)
		if data["exclude"] != "" || data["rp"] != "id.example.com" {
			t.Errorf("data of the form: %v", data)
		}
		answer := func(challenge string) string { return b.Authenticator(t).Create(t, challenge, b.Alice.ID) }

		// The challenge of another session of the same user, and of a sign-in page.
		second, _ := b.Visitor(t).Account(t, "/account/passkeys/add").PasskeyForm(t)
		signIn, _ := b.Visitor(t).Get(t, b.AuthorizeURL()).PasskeyForm(t)
		for what, sealed := range map[string]string{"another session": second.Values.Get("challenge"), "sign-in": signIn.Values.Get("challenge"), "none": ""} {
			s := v.Submit(t, f, "challenge", sealed, "credential", answer(data["challenge"]))
			if s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
				t.Errorf("%s: status %d", what, s.StatusCode)
			}
		}
		f, data = v.Account(t, "/account/passkeys/add").PasskeyForm(t)
		refused := v.Submit(t, f, "credential", b.Authenticator(t).Create(t, data["challenge"], b.Alice.ID, func(a *passkeytest.Answer) { a.ClientData["origin"] = "https://evil.example" }))
		refused.WantText(t, "The passkey wasn’t added")
		if refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("status %d, want 422", refused.StatusCode)
		}

		// The page that shows the refusal has a new challenge; the old one was not used up.
		credential := answer(data["challenge"])
		v.Submit(t, f, "credential", credential).WantAt(t, "/account/passkeys?done=passkey")
		v.Submit(t, f, "credential", answer(data["challenge"])).WantPage(t, http.StatusConflict, "stale_form")
		if n := len(b.PasskeysOf(t, b.Alice.ID)); n != 1 {
			t.Fatalf("%d passkeys, want 1", n)
		}

		// A passkey belongs to one account.
		bob := b.CreateUser(t, storage.User{Email: "bob@example.com", EmailVerified: true}, providertest.Password)
		w := b.Visitor(t)
		page := w.SignIn(t, w.Get(t, b.Issuer+"/account/passkeys/add"), bob.Email, providertest.Password)
		g, bobs := page.PasskeyForm(t)
		copied := b.Authenticator(t).Create(t, bobs["challenge"], bob.ID, func(a *passkeytest.Answer) { a.CredID = idOf(t, b, b.Alice.ID) })
		w.Submit(t, g, "credential", copied).WantText(t, "This passkey belongs to an account already.")

		// Six minutes later, the page asks for a new proof first.
		f, data = v.Account(t, "/account/passkeys/add").PasskeyForm(t)
		if data["exclude"] == "" {
			t.Error("the browser may make a second passkey on the same device")
		}
		b.Advance(6 * time.Minute)
		asked := v.Submit(t, f, "credential", answer(data["challenge"]))
		asked.WantText(t, "Confirm it’s you", "before you add or remove a passkey")
		v.SignIn(t, asked, providertest.Alice, providertest.Password).WantAt(t, "/account/passkeys/add")
	})
}

func idOf(t *testing.T, b *providertest.Testbed, userID string) []byte {
	t.Helper()
	return decode(t, b.PasskeysOf(t, userID)[0].Handle)
}

// An account has at most twenty passkeys.
func TestPasskeys_AccountHasAtMostTwenty(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for range storage.MostPasskeys - 1 {
			v.AddPasskey(t, b.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		}
		f, data := v.Account(t, "/account/passkeys/add").PasskeyForm(t)
		v.AddPasskey(t, b.Authenticator(t)).WantText(t, "as many passkeys as an account can have")
		if s := v.Submit(t, f, "credential", b.Authenticator(t).Create(t, data["challenge"], b.Alice.ID)); s.StatusCode != http.StatusConflict {
			t.Errorf("in the old session: status %d", s.StatusCode)
		}
		v.Get(t, b.Issuer+"/account/passkeys/add").WantText(t, "as many passkeys as an account can have")
		if n := len(b.PasskeysOf(t, b.Alice.ID)); n != storage.MostPasskeys {
			t.Errorf("%d passkeys", n)
		}
	}, providertest.WithIssuer(providertest.HTTPSIssuer))
}

// Removing a passkey ends the sessions that it opened and all grants of those, also offline ones.
// Other sessions go on.
func TestPasskeys_RemovingEndsWhatItOpened(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := b.Visitor(t), b.Authenticator(t)
		v.AddPasskey(t, a)
		withPassword, withPasskey := b.Visitor(t), b.Visitor(t)
		withPassword.Account(t, "/account")
		page := withPasskey.UsePasskey(t, withPasskey.Get(t, b.AuthorizeURL("scope", "openid offline_access")), a)
		tokens := b.Redeem(t, withPasskey.AnswerPages(t, page).Code(t))
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		remove := v.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).FormTo(t, "/account/passkeys/remove", "", "")
		v.Submit(t, remove).WantAt(t, "/account/passkeys?done=removed")
		withPasskey.WantNoSession(t)
		withPassword.Account(t, "/account")
		v.Account(t, "/account")
		providertest.WantOAuthError(t, b.TokenRequest(t, map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}), http.StatusBadRequest, "invalid_grant")
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
	})
}

// A user without a password cannot remove the last passkey; of two requests that remove the last
// two, one is refused.
func TestPasskeys_LastWayInCannotBeRemoved(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, upstreams := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), upstreams)
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "google", "ada"))
		ada := b.UserByEmail(t, providertest.AdaEmail)
		v.AddPasskey(t, b.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		v.AddPasskey(t, b.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		v.Submit(t, v.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)[0]).WantAt(t, "/account/identities?done=unlinked")
		var requests []*http.Request
		for _, p := range b.PasskeysOf(t, ada.ID) {
			page := v.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+p.ID)
			requests = append(requests, v.FormRequest(t, page.FormTo(t, "/account/passkeys/remove", "", "")))
		}
		answers := make([]string, 2)
		providertest.Race(2, func(i int) {
			answer := providertest.Do(t, v.Client, requests[i])
			answers[i] = answer.Body
			if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusConflict {
				t.Errorf("status %d: %s", answer.StatusCode, answer.Body)
			}
		})
		refused := slices.IndexFunc(answers, func(body string) bool { return strings.Contains(body, "last_way_in") })
		if refused < 0 || strings.Contains(answers[1-refused], "last_way_in") || len(b.PasskeysOf(t, ada.ID)) != 1 {
			t.Errorf("%d passkeys are left after the answers %q", len(b.PasskeysOf(t, ada.ID)), answers)
		}
	})
}

// The user is told of a passkey that was added or removed.
func TestPasskeys_AddingAndRemovingAreMailed(t *testing.T) {
	s := mailtest.Start(t)
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, before := b.Visitor(t), len(s.Received())
		authenticator := b.Authenticator(t)
		v.AddPasskey(t, authenticator)
		b.SendMails(t)
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		v = b.Visitor(t)
		v.UsePasskey(t, v.Get(t, b.Issuer+"/account"), authenticator).WantAt(t, "/account")
		v.Submit(t, v.Account(t, "/account/passkeys").FormTo(t, "/account/passkeys/rename", "passkey", id), "name", "Phone")
		v.Submit(t, v.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).FormTo(t, "/account/passkeys/remove", "", ""))
		b.SendMails(t)
		var all string
		for _, m := range s.Received()[before:] {
			all += m.Text
		}
		for _, want := range []string{"A passkey was added to your account", "The passkey Phone was removed from your account", b.Issuer + "/account/passkeys"} {
			if !strings.Contains(strings.Join(strings.Fields(all), " "), want) {
				t.Errorf("no mail says %q:\n%s", want, all)
			}
		}
	}, providertest.WithMail(s))
}

// Where browsers make no passkeys, the pages offer none and say why.
func TestPasskeys_AreNotOfferedAtIPAddress(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		if page := v.Get(t, b.AuthorizeURL()); strings.Contains(page.Body, "passkey") || strings.Contains(page.Body, "webauthn") || v.Cookie(t, "signet_passkey") != nil {
			t.Errorf("the sign-in page offers passkeys:\n%s", page.Body)
		}
		v.Account(t, "/account/passkeys").WantText(t, "can’t use passkeys at its present address")
		v.Account(t, "/account/passkeys/add").WantText(t, "can’t use passkeys at its present address")
	})
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Where mails are sent, an account with an unverified address gets neither a passkey nor an
// authenticator app, also if the form was open before. The page leads to the mail that verifies the
// address.
func TestFactors_NeedAVerifiedAddress(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(mailtest.Start(t)))
		v := b.Visitor(t)
		v.Account(t, "/account/security")
		app := v.ProveFirst(t, v.Get(t, b.Issuer+"/account/security/totp"))
		code := providertest.Authenticator{Secret: providertest.SecretOn(t, app)}.Code(t, b.Now())
		form, data := v.Get(t, b.Issuer+"/account/passkeys/add").PasskeyForm(t)
		answer := b.Authenticator(t).Create(t, data["challenge"], b.Alice.ID)
		unverified := false
		if _, err := b.DB.ReviseUser(t.Context(), storage.UserRevision{UserID: b.Alice.ID, Verified: &unverified, Revise: func(*storage.User) error { return nil }}, b.Now()); err != nil {
			t.Fatal(err)
		}
		for _, refused := range []providertest.Stop{
			v.Get(t, b.Issuer+"/account/security/totp"), v.Get(t, b.Issuer+"/account/passkeys/add"),
			v.Submit(t, app.FormTo(t, "/account/security/totp", "", ""), "code", code), v.Submit(t, form, "credential", answer),
		} {
			refused.WantPage(t, http.StatusForbidden, "unverified_email")
			refused.WantText(t, `href="/account/email"`)
		}
		if has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID); err != nil || has.Any() || len(b.PasskeysOf(t, b.Alice.ID)) != 0 {
			t.Errorf("factors were added: %+v, %v", has, err)
		}
	})
}

// After a move to another host, the old passkeys are shown as unusable and can be removed, and count
// for nothing else: the sign-in page and the step-up do not ask for them, and a new one can be added.
func TestPasskeys_OfFormerHostAreUnusable(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		old := b.Authenticator(t)
		b.Visitor(t).AddPasskey(t, old).WantAt(t, "/account/passkeys?done=passkey")
		lost := b.PasskeysOf(t, b.Alice.ID)[0]
		if _, err := b.DB.ReplaceRPID(t.Context(), "login.example.org", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		// A node that still runs at the old host adds no passkey.
		late := b.Visitor(t)
		late.AddPasskey(t, b.Authenticator(t)).WantText(t, "moving to another address")

		moved := *b
		moved.Serve(t, providertest.WithIssuer("https://login.example.org"))
		v := moved.Visitor(t)
		page := v.Account(t, "/account/passkeys")
		page.WantText(t, "belongs to a former address")
		if strings.Contains(page.Body, lost.Handle) {
			t.Error("the browser is told that the lost passkey is accepted")
		}
		v.AddPasskey(t, moved.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		if list := moved.PasskeysOf(t, moved.Alice.ID); len(list) != 2 || list[1].RPID != "login.example.org" {
			t.Fatalf("passkeys %+v", list)
		}
		page = v.Get(t, moved.Issuer+"/account/passkeys/remove?passkey="+lost.ID)
		v.Submit(t, page.FormTo(t, "/account/passkeys/remove", "", "")).WantText(t, "The passkey was removed.")
	})
}

// After a move, a recovery code stands for the confirmed passkey that was lost: a password alone changes
// no factor, and with the code the person adds a new one.
func TestPasskeys_CodesStandForALostOne(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		codes := providertest.CodesOn(b.Visitor(t).AddPasskey(t, b.Authenticator(t)))
		if len(codes) != 10 {
			t.Fatalf("codes %v", codes)
		}
		if _, err := b.DB.ReplaceRPID(t.Context(), "login.example.org", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		moved := *b
		moved.Serve(t, providertest.WithIssuer("https://login.example.org"))
		v := moved.Visitor(t)
		v.Account(t, "/account")
		page := v.Get(t, moved.Issuer+"/account/security/totp")
		app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		form := page.FormTo(t, "/account/security/totp", "", "")
		page = v.Submit(t, form, "code", app.Code(t, moved.Now()))
		page = v.Get(t, page.Link(t, "factor"))
		page.WantText(t, "recovery code")
		if strings.Contains(page.Body, "data-passkey=") {
			t.Error("the page asks for the lost passkey")
		}
		if n := factorsOf(t, &moved, moved.Alice.ID); n != 1 {
			t.Errorf("%d factors with the password alone", n)
		}
		page = v.EnterCode(t, page, codes[0])
		page.WantAt(t, "/account/security/totp")
		app = providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, moved.Now())).WantAt(t, "/account/security?done=app-added")
	}, providertest.WithMail(mailtest.Start(t)))
}

// With a parent domain as RP ID, a passkey is made and used for the parent, at exactly the origin of
// the issuer.
func TestPasskeys_BelongToParentDomain(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.Authenticator(t)
		b.Visitor(t).AddPasskey(t, a).WantText(t, "The passkey wasn’t added")
		a.RPID = "example.com"
		sibling := b.Authenticator(t)
		sibling.RPID, sibling.Origin = "example.com", "https://shop.example.com"
		b.Visitor(t).AddPasskey(t, sibling).WantText(t, "The passkey wasn’t added")
		b.Visitor(t).AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
		if list := b.PasskeysOf(t, b.Alice.ID); len(list) != 1 || list[0].RPID != "example.com" {
			t.Errorf("passkeys %+v", list)
		}
		v := b.Visitor(t)
		v.UsePasskey(t, v.Get(t, b.Issuer+"/login?return_to=/account"), a).WantAt(t, "/account")
	}, func(c *provider.Config) { c.PasskeyRPID = "example.com" })
}
