package interaction_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// eachEnrolling runs the test on both databases, with mails, as a client that requires this acr; "" for
// a server that requires a second factor of everybody.
func eachEnrolling(t *testing.T, acr string, f func(t *testing.T, b *providertest.Testbed)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer), providertest.WithMail(mailtest.Start(t)),
			func(c *provider.Config) { c.EveryFactor = acr == "" })
		f(t, b.AsClient(b.RegisterWith(t, storage.Web, "strict", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.RequireACR = []string{providertest.Callback}, true, acr
		})))
	})
}

// enrolPage signs Alice in for the application, and returns the page that asks for a factor.
func enrolPage(t *testing.T, v *providertest.Visitor) providertest.Stop {
	t.Helper()
	page := v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL()), providertest.Alice, providertest.Password)
	if page.At.Path != "/login/enrol" {
		t.Fatalf("the sign-in leads to %s, status %d:\n%s", page.At, page.StatusCode, page.Body)
	}
	return page
}

// proveIn opens the mailed link of the page, which leads back to the page.
func proveIn(t *testing.T, v *providertest.Visitor, page providertest.Stop) providertest.Stop {
	t.Helper()
	address, _ := v.EnrolmentLink(t, page)
	page = v.Submit(t, v.Get(t, address).FormTo(t, "/link/enrol", "", ""), "act", "confirm")
	if page.At.Path != "/login/enrol" {
		t.Fatalf("the link leads to %s", page.At)
	}
	return page
}

// A person without a second factor signs in to an application that needs one, or at a server that needs
// one: the sign-in mails a link, adds the app, shows the codes and goes on to the application.
func TestEnrol_AppWithinTheSignIn(t *testing.T) {
	for _, acr := range []string{storage.ACRTwoFactors, ""} {
		eachEnrolling(t, acr, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			page := enrolPage(t, v)
			page.WantText(t, `id="send-link"`, providertest.Alice)
			page = proveIn(t, v, page)
			page.WantText(t, `id="add-app"`, `id="add-passkey"`)
			page = v.Get(t, page.Link(t, "add-app"))
			app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
			codes := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
			if len(providertest.CodesOn(codes)) != 10 {
				t.Fatalf("no codes:\n%s", codes.Body)
			}
			next := codes.FormTo(t, "/account/security", "", "") // which is sent by GET
			tokens := b.Redeem(t, v.Get(t, next.Action+"?"+next.Values.Encode()).Code(t))
			if got := providertest.ClaimsOf(t, tokens["id_token"])["acr"]; got != storage.ACRTwoFactors {
				t.Errorf("acr %v", got)
			}
		})
	}
}

// A passkey is the factor: the person saves the recovery codes and uses it once, and the application gets what it required.
func TestEnrol_PasskeyWithinTheSignIn(t *testing.T) {
	for _, acr := range []string{storage.ACRPhishingResistant, ""} {
		eachEnrolling(t, acr, func(t *testing.T, b *providertest.Testbed) {
			v, authenticator := b.Visitor(t), b.Authenticator(t)
			page := proveIn(t, v, enrolPage(t, v))
			if app := strings.Contains(page.Body, `id="add-app"`); app == (acr == storage.ACRPhishingResistant) {
				t.Errorf("acr %q: the page offers an app: %v", acr, app)
			}
			form, data := v.Get(t, page.Link(t, "add-passkey")).PasskeyForm(t)
			codes := v.Submit(t, form, "credential", authenticator.Create(t, data["challenge"], b.Alice.ID))
			next := codes.FormTo(t, "/account/security", "", "") // which is sent by GET
			asked := v.Get(t, next.Action+"?"+next.Values.Encode())
			tokens := b.Redeem(t, v.UsePasskey(t, asked, authenticator).Code(t))
			want := acr
			if want == "" { // nobody asked for more
				want = storage.ACRTwoFactors
			}
			if got := providertest.ClaimsOf(t, tokens["id_token"])["acr"]; got != want {
				t.Errorf("acr %v, want %s", got, want)
			}
		})
	}
}

// An account with a passkey that nothing has proven offers it after the mailed link, and not before: the
// sign-in with it proves it, and the application gets what it required.
func TestEnrol_UsesThePasskeyOfTheAccount(t *testing.T) {
	eachEnrolling(t, storage.ACRPhishingResistant, func(t *testing.T, b *providertest.Testbed) {
		v, own := b.Visitor(t), b.Authenticator(t)
		f, data := v.Get(t, b.PasskeyLink(t, b.Alice.ID)).PasskeyForm(t)
		v.Submit(t, f, "credential", own.Create(t, data["challenge"], b.Alice.ID)).WantAt(t, "/link/passkey?done=passkey")
		page := enrolPage(t, v)
		if strings.Contains(page.Body, "data-passkey=") {
			t.Error("the page offers the passkey before the mailed link")
		}
		page = proveIn(t, v, page)
		page.WantText(t, "a passkey that isn’t confirmed yet", `id="add-passkey"`)
		tokens := b.Redeem(t, v.UsePasskey(t, page, own).Code(t))
		if got := providertest.ClaimsOf(t, tokens["id_token"])["acr"]; got != storage.ACRPhishingResistant {
			t.Errorf("acr %v", got)
		}
		if list := b.PasskeysOf(t, b.Alice.ID); len(list) != 1 || list[0].ProvenAt == 0 {
			t.Errorf("passkeys %+v, want one that is proven", list)
		}
	})
}

