package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
)

// reauthenticates says of a connector what the setting says.
func reauthenticates(id string, yes bool) func(*upstreams, *provider.Config) {
	return alter(id, func(c *provider.Connector) { c.Reauthenticates = &yes })
}

// says has the liar name an auth_time that long ago; nothing, for a negative time.
func (up *upstreams) says(b *testbed, ago time.Duration) {
	claim := any(nil)
	if ago >= 0 {
		claim = b.now().Add(-ago).Unix()
	}
	up.liar.Tell(lie("auth_time", claim))
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
func (b *testbed) asking(t *testing.T, i int, change ...func(*storage.Client)) *testbed {
	t.Helper()
	client, secret := b.registerWith(t, storage.Web, storage.NewID("asks-"), func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{callback}, true
		if askers[i].client != nil {
			askers[i].client(c)
		}
		for _, f := range change {
			f(c)
		}
	})
	return b.as(client, secret)
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
			onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
				for i, asker := range askers {
					client := b.asking(t, i)
					met := proof.young && (!asker.again || proof.again)
					if asker.any {
						met = proof.known
					}
					for _, old := range []bool{false, true} {
						v := client.visitor(t)
						if old {
							up.says(b, silence)
							v.through(t, v.get(t, b.authorizeURL()), "liar", "victim")
							b.pass(time.Hour)
						}
						up.says(b, proof.ago)
						page := v.get(t, client.authorizeURL(asker.pairs...))
						if page.At.Path != "/login" {
							t.Fatalf("%s, old %v: not asked: at %s, left to %v", asker.name, old, page.At, page.Left)
						}
						v.wantProof(t, v.through(t, page, "liar", "victim"), met, asker.name, old)
					}
				}
			}, func(up *upstreams, c *provider.Config) {
				if proof.asksAgain {
					reauthenticates("liar", true)(up, c)
				}
			})
		})
	}
}

// wantProof wants the answer to have an honest auth_time, or to say that there is none.
func (v *visitor) wantProof(t *testing.T, s stop, met bool, asker string, old bool) {
	t.Helper()
	if s.Left == nil {
		t.Fatalf("%s, old %v: ends at %s, status %d:\n%s", asker, old, s.At, s.StatusCode, s.Body)
	}
	if got := s.response(t).Get("error"); !met {
		if got != "login_required" || s.response(t).Get("state") != "st&te" || s.response(t).Get("iss") != v.b.Issuer {
			t.Errorf("%s, old %v: answered with %v, want login_required", asker, old, s.Left)
		}
		return
	}
	tokens := v.b.redeem(t, s.code(t))
	for _, kind := range []string{"id_token", "access_token"} {
		if got := claimsOf(t, tokens[kind])["auth_time"]; got == nil || numberOf(t, got) > v.b.now().Unix() {
			t.Errorf("%s, old %v: auth_time of the %s is %v", asker, old, kind, got)
		}
	}
}

// TestFreshness_APasswordIsAlwaysAProof, whoever asks, for an old sign-in and a new one.
func TestFreshness_APasswordIsAlwaysAProof(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for i, asker := range askers {
			client := b.asking(t, i)
			v := client.visitor(t)
			first := v.signIn(t, v.get(t, client.authorizeURL(asker.pairs...)), alice, password)
			v.wantProof(t, first, true, asker.name, false)
			b.pass(time.Hour)
			page := v.get(t, client.authorizeURL(asker.pairs...))
			if asker.any {
				v.wantProof(t, page, true, asker.name, true)
				continue
			}
			page.wantText(t, "Confirm it’s you", alice)
			v.wantProof(t, v.signIn(t, page, alice, password), true, asker.name, true)
			// Silently there is nothing to be asked.
			if !asker.again {
				b.pass(time.Hour)
				v.get(t, client.authorizeURL(append(asker.pairs, "prompt", "none")...)).wantError(t, "login_required")
			}
		}
	})
}

