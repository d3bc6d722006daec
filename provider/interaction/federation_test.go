package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/provider"
	"signet/storage"
)

func TestFederation_FirstSignInMakesAnAccount(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		for _, c := range []struct{ connector, account, email, name, identity string }{
			{"google", "ada", adaEmail, "Ada Example", adaID},
			{"github", "octo", octoEmail, "Octo Cat", octoID},
			{"liar", "victim", victimMail, "Vic Tim", victimID},
		} {
			v := b.visitor(t)
			page := v.comeBy(t, c.connector, c.account, "scope", "openid email profile")
			tokens := b.redeem(t, v.allow(t, page).code(t))
			claims := claimsOf(t, tokens["id_token"])
			user := b.userBy(t, c.email)
			if claims["sub"] != user.ID || claims["acr"] != "urn:signet:1fa" || !slices.Equal(textsOf(claims["amr"]), []string{"fed"}) {
				t.Errorf("%s: sub %v (want %s), acr %v, amr %v", c.connector, claims["sub"], user.ID, claims["acr"], claims["amr"])
			}
			if !user.EmailVerified || user.Name != c.name || user.Picture == "" || user.Admin || len(user.Roles) > 0 {
				t.Errorf("%s made %+v", c.connector, user)
			}
			b.wantIdentities(t, user.ID, c.identity)
			if got := b.userinfo(t, tokens["access_token"].(string)).json(t); got["email"] != c.email || got["email_verified"] != true || got["name"] != c.name {
				t.Errorf("userinfo of %s: %v", c.connector, got)
			}
			for _, kind := range []storage.EventType{storage.UserCreated, storage.IdentityLinked, storage.UserSignedIn} {
				if e := b.wantEvent(t, kind, user.ID); e.Connector != c.connector {
					t.Errorf("event %s names the connector %q, want %q", kind, e.Connector, c.connector)
				}
			}
			// The second visit, in another browser, is the same person.
			if again := b.visitor(t); again.subject(t, again.comeBy(t, c.connector, c.account)) != user.ID {
				t.Errorf("%s: the second visit is somebody else", c.connector)
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

func TestFederation_ProfileFollowsUntilItIsEdited(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		v.allow(t, v.comeBy(t, "liar", "victim"))
		form := v.get(t, b.Issuer+"/account/profile").formTo(t, "/account/profile", "", "")
		v.submit(t, form, "name", "The Victim").wantAt(t, "/account/profile?done=profile")
		up.liar.Tell(lieOf("name", "Renamed Upstream", "family_name", "Married"))
		b.visitor(t).comeBy(t, "liar", "victim")
		if u := b.userBy(t, victimMail); u.Name != "The Victim" || u.FamilyName != "Married" || u.GivenName != "Vic" {
			t.Errorf("got %q, %q, %q", u.Name, u.FamilyName, u.GivenName)
		}
	})
}

func TestFederation_ProvenAccountIsLinkedAfterItsPassword(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		ada := b.local(t, storage.User{Email: adaEmail, EmailVerified: true, Name: "Countess"}, password)
		v := b.visitor(t)
		page := v.comeBy(t, "google", "ada")
		page.wantText(t, adaEmail, "Google")
		if page.At.Path != "/login/link" {
			t.Fatalf("at %s, want the page that asks for the proof", page.At)
		}
		v.wantNobody(t)
		f := page.formTo(t, "/login/link", "", "")
		if wrong := v.submit(t, f, "password", "not the password"); wrong.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("wrong password: status %d", wrong.StatusCode)
		}
		v.wantNobody(t)
		b.wantIdentities(t, ada.ID)
		// What the form says of the account is not asked.
		page = v.submit(t, f, "password", password, "username", alice, "email", alice)
		if got := v.subject(t, page); got != ada.ID {
			t.Fatalf("signed in as %s, want %s", got, ada.ID)
		}
		b.wantIdentities(t, ada.ID, adaID)
		if u := b.userBy(t, adaEmail); u.Name != "Countess" {
			t.Errorf("the link renamed her %q", u.Name)
		}
		if again := b.visitor(t); again.subject(t, again.comeBy(t, "google", "ada")) != ada.ID {
			t.Error("the next visit is somebody else")
		}
		// The proof was spent.
		if late := v.submit(t, f, "password", password); late.StatusCode != http.StatusConflict {
			t.Errorf("the same proof again: status %d", late.StatusCode)
		}
	})
}

