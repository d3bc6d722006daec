package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// proofPage signs a browser in and returns the page that asks whether to mail the link.
func proofPage(t *testing.T, v *providertest.Visitor) providertest.Stop {
	t.Helper()
	v.Account(t, "/account/security")
	page := v.Get(t, v.Bed.Issuer+"/account/security/totp")
	page.WantAt(t, "/account/security/proof?for=totp")
	return page
}

func eachWithMail(t *testing.T, f func(t *testing.T, b *providertest.Testbed)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		f(t, providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(mailtest.Start(t))))
	})
}

// factorsOf returns how many second factors and passkeys a user has.
func factorsOf(t *testing.T, b *providertest.Testbed, userID string) int {
	t.Helper()
	has, err := b.DB.SecondFactorsOf(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	n := len(b.PasskeysOf(t, userID))
	if has.TOTP != nil {
		n++
	}
	return n
}

// The first factor begins with a mailed link, which leads back to the page that the person wanted. The
// link is in no place that others can read, works once, and only in the own browser.
func TestFirstFactor_BeginsWithAMailedLink(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := proofPage(t, v)
		page.WantText(t, "Check your mail first", providertest.Alice)
		address, sealed := v.EnrolmentLink(t, page)
		opened := v.Get(t, address)
		opened.WantText(t, `id="go-on"`, providertest.Alice)
		v.Get(t, b.Issuer+"/account/security/totp").WantAt(t, "/account/security/proof?for=totp") // opening changes nothing
		v.Submit(t, opened.FormTo(t, "/link/enrol", "", ""), "act", "confirm").WantAt(t, "/account/security/totp")
		v.Get(t, address).WantPage(t, http.StatusGone, "link_used")
		b.WantNowhere(t, sealed)
		b.WantEvent(t, storage.EnrolmentRequested, b.Alice.ID)
		b.WantEvent(t, storage.EnrolmentConfirmed, b.Alice.ID)
		v.AddAuthenticator(t)
		if n := factorsOf(t, b, b.Alice.ID); n != 1 {
			t.Errorf("%d factors", n)
		}
	})
}

// A stolen password: the thief signs in, asks for the mail, and cannot open its link. Neither the pages
// nor a form of another session adds a factor.
func TestFirstFactor_StolenPasswordAddsNone(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		owner, thief := b.Visitor(t), b.Visitor(t)
		page := proofPage(t, thief)
		address, _ := thief.EnrolmentLink(t, page)

		// The owner opens the link, in a browser that is signed in: it counts there only.
		owner.Account(t, "/account")
		owner.Submit(t, owner.Get(t, address).FormTo(t, "/link/enrol", "", ""), "act", "confirm").WantAt(t, "/account/security/totp")
		form := owner.Get(t, b.Issuer+"/account/security/totp").FormTo(t, "/account/security/totp", "", "")
		for _, path := range []string{"/account/security/totp", "/account/passkeys/add"} {
			if got := thief.Get(t, b.Issuer+path); got.At.Path != "/account/security/proof" {
				t.Errorf("%s of the thief is at %s", path, got.At)
			}
		}
		thief.Submit(t, form, "code", "123456").WantPage(t, http.StatusConflict, "stale_form")
		if n := factorsOf(t, b, b.Alice.ID); n != 0 {
			t.Errorf("%d factors", n)
		}
	})
}

// A forwarded link: in a browser that is not signed in to the account it leads to the sign-in, in one
// of another account it does nothing, and it adds no factor to that account.
func TestFirstFactor_ForwardedLinkOpensNothing(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		mallory := b.User(t, "mallory@example.com", providertest.Password)
		attacker := b.Visitor(t)
		attacker.SignIn(t, attacker.Get(t, b.Issuer+"/account"), mallory.Email, providertest.Password)
		address, sealed := attacker.EnrolmentLink(t, attacker.Get(t, b.Issuer+"/account/security/proof?for=totp"))

		victim := b.Visitor(t)
		victim.Account(t, "/account")
		page := victim.Get(t, address)
		page.WantText(t, "signed in to another account")
		for _, act := range []string{"confirm", "sign-in"} {
			victim.Submit(t, page.FormTo(t, "/link/enrol", "", ""), "act", act).WantPage(t, http.StatusConflict, "stale_form")
		}
		victim.Get(t, b.Issuer+"/account/security/totp").WantAt(t, "/account/security/proof?for=totp")

		stranger := b.Visitor(t)
		page = stranger.Get(t, address)
		page.WantText(t, `id="sign-in"`)
		stranger.Submit(t, page.FormTo(t, "/link/enrol", "", ""), "act", "confirm").WantPage(t, http.StatusConflict, "stale_form")
		login := stranger.Submit(t, page.FormTo(t, "/link/enrol", "", ""), "act", "sign-in")
		if login.At.Path != "/login" || strings.Contains(login.At.String(), sealed) {
			t.Fatalf("the sign-in is at %s", login.At)
		}
		back := stranger.SignIn(t, login, mallory.Email, providertest.Password)
		back.WantText(t, `id="go-on"`)
		stranger.Submit(t, back.FormTo(t, "/link/enrol", "", ""), "act", "confirm").WantAt(t, "/account/security/totp")
		if n := factorsOf(t, b, b.Alice.ID) + factorsOf(t, b, mallory.ID); n != 0 {
			t.Errorf("%d factors", n)
		}
	})
}

