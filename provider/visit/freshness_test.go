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

// reauthenticates says of a connector what the setting says.
func reauthenticates(id string, yes bool) func(*providertest.Upstreams, *provider.Config) {
	return providertest.Alter(id, func(c *provider.Connector) { c.Reauthenticates = &yes })
}

// says has the liar name an auth_time that long ago; nothing, for a negative time.
func says(up *providertest.Upstreams, b *providertest.Testbed, ago time.Duration) {
	claim := any(nil)
	if ago >= 0 {
		claim = b.Now().Add(-ago).Unix()
	}
	up.Liar.SetFaults(providertest.Lie("auth_time", claim))
}

const silence = time.Duration(-1)

// askers are who wants a new proof of an application's, by the client and parameters.
var askers = []struct {
	name   string
	client func(*storage.Client)
	pairs  []string
	again  bool // an answer to this request alone will do
	any    bool // any time will do, if only it is known
}{
	{name: "max_age", pairs: []string{"max_age", "300"}},
	{name: "max_age=0", pairs: []string{"max_age", "0"}, again: true},
	{name: "default_max_age", client: func(c *storage.Client) { age := int64(300); c.Metadata.DefaultMaxAge = &age }},
	{name: "prompt=login", pairs: []string{"prompt", "login"}, again: true},
	{name: "auth_time essential", pairs: []string{"claims", `{"id_token":{"auth_time":{"essential":true}}}`}, any: true},
	{name: "require_auth_time", client: func(c *storage.Client) { c.Metadata.RequireAuthTime = true }, any: true},
}

// asking is the testbed in the hands of a client that asks so.
func asking(t *testing.T, b *providertest.Testbed, i int, change ...func(*storage.Client)) *providertest.Testbed {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Web, storage.NewID("asks-"), func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		if askers[i].client != nil {
			askers[i].client(c)
		}
		for _, f := range change {
			f(c)
		}
	})
	return b.As(client, secret)
}

