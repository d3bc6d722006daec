package signup_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// prompt=create shows the sign-up page first, at /authorize, for a pushed request, and for a link
// of the first-party app, also to signed-in people. After the sign-up the request goes on
// for the new user (Initiating User Registration via OpenID Connect 1.0, section 4).
func TestPromptCreate_OpensTheSignUpPage(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		starts := map[string]func() string{
			"authorize":          func() string { return b.AuthorizeURL("prompt", "create", "login_hint", newcomer) },
			"with other prompts": func() string { return b.AuthorizeURL("prompt", "create login select_account consent") },
			"pushed":             func() string { return b.PushedURL(b.MustPush(t, "prompt", "create")) },
		}
		for name, start := range starts {
			for _, signedIn := range []bool{false, true} {
				email := storage.NewID("z") + "@example.com"
				v := b.Visitor(t)
				if signedIn {
					v.Account(t, "/account")
				}
				page := v.Get(t, start())
				if page.At.Path != b.Path("/signup") {
					t.Fatalf("%s, signed in %v: the page is %s", name, signedIn, page.At)
				}
				if got := page.Form(t).Values.Get("email"); name == "authorize" && got != newcomer {
					t.Errorf("the form has the address %q, want the login_hint", got)
				}
				ask(t, v, page, email)
				address, _ := lastLink(t, b, s, email)
				page = v.AnswerPages(t, create(t, v, address, "Zoe", providertest.NewPassword))
				u, _, err := b.DB.UserByEmail(t.Context(), email)
				if err != nil {
					t.Fatal(err)
				}
				if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["sub"]; got != u.ID {
					t.Errorf("%s, signed in %v: the code is for %v, want the new user", name, signedIn, got)
				}
				b.Advance(15 * time.Minute) // the limit of the network
			}
		}
		v := b.Visitor(t)
		if page := v.Get(t, b.Issuer+"/login?return_to="+url.QueryEscape(b.Path("/account"))+"&prompt=create"); page.At.Path != b.Path("/signup") {
			t.Errorf("the link leads to %s", page.At)
		}
	})
}

// People with an account can sign in instead, also in a browser in which somebody else is
// signed in.
func TestPromptCreate_SignInInstead(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, _ *mailtest.Server) {
		other := b.User(t, "other@example.com", providertest.Password)
		for _, signedIn := range []bool{false, true} {
			v := b.Visitor(t)
			if signedIn {
				v.Account(t, "/account")
			}
			page := v.Get(t, v.Get(t, b.AuthorizeURL("prompt", "create")).Link(t, "back"))
			page = v.AnswerPages(t, v.SignIn(t, page, other.Email, providertest.Password))
			if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["sub"]; got != other.ID {
				t.Errorf("signed in %v: the code is for %v, want the user who signed in", signedIn, got)
			}
		}
	})
}

// Where people cannot sign up, create is an unknown value (section 4.1). Beside none it always is
// an error. A request that was accepted before sign-up was closed still leads to the sign-in.
func TestPromptCreate_RefusedWhereSignUpIsClosed(t *testing.T) {
	s := mailtest.Start(t)
	for name, c := range map[string]struct {
		options []providertest.Option
		open    bool
	}{
		"closed":   {[]providertest.Option{providertest.WithMail(s)}, false},
		"no mails": {[]providertest.Option{providertest.WithSignUp}, false},
		"open":     {[]providertest.Option{providertest.WithMail(s), providertest.WithSignUp}, true},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				values, _ := b.Discovery(t)["prompt_values_supported"].([]any)
				if slices.Contains(values, any("create")) != c.open {
					t.Errorf("prompt_values_supported %v", values)
				}
				v := b.Visitor(t)
				v.Get(t, b.AuthorizeURL("prompt", "create none")).WantError(t, "invalid_request")
				if page := v.Get(t, b.AuthorizeURL("prompt", "create")); !c.open {
					page.WantError(t, "invalid_request")
				}
			}, c.options...)
		})
	}
}
