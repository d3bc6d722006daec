package races_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// A hundred tabs of one browser refresh on two nodes, with the old refresh token or with its
// successor. All get the same successor.
// RT-03: 50 parallel refreshes with one token lead to one successor.
// RT-04: The same holds with two nodes, and with two processes on one SQLite file.
// RT-06: If two tabs refresh at once, the slower one does not clear the cookies of the faster
// one.
func TestFirstParty_HundredTabsGetOneSuccessor(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		nodes := []*providertest.Testbed{b, b.Node(t)}
		v := b.Visitor(t)
		p := v.SignInApp(t)
		handle := v.Cookie(t, "signet").Value
		for range fewRounds() {
			b.Advance(time.Minute)
			answers := make([]providertest.Answer, 100)
			providertest.Race(50, func(i int) { answers[i] = nodes[i%2].RefreshAs(t, handle, p.Refresh.Value) })
			next := providertest.PairOf(t, answers[0])
			providertest.Race(50, func(i int) {
				answers[50+i] = nodes[i%2].RefreshAs(t, handle, []providertest.Pair{p, next}[i/2%2].Refresh.Value)
			})
			for _, a := range answers {
				got := providertest.PairOf(t, providertest.WantStatus(t, a, http.StatusOK))
				if got.Generation(t) != p.Generation(t)+1 || providertest.ClaimsOf(t, got.Refresh.Value)["gid"] != providertest.ClaimsOf(t, p.Refresh.Value)["gid"] {
					t.Fatalf("generation: got %d after %d, or another grant", got.Generation(t), p.Generation(t))
				}
				if got.Refresh.Value != next.Refresh.Value {
					t.Fatal("one refresh token got two successors")
				}
			}
			p = next
		}
		v.WantApp(t, true)
		v.ReplaceRefreshToken(p.Refresh.Value)
		v.RefreshApp(t)
	})
}

// The refresh is committed, but the browser does not get the answer. It retries with the
// old token.
// RT-05: Inside the grace, a replay gets the same successor. The grace never creates a second
// line of tokens.
// RT-14: If the server is killed after the commit, the client's retry gets the same
// successor.
func TestFirstParty_RetryAfterLostAnswerGetsTheSameToken(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := v.SignInApp(t)
		handle := v.Cookie(t, "signet").Value
		b.Advance(time.Minute)
		lost := providertest.PairOf(t, b.RefreshAs(t, handle, first.Refresh.Value))
		for range 3 {
			b.Advance(9 * time.Second)
			if got := v.RefreshApp(t); got.Refresh.Value != lost.Refresh.Value {
				t.Fatalf("retry within the grace: got generation %d, want the same token of generation %d", got.Generation(t), lost.Generation(t))
			}
			v.ReplaceRefreshToken(first.Refresh.Value)
		}
		v.ReplaceRefreshToken(lost.Refresh.Value)
		b.Advance(time.Minute)
		v.RefreshApp(t)
		v.WantApp(t, true)
		b.WantEvent(t, storage.GrantRetried, providertest.ClaimsOf(t, first.Access.Value)["gid"])
	})
}

