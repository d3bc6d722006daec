package templates_test

import (
	"testing"

	"signet/templates"
)

// Scripts and password managers use these names of the account pages.
func TestAccount_KeepsItsNames(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for _, want := range []struct {
		sample, id string
		attributes map[string]string
	}{
		{"account", "sign-out", map[string]string{"href": "/auth/end_session"}},
		{"account-profile", "profile", map[string]string{"method": "post", "action": "/auth/account/profile"}},
		{"account-profile", "save", map[string]string{"type": "submit"}},
		{"account-profile-wrong", "zoneinfo", map[string]string{"aria-invalid": "true", "aria-describedby": "zoneinfo-wrong zoneinfo-hint", "value": "London"}},
		{"account-password", "password-form", map[string]string{"method": "post", "action": "/auth/account/password"}},
		{"account-password", "current-password", map[string]string{"name": "current-password", "type": "password", "autocomplete": "current-password"}},
		{"account-password", "new-password", map[string]string{"name": "new-password", "type": "password", "autocomplete": "new-password", "aria-describedby": "new-password-hint"}},
		{"account-password", "change-password", map[string]string{"type": "submit"}},
		{"account-security", "to-passkeys", map[string]string{"href": "/auth/account/passkeys"}},
		{"account-totp", "add-totp", map[string]string{"method": "post", "action": "/auth/account/security/totp"}},
		{"account-totp", "code", map[string]string{"name": "code", "inputmode": "numeric", "autocomplete": "one-time-code"}},
		{"account-totp", "open-app", map[string]string{"href": "otpauth://totp/auth.example.com:alice%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=auth.example.com"}},
		{"account-codes-ask", "recovery-codes", map[string]string{"method": "post", "action": "/auth/account/security/codes"}},
		{"account-proof", "prove-address", map[string]string{"method": "post", "action": "/auth/account/security/proof"}},
		{"account-codes-sign-in", "codes-saved", map[string]string{"method": "get", "action": "/auth/account/security"}},
		{"account-codes", "codes-saved", map[string]string{"method": "get", "action": "/auth/account/security"}},
		{"account-remove-totp", "confirm", map[string]string{"name": "app", "value": "crd_1"}},
		{"second-factor", "code", map[string]string{"name": "code", "inputmode": "numeric", "autocomplete": "one-time-code"}},
		{"second-factor", "second-factor", map[string]string{"method": "post", "action": "/login/factor"}},
		{"account-sessions", "sessions", map[string]string{"class": "rows"}},
		{"account-sessions", "end-others", map[string]string{"type": "submit"}},
		{"account-sessions", "end-all", map[string]string{"href": "/auth/account/sessions/end-all"}},
		{"account-endall", "confirm", map[string]string{"type": "submit"}},
		{"account-apps", "apps", map[string]string{"class": "rows"}},
		{"account-identities", "identities", map[string]string{"class": "rows"}},
		{"account-identities", "link-github", map[string]string{"type": "submit", "name": "connector", "value": "github"}},
		{"account-withdraw", "confirm", map[string]string{"name": "client_id", "value": "photos"}},
		{"consent", "apps", map[string]string{"href": "/account/apps"}},
		{"home-in", "account", map[string]string{"href": "/account"}},
	} {
		e := parse(t, render(t, pages, known[want.sample])).byID(want.id)
		if e == nil {
			t.Errorf("%s has no #%s", want.sample, want.id)
			continue
		}
		for name, value := range want.attributes {
			if got := attr(e, name); got != value {
				t.Errorf("%s: #%s: got %s=%q, want %q", want.sample, want.id, name, got, value)
			}
		}
	}
}

func TestAccount_NavigationMarksCurrentPage(t *testing.T) {
	pages, _ := newPages(t)
	known := samples()
	for sample, want := range map[string]string{
		"account": "Overview", "account-profile": "Profile", "account-password": "Password", "account-sessions": "Sessions",
		"account-endall": "Sessions", "account-apps": "Applications", "account-withdraw": "Applications", "account-identities": "Connected accounts",
	} {
		var got []string
		for _, a := range parse(t, render(t, pages, known[sample])).all("a") {
			if attr(a, "aria-current") == "page" {
				got = append(got, textOf(a))
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: the current entries are %q, want %q", sample, got, want)
		}
	}
}

// AD-11: the addresses of a profile are text in their fields. If the page loaded a picture, its
// host would learn that the page was opened.
func TestProfile_AddressesAreNotLinks(t *testing.T) {
	pages, _ := newPages(t)
	page := templates.AccountProfile{Picture: "https://evil.example/a.png", Website: "https://evil.example/"}
	d := parse(t, render(t, pages, page))
	for _, e := range append(d.all("a"), d.all("img")...) {
		if attr(e, "href") == page.Website || attr(e, "src") == page.Picture {
			t.Errorf("<%s> leads to the profile's address", e.Data)
		}
	}
}
