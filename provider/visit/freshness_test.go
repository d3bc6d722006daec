package visit_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// reauthenticates sets the reauthenticates setting of a connector.
func reauthenticates(id string, yes bool) func(*providertest.Upstreams, *provider.Config) {
	return providertest.ChangeConnector(id, func(c *provider.Connector) { c.Reauthenticates = &yes })
}

// setAuthTime makes the liar state an auth_time that long ago; none, for a negative time.
func setAuthTime(up *providertest.Upstreams, b *providertest.Testbed, ago time.Duration) {
	claim := any(nil)
	if ago >= 0 {
		claim = b.Now().Add(-ago).Unix()
	}
	up.Liar.SetFaults(providertest.ChangeClaim("auth_time", claim))
}

const noAuthTime = time.Duration(-1)

// freshnessRequests are the ways in which a client can demand a recent sign-in, by its
// settings and parameters.
var freshnessRequests = []struct {
	name   string
	client func(*storage.Client)
	pairs  []string
	again  bool // only a sign-in for this request is enough
	any    bool // any auth_time is enough if it is known
}{
	{name: "max_age", pairs: []string{"max_age", "300"}},
	{name: "max_age=0", pairs: []string{"max_age", "0"}, again: true},
	{name: "default_max_age", client: func(c *storage.Client) { age := int64(300); c.Metadata.DefaultMaxAge = &age }},
	{name: "prompt=login", pairs: []string{"prompt", "login"}, again: true},
	{name: "auth_time essential", pairs: []string{"claims", `{"id_token":{"auth_time":{"essential":true}}}`}, any: true},
	{name: "require_auth_time", client: func(c *storage.Client) { c.Metadata.RequireAuthTime = true }, any: true},
}

// withClient returns the testbed with a new client that makes request i of
// freshnessRequests.
func withClient(t *testing.T, b *providertest.Testbed, i int, change ...func(*storage.Client)) *providertest.Testbed {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Web, storage.NewID("asks-"), func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		if freshnessRequests[i].client != nil {
			freshnessRequests[i].client(c)
		}
		for _, f := range change {
			f(c)
		}
	})
	return b.AsClient(client, secret)
}

// Each request is combined with each proof, in a new browser and after an old sign-in. A
// request that is not satisfied ends with login_required.
func TestFreshness_EveryRequestWithEveryProof(t *testing.T) {
	for _, proof := range []struct {
		name      string
		ago       time.Duration // auth_time that the upstream states
		asksAgain bool          // by the setting
		young     bool          // proved within five minutes
		known     bool
		again     bool // in answer to the request
	}{
		{"says now", 0, false, true, true, true},
		{"says four minutes", 4 * time.Minute, false, true, true, false},
		{"says an hour", time.Hour, false, false, true, false},
		{"says nothing", noAuthTime, false, false, false, false},
		{"says nothing, asks again", noAuthTime, true, true, true, true},
		{"says an hour, asks again", time.Hour, true, false, true, false},
	} {
		t.Run(proof.name, func(t *testing.T) {
			providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				for i, wanted := range freshnessRequests {
					client := withClient(t, b, i)
					met := proof.young && (!wanted.again || proof.again)
					if wanted.any {
						met = proof.known
					}
					for _, old := range []bool{false, true} {
						v := client.Visitor(t)
						if old {
							setAuthTime(up, b, noAuthTime)
							v.SignInThrough(t, v.Get(t, b.AuthorizeURL()), "liar", "victim")
							b.Advance(time.Hour)
						}
						setAuthTime(up, b, proof.ago)
						page := v.Get(t, client.AuthorizeURL(wanted.pairs...))
						if page.At.Path != "/login" {
							t.Fatalf("%s, old %v: not asked to sign in: at %s, left to %v", wanted.name, old, page.At, page.LeftTo)
						}
						wantProof(t, v, v.SignInThrough(t, page, "liar", "victim"), met, wanted.name, old)
					}
				}
			}, func(up *providertest.Upstreams, c *provider.Config) {
				if proof.asksAgain {
					reauthenticates("liar", true)(up, c)
				}
			})
		})
	}
}

