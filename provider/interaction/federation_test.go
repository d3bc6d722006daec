package interaction_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

func TestFederation_FirstSignInMakesAnAccount(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, c := range []struct{ connector, account, email, name, identity string }{
			{"google", "ada", providertest.AdaEmail, "Ada Example", providertest.AdaID},
			{"github", "octo", providertest.OctoEmail, "Octo Cat", providertest.OctoID},
			{"liar", "victim", providertest.VictimMail, "Vic Tim", providertest.VictimID},
		} {
			v := b.Visitor(t)
			page := v.AuthorizeThrough(t, c.connector, c.account, "scope", "openid email profile")
			tokens := b.Redeem(t, v.Allow(t, page).Code(t))
			claims := providertest.ClaimsOf(t, tokens["id_token"])
			user := b.UserByEmail(t, c.email)
			if claims["sub"] != user.ID || claims["acr"] != "urn:signet:1fa" || !slices.Equal(textsOf(claims["amr"]), []string{"fed"}) {
				t.Errorf("%s: sub %v (want %s), acr %v, amr %v", c.connector, claims["sub"], user.ID, claims["acr"], claims["amr"])
			}
			if !user.EmailVerified || user.Name != c.name || user.Picture == "" || user.Admin || len(user.Roles) > 0 {
				t.Errorf("%s made %+v", c.connector, user)
			}
			b.WantIdentities(t, user.ID, c.identity)
			if got := b.Userinfo(t, tokens["access_token"].(string)).JSON(t); got["email"] != c.email || got["email_verified"] != true || got["name"] != c.name {
				t.Errorf("userinfo of %s: %v", c.connector, got)
			}
			for _, kind := range []storage.EventType{storage.UserCreated, storage.IdentityLinked, storage.UserSignedIn} {
				if e := b.WantEvent(t, kind, user.ID); e.Connector != c.connector {
					t.Errorf("event %s names the connector %q, want %q", kind, e.Connector, c.connector)
				}
			}
			// The second sign-in, in another browser, opens the same account.
			if again := b.Visitor(t); again.Subject(t, again.AuthorizeThrough(t, c.connector, c.account)) != user.ID {
				t.Errorf("%s: the second sign-in opens another account", c.connector)
			}
		}
	})
}

func textsOf(list any) []string {
	var texts []string
	for _, v := range list.([]any) {
		texts = append(texts, v.(string))
	}
	return texts
}

func TestFederation_EditedProfileFieldsAreKept(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "liar", "victim"))
		form := v.Get(t, b.Issuer+"/account/profile").FormTo(t, "/account/profile", "", "")
		v.Submit(t, form, "name", "The Victim").WantAt(t, "/account/profile?done=profile")
		up.Liar.SetFaults(providertest.ChangeClaims("name", "Renamed Upstream", "family_name", "Married"))
		b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
		if u := b.UserByEmail(t, providertest.VictimMail); u.Name != "The Victim" || u.FamilyName != "Married" || u.GivenName != "Vic" {
			t.Errorf("got %q, %q, %q", u.Name, u.FamilyName, u.GivenName)
		}
	})
}

func TestFederation_ProvenAccountIsLinkedAfterPassword(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		ada := b.CreateUser(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true, Name: "Countess"}, providertest.Password)
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		page.WantText(t, providertest.AdaEmail, "Google")
		if page.At.Path != "/login/link" {
			t.Fatalf("at %s, want the page that asks for the proof", page.At)
		}
		v.WantNoSession(t)
		f := page.FormTo(t, "/login/link", "", "")
		if wrong := v.Submit(t, f, "password", "not the password"); wrong.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("wrong password: status %d", wrong.StatusCode)
		}
		v.WantNoSession(t)
		b.WantIdentities(t, ada.ID)
		// The form cannot choose the account.
		page = v.Submit(t, f, "password", providertest.Password, "username", providertest.Alice, "email", providertest.Alice)
		page.WantText(t, "“<bdi>Ada Example</bdi>”", providertest.AdaEmail)
		b.WantIdentities(t, ada.ID)
		if got := v.Subject(t, v.DecideLink(t, page, "connect")); got != ada.ID {
			t.Fatalf("signed in as %s, want %s", got, ada.ID)
		}
		b.WantIdentities(t, ada.ID, providertest.AdaID)
		if u := b.UserByEmail(t, providertest.AdaEmail); u.Name != "Countess" {
			t.Errorf("linking changed the name to %q", u.Name)
		}
		if again := b.Visitor(t); again.Subject(t, again.AuthorizeThrough(t, "google", "ada")) != ada.ID {
			t.Error("the next sign-in opens another account")
		}
		// The proof is used up.
		if late := v.Submit(t, f, "password", providertest.Password); late.StatusCode != http.StatusConflict {
			t.Errorf("the same proof again: status %d", late.StatusCode)
		}
	})
}