// Whoever cancels goes back to the application with an error. Without a sign-in the page shows the
// sign-in, and afterwards it leads on.
func TestEnrol_CancelAndOtherStates(t *testing.T) {
	eachEnrolling(t, storage.ACRTwoFactors, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := enrolPage(t, v)
		b.Visitor(t).Get(t, page.At.String()).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, page.FormTo(t, "/decline", "", "")).WantError(t, "access_denied")

		other := b.Visitor(t)
		other.Account(t, "/account")
		other.AddAuthenticator(t)
		if got := other.Get(t, page.At.String()); got.LeftTo == nil {
			t.Errorf("with a factor the page leads to %s", got.At)
		}
	})
}

// An acr of the request asks for a factor that the person has, and never opens the enrolment.
func TestEnrol_NeverForTheWishOfARequest(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)))
		for _, pairs := range [][]string{
			{"acr_values", storage.ACRTwoFactors}, {"claims", `{"id_token":{"acr":{"essential":true,"value":"urn:signet:2fa"}}}`},
		} {
			v := b.Visitor(t)
			page := v.SignIn(t, v.Get(t, b.AuthorizeURL(pairs...)), providertest.Alice, providertest.Password)
			if page.At != nil && page.At.Path == "/login/enrol" {
				t.Errorf("%q opens the enrolment", pairs)
			}
		}
		if has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID); err != nil || has.Any() {
			t.Errorf("factors %+v, %v", has, err)
		}
	})
}

// Without mails nothing proves a first passkey, so the page does not offer one. Where only a passkey is
// strong enough, the app comes first and then the passkey, which is proven by it.
func TestEnrol_OffersNoPasskeyThatLeadsBack(t *testing.T) {
	for _, acr := range []string{storage.ACRPhishingResistant, storage.ACRTwoFactors} {
		storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
			b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
			b = b.AsClient(b.RegisterWith(t, storage.Web, "strict", func(c *storage.Client) {
				c.Metadata.RedirectURIs, c.SkipConsent, c.RequireACR = []string{providertest.Callback}, true, acr
			}))
			v := b.Visitor(t)
			page := enrolPage(t, v)
			if strings.Contains(page.Body, `id="add-passkey"`) {
				t.Errorf("%s: the page offers a passkey that is not proven", acr)
			}
			page.Link(t, "add-key") // a key needs no such proof
			page = v.Get(t, page.Link(t, "add-app"))
			app := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
			codes := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", app.Code(t, b.Now()))
			next := codes.FormTo(t, "/account/security", "", "")
			page = v.Get(t, next.Action+"?"+next.Values.Encode())
			if acr == storage.ACRPhishingResistant {
				if page.At == nil || page.At.Path != "/login/enrol" || strings.Contains(page.Body, `id="add-app"`) {
					t.Fatalf("after the app: at %v, status %d:\n%s", page.At, page.StatusCode, page.Body)
				}
				authenticator := b.Authenticator(t)
				form, data := v.Get(t, page.Link(t, "add-passkey")).PasskeyForm(t)
				asked := v.Submit(t, form, "credential", authenticator.Create(t, data["challenge"], b.Alice.ID))
				page = v.UsePasskey(t, asked, authenticator)
			}
			if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["acr"]; got != acr {
				t.Errorf("acr %v, want %s", got, acr)
			}
		})
	}
}

// A security key is a second factor after the password: it needs no other factor first, also without mails,
// and reaches what only a passkey reaches otherwise.
func TestEnrol_SecurityKeyWithinTheSignIn(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
		b = b.AsClient(b.RegisterWith(t, storage.Web, "strict", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.RequireACR = []string{providertest.Callback}, true, storage.ACRPhishingResistant
		}))
		v, key := b.Visitor(t), b.SecurityKey(t)
		form, data := v.Get(t, enrolPage(t, v).Link(t, "add-key")).PasskeyForm(t)
		codes := v.Submit(t, form, "credential", key.Create(t, data["challenge"], ""))
		next := codes.FormTo(t, "/account/security", "", "")
		page := v.Get(t, next.Action+"?"+next.Values.Encode())
		page = v.UsePasskey(t, v.Get(t, page.Link(t, "factor")), key)
		if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["acr"]; got != storage.ACRPhishingResistant {
			t.Errorf("acr %v", got)
		}
	})
}