// TestFreshness_EveryAskerEveryProof: what each proof is worth to each application, of
// an old sign-in and of a new one. A request that cannot be met ends with login_required.
func TestFreshness_EveryAskerEveryProof(t *testing.T) {
	for _, proof := range []struct {
		name      string
		ago       time.Duration // what the upstream says
		asksAgain bool          // by the setting
		young     bool          // proved within five minutes
		known     bool
		again     bool // in answer to the request
	}{
		{"says now", 0, false, true, true, true},
		{"says four minutes", 4 * time.Minute, false, true, true, false},
		{"says an hour", time.Hour, false, false, true, false},
		{"says nothing", silence, false, false, false, false},
		{"says nothing, asks again", silence, true, true, true, true},
		{"says an hour, asks again", time.Hour, true, false, true, false},
	} {
		t.Run(proof.name, func(t *testing.T) {
			providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				for i, asker := range askers {
					client := asking(t, b, i)
					met := proof.young && (!asker.again || proof.again)
					if asker.any {
						met = proof.known
					}
					for _, old := range []bool{false, true} {
						v := client.Visitor(t)
						if old {
							says(up, b, silence)
							v.Through(t, v.Get(t, b.AuthorizeURL()), "liar", "victim")
							b.Pass(time.Hour)
						}
						says(up, b, proof.ago)
						page := v.Get(t, client.AuthorizeURL(asker.pairs...))
						if page.At.Path != "/login" {
							t.Fatalf("%s, old %v: not asked: at %s, left to %v", asker.name, old, page.At, page.Left)
						}
						wantProof(t, v, v.Through(t, page, "liar", "victim"), met, asker.name, old)
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

// wantProof wants the answer to have an honest auth_time, or to say that there is none.
func wantProof(t *testing.T, v *providertest.Visitor, s providertest.Stop, met bool, asker string, old bool) {
	t.Helper()
	if s.Left == nil {
		t.Fatalf("%s, old %v: ends at %s, status %d:\n%s", asker, old, s.At, s.StatusCode, s.Body)
	}
	if got := s.Response(t).Get("error"); !met {
		if got != "login_required" || s.Response(t).Get("state") != "st&te" || s.Response(t).Get("iss") != v.Bed.Issuer {
			t.Errorf("%s, old %v: answered with %v, want login_required", asker, old, s.Left)
		}
		return
	}
	tokens := v.Bed.Redeem(t, s.Code(t))
	for _, kind := range []string{"id_token", "access_token"} {
		if got := providertest.ClaimsOf(t, tokens[kind])["auth_time"]; got == nil || providertest.NumberOf(t, got) > v.Bed.Now().Unix() {
			t.Errorf("%s, old %v: auth_time of the %s is %v", asker, old, kind, got)
		}
	}
}

// TestFreshness_APasswordIsAlwaysAProof, whoever asks, for an old sign-in and a new one.
func TestFreshness_APasswordIsAlwaysAProof(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for i, asker := range askers {
			client := asking(t, b, i)
			v := client.Visitor(t)
			first := v.SignIn(t, v.Get(t, client.AuthorizeURL(asker.pairs...)), providertest.Alice, providertest.Password)
			wantProof(t, v, first, true, asker.name, false)
			b.Pass(time.Hour)
			page := v.Get(t, client.AuthorizeURL(asker.pairs...))
			if asker.any {
				wantProof(t, v, page, true, asker.name, true)
				continue
			}
			page.WantText(t, "Confirm it’s you", providertest.Alice)
			wantProof(t, v, v.SignIn(t, page, providertest.Alice, providertest.Password), true, asker.name, true)
			// Silently there is nothing to be asked.
			if !asker.again {
				b.Pass(time.Hour)
				v.Get(t, client.AuthorizeURL(append(asker.pairs, "prompt", "none")...)).WantError(t, "login_required")
			}
		}
	})
}

// TestFreshness_BestEffortTakesTheArrival: the client that accepts it gets an answer, its
// ID tokens state the arrival, and nothing that others read does.
func TestFreshness_BestEffortTakesTheArrival(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for i, asker := range askers {
			client := asking(t, b, i, func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort })
			v := client.Visitor(t)
			s := v.Through(t, v.Get(t, client.AuthorizeURL(asker.pairs...)), "github", "octo")
			arrived := b.Now().Unix()
			tokens := client.Redeem(t, s.Code(t))
			b.Pass(2 * time.Minute)
			refreshed := client.Refreshed(t, tokens["refresh_token"])
			for _, set := range []map[string]any{tokens, refreshed} {
				if got := providertest.NumberOf(t, providertest.ClaimsOf(t, set["id_token"])["auth_time"]); got < arrived-2 || got > arrived {
					t.Errorf("%s: the ID token states %d, want the arrival, %d", asker.name, got, arrived)
				}
				if got, there := providertest.ClaimsOf(t, set["access_token"])["auth_time"]; there {
					t.Errorf("%s: the access token states %v, which nobody knows", asker.name, got)
				}
			}
			// Within max_age the arrival still counts; a prompt wants another.
			again := v.Get(t, client.AuthorizeURL(asker.pairs...))
			if asked := again.Left == nil; asked != asker.again {
				t.Errorf("%s: two minutes later at %s, left to %v", asker.name, again.At, again.Left)
			}
		}
		// Nothing is stated to a client that did not ask, nor to one that is strict.
		for _, way := range []string{"", storage.PromptLoginBestEffort} {
			client, secret := b.RegisterWith(t, storage.Web, storage.NewID("plain-"), func(c *storage.Client) {
				c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{providertest.Callback}, true, way
			})
			plain := b.As(client, secret)
			v := plain.Visitor(t)
			tokens := plain.Redeem(t, v.ComeBy(t, "github", "octo").Code(t))
			for _, kind := range []string{"id_token", "access_token"} {
				if got, there := providertest.ClaimsOf(t, tokens[kind])["auth_time"]; there {
					t.Errorf("prompt_login %q: %s states %v without being asked", way, kind, got)
				}
			}
			if got, there := plain.Introspect(t, tokens["access_token"])["auth_time"]; there {
				t.Errorf("introspection states %v", got)
			}
		}
	})
}

// TestFreshness_AnotherWayIsOfferedFirst: the application hears only when the person
// goes back or has no other way.
func TestFreshness_AnotherWayIsOfferedFirst(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		linked := b.Visitor(t)
		linked.Account(t, "/account/identities")
		linked.Connect(t, "github", "octo")
		says(up, b, silence)
		linked.Connect(t, "liar", "victim")
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "60"}} {
			v := b.Visitor(t)
			page := v.ComeBy(t, "github", "octo", pairs...)
			page.WantText(t, "Confirm it’s you", "GitHub", "signed you in without asking", "Elsewhere")
			if strings.Contains(page.Body, `id="connector-github"`) || strings.Contains(page.Body, `id="connector-google"`) {
				t.Errorf("%v: a way is offered that cannot help, or that the account does not have", pairs)
			}
			// The next way does not help either; the password is left.
			page = v.Through(t, page, "liar", "victim")
			page.WantText(t, "Elsewhere")
			if strings.Contains(page.Body, "connector-") {
				t.Errorf("%v: a way is offered again that did not help", pairs)
			}
			back := v.Submit(t, page.FormTo(t, "/decline", "", ""))
			back.WantError(t, "login_required")
			if back.Response(t).Get("state") != "st&te" || back.Response(t).Get("iss") != b.Issuer {
				t.Errorf("%v: went back to %v", pairs, back.Left)
			}
			// A person who declined can still sign in on the same page.
			s := v.SignIn(t, page, providertest.Alice, providertest.Password)
			if s.Left == nil {
				s = v.Allow(t, s)
			}
			b.Redeem(t, s.Code(t))
		}
	})
}