func TestFederation_LinkByAddressNeedsAllThree(t *testing.T) {
	for name, c := range map[string]struct {
		email, connector, account string
		proven                    bool
		change                    []func(*upstreams, *provider.Config)
		at                        string
	}{
		"trusted, verified, proven": {adaEmail, "google", "ada", true, []func(*upstreams, *provider.Config){alter("google", autoLink)}, "/consent"},
		"not trusted with it":       {adaEmail, "google", "ada", true, nil, "/login/link"},
		"not verified": {"newbie@elsewhere.example", "google", "newbie", true,
			[]func(*upstreams, *provider.Config){alter("google", autoLink)}, ""},
		"an upstream that checks nothing": {victimMail, "liar", "victim", true, []func(*upstreams, *provider.Config){
			alter("liar", func(c *provider.Connector) { c.Trust = federation.Distrust }),
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				user := b.local(t, storage.User{Email: c.email, EmailVerified: c.proven}, password)
				v := b.visitor(t)
				page := v.comeBy(t, c.connector, c.account)
				if c.at == "" { // somebody else, with an account of their own
					if got := v.subject(t, page); got == user.ID {
						t.Fatalf("signed in as %s", c.email)
					}
					b.wantIdentities(t, user.ID)
					return
				}
				if page.At.Path != c.at {
					t.Fatalf("at %s with status %d, want %s", page.At, page.StatusCode, c.at)
				}
				if c.at == "/consent" {
					if got := v.subject(t, page); got != user.ID {
						t.Fatalf("signed in as %s, want %s", got, user.ID)
					}
					return
				}
				v.wantNobody(t)
				b.wantIdentities(t, user.ID)
			}, c.change...)
		})
	}
}

func TestFederation_ClosedSignUp(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.comeBy(t, "google", "ada")
		v.wantProblem(t, page, http.StatusForbidden, "signup_closed")
		v.wantWayBack(t, page)
		b.wantNoUser(t, adaEmail)
		// Another connector's own rule holds for it.
		v.allow(t, v.comeBy(t, "github", "octo")).code(t)
	}, alter("google", noSignUp))
}

// Each refusal is a page with a stable code, nobody is signed in, no account is
// made, and the other ways in are one click away.
func TestFederation_EveryRefusalHasItsPage(t *testing.T) {
	needEmail := []func(*upstreams, *provider.Config){alter("github", func(c *provider.Connector) { c.RequireEmail = true })}
	domains := func(names ...string) func(*upstreams, *provider.Config) {
		return alter("google", func(c *provider.Connector) { c.AllowedDomains = names })
	}
	for name, c := range map[string]struct {
		connector, account string
		status             int
		code, says         string
		change             []func(*upstreams, *provider.Config)
	}{
		"denied at Google":           {"google", "", 403, "upstream_denied", "Nothing was changed", nil},
		"denied at GitHub":           {"github", "", 403, "upstream_denied", "Nothing was changed", nil},
		"GitHub: primary unverified": {"github", "unproven", 403, "no_email", "verified email address", needEmail},
		"GitHub: noreply alone":      {"github", "hidden", 403, "no_email", "verify one at GitHub", needEmail},
		"GitHub: no scope":           {"github", "shy", 403, "no_email", "let GitHub share it", needEmail},
		"GitHub: no address, and sign-up is closed": {"github", "hidden", 403, "identity_not_connected", "connect GitHub on your account page",
			[]func(*upstreams, *provider.Config){alter("github", noSignUp)}},
		"an upstream that checks nothing, and sign-up is closed": {"liar", "victim", 403, "identity_not_connected", "Sign in another way",
			[]func(*upstreams, *provider.Config){alter("liar", func(c *provider.Connector) { c.Trust, c.SignUp = federation.Distrust, false })}},
		"GitHub: revoked at once": {"github", "fickle", 403, "upstream_denied", "GitHub", nil},
		"Google: no member, claims it by address": {"google", "mallory", 403, "account_not_allowed", "organization",
			[]func(*upstreams, *provider.Config){domains("corp.example")}},
		"Google: a consumer": {"google", "ada", 403, "account_not_allowed", "organization",
			[]func(*upstreams, *provider.Config){domains("corp.example")}},
		"wrong secret": {"google", "ada", 502, "connector_misconfigured", "operator", []func(*upstreams, *provider.Config){
			alter("google", func(c *provider.Connector) { c.ClientSecret = federation.NewSecret("out of date") })}},
		"wrong secret at GitHub": {"github", "octo", 502, "connector_misconfigured", "operator", []func(*upstreams, *provider.Config){
			alter("github", func(c *provider.Connector) { c.ClientSecret = federation.NewSecret("out of date") })}},
	} {
		t.Run(name, func(t *testing.T) {
			eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				v := b.visitor(t)
				page := v.comeBy(t, c.connector, c.account)
				v.wantProblem(t, page, c.status, c.code)
				page.wantText(t, c.says)
				back := v.wantWayBack(t, page)
				if users := b.usersMade(t); users != 1 {
					t.Errorf("%d users, want alice alone", users)
				}
				if log := b.Log.String(); strings.Contains(log, up.google.ClientSecret) || strings.Contains(log, "ya29.") {
					t.Error("the log holds a secret or a token of the upstream")
				}
				// No connector is marked as used, and the request is as good as before.
				if strings.Contains(back.Body, "Last used") {
					t.Error("a refused connector is offered as the last used")
				}
				v.allow(t, v.signIn(t, back, alice, password)).code(t)
			}, c.change...)
		})
	}
	t.Run("Google: a member", func(t *testing.T) {
		eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
			v := b.visitor(t)
			v.allow(t, v.comeBy(t, "google", "grace")).code(t)
		}, domains("corp.example"))
	})
}