// wantProof fails unless the client got tokens with a valid auth_time if met, and
// login_required otherwise.
func wantProof(t *testing.T, v *providertest.Visitor, s providertest.Stop, met bool, wanted string, old bool) {
	t.Helper()
	if s.LeftTo == nil {
		t.Fatalf("%s, old %v: ends at %s, status %d:\n%s", wanted, old, s.At, s.StatusCode, s.Body)
	}
	if got := s.Response(t).Get("error"); !met {
		if got != "login_required" || s.Response(t).Get("state") != "st&te" || s.Response(t).Get("iss") != v.Bed.Issuer {
			t.Errorf("%s, old %v: answered with %v, want login_required", wanted, old, s.LeftTo)
		}
		return
	}
	tokens := v.Bed.Redeem(t, s.Code(t))
	for _, kind := range []string{"id_token", "access_token"} {
		if got := providertest.ClaimsOf(t, tokens[kind])["auth_time"]; got == nil || providertest.NumberOf(t, got) > v.Bed.Now().Unix() {
			t.Errorf("%s, old %v: auth_time of the %s is %v", wanted, old, kind, got)
		}
	}
}

// A password satisfies each request, in a new browser and after an old sign-in.
func TestFreshness_PasswordSatisfiesEveryRequest(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for i, wanted := range freshnessRequests {
			client := withClient(t, b, i)
			v := client.Visitor(t)
			first := v.SignIn(t, v.Get(t, client.AuthorizeURL(wanted.pairs...)), providertest.Alice, providertest.Password)
			wantProof(t, v, first, true, wanted.name, false)
			b.Advance(time.Hour)
			page := v.Get(t, client.AuthorizeURL(wanted.pairs...))
			if wanted.any {
				wantProof(t, v, page, true, wanted.name, true)
				continue
			}
			page.WantText(t, "Confirm it’s you", providertest.Alice)
			wantProof(t, v, v.SignIn(t, page, providertest.Alice, providertest.Password), true, wanted.name, true)
			// prompt=none cannot ask for a proof.
			if !wanted.again {
				b.Advance(time.Hour)
				v.Get(t, client.AuthorizeURL(append(wanted.pairs, "prompt", "none")...)).WantError(t, "login_required")
			}
		}
	})
}

// A client with prompt_login best-effort gets an answer. Its ID tokens state the time of
// the arrival from the upstream as auth_time; access tokens and introspection do not.
func TestFreshness_BestEffortAcceptsArrival(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for i, wanted := range freshnessRequests {
			client := withClient(t, b, i, func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort })
			v := client.Visitor(t)
			s := v.SignInThrough(t, v.Get(t, client.AuthorizeURL(wanted.pairs...)), "github", "octo")
			arrived := b.Now().Unix()
			tokens := client.Redeem(t, s.Code(t))
			b.Advance(2 * time.Minute)
			refreshed := client.MustRefresh(t, tokens["refresh_token"])
			for _, set := range []map[string]any{tokens, refreshed} {
				if got := providertest.NumberOf(t, providertest.ClaimsOf(t, set["id_token"])["auth_time"]); got < arrived-2 || got > arrived {
					t.Errorf("%s: the ID token states %d, want the arrival, %d", wanted.name, got, arrived)
				}
				if got, there := providertest.ClaimsOf(t, set["access_token"])["auth_time"]; there {
					t.Errorf("%s: the access token states auth_time %v, want none", wanted.name, got)
				}
			}
			// Within max_age the arrival still counts; prompt=login needs another one.
			again := v.Get(t, client.AuthorizeURL(wanted.pairs...))
			if asked := again.LeftTo == nil; asked != wanted.again {
				t.Errorf("%s: two minutes later at %s, left to %v", wanted.name, again.At, again.LeftTo)
			}
		}
		// Clients that did not request auth_time, and strict clients, get none.
		for _, way := range []string{"", storage.PromptLoginBestEffort} {
			client, secret := b.RegisterWith(t, storage.Web, storage.NewID("plain-"), func(c *storage.Client) {
				c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{providertest.Callback}, true, way
			})
			plain := b.AsClient(client, secret)
			v := plain.Visitor(t)
			tokens := plain.Redeem(t, v.AuthorizeThrough(t, "github", "octo").Code(t))
			for _, kind := range []string{"id_token", "access_token"} {
				if got, there := providertest.ClaimsOf(t, tokens[kind])["auth_time"]; there {
					t.Errorf("prompt_login %q: %s states auth_time %v, which was not requested", way, kind, got)
				}
			}
			if got, there := plain.Introspect(t, tokens["access_token"])["auth_time"]; there {
				t.Errorf("introspection states auth_time %v, want none", got)
			}
		}
	})
}