// TestFreshness_ASessionWithNoWay: an old sign-in through an upstream that never asks
// ends at no dead end: the page says why, leads back and to another account.
func TestFreshness_ASessionWithNoWay(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "120"}} {
			v := b.Visitor(t)
			v.Allow(t, v.ComeBy(t, "github", "octo", "prompt", "consent")).Code(t)
			b.Pass(10 * time.Minute)
			page := v.Get(t, b.AuthorizeURL(pairs...))
			page.WantText(t, "Confirm it’s you", "GitHub cannot confirm that it is you")
			if strings.Contains(page.Body, "connector-") || strings.Contains(page.Body, `id="password"`) {
				t.Errorf("%v: a way is offered that cannot help", pairs)
			}
			v.Submit(t, page.FormTo(t, "/decline", "", "")).WantError(t, "login_required")
			v.Get(t, b.AuthorizeURL("prompt", "none", "max_age", "120")).WantError(t, "login_required")
			// Another account answers the same request.
			other := v.Get(t, page.Link(t, "other"))
			s := v.SignIn(t, other, providertest.Alice, providertest.Password)
			if s.Left == nil {
				s = v.Allow(t, s)
			}
			if claims := providertest.ClaimsOf(t, b.Redeem(t, s.Code(t))["id_token"]); claims["sub"] != b.Alice.ID {
				t.Errorf("%v: came back as %v", pairs, claims["sub"])
			}
		}
	})
}

// TestFreshness_ASilentArrivalProvesNothingHere is the attack: whoever finds an unlocked
// browser comes through a connector that answers silently, of this account or another.
func TestFreshness_ASilentArrivalProvesNothingHere(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.WithApp(t)
		says(up, b, silence)
		for _, way := range [][2]string{{"github", "octo"}, {"liar", "victim"}} {
			v := b.Visitor(t)
			first := v.ComeBy(t, "github", "octo", "prompt", "consent")
			v.Allow(t, first).Code(t)
			b.Pass(10 * time.Minute)
			choice := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
			other := v.Submit(t, choice.FormTo(t, "/select", "", ""), "decision", "other")
			s := v.Through(t, other, way[0], way[1])
			if s.Left == nil {
				s = v.Allow(t, s)
			}
			tokens := b.Redeem(t, s.Code(t))
			if got, there := providertest.ClaimsOf(t, tokens["id_token"])["auth_time"]; there {
				t.Errorf("%s: auth_time is %v, want none", way[0], got)
			}
			v.Get(t, b.AuthorizeURL("max_age", "120", "prompt", "none")).WantError(t, "login_required")
			for _, path := range []string{"/account/sessions/end-all", "/account/apps/withdraw?client_id=app"} {
				page := v.Get(t, b.Issuer+path)
				page.WantText(t, "Confirm it’s you", "It is not known when you last did")
				if page.At.Path != "/login" {
					t.Errorf("%s: %s opens", way[0], path)
				}
			}
			if got, there := v.WantApp(t, true)["auth_time"]; there {
				t.Errorf("/session states %v", got)
			}
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.AppAt(providertest.Shop)(c) })
}

// TestFreshness_AnAnswerIsForItsRequestAlone: what came back for one request satisfies
// no other, not even where arrivals count.
func TestFreshness_AnAnswerIsForItsRequestAlone(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		client, secret := b.RegisterWith(t, storage.Web, "easy", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{providertest.Callback}, true, storage.PromptLoginBestEffort
		})
		easy := b.As(client, secret)
		v := easy.Visitor(t)
		other := v.Get(t, easy.AuthorizeURL("prompt", "login"))
		v.ComeBy(t, "github", "octo", "prompt", "login").Code(t)
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {other.FormTo(t, "/login", "", "").Values.Get("request")}}.Encode()
		if s := v.Get(t, next); s.At.Path != "/login" || s.Left != nil {
			t.Fatalf("the other request is answered: at %s, left to %v", s.At, s.Left)
		}
		// A no to one is no answer to the other either.
		asked := v.Get(t, easy.AuthorizeURL("prompt", "login"))
		decline := asked.FormTo(t, "/decline", "", "")
		crossed := providertest.Form{Action: decline.Action, Values: url.Values{"ticket": decline.Values["ticket"], "request": {other.FormTo(t, "/login", "", "").Values.Get("request")}}}
		v.Submit(t, crossed).WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, providertest.Form{Action: decline.Action, Values: url.Values{"request": decline.Values["request"]}}).WantPage(t, http.StatusConflict, "stale_form")
		if s := v.Get(t, next); s.At.Path != "/login" {
			t.Fatalf("the other request was refused: left to %v", s.Left)
		}
		v.Submit(t, decline).WantError(t, "login_required")
	})
}

// TestFreshness_ConnectorThatReauthenticatesIsAskedTo: a connector that need not say when
// is always sent prompt=login where freshness matters, and never otherwise.
func TestFreshness_ConnectorThatReauthenticatesIsAskedTo(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for i, asker := range askers {
			client := asking(t, b, i)
			v := client.Visitor(t)
			at := v.Press(t, v.Get(t, client.AuthorizeURL(asker.pairs...)), "liar")
			if got := at.Query().Get("prompt"); got != "login" {
				t.Errorf("%s: prompt=%q at the upstream", asker.name, got)
			}
		}
		v := b.Visitor(t)
		if at := v.Press(t, v.Get(t, b.AuthorizeURL()), "liar"); at.Query().Has("prompt") || at.Query().Has("max_age") {
			t.Errorf("asked for nothing, and sent %s", at.RawQuery)
		}
	}, reauthenticates("liar", true))
}