func TestFederation_LinkByAddressNeedsTrustVerifiedAndProven(t *testing.T) {
	for name, c := range map[string]struct {
		email, connector, account string
		proven                    bool
		change                    []func(*providertest.Upstreams, *provider.Config)
		at                        string
	}{
		"trusted, verified, proven": {providertest.AdaEmail, "google", "ada", true, []func(*providertest.Upstreams, *provider.Config){providertest.ChangeConnector("google", autoLink)}, "/consent"},
		"not trusted with it":       {providertest.AdaEmail, "google", "ada", true, nil, "/login/link"},
		"not verified": {"newbie@elsewhere.example", "google", "newbie", true,
			[]func(*providertest.Upstreams, *provider.Config){providertest.ChangeConnector("google", autoLink)}, ""},
		"an upstream that checks nothing": {providertest.VictimMail, "liar", "victim", true, []func(*providertest.Upstreams, *provider.Config){
			providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Trust = federation.Distrust }),
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				user := b.CreateUser(t, storage.User{Email: c.email, EmailVerified: c.proven}, providertest.Password)
				v := b.Visitor(t)
				page := v.AuthorizeThrough(t, c.connector, c.account)
				if c.at == "" { // a new account for another person
					if got := v.Subject(t, page); got == user.ID {
						t.Fatalf("signed in as %s", c.email)
					}
					b.WantIdentities(t, user.ID)
					return
				}
				if page.At.Path != c.at {
					t.Fatalf("at %s with status %d, want %s", page.At, page.StatusCode, c.at)
				}
				if c.at == "/consent" {
					if got := v.Subject(t, page); got != user.ID {
						t.Fatalf("signed in as %s, want %s", got, user.ID)
					}
					return
				}
				v.WantNoSession(t)
				b.WantIdentities(t, user.ID)
			}, c.change...)
		})
	}
}

// FD-22: If sign-up is closed, an upstream creates no users (ZITADEL CVE-2024-49757).
func TestFederation_ClosedSignUp(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		v.WantProblem(t, page, http.StatusForbidden, "signup_closed")
		wantWayBack(t, v, page)
		b.WantNoUser(t, providertest.AdaEmail)
		// Another connector may still make accounts.
		v.Allow(t, v.AuthorizeThrough(t, "github", "octo")).Code(t)
	}, providertest.ChangeConnector("google", noSignUp))
}

// Each refusal is a page with a stable code and a link to the other ways to sign in. Nobody
// is signed in, and no account is made.
func TestFederation_RefusalsShowPage(t *testing.T) {
	needEmail := []func(*providertest.Upstreams, *provider.Config){providertest.ChangeConnector("github", func(c *provider.Connector) { c.RequireEmail = true })}
	domains := func(names ...string) func(*providertest.Upstreams, *provider.Config) {
		return providertest.ChangeConnector("google", func(c *provider.Connector) { c.AllowedDomains = names })
	}
	for name, c := range map[string]struct {
		connector, account string
		status             int
		code, text         string
		change             []func(*providertest.Upstreams, *provider.Config)
	}{
		"denied at Google":           {"google", "", 403, "upstream_denied", "Nothing was changed", nil},
		"denied at GitHub":           {"github", "", 403, "upstream_denied", "Nothing was changed", nil},
		"GitHub: primary unverified": {"github", "unproven", 403, "no_email", "verified email address", needEmail},
		"GitHub: noreply alone":      {"github", "hidden", 403, "no_email", "verify one at GitHub", needEmail},
		"GitHub: no scope":           {"github", "shy", 403, "no_email", "let GitHub share it", needEmail},
		"GitHub: no address, and sign-up is closed": {"github", "hidden", 403, "identity_not_connected", "connect GitHub on your account page",
			[]func(*providertest.Upstreams, *provider.Config){providertest.ChangeConnector("github", noSignUp)}},
		"an upstream that checks nothing, and sign-up is closed": {"liar", "victim", 403, "identity_not_connected", "Sign in another way",
			[]func(*providertest.Upstreams, *provider.Config){providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Trust, c.SignUp = federation.Distrust, false })}},
		"GitHub: revoked at once": {"github", "fickle", 403, "upstream_denied", "GitHub", nil},
		"Google: no member, claims it by address": {"google", "mallory", 403, "account_not_allowed", "organization",
			[]func(*providertest.Upstreams, *provider.Config){domains("corp.example")}},
		"Google: a consumer": {"google", "ada", 403, "account_not_allowed", "organization",
			[]func(*providertest.Upstreams, *provider.Config){domains("corp.example")}},
		"wrong secret": {"google", "ada", 502, "connector_misconfigured", "operator", []func(*providertest.Upstreams, *provider.Config){
			providertest.ChangeConnector("google", func(c *provider.Connector) { c.ClientSecret = federation.NewSecret("out of date") })}},
		"wrong secret at GitHub": {"github", "octo", 502, "connector_misconfigured", "operator", []func(*providertest.Upstreams, *provider.Config){
			providertest.ChangeConnector("github", func(c *provider.Connector) { c.ClientSecret = federation.NewSecret("out of date") })}},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				v := b.Visitor(t)
				page := v.AuthorizeThrough(t, c.connector, c.account)
				v.WantProblem(t, page, c.status, c.code)
				page.WantText(t, c.text)
				back := wantWayBack(t, v, page)
				if users := b.UsersCreated(t); users != 1 {
					t.Errorf("%d users, want alice alone", users)
				}
				if log := b.Log.String(); strings.Contains(log, up.Google.ClientSecret) || strings.Contains(log, "ya29.") {
					t.Error("the log holds a secret or a token of the upstream")
				}
				// No connector is marked as last used, and the request still works.
				if strings.Contains(back.Body, "Last used") {
					t.Error("a refused connector is marked as last used")
				}
				v.Allow(t, v.SignIn(t, back, providertest.Alice, providertest.Password)).Code(t)
			}, c.change...)
		})
	}
	t.Run("Google: a member", func(t *testing.T) {
		providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
			v := b.Visitor(t)
			v.Allow(t, v.AuthorizeThrough(t, "google", "grace")).Code(t)
		}, domains("corp.example"))
	})
}

