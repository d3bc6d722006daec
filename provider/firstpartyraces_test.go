package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/storage"
)

// refreshAs asks a node for a refresh with these cookies, as one of a crowd.
func (b *testbed) refreshAs(t *testing.T, handle, refresh string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/refresh", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", "signet="+handle+"; refresh_token="+refresh)
	return do(t, crowd, r)
}

// A hundred tabs of one browser, over two nodes, some of which have heard of the
// successor while others have not: one successor, and all are in.
func TestRT03_RT04_RT06_FirstPartyStorm(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		nodes := []*testbed{b, b.node(t)}
		v := b.visitor(t)
		p := v.signInApp(t)
		handle := v.cookie(t, "signet").Value
		for range fewRounds() {
			b.pass(time.Minute)
			answers := make([]answer, 100)
			race(50, func(i int) { answers[i] = nodes[i%2].refreshAs(t, handle, p.refresh.Value) })
			next := pairOf(t, answers[0])
			race(50, func(i int) {
				answers[50+i] = nodes[i%2].refreshAs(t, handle, []pair{p, next}[i/2%2].refresh.Value)
			})
			for _, a := range answers {
				got := pairOf(t, wantStatus(t, a, http.StatusOK))
				if got.generation(t) != p.generation(t)+1 || claimsOf(t, got.refresh.Value)["gid"] != claimsOf(t, p.refresh.Value)["gid"] {
					t.Fatalf("generation %d after %d", got.generation(t), p.generation(t))
				}
				if got.refresh.Value != next.refresh.Value {
					t.Fatal("two successors of one token")
				}
			}
			p = next
		}
		v.wantApp(t, true)
		v.present(p.refresh.Value)
		v.refreshApp(t)
	})
}

// The answer is lost on its way after it was committed.
func TestRT05_RT14_FirstPartyLostAnswer(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		first := v.signInApp(t)
		handle := v.cookie(t, "signet").Value
		b.pass(time.Minute)
		lost := pairOf(t, b.refreshAs(t, handle, first.refresh.Value))
		for range 3 {
			b.pass(9 * time.Second)
			if got := v.refreshApp(t); got.refresh.Value != lost.refresh.Value {
				t.Fatalf("inside the grace another token came: generation %d, want %d", got.generation(t), lost.generation(t))
			}
			v.present(first.refresh.Value)
		}
		v.present(lost.refresh.Value)
		b.pass(time.Minute)
		v.refreshApp(t)
		v.wantApp(t, true)
		b.wantEvent(t, storage.GrantRetried, claimsOf(t, first.access.Value)["gid"])
	})
}