// A refresh token is stolen and used twice. The session and all its grants end on all nodes,
// and the event has the reason.
// RT-01: Replay of a rotated token after the grace revokes the grant (RFC 9700, section
// 4.14.2).
// RT-02: If a thief and the owner both use a token, both end without access.
func TestFirstParty_ReplayEndsTheSession(t *testing.T) {
	for name, steal := range map[string]func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, first providertest.Pair) (stolen string){
		"after the grace": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, first providertest.Pair) string {
			v.RefreshApp(t)
			b.Advance(31 * time.Second)
			return first.Refresh.Value
		},
		"after the successor was used": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, first providertest.Pair) string {
			v.RefreshApp(t)
			b.Advance(31 * time.Second)
			v.RefreshApp(t)
			return first.Refresh.Value
		},
		"the thief was first": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, first providertest.Pair) string {
			providertest.WantStatus(t, b.RefreshAs(t, v.Cookie(t, "signet").Value, first.Refresh.Value), http.StatusOK)
			b.Advance(31 * time.Second)
			return first.Refresh.Value // the owner uses it second
		},
		"after it expired": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, first providertest.Pair) string {
			for range 6 {
				b.Advance(48 * time.Hour)
				v.RefreshApp(t)
			}
			return first.Refresh.Value
		},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
				b.Client.SkipConsent = true
				b.ChangeClient(t, func(*storage.Client) {})
				v := b.Visitor(t)
				first := v.SignInApp(t)
				b.Advance(time.Minute)
				tokens := b.Redeem(t, v.CodeFromSession(t)) // another client of the session
				handle := v.Cookie(t, "signet").Value
				stolen := steal(t, b, v, first)
				a := b.RefreshAs(t, handle, stolen)
				providertest.WantOAuthError(t, a, http.StatusUnauthorized, "login_required")
				for _, c := range a.Cookies() {
					if c.Value != "" || !strings.HasSuffix(c.Name, "_token") {
						t.Errorf("the refusal sets the cookie %v, want only deletions of tokens", c)
					}
				}
				if len(a.Cookies()) != 2 {
					t.Errorf("cookies of the refusal: got %v, want both token cookies deleted", a.Cookies())
				}
				v.WantApp(t, false)
				v.WantSignedOut(t)
				b.WantRevoked(t, tokens)
				if providertest.IsActive(t, b, tokens["access_token"].(string)) {
					t.Error("introspection of the other client's token: active")
				}
				providertest.WantAppError(t, v.CallApp(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
				if e := b.WantEvent(t, storage.GrantReplayed, providertest.ClaimsOf(t, first.Access.Value)["gid"]); e.Reason != "refresh_token_replayed" {
					t.Errorf("reason of the event: got %q, want refresh_token_replayed", e.Reason)
				}
				// The sign-in page and the account page show this browser the reason.
				page := v.Get(t, b.Issuer+"/login?return_to="+providertest.Shop+"/")
				page.WantText(t, "You were signed out to protect you")
				v.SignIn(t, page, providertest.Alice, providertest.Password)
				v.Get(t, b.Issuer+"/account/sessions").WantText(t, "Ended to protect you", "used twice")
				w := b.Visitor(t) // other browsers are not shown the reason, not even after a sign-out
				w.SignInApp(t)
				handle = w.Cookie(t, "signet").Value
				providertest.WantStatus(t, w.CallApp(t, "/logout", ""), http.StatusNoContent)
				w.SetCookie("signet", handle)
				for _, other := range []*providertest.Visitor{w, b.Visitor(t)} {
					if page := other.Get(t, b.Issuer+"/login?return_to="+providertest.Shop+"/"); strings.Contains(page.Body, "to protect you") || page.At.Path != "/login" {
						t.Errorf("%s shows the reason to another browser:\n%s", page.At, page.Body)
					}
				}
				if again := v.Get(t, b.AuthorizeURL("prompt", "login")); strings.Contains(again.Body, "to protect you") {
					t.Errorf("the sign-in page still shows the reason after a sign-in:\n%s", again.Body)
				}
			})
		})
	}
}

// After a sign-out all refresh tokens are refused, in every order of the commits.
// RT-18: Refresh and logout at the same time: the grant ends, in either order.
func TestFirstParty_RefreshRacesWithLogout(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		node := b.Node(t)
		for round := range rounds() {
			v := b.Visitor(t)
			p := v.SignInApp(t)
			b.Advance(time.Minute)
			handle := v.Cookie(t, "signet").Value
			var mu sync.Mutex
			last := []string{p.Refresh.Value}
			providertest.Race(5, func(i int) {
				if i == 0 {
					for range round % 5 { // early or late
						v.CallApp(t, "/session", "")
					}
					providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent)
					return
				}
				a := []*providertest.Testbed{b, node}[i%2].RefreshAs(t, handle, p.Refresh.Value)
				switch a.StatusCode {
				case http.StatusOK:
					mu.Lock()
					defer mu.Unlock()
					last = append(last, providertest.PairOf(t, a).Refresh.Value)
				case http.StatusUnauthorized:
					if len(a.Cookies()) != 0 {
						t.Errorf("a refused refresh sets cookies: %v", a.Cookies())
					}
				default:
					t.Errorf("refresh: got status %d, want 200 or 401: %s", a.StatusCode, a.Body)
				}
			})
			for _, token := range last {
				providertest.WantAppError(t, b.RefreshAs(t, handle, token), http.StatusUnauthorized, "login_required")
			}
		}
	})
}
