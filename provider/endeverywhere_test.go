package provider_test

import (
	"net/http"
	"testing"
	"time"

	"signet/storage"
)

// held is what somebody still has who has kept all that a session yielded.
type held struct {
	handle string // the session cookie
	app    pair
	tokens map[string]any          // of the testbed's client, online
	api    func(*testbed) *testbed // a client that may introspect the app's access token
}

// takers are all that takes something of what is held; each says whether it did,
// and wants a refusal to be the right one.
var takers = map[string]func(t *testing.T, b *testbed, h *held) (took bool){
	"/refresh": func(t *testing.T, b *testbed, h *held) bool {
		a := b.refreshAs(t, h.handle, h.app.refresh.Value)
		if a.StatusCode != http.StatusOK {
			wantAppError(t, a, http.StatusUnauthorized, "login_required")
			return false
		}
		h.app = pairOf(t, a)
		return true
	},
	"/session": func(t *testing.T, b *testbed, h *held) bool {
		return wantStatus(t, h.browser(t, b).app(t, "/session", ""), http.StatusOK).json(t)["authenticated"] == true
	},
	"/authorize with prompt=none": func(t *testing.T, b *testbed, h *held) bool {
		response := h.browser(t, b).get(t, b.authorizeURL("prompt", "none")).response(t)
		if response.Get("code") == "" && response.Get("error") != "login_required" {
			t.Fatalf("/authorize answers %v", response)
		}
		return response.Get("code") != ""
	},
	"/account": func(t *testing.T, b *testbed, h *held) bool {
		return h.browser(t, b).get(t, b.Issuer+"/account").At.Path == "/account"
	},
	"/userinfo": func(t *testing.T, b *testbed, h *held) bool {
		a := b.userinfo(t, h.tokens["access_token"].(string))
		if a.StatusCode != http.StatusOK {
			wantStatus(t, a, http.StatusUnauthorized)
		}
		return a.StatusCode == http.StatusOK
	},
	"/token with the refresh token": func(t *testing.T, b *testbed, h *held) bool {
		a := b.refresh(t, h.tokens["refresh_token"])
		if a.StatusCode != http.StatusOK {
			wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			return false
		}
		h.tokens = a.json(t)
		return true
	},
	"/introspect of the access token": func(t *testing.T, b *testbed, h *held) bool {
		return b.saysActive(t, h.tokens["access_token"].(string))
	},
	"/introspect of the refresh token": func(t *testing.T, b *testbed, h *held) bool {
		return b.saysActive(t, h.tokens["refresh_token"].(string))
	},
	"/introspect of the app's token": func(t *testing.T, b *testbed, h *held) bool { return h.api(b).saysActive(t, h.app.access.Value) },
}

// browser has the cookies that were kept, and no others.
func (h *held) browser(t *testing.T, b *testbed) *visitor {
	t.Helper()
	w := b.visitor(t)
	w.keep("signet", h.handle)
	w.keep("access_token", h.app.access.Value)
	w.present(h.app.refresh.Value)
	return w
}

// TestLO_EveryEndReachesEveryConsumer: whatever ends a session, at once nothing that
// it yielded is good for anything, on either node.
func TestLO_EveryEndReachesEveryConsumer(t *testing.T) {
	for name, way := range sessionsEnd {
		t.Run(name, func(t *testing.T) {
			eachApp(t, func(t *testing.T, b *testbed) {
				api, secret := b.registerWith(t, storage.Web, "api", func(c *storage.Client) {
					c.Introspects, c.Metadata.RedirectURIs = true, []string{callback}
				})
				b.follow(t)
				node := b.node(t)
				v := b.visitor(t)
				tokens := v.arrive(t, alice)
				h := &held{
					handle: v.cookie(t, "signet").Value, app: v.refreshApp(t), tokens: tokens,
					api: func(on *testbed) *testbed { return on.as(api, secret) },
				}
				b.pass(time.Minute)
				for taker, takes := range takers {
					if !takes(t, node, h) {
						t.Fatalf("%s refuses what is alive", taker)
					}
				}
				v.present(h.app.refresh.Value)
				way.end(t, b, v, tokens)
				for taker, takes := range takers {
					for at, on := range map[string]*testbed{"the node": b, "another node": node} {
						if takes(t, on, h) {
							t.Errorf("%s of %s takes it still", taker, at)
						}
					}
				}
			})
		})
	}
}
