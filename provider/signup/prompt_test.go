package signup_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/mail"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
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

// Upstreams that may make accounts are on the page too.
func TestPromptCreate_ThroughAnUpstream(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		up, upstreams := providertest.WithUpstreams(t, func(_ *providertest.Upstreams, c *provider.Config) {
			for i := range c.Connectors {
				c.Connectors[i].SignUp = c.Connectors[i].ID == "google"
			}
		})
		b := providertest.StartOn(t, backend, upstreams, providertest.WithMail(mailtest.Start(t)), providertest.WithSignUp)
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL("prompt", "create"))
		for _, c := range up.Connectors {
			if offered := strings.Contains(page.Body, `id="connector-`+c.ID+`"`); offered != (c.ID == "google") {
				t.Errorf("the page offers %s: %v", c.ID, offered)
			}
		}
		page = v.AnswerPages(t, v.SignInThrough(t, page, "google", "ada"))
		u, _, err := b.DB.UserByEmail(t.Context(), providertest.AdaEmail)
		if err != nil {
			t.Fatal(err)
		}
		if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["sub"]; got != u.ID {
			t.Errorf("the code is for %v, want the new user", got)
		}
	})
}

// Without an application, the buttons of the upstreams lead to the account, also for a person who has
// one already.
func TestSignUp_ThroughAnUpstreamToTheAccount(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		for _, what := range []string{"a new person", "a known person"} {
			v := b.Visitor(t)
			page := v.SignInThrough(t, v.Get(t, b.Issuer+"/signup"), "google", "ada")
			page.WantAt(t, "/account")
			u, _, err := b.DB.UserByEmail(t.Context(), providertest.AdaEmail)
			if err != nil || !u.EmailVerified {
				t.Errorf("%s: user %+v, %v", what, u, err)
			}
			page.WantText(t, u.Email)
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) {
		roots := c.Outbound.Roots // of the upstreams
		providertest.WithMail(mailtest.Start(t))(c)
		c.Outbound.Roots, c.Mail.Encryption = roots, mail.None
		providertest.WithSignUp(c)
	})
}

// A sign-in instead asks for the second factor, and then goes on.
func TestPromptCreate_SignInInsteadWithASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, _ *mailtest.Server) {
		owner := b.Visitor(t)
		owner.Account(t, "/account")
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t)
		page := v.Get(t, v.Get(t, b.AuthorizeURL("prompt", "create")).Link(t, "back"))
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		page = v.AnswerPages(t, v.EnterCode(t, page, app.Code(t, b.Now())))
		if got := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["sub"]; got != b.Alice.ID {
			t.Errorf("the code is for %v, want the user who signed in", got)
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