// After a proof that is not enough, the page offers the other ways of the account. The
// application gets login_required only if the user goes back or has no other way.
func TestFreshness_OffersOtherWaysFirst(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		linked := b.Visitor(t)
		linked.Account(t, "/account/identities")
		linked.Connect(t, "github", "octo")
		setAuthTime(up, b, noAuthTime)
		linked.Connect(t, "liar", "victim")
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "60"}} {
			v := b.Visitor(t)
			page := v.AuthorizeThrough(t, "github", "octo", pairs...)
			page.WantText(t, "Confirm it’s you", "GitHub", "signed you in without asking", "Elsewhere")
			if strings.Contains(page.Body, `id="connector-github"`) || strings.Contains(page.Body, `id="connector-google"`) {
				t.Errorf("%v: the page offers a way that cannot help, or that the account does not have", pairs)
			}
			// The next way does not help either; only the password is left.
			page = v.SignInThrough(t, page, "liar", "victim")
			page.WantText(t, "Elsewhere")
			if strings.Contains(page.Body, "connector-") {
				t.Errorf("%v: the page offers a way again that did not help", pairs)
			}
			back := v.Submit(t, page.FormTo(t, "/decline", "", ""))
			back.WantError(t, "login_required")
			if back.Response(t).Get("state") != "st&te" || back.Response(t).Get("iss") != b.Issuer {
				t.Errorf("%v: went back to %v", pairs, back.LeftTo)
			}
			// After declining, the same page still accepts a sign-in.
			s := v.SignIn(t, page, providertest.Alice, providertest.Password)
			if s.LeftTo == nil {
				s = v.Allow(t, s)
			}
			b.Redeem(t, s.Code(t))
		}
	})
}

// If the account has only an upstream that never asks, an old sign-in cannot be renewed.
// The page explains that, leads back to the application and offers another account.
func TestFreshness_AccountWithoutWayToProve(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "120"}} {
			v := b.Visitor(t)
			v.Allow(t, v.AuthorizeThrough(t, "github", "octo", "prompt", "consent")).Code(t)
			b.Advance(10 * time.Minute)
			page := v.Get(t, b.AuthorizeURL(pairs...))
			page.WantText(t, "Confirm it’s you", "GitHub can’t confirm that it’s you")
			if strings.Contains(page.Body, "connector-") || strings.Contains(page.Body, `id="password"`) {
				t.Errorf("%v: the page offers a way that cannot help", pairs)
			}
			v.Submit(t, page.FormTo(t, "/decline", "", "")).WantError(t, "login_required")
			v.Get(t, b.AuthorizeURL("prompt", "none", "max_age", "120")).WantError(t, "login_required")
			// Another account answers the same request.
			other := v.Get(t, page.Link(t, "other"))
			s := v.SignIn(t, other, providertest.Alice, providertest.Password)
			if s.LeftTo == nil {
				s = v.Allow(t, s)
			}
			if claims := providertest.ClaimsOf(t, b.Redeem(t, s.Code(t))["id_token"]); claims["sub"] != b.Alice.ID {
				t.Errorf("%v: came back as %v", pairs, claims["sub"])
			}
		}
	})
}