// If an upstream is down, only its own button fails: the sign-in page sends no request to
// upstreams.
func TestFederation_UpstreamDownBeforeStart(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		up.Google.Close()
		up.GitHub.Close()
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		refused := v.Submit(t, page.FormTo(t, "/login/google", "", ""))
		v.WantProblem(t, refused, http.StatusBadGateway, "upstream_unreachable")
		back := wantWayBack(t, v, refused)
		if n := len(up.Liar.Requests()); n != 0 {
			t.Errorf("the sign-in page sent requests to an upstream: %q", up.Liar.Requests())
		}
		v.Allow(t, v.SignIn(t, back, providertest.Alice, providertest.Password)).Code(t)
	})
}

func TestFederation_UpstreamDownBeforeCallback(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		for connector, stop := range map[string]func(){"google": up.Google.Close, "github": up.GitHub.Close} {
			account := map[string]string{"google": "ada", "github": "octo"}[connector]
			callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), connector), account)
			stop()
			page := v.Get(t, callback)
			v.WantProblem(t, page, http.StatusBadGateway, "upstream_unreachable")
			wantWayBack(t, v, page)
		}
	})
}

// A callback makes one request for the token, and for GitHub two more.
func TestFederation_RequestsOfCallback(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for range 3 {
			b.Visitor(t).AuthorizeThrough(t, "google", "grace")
			b.Visitor(t).AuthorizeThrough(t, "github", "octo")
		}
		for call, want := range map[string]int{
			"GET /.well-known/openid-configuration": 1, "GET /oauth2/v3/certs": 1, "POST /token": 3, "GET /v1/userinfo": 0,
		} {
			if got := up.Google.CountRequests(call); got != want {
				t.Errorf("Google got %s %d times, want %d", call, got, want)
			}
		}
		for call, want := range map[string]int{"POST /login/oauth/access_token": 3, "GET /api/v3/user": 3, "GET /api/v3/user/emails": 3} {
			if got := up.GitHub.CountRequests(call); got != want {
				t.Errorf("GitHub got %s %d times, want %d", call, got, want)
			}
		}
	})
}