func (b *testbed) usersMade(t *testing.T) int {
	t.Helper()
	n := 0
	for _, e := range b.events(t) {
		if e.Type == storage.UserCreated {
			n++
		}
	}
	return n
}

// An upstream that is down costs its own button: the sign-in page does not ask it.
func TestFederation_UpstreamIsDown(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		up.google.Close()
		up.github.Close()
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		refused := v.submit(t, page.formTo(t, "/login/google", "", ""))
		v.wantProblem(t, refused, http.StatusBadGateway, "upstream_unreachable")
		back := v.wantWayBack(t, refused)
		if n := len(up.liar.Requests()); n != 0 {
			t.Errorf("the sign-in page asked an upstream: %q", up.liar.Requests())
		}
		v.allow(t, v.signIn(t, back, alice, password)).code(t)
	})
}

func TestFederation_TheUpstreamGoesDownOnTheWay(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		for connector, stop := range map[string]func(){"google": up.google.Close, "github": up.github.Close} {
			account := map[string]string{"google": "ada", "github": "octo"}[connector]
			callback := v.choose(t, v.press(t, v.get(t, b.authorizeURL()), connector), account)
			stop()
			page := v.get(t, callback)
			v.wantProblem(t, page, http.StatusBadGateway, "upstream_unreachable")
			v.wantWayBack(t, page)
		}
	})
}

// The calls that a callback costs: one for the token, and for GitHub two more.
func TestFederation_CallsOfACallback(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		for range 3 {
			b.visitor(t).comeBy(t, "google", "grace")
			b.visitor(t).comeBy(t, "github", "octo")
		}
		for call, want := range map[string]int{
			"GET /.well-known/openid-configuration": 1, "GET /oauth2/v3/certs": 1, "POST /token": 3, "GET /v1/userinfo": 0,
		} {
			if got := up.google.Count(call); got != want {
				t.Errorf("Google: %s came %d times, want %d", call, got, want)
			}
		}
		for call, want := range map[string]int{"POST /login/oauth/access_token": 3, "GET /api/v3/user": 3, "GET /api/v3/user/emails": 3} {
			if got := up.github.Count(call); got != want {
				t.Errorf("GitHub: %s came %d times, want %d", call, got, want)
			}
		}
	})
}

func onUpstream(t *testing.T, f func(t *testing.T, b *testbed, up *upstreams), change ...func(*upstreams, *provider.Config)) {
	t.Helper()
	up, option := withUpstreams(t, change...)
	onSQLite(t, func(t *testing.T, b *testbed) { f(t, b, up) }, option)
}

