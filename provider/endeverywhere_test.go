package provider_test

import (
	"net/http"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// held has copies of all cookies and tokens of a session, as a thief may have kept them.
type held struct {
	handle string // the session cookie
	app    providertest.Pair
	tokens map[string]any                                    // of the testbed's client, online
	api    func(*providertest.Testbed) *providertest.Testbed // a client that may introspect the app's access token
}

// takers are all requests that accept a copy. Each reports whether its copy was accepted, and
// checks that a refusal is the right one.
var takers = map[string]func(t *testing.T, b *providertest.Testbed, h *held) (took bool){
	"/refresh": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		a := b.RefreshAs(t, h.handle, h.app.Refresh.Value)
		if a.StatusCode != http.StatusOK {
			providertest.WantAppError(t, a, http.StatusUnauthorized, "login_required")
			return false
		}
		h.app = providertest.PairOf(t, a)
		return true
	},
	"/session": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		return providertest.WantStatus(t, h.browser(t, b).CallApp(t, "/session", ""), http.StatusOK).JSON(t)["authenticated"] == true
	},
	"/authorize with prompt=none": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		response := h.browser(t, b).Get(t, b.AuthorizeURL("prompt", "none")).Response(t)
		if response.Get("code") == "" && response.Get("error") != "login_required" {
			t.Fatalf("/authorize answers %v", response)
		}
		return response.Get("code") != ""
	},
	"/account": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		return h.browser(t, b).Get(t, b.Issuer+"/account").At.Path == "/account"
	},
	"/userinfo": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		a := b.Userinfo(t, h.tokens["access_token"].(string))
		if a.StatusCode != http.StatusOK {
			providertest.WantStatus(t, a, http.StatusUnauthorized)
		}
		return a.StatusCode == http.StatusOK
	},
	"/token with the refresh token": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		a := b.Refresh(t, h.tokens["refresh_token"])
		if a.StatusCode != http.StatusOK {
			providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			return false
		}
		h.tokens = a.JSON(t)
		return true
	},
	"/introspect of the access token": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		return providertest.IsActive(t, b, h.tokens["access_token"].(string))
	},
	"/introspect of the refresh token": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		return providertest.IsActive(t, b, h.tokens["refresh_token"].(string))
	},
	"/introspect of the app's token": func(t *testing.T, b *providertest.Testbed, h *held) bool {
		return providertest.IsActive(t, h.api(b), h.app.Access.Value)
	},
}

// browser returns a visitor with only the kept cookies.
func (h *held) browser(t *testing.T, b *providertest.Testbed) *providertest.Visitor {
	t.Helper()
	w := b.Visitor(t)
	w.SetCookie("signet", h.handle)
	w.SetCookie("access_token", h.app.Access.Value)
	w.ReplaceRefreshToken(h.app.Refresh.Value)
	return w
}

// TestEnds_EveryEndReachesEveryConsumer ends a session in every way. Afterwards, all copies of
// its cookies and tokens are refused at once, on both nodes.
func TestEnds_EveryEndReachesEveryConsumer(t *testing.T) {
	for name, way := range providertest.SessionEndings {
		t.Run(name, func(t *testing.T) {
			providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
				api, secret := b.RegisterWith(t, storage.Web, "api", func(c *storage.Client) {
					c.Introspects, c.Metadata.RedirectURIs = true, []string{providertest.Callback}
				})
				b.Follow(t)
				node := b.Node(t)
				v := b.Visitor(t)
				tokens := v.SignInAndRedeem(t, providertest.Alice)
				h := &held{
					handle: v.Cookie(t, "signet").Value, app: v.RefreshApp(t), tokens: tokens,
					api: func(on *providertest.Testbed) *providertest.Testbed { return on.AsClient(api, secret) },
				}
				b.Advance(time.Minute)
				for taker, takes := range takers {
					if !takes(t, node, h) {
						t.Fatalf("%s refuses a live session", taker)
					}
				}
				v.ReplaceRefreshToken(h.app.Refresh.Value)
				// A device that was let in and has not polled since gets nothing either (LO-09).
				televisions := b.Televisions(t)
				waiting := televisions.StartDevice(t)
				v.AnswerDevice(t, waiting, "allow")
				way.End(t, b, v, tokens)
				televisions.RefusePoll(t, waiting, "invalid_grant")
				for taker, takes := range takers {
					for at, on := range map[string]*providertest.Testbed{"the node": b, "another node": node} {
						if takes(t, on, h) {
							t.Errorf("%s of %s still accepts it", taker, at)
						}
					}
				}
			})
		})
	}
}