// TestFreshness_BestEffortTakesTheArrival: the client that accepts it gets an answer, its
// ID tokens state the arrival, and nothing that others read does.
func TestFreshness_BestEffortTakesTheArrival(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		for i, asker := range askers {
			client := b.asking(t, i, func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort })
			v := client.visitor(t)
			s := v.through(t, v.get(t, client.authorizeURL(asker.pairs...)), "github", "octo")
			arrived := b.now().Unix()
			tokens := client.redeem(t, s.code(t))
			b.pass(2 * time.Minute)
			refreshed := client.refreshed(t, tokens["refresh_token"])
			for _, set := range []map[string]any{tokens, refreshed} {
				if got := numberOf(t, claimsOf(t, set["id_token"])["auth_time"]); got < arrived-2 || got > arrived {
					t.Errorf("%s: the ID token states %d, want the arrival, %d", asker.name, got, arrived)
				}
				if got, there := claimsOf(t, set["access_token"])["auth_time"]; there {
					t.Errorf("%s: the access token states %v, which nobody knows", asker.name, got)
				}
			}
			// Within max_age the arrival still counts; a prompt wants another.
			again := v.get(t, client.authorizeURL(asker.pairs...))
			if asked := again.Left == nil; asked != asker.again {
				t.Errorf("%s: two minutes later at %s, left to %v", asker.name, again.At, again.Left)
			}
		}
		// Nothing is stated to a client that did not ask, nor to one that is strict.
		for _, way := range []string{"", storage.PromptLoginBestEffort} {
			client, secret := b.registerWith(t, storage.Web, storage.NewID("plain-"), func(c *storage.Client) {
				c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{callback}, true, way
			})
			plain := b.as(client, secret)
			v := plain.visitor(t)
			tokens := plain.redeem(t, v.comeBy(t, "github", "octo").code(t))
			for _, kind := range []string{"id_token", "access_token"} {
				if got, there := claimsOf(t, tokens[kind])["auth_time"]; there {
					t.Errorf("prompt_login %q: %s states %v without being asked", way, kind, got)
				}
			}
			if got, there := plain.introspect(t, tokens["access_token"])["auth_time"]; there {
				t.Errorf("introspection states %v", got)
			}
		}
	})
}

// TestFreshness_AnotherWayIsOfferedFirst: the application hears only when the person
// goes back or has no other way.
func TestFreshness_AnotherWayIsOfferedFirst(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		linked := b.visitor(t)
		linked.account(t, "/account/identities")
		linked.connect(t, "github", "octo")
		up.says(b, silence)
		linked.connect(t, "liar", "victim")
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "60"}} {
			v := b.visitor(t)
			page := v.comeBy(t, "github", "octo", pairs...)
			page.wantText(t, "Confirm it’s you", "GitHub", "signed you in without asking", "Elsewhere")
			if strings.Contains(page.Body, `id="connector-github"`) || strings.Contains(page.Body, `id="connector-google"`) {
				t.Errorf("%v: a way is offered that cannot help, or that the account does not have", pairs)
			}
			// The next way does not help either; the password is left.
			page = v.through(t, page, "liar", "victim")
			page.wantText(t, "Elsewhere")
			if strings.Contains(page.Body, "connector-") {
				t.Errorf("%v: a way is offered again that did not help", pairs)
			}
			back := v.submit(t, page.formTo(t, "/decline", "", ""))
			back.wantError(t, "login_required")
			if back.response(t).Get("state") != "st&te" || back.response(t).Get("iss") != b.Issuer {
				t.Errorf("%v: went back to %v", pairs, back.Left)
			}
			// A person who declined can still sign in on the same page.
			s := v.signIn(t, page, alice, password)
			if s.Left == nil {
				s = v.allow(t, s)
			}
			b.redeem(t, s.code(t))
		}
	})
}

// TestFreshness_ASessionWithNoWay: an old sign-in through an upstream that never asks
// ends at no dead end: the page says why, leads back and to another account.
func TestFreshness_ASessionWithNoWay(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		for _, pairs := range [][]string{{"prompt", "login"}, {"max_age", "120"}} {
			v := b.visitor(t)
			v.allow(t, v.comeBy(t, "github", "octo", "prompt", "consent")).code(t)
			b.pass(10 * time.Minute)
			page := v.get(t, b.authorizeURL(pairs...))
			page.wantText(t, "Confirm it’s you", "GitHub cannot confirm that it is you")
			if strings.Contains(page.Body, "connector-") || strings.Contains(page.Body, `id="password"`) {
				t.Errorf("%v: a way is offered that cannot help", pairs)
			}
			v.submit(t, page.formTo(t, "/decline", "", "")).wantError(t, "login_required")
			v.get(t, b.authorizeURL("prompt", "none", "max_age", "120")).wantError(t, "login_required")
			// Another account answers the same request.
			other := v.get(t, page.link(t, "other"))
			s := v.signIn(t, other, alice, password)
			if s.Left == nil {
				s = v.allow(t, s)
			}
			if claims := claimsOf(t, b.redeem(t, s.code(t))["id_token"]); claims["sub"] != b.Alice.ID {
				t.Errorf("%v: came back as %v", pairs, claims["sub"])
			}
		}
	})
}