// An attacker at an unlocked browser comes back through a connector that answers without
// asking, with this account or another. That is no proof.
func TestFreshness_SilentArrivalIsNoProof(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.RegisterApp(t)
		setAuthTime(up, b, noAuthTime)
		for _, way := range [][2]string{{"github", "octo"}, {"liar", "victim"}} {
			v := b.Visitor(t)
			first := v.AuthorizeThrough(t, "github", "octo", "prompt", "consent")
			v.Allow(t, first).Code(t)
			b.Advance(10 * time.Minute)
			choice := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
			other := v.Submit(t, choice.FormTo(t, "/select", "", ""), "decision", "other")
			s := v.SignInThrough(t, other, way[0], way[1])
			if s.LeftTo == nil {
				s = v.Allow(t, s)
			}
			tokens := b.Redeem(t, s.Code(t))
			if got, there := providertest.ClaimsOf(t, tokens["id_token"])["auth_time"]; there {
				t.Errorf("%s: auth_time is %v, want none", way[0], got)
			}
			v.Get(t, b.AuthorizeURL("max_age", "120", "prompt", "none")).WantError(t, "login_required")
			for _, path := range []string{"/account/sessions/end-all", "/account/apps/withdraw?client_id=app"} {
				page := v.Get(t, b.Issuer+path)
				page.WantText(t, "Confirm it’s you", "doesn’t say when you last signed in there")
				if page.At.Path != "/login" {
					t.Errorf("%s: %s opens without a new proof", way[0], path)
				}
			}
			if got, there := v.WantApp(t, true)["auth_time"]; there {
				t.Errorf("/session states auth_time %v, want none", got)
			}
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithAppOrigins(providertest.Shop)(c) })
}

// An arrival for one request satisfies no other request, even for a best-effort client.
func TestFreshness_ArrivalCountsForItsRequestOnly(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		client, secret := b.RegisterWith(t, storage.Web, "easy", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{providertest.Callback}, true, storage.PromptLoginBestEffort
		})
		easy := b.AsClient(client, secret)
		v := easy.Visitor(t)
		other := v.Get(t, easy.AuthorizeURL("prompt", "login"))
		v.AuthorizeThrough(t, "github", "octo", "prompt", "login").Code(t)
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {other.FormTo(t, "/login", "", "").Values.Get("request")}}.Encode()
		if s := v.Get(t, next); s.At.Path != "/login" || s.LeftTo != nil {
			t.Fatalf("the other request is answered: at %s, left to %v", s.At, s.LeftTo)
		}
		// Declining one request does not decline the other.
		asked := v.Get(t, easy.AuthorizeURL("prompt", "login"))
		decline := asked.FormTo(t, "/decline", "", "")
		crossed := providertest.Form{Action: decline.Action, Values: url.Values{"ticket": decline.Values["ticket"], "request": {other.FormTo(t, "/login", "", "").Values.Get("request")}}}
		v.Submit(t, crossed).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, providertest.Form{Action: decline.Action, Values: url.Values{"request": decline.Values["request"]}}).WantPage(t, http.StatusConflict, "stale_form")
		if s := v.Get(t, next); s.At.Path != "/login" {
			t.Fatalf("the other request was refused: left to %v", s.LeftTo)
		}
		v.Submit(t, decline).WantError(t, "login_required")
	})
}

// A connector with reauthenticates gets prompt=login whenever the request demands a recent
// sign-in, and never otherwise.
func TestFreshness_ReauthenticatingConnectorGetsPromptLogin(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for i, wanted := range freshnessRequests {
			client := withClient(t, b, i)
			v := client.Visitor(t)
			at := v.PressConnector(t, v.Get(t, client.AuthorizeURL(wanted.pairs...)), "liar")
			if got := at.Query().Get("prompt"); got != "login" {
				t.Errorf("%s: prompt=%q at the upstream", wanted.name, got)
			}
		}
		v := b.Visitor(t)
		if at := v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "liar"); at.Query().Has("prompt") || at.Query().Has("max_age") {
			t.Errorf("no recent sign-in was requested, but the upstream got %s", at.RawQuery)
		}
	}, reauthenticates("liar", true))
}