// A hijacked session, in which the sign-in is long ago: the thief can have mails sent to the owner, and
// gets no factor, not even if the owner opens the link in that very session.
func TestFirstFactor_OldSessionConfirmsFirst(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		b.Advance(time.Hour)
		page := v.ProveFirst(t, v.Get(t, b.Issuer+"/account/security/totp"))
		if page.At.Path != "/login" {
			t.Fatalf("an old session is at %s", page.At)
		}
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		page.WantAt(t, "/account/security/totp") // the proof lasts through the confirmation
		b.Advance(storage.AddressProofLife + time.Second)
		page = v.SignIn(t, v.Get(t, b.Issuer+"/account/password"), providertest.Alice, providertest.Password)
		v.Get(t, b.Issuer+"/account/security/totp").WantAt(t, "/account/security/proof?for=totp")
	})
}

// A form that was open when the proof became too old adds nothing and names the way on.
func TestFirstFactor_FormOutlivesTheProof(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.ProveFirst(t, proofPage(t, v))
		page.WantAt(t, "/account/security/totp")
		b.Advance(29 * time.Minute)
		page = v.SignIn(t, v.Get(t, b.Issuer+"/account/security/totp"), providertest.Alice, providertest.Password)
		app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		b.Advance(2 * time.Minute)
		refused := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
		refused.WantPage(t, http.StatusForbidden, "address_proof_due")
		refused.WantText(t, `href="/account/security/proof?for=totp"`)
		if n := factorsOf(t, b, b.Alice.ID); n != 0 {
			t.Errorf("%d factors", n)
		}
	})
}

// RC-10: the mails are limited, as those to any address. A dead link leads to the page of the factors.
func TestFirstFactor_MailsAreLimitedAndDeadLinksLeadOn(t *testing.T) {
	eachWithMail(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := proofPage(t, v)
		form := page.FormTo(t, "/account/security/proof", "", "")
		address, _ := v.EnrolmentLink(t, page)
		for range 2 {
			v.Submit(t, form).WantText(t, `id="sent"`)
		}
		refused := v.Submit(t, form)
		refused.WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		refused.WantText(t, "Try again in 15 minutes.")
		dead := v.Get(t, address)
		dead.WantPage(t, http.StatusGone, "link_replaced")
		if to := dead.Link(t, "start"); to != b.Issuer+"/account/security" {
			t.Errorf("the page leads to %s", to)
		}
		for _, wrong := range []string{"", "AAAA", "\x00"} {
			v.Get(t, b.Issuer+"/link/enrol?"+url.Values{"link": {wrong}}.Encode()).WantPage(t, http.StatusBadRequest, "link_invalid")
		}
		b.Advance(31 * time.Minute)
		v.SignIn(t, v.Get(t, b.Issuer+"/account/password"), providertest.Alice, providertest.Password)
		address, _ = v.EnrolmentLink(t, v.Get(t, b.Issuer+"/account/security/proof?for=totp"))
		b.Advance(30 * time.Minute)
		v.Get(t, address).WantPage(t, http.StatusGone, "link_expired")
	})
}

// A person who has only GitHub, which cannot ask anew, adds the first factor with the mailed link as fresh
// proof. After five minutes the form leads to another link instead of a sign-in that is not possible.
func TestFirstFactor_OfAPersonWhoHasOnlyGitHub(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, upstreams := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend, upstreams, providertest.WithMail(mailtest.Start(t)))
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "github", "octo"))
		octo := b.UserByEmail(t, providertest.OctoEmail)
		page := v.ProveFirst(t, v.Get(t, b.Issuer+"/account/security/totp"))
		page.WantAt(t, "/account/security/totp")
		b.Advance(6 * time.Minute)
		app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		late := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
		late.WantPage(t, http.StatusForbidden, "address_proof_due")
		page = v.ProveFirst(t, v.Get(t, late.Link(t, "start")))
		app = providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		codes := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
		if n := factorsOf(t, b, octo.ID); n != 1 || len(providertest.CodesOn(codes)) != 10 {
			t.Errorf("%d factors, codes %v", n, providertest.CodesOn(codes))
		}
	})
}

// A person with a proven passkey and no other factor sees how many recovery codes are left, and makes new
// ones.
func TestSecurity_CodesOfAProvenPasskey(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := b.Visitor(t), b.Authenticator(t)
		first := providertest.CodesOn(v.AddPasskey(t, a))
		v = b.Visitor(t)
		v.UsePasskey(t, v.Get(t, b.Issuer+"/login"), a)
		page := v.Get(t, b.Issuer+"/account/security")
		page.WantText(t, `id="codes-left"`, "You have 10 recovery codes left.")
		page = v.Get(t, page.Link(t, "new-codes"))
		next := providertest.CodesOn(v.Submit(t, page.FormTo(t, "/account/security/codes", "", "")))
		if len(first) != 10 || len(next) != 10 || first[0] == next[0] {
			t.Errorf("codes %v, then %v", first, next)
		}
	}, providertest.WithMail(mailtest.Start(t)))
}

// A passkey that is the first factor belongs to the owner who has just opened the mailed link: a
// sign-in with it resists phishing from the beginning. Where no mails are sent it is one factor.
func TestFirstPasskey_IsProvenByTheMailedLink(t *testing.T) {
	for _, mails := range []bool{true, false} {
		options := []providertest.Option{}
		if mails {
			options = append(options, providertest.WithMail(mailtest.Start(t)))
		}
		providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			added := v.AddPasskey(t, b.Authenticator(t))
			if mails {
				added.WantText(t, "The passkey was added.", `id="codes"`)
			} else {
				added.WantAt(t, "/account/passkeys?done=passkey")
			}
			has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
			if err != nil || (len(has.Codes) == 10) != mails {
				t.Errorf("mails %v: %d codes, %v", mails, len(has.Codes), err)
			}
			list := b.PasskeysOf(t, b.Alice.ID)
			if len(list) != 1 || (list[0].ProvenAt != 0) != mails {
				t.Errorf("mails %v: passkeys %+v", mails, list)
			}
		}, options...)
	}
}