func TestFederation_ButtonsAndLastUsed(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		order := func(s stop) []string {
			var ids []string
			for _, part := range strings.Split(s.Body, `id="connector-`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				ids = append(ids, id)
			}
			return ids
		}
		page := v.get(t, b.authorizeURL())
		if got := order(page); !slices.Equal(got, []string{"google", "github", "liar"}) || strings.Contains(page.Body, "Last used") {
			t.Errorf("a first visit shows %q", got)
		}
		page.wantText(t, "Sign in with <bdi>Google</bdi>", "Sign in with <bdi>GitHub</bdi>", "Sign in with <bdi>Elsewhere</bdi>", "google.", "github.")
		v.allow(t, v.through(t, page, "github", "octo"))
		others := func() stop { return v.get(t, v.get(t, b.authorizeURL("prompt", "login")).link(t, "other")) }
		page = others()
		if got := order(page); !slices.Equal(got, []string{"github", "google", "liar"}) || strings.Count(page.Body, "Last used") != 1 {
			t.Errorf("after GitHub it shows %q", got)
		}
		if c := v.cookie(t, "signet_last"); c == nil || c.Value != "github" {
			t.Errorf("the cookie is %v, want the connector's id and nothing else", c)
		}
		// A cookie that somebody made up chooses nothing.
		u, _ := url.Parse(b.Issuer)
		v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet_last", Value: `"><script>`, Path: "/"}})
		if page = others(); strings.Contains(page.Body, "Last used") || !slices.Equal(order(page), []string{"google", "github", "liar"}) {
			t.Errorf("an unknown connector is marked")
		}
	})
}

func TestFederation_ConnectorIsRemovedMeanwhile(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		at := v.press(t, page, "google")
		later := b.restarted(t, func(c *provider.Config) { c.Connectors = up.connectors[1:] })
		callback := v.choose(t, at, "ada")
		gone := v.get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1))
		v.wantProblem(t, gone, http.StatusNotFound, "connector_gone")
		if way := gone.link(t, "start"); !strings.Contains(way, "/login?request=") {
			t.Errorf("the way back is %s", way)
		}
		// Who was on no trip finds nothing there.
		stranger := b.visitor(t)
		stranger.wantProblem(t, stranger.get(t, strings.Replace(callback, b.Issuer, later.Issuer, 1)), http.StatusNotFound, "not_found")
		if n := up.google.Count("POST /token"); n != 0 {
			t.Errorf("the code was exchanged")
		}
		b.wantNoUser(t, adaEmail)
	})
}

func TestFD23_DisabledUserDoesNotComeBackThroughAConnector(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		first := b.visitor(t)
		first.allow(t, first.comeBy(t, "google", "ada"))
		ada := b.userBy(t, adaEmail)
		disable := func(u storage.User) {
			t.Helper()
			if err := b.DB.SetUserEnabled(context.Background(), u.ID, false, storage.By{At: b.now()}); err != nil {
				t.Fatal(err)
			}
		}
		disable(ada)
		v := b.visitor(t)
		page := v.comeBy(t, "google", "ada")
		v.wantProblem(t, page, http.StatusForbidden, "account_switched_off")
		v.wantWayBack(t, page)
		first.wantNobody(t)
		// Nor by a local account's address: a proven one is asked for its password,
		// which does not help, and an unproven one is not taken over.
		octo := b.local(t, storage.User{Email: octoEmail, EmailVerified: true}, password)
		vic := b.local(t, storage.User{Email: victimMail}, password)
		disable(octo)
		disable(vic)
		page = v.comeBy(t, "github", "octo")
		if refused := v.submit(t, page.formTo(t, "/login/link", "", ""), "password", password); refused.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a disabled user proves: status %d", refused.StatusCode)
		}
		v.wantNobody(t)
		v.wantProblem(t, v.comeBy(t, "liar", "victim"), http.StatusForbidden, "account_switched_off")
		b.wantIdentities(t, octo.ID)
		b.wantIdentities(t, vic.ID)
	})
}

// TestFederation_FirstPartySignIn: who comes through an upstream to the first-party
// app gets its cookies, at the first visit and the second.
func TestFederation_FirstPartySignIn(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, _ *upstreams) {
		b.withApp(t)
		to := b.Issuer + "/login?" + url.Values{"return_to": {shop + "/cart"}}.Encode()
		for _, visit := range []string{"first", "second"} {
			v := b.visitor(t)
			s := v.through(t, v.get(t, to), "google", "ada")
			if s.Left == nil || s.Left.String() != shop+"/cart" {
				t.Fatalf("%s visit: at %s, left to %v:\n%s", visit, s.At, s.Left, s.Body)
			}
			pairOf(t, s.answer)
			if user, _ := v.wantApp(t, true)["user"].(map[string]any); user["email"] != adaEmail {
				t.Errorf("%s visit: the app sees %v", visit, user)
			}
		}
	}, func(_ *upstreams, c *provider.Config) { appAt(shop)(c) })
}