// TestFreshness_ASilentArrivalProvesNothingHere is the attack: whoever finds an unlocked
// browser comes through a connector that answers silently, of this account or another.
func TestFreshness_ASilentArrivalProvesNothingHere(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		b.withApp(t)
		up.says(b, silence)
		for _, way := range [][2]string{{"github", "octo"}, {"liar", "victim"}} {
			v := b.visitor(t)
			first := v.comeBy(t, "github", "octo", "prompt", "consent")
			v.allow(t, first).code(t)
			b.pass(10 * time.Minute)
			choice := v.get(t, b.authorizeURL("prompt", "select_account"))
			other := v.submit(t, choice.formTo(t, "/select", "", ""), "decision", "other")
			s := v.through(t, other, way[0], way[1])
			if s.Left == nil {
				s = v.allow(t, s)
			}
			tokens := b.redeem(t, s.code(t))
			if got, there := claimsOf(t, tokens["id_token"])["auth_time"]; there {
				t.Errorf("%s: auth_time is %v, want none", way[0], got)
			}
			v.get(t, b.authorizeURL("max_age", "120", "prompt", "none")).wantError(t, "login_required")
			for _, path := range []string{"/account/sessions/end-all", "/account/apps/withdraw?client_id=app"} {
				page := v.get(t, b.Issuer+path)
				page.wantText(t, "Confirm it’s you", "It is not known when you last did")
				if page.At.Path != "/login" {
					t.Errorf("%s: %s opens", way[0], path)
				}
			}
			if got, there := v.wantApp(t, true)["auth_time"]; there {
				t.Errorf("/session states %v", got)
			}
		}
	}, func(_ *upstreams, c *provider.Config) { appAt(shop)(c) })
}

// TestFreshness_AnAnswerIsForItsRequestAlone: what came back for one request satisfies
// no other, not even where arrivals count.
func TestFreshness_AnAnswerIsForItsRequestAlone(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		client, secret := b.registerWith(t, storage.Web, "easy", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.PromptLogin = []string{callback}, true, storage.PromptLoginBestEffort
		})
		easy := b.as(client, secret)
		v := easy.visitor(t)
		other := v.get(t, easy.authorizeURL("prompt", "login"))
		v.comeBy(t, "github", "octo", "prompt", "login").code(t)
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {other.formTo(t, "/login", "", "").values.Get("request")}}.Encode()
		if s := v.get(t, next); s.At.Path != "/login" || s.Left != nil {
			t.Fatalf("the other request is answered: at %s, left to %v", s.At, s.Left)
		}
		// A no to one is no answer to the other either.
		asked := v.get(t, easy.authorizeURL("prompt", "login"))
		decline := asked.formTo(t, "/decline", "", "")
		crossed := form{decline.action, url.Values{"ticket": decline.values["ticket"], "request": {other.formTo(t, "/login", "", "").values.Get("request")}}}
		v.submit(t, crossed).wantPage(t, http.StatusConflict, "stale_form")
		v.submit(t, form{decline.action, url.Values{"request": decline.values["request"]}}).wantPage(t, http.StatusConflict, "stale_form")
		if s := v.get(t, next); s.At.Path != "/login" {
			t.Fatalf("the other request was refused: left to %v", s.Left)
		}
		v.submit(t, decline).wantError(t, "login_required")
	})
}

// TestFreshness_ConnectorThatReauthenticatesIsAskedTo: a connector that need not say when
// is always sent prompt=login where freshness matters, and never otherwise.
func TestFreshness_ConnectorThatReauthenticatesIsAskedTo(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		for i, asker := range askers {
			client := b.asking(t, i)
			v := client.visitor(t)
			at := v.press(t, v.get(t, client.authorizeURL(asker.pairs...)), "liar")
			if got := at.Query().Get("prompt"); got != "login" {
				t.Errorf("%s: prompt=%q at the upstream", asker.name, got)
			}
		}
		v := b.visitor(t)
		if at := v.press(t, v.get(t, b.authorizeURL()), "liar"); at.Query().Has("prompt") || at.Query().Has("max_age") {
			t.Errorf("asked for nothing, and sent %s", at.RawQuery)
		}
	}, reauthenticates("liar", true))
}
