package firstparty_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// The app's sign-in of a user with a second factor sets no tokens. It answers with the page for the
// code, which leads back to the app with its cookies.
func TestFirstParty_SecondFactorLeadsToThePage(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		owner := b.Visitor(t)
		owner.Account(t, "/account/security")
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t)
		credentials := strings.TrimSuffix(providertest.Credentials, "}") + `,"return_to":"/account?from=app"}`
		a := v.CallApp(t, "/login", credentials)
		if providertest.WantStatus(t, a, http.StatusForbidden).JSON(t)["error"] != "interaction_required" {
			t.Fatalf("got %s", a.Body)
		}
		v.WantApp(t, false)
		for _, c := range a.Cookies() {
			if strings.HasSuffix(c.Name, "_token") {
				t.Errorf("the answer sets %s", c.Name)
			}
		}
		page, err := url.Parse(a.JSON(t)["continue"].(string))
		if err != nil || page.Path != b.Path("/login/factor") || !strings.HasPrefix(page.String(), b.Issuer) {
			t.Fatalf("continue: %v, %v", a.JSON(t), err)
		}
		wrong := v.EnterCode(t, v.Get(t, page.String()), app.Codes[0][:5])
		wrong.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		v.EnterCode(t, wrong, app.Code(t, b.Now())).WantAt(t, b.Path("/account?from=app"))
		if amr := v.WantApp(t, true)["amr"].([]any); len(amr) != 3 || amr[2] != "mfa" {
			t.Errorf("amr %v", amr)
		}
		providertest.WantStatus(t, v.CallApp(t, "/refresh", ""), http.StatusOK)
	})
}

// The app's sign-in with a password is not enough for an app that requires two factors: the answer
// leads to the pages, and a call later does so too. /session says that nobody is signed in, as the app
// gets no token.
func TestFirstParty_RequiredACRLeadsToThePages(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		app, err := b.DB.Client(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		b.AsClient(app, "").ChangeClient(t, func(c *storage.Client) { c.RequireACR = storage.ACRTwoFactors })
		v := b.Visitor(t)
		for _, path := range []string{"/login", "/refresh"} {
			body := providertest.Credentials
			if path == "/refresh" {
				body = "{}"
			}
			a := providertest.WantStatus(t, v.CallApp(t, path, body), http.StatusForbidden)
			if a.JSON(t)["error"] != "interaction_required" {
				t.Errorf("%s: %s", path, a.Body)
			}
			if slices.ContainsFunc(a.Cookies(), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "_token") }) {
				t.Errorf("%s sets a token", path)
			}
			if page := v.Get(t, a.JSON(t)["continue"].(string)); page.At.Path != b.Path("/login/enrol") {
				t.Errorf("%s leads to %s", path, page.At)
			}
			v.WantApp(t, false)
		}
		v.AddAuthenticator(t)
		providertest.WantStatus(t, v.CallApp(t, "/refresh", "{}"), http.StatusOK)
		v.WantApp(t, true)
	})
}