// What was stolen is used: thief and session are out, everywhere, and the log says why.
func TestRT01_RT02_FirstPartyTheft(t *testing.T) {
	for name, steal := range map[string]func(t *testing.T, b *testbed, v *visitor, first pair) (stolen string){
		"after the grace": func(t *testing.T, b *testbed, v *visitor, first pair) string {
			v.refreshApp(t)
			b.pass(31 * time.Second)
			return first.refresh.Value
		},
		"after the successor was used": func(t *testing.T, b *testbed, v *visitor, first pair) string {
			v.refreshApp(t)
			b.pass(31 * time.Second)
			v.refreshApp(t)
			return first.refresh.Value
		},
		"the thief was first": func(t *testing.T, b *testbed, v *visitor, first pair) string {
			wantStatus(t, b.refreshAs(t, v.cookie(t, "signet").Value, first.refresh.Value), http.StatusOK)
			b.pass(31 * time.Second)
			return first.refresh.Value // now it is the owner who comes with it
		},
		"after it expired": func(t *testing.T, b *testbed, v *visitor, first pair) string {
			for range 6 {
				b.pass(48 * time.Hour)
				v.refreshApp(t)
			}
			return first.refresh.Value
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachApp(t, func(t *testing.T, b *testbed) {
				b.Client.SkipConsent = true
				b.changeClient(t, func(*storage.Client) {})
				v := b.visitor(t)
				first := v.signInApp(t)
				b.pass(time.Minute)
				tokens := b.redeem(t, v.again(t)) // another client of the session
				handle := v.cookie(t, "signet").Value
				stolen := steal(t, b, v, first)
				a := b.refreshAs(t, handle, stolen)
				wantOAuthError(t, a, http.StatusUnauthorized, "login_required")
				for _, c := range a.Cookies() {
					if c.Value != "" || !strings.HasSuffix(c.Name, "_token") {
						t.Errorf("the refusal sets %v", c)
					}
				}
				if len(a.Cookies()) != 2 {
					t.Errorf("the dead session leaves tokens: %v", a.Cookies())
				}
				v.wantApp(t, false)
				v.wantSignedOut(t)
				b.wantDead(t, tokens)
				if b.saysActive(t, tokens["access_token"].(string)) {
					t.Error("introspection of the other client's token: active")
				}
				wantAppError(t, v.app(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
				if e := b.wantEvent(t, storage.GrantReplayed, claimsOf(t, first.access.Value)["gid"]); e.Reason != "refresh_token_replayed" {
					t.Errorf("the event says %q", e.Reason)
				}
				// And in again, and told why: on the way, and for a while.
				page := v.get(t, b.Issuer+"/login?return_to="+shop+"/")
				page.wantText(t, "You were signed out to protect you")
				v.signIn(t, page, alice, password)
				v.get(t, b.Issuer+"/account/sessions").wantText(t, "Ended to protect you", "used a second time")
				w := b.visitor(t) // nobody else is told: not who has signed out, and no stranger
				w.signInApp(t)
				handle = w.cookie(t, "signet").Value
				wantStatus(t, w.app(t, "/logout", ""), http.StatusNoContent)
				w.keep("signet", handle)
				for _, other := range []*visitor{w, b.visitor(t)} {
					if page := other.get(t, b.Issuer+"/login?return_to="+shop+"/"); strings.Contains(page.Body, "to protect you") || page.At.Path != "/login" {
						t.Errorf("at %s another browser is told:\n%s", page.At, page.Body)
					}
				}
				if again := v.get(t, b.authorizeURL("prompt", "login")); strings.Contains(again.Body, "to protect you") {
					t.Errorf("signed in again, and still told:\n%s", again.Body)
				}
			})
		})
	}
}

// Whichever commits first: after a sign-out nothing that was answered is good.
func TestRT18_FirstPartyRefreshRacesWithLogout(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		node := b.node(t)
		for round := range rounds() {
			v := b.visitor(t)
			p := v.signInApp(t)
			b.pass(time.Minute)
			handle := v.cookie(t, "signet").Value
			var mu sync.Mutex
			last := []string{p.refresh.Value}
			race(5, func(i int) {
				if i == 0 {
					for range round % 5 { // early or late
						v.app(t, "/session", "")
					}
					wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent)
					return
				}
				a := []*testbed{b, node}[i%2].refreshAs(t, handle, p.refresh.Value)
				switch a.StatusCode {
				case http.StatusOK:
					mu.Lock()
					defer mu.Unlock()
					last = append(last, pairOf(t, a).refresh.Value)
				case http.StatusUnauthorized:
					if len(a.Cookies()) != 0 {
						t.Errorf("who lost the race sets %v", a.Cookies())
					}
				default:
					t.Errorf("got %d: %s", a.StatusCode, a.Body)
				}
			})
			for _, token := range last {
				wantAppError(t, b.refreshAs(t, handle, token), http.StatusUnauthorized, "login_required")
			}
		}
	})
}

// No token stands in a body, and none, nor a password, in the log or the database.
func TestRT19_SS11_FirstPartySecrets(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		var bodies []string
		p := tapped(func() {
			v := b.visitor(t)
			keep := func(a answer) { bodies = append(bodies, a.Body) }
			keep(v.app(t, "/login", `{"username":"`+alice+`","password":"canary-wrong-password"}`))
			keep(v.app(t, "/login", `{"username":"`+alice+`","password":"canary-of-wrong-json","password":1}`))
			keep(v.app(t, "/login", credentials))
			keep(v.app(t, "/session", ""))
			b.pass(time.Minute)
			old := v.cookie(t, "signet").Value
			keep(v.app(t, "/refresh", ""))
			keep(v.app(t, "/refresh", "", with("Origin", "https://evil.example"), with("Sec-Fetch-Site", "cross-site")))
			keep(v.app(t, "/refresh", `{"refresh_token":"canary-token-in-body"}`))
			s := v.get(t, b.Issuer+"/login?return_to="+shop+"/")
			if s.Left == nil || strings.Contains(s.Left.String(), "token") {
				t.Errorf("left to %v", s.Left)
			}
			keep(v.app(t, "/logout", ""))
			v.keep("signet", old)
			keep(v.app(t, "/refresh", ""))
		})
		for _, canary := range []string{"canary-wrong-password", "canary-of-wrong-json", "canary-token-in-body", password} {
			p.secrets[canary] = "canary"
		}
		for _, kind := range []string{"cookie signet", "cookie access_token", "cookie refresh_token"} {
			if !p.kinds[kind] {
				t.Errorf("no %s was seen: this run shows nothing about it", kind)
			}
		}
		for name, text := range map[string]string{"database": b.dumped(t), "log": b.Log.String(), "bodies": strings.Join(bodies, "\n")} {
			for _, leak := range leaks(text, p.secrets) {
				t.Errorf("in the %s: %s", name, leak)
			}
		}
		if !strings.Contains(fmt.Sprint(bodies), b.Alice.ID) || !strings.Contains(b.Log.String(), `"path":"/refresh"`) {
			t.Error("bodies or log lack what is surely there")
		}
	})
}