func TestFederation_ButtonsAndLastUsed(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		order := func(s providertest.Stop) []string {
			var ids []string
			for _, part := range strings.Split(s.Body, `id="connector-`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				ids = append(ids, id)
			}
			return ids
		}
		page := v.Get(t, b.AuthorizeURL())
		if got := order(page); !slices.Equal(got, []string{"google", "github", "liar"}) || strings.Contains(page.Body, "Last used") {
			t.Errorf("the first visit shows %q", got)
		}
		page.WantText(t, "Sign in with <bdi>Google</bdi>", "Sign in with <bdi>GitHub</bdi>", "Sign in with <bdi>Elsewhere</bdi>", "google.", "github.")
		v.Allow(t, v.SignInThrough(t, page, "github", "octo"))
		others := func() providertest.Stop {
			return v.Get(t, v.Get(t, b.AuthorizeURL("prompt", "login")).Link(t, "other"))
		}
		page = others()
		if got := order(page); !slices.Equal(got, []string{"github", "google", "liar"}) || strings.Count(page.Body, "Last used") != 1 {
			t.Errorf("after a sign-in with GitHub the page shows %q", got)
		}
		if c := v.Cookie(t, "signet_last"); c == nil || c.Value != "github" {
			t.Errorf("the cookie is %v, want the connector's id and nothing else", c)
		}
		// A cookie with an unknown value has no effect.
		u, _ := url.Parse(b.Issuer)
		v.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet_last", Value: `"><script>`, Path: "/"}})
		if page = others(); strings.Contains(page.Body, "Last used") || !slices.Equal(order(page), []string{"google", "github", "liar"}) {
			t.Errorf("an unknown connector in the cookie changes the page")
		}
	})
}

// FD-24: A connector that is removed during a sign-in does not finish it (Casdoor CVE-2026-9098).
func TestFederation_ConnectorRemovedDuringTrip(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		at := v.PressConnector(t, page, "google")
		later := b.Restarted(t, func(c *provider.Config) { c.Connectors = up.Connectors[1:] })
		callback := v.ChooseAccount(t, at, "ada")
		gone := v.Get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1))
		v.WantProblem(t, gone, http.StatusNotFound, "connector_gone")
		if way := gone.Link(t, "start"); !strings.Contains(way, "/login?request=") {
			t.Errorf("the way back is %s", way)
		}
		// Without a trip, the path does not exist.
		stranger := b.Visitor(t)
		stranger.WantProblem(t, stranger.Get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1)), http.StatusNotFound, "not_found")
		if n := up.Google.CountRequests("POST /token"); n != 0 {
			t.Errorf("the code was exchanged")
		}
		b.WantNoUser(t, providertest.AdaEmail)
	})
}

// FD-23: A disabled user cannot sign in through an upstream.
func TestFederation_DisabledUserCannotSignInThroughConnector(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		first := b.Visitor(t)
		first.Allow(t, first.AuthorizeThrough(t, "google", "ada"))
		ada := b.UserByEmail(t, providertest.AdaEmail)
		disable := func(u storage.User) {
			t.Helper()
			if err := b.DB.SetUserEnabled(context.Background(), u.ID, false, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		disable(ada)
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		v.WantProblem(t, page, http.StatusForbidden, "account_switched_off")
		wantWayBack(t, v, page)
		first.WantNoSession(t)
		// The address of a disabled account does not help either: for a proven address the
		// password is asked and refused; an account with an unproven one is not taken over.
		octo := b.CreateUser(t, storage.User{Email: providertest.OctoEmail, EmailVerified: true}, providertest.Password)
		vic := b.CreateUser(t, storage.User{Email: providertest.VictimMail}, providertest.Password)
		disable(octo)
		disable(vic)
		page = v.AuthorizeThrough(t, "github", "octo")
		if refused := v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password); refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a disabled user gives the password: status %d", refused.StatusCode)
		}
		v.WantNoSession(t)
		v.WantProblem(t, v.AuthorizeThrough(t, "liar", "victim"), http.StatusForbidden, "account_switched_off")
		b.WantIdentities(t, octo.ID)
		b.WantIdentities(t, vic.ID)
	})
}

// A sign-in through an upstream to the first-party app sets the cookies of the app, at the
// first visit and at the second.
func TestFederation_FirstPartySignIn(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		b.RegisterApp(t)
		to := b.Issuer + "/login?" + url.Values{"return_to": {providertest.Shop + "/cart"}}.Encode()
		for _, visit := range []string{"first", "second"} {
			v := b.Visitor(t)
			s := v.SignInThrough(t, v.Get(t, to), "google", "ada")
			if s.LeftTo == nil || s.LeftTo.String() != providertest.Shop+"/cart" {
				t.Fatalf("%s visit: at %s, left to %v:\n%s", visit, s.At, s.LeftTo, s.Body)
			}
			providertest.PairOf(t, s.Answer)
			if user, _ := v.WantApp(t, true)["user"].(map[string]any); user["email"] != providertest.AdaEmail {
				t.Errorf("%s visit: the app sees %v", visit, user)
			}
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithAppOrigins(providertest.Shop)(c) })
}

func autoLink(c *provider.Connector) { c.AutoLink = true }

func noSignUp(c *provider.Connector) { c.SignUp = false }

// wantWayBack fails unless the page links to the sign-in page of the same request. It
// returns that page.
func wantWayBack(t *testing.T, v *providertest.Visitor, s providertest.Stop) providertest.Stop {
	t.Helper()
	page := v.Get(t, s.Link(t, "start"))
	if page.At.Path != v.Bed.Path("/login") || page.StatusCode != http.StatusOK {
		t.Fatalf("the way back leads to %s with status %d", page.At, page.StatusCode)
	}
	page.FormTo(t, "/login", "", "")
	return page
}
