package notice_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider"
	"signet/provider/keys"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// receiver is the back-channel logout endpoint of a relying party. It uses its answers in order,
// and then repeats the last one.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	tokens  []string
	answers []http.HandlerFunc
}

func startReceiver(t *testing.T, answers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form) != 1 || req.Method != http.MethodPost || req.URL.RequestURI() != "/logout?from=signet" ||
			req.Header.Get("Content-Type") != providertest.FormType || req.Header.Get("Cookie") != "" {
			t.Errorf("%s %s with %q, headers %v", req.Method, req.URL, body, req.Header)
		}
		r.record(form.Get("logout_token"))(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) record(token string) http.HandlerFunc {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, token)
	if len(r.answers) == 0 {
		return status(http.StatusOK)
	}
	answer := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	return answer
}

// drain returns the tokens that have arrived since the last call.
func (r *receiver) drain() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	tokens := r.tokens
	r.tokens = nil
	return tokens
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// registerClient registers a client that is notified of sign-outs at the receiver.
func registerClient(t *testing.T, b *providertest.Testbed, id string, r *receiver, change ...func(*storage.Client)) *providertest.Testbed {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Web, id, func(c *storage.Client) {
		c.SkipConsent, c.Metadata.RedirectURIs = true, []string{"https://" + id + ".example.com/callback"}
		if r != nil {
			c.Metadata.BackchannelLogoutURI = r.URL + "/logout?from=signet"
		}
		for _, f := range change {
			f(c)
		}
	})
	b.Follow(t)
	return b.AsClient(client, secret)
}

// useClient signs in at another client in this browser, and returns its tokens.
func useClient(t *testing.T, v *providertest.Visitor, b *providertest.Testbed, pairs ...string) map[string]any {
	t.Helper()
	page := v.Get(t, b.AuthorizeURL(pairs...))
	if page.LeftTo == nil {
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
	}
	return b.Redeem(t, page.Code(t))
}

// deliver waits for running deliveries and then makes one DeliverOnce.
func deliver(t *testing.T, b *providertest.Testbed) {
	t.Helper()
	b.Drain()
	if err := b.DeliverOnce(context.Background(), b.Now()); err != nil {
		t.Fatalf("deliver: %v", err)
	}
}

// noticeStates returns the state of the last notice to each client: "delivered",
// "given up: reason", "again: reason" or "waiting".
func noticeStates(t *testing.T, b *providertest.Testbed) map[string]string {
	t.Helper()
	rows, err := b.DB.LogoutNotices(context.Background(), b.Alice.ID, "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{}
	for _, n := range rows {
		switch {
		case n.DeliveredAt != 0:
			says[n.ClientID] = "delivered"
		case n.GivenUpAt != 0:
			says[n.ClientID] = "given up: " + n.LastError
		case n.LastError != "":
			says[n.ClientID] = "again: " + n.LastError
		default:
			says[n.ClientID] = "waiting"
		}
	}
	return says
}

func wantNoticeStates(t *testing.T, b *providertest.Testbed, want map[string]string) {
	t.Helper()
	if got := noticeStates(t, b); !maps.Equal(got, want) {
		t.Fatalf("got states %v, want %v", got, want)
	}
}

// wantLogoutToken checks a token by section 2.6 of OIDC Back-Channel Logout: the signature by a
// published key, each claim, and that there are no other claims.
func wantLogoutToken(t *testing.T, b *providertest.Testbed, token, alg string, sid any) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%v: %s", err, token)
	}
	set := b.PublicKeys(t)
	header := providertest.HeaderOf(t, token)
	published := set.Key(fmt.Sprint(header["kid"]))
	if len(published) != 1 || header["typ"] != "logout+jwt" || header["alg"] != alg || len(header) != 3 {
		t.Fatalf("header %v, of %d published keys", header, len(published))
	}
	if _, err := signed.Verify(published[0]); err != nil {
		t.Fatalf("signature: %v", err)
	}
	claims := providertest.ClaimsOf(t, token)
	if names := slices.Sorted(maps.Keys(claims)); !slices.Equal(names, []string{"aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"}) {
		t.Errorf("claims %v, want the eight of a logout token and no nonce", names)
	}
	issued, _ := claims["iat"].(json.Number).Int64()
	expires, _ := claims["exp"].(json.Number).Int64()
	if late := b.Now().Unix() - issued; late < 0 || late > 5 || expires-issued != 120 {
		t.Errorf("iat %d s ago, exp %d s after it, want 0 and 120", late, expires-issued)
	}
	events, _ := claims["events"].(map[string]any)
	if member, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok || len(member) != 0 || len(events) != 1 {
		t.Errorf("events %v", claims["events"])
	}
	if claims["iss"] != b.Issuer || claims["aud"] != b.Client.ID || claims["sub"] != b.Alice.ID || claims["sid"] != sid || claims["jti"] == "" {
		t.Errorf("claims %v, want sub %s, aud %s, sid %s", claims, b.Alice.ID, b.Client.ID, sid)
	}
	if jti := fmt.Sprint(claims["jti"]); strings.Contains(jti, b.Alice.ID) || len(jti) < 22 {
		t.Errorf("jti %q contains the user's id, or is too short", jti)
	}
	return claims
}

// TestBackChannel_EverySignOutNotifiesEachClientOfTheSession: alice is signed in at two browsers. In
// the first she uses an online client, an offline client, and a client without a back-channel
// logout URI; in the second only the online client.
// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
// P-72: Logout tokens have the required claims and no nonce.
func TestBackChannel_EverySignOutNotifiesEachClientOfTheSession(t *testing.T) {
	for name, c := range providertest.SessionEndings {
		t.Run(name, func(t *testing.T) {
			providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
				photosAt, wikiAt, idleAt := startReceiver(t), startReceiver(t), startReceiver(t)
				photos := registerClient(t, b, "photos", photosAt, func(c *storage.Client) { c.Metadata.BackchannelLogoutSession = true })
				wiki := registerClient(t, b, "wiki", wikiAt, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })
				registerClient(t, b, "idle", idleAt)
				deaf := registerClient(t, b, "deaf", nil)
				v, w := b.Visitor(t), b.Visitor(t)
				tokens := useClient(t, v, photos)
				offline := useClient(t, v, wiki, "scope", "openid offline_access")
				useClient(t, v, deaf)
				elsewhere := providertest.SidOf(t, useClient(t, w, photos))
				b.Advance(time.Minute)

				c.End(t, b, v, tokens)
				deliver(t, b)
				deliver(t, b)

				ended := []any{providertest.SidOf(t, tokens)}
				if c.All {
					ended = append(ended, elsewhere)
				}
				photosHeard := photosAt.drain()
				if len(photosHeard) != len(ended) {
					t.Fatalf("photos got %d tokens, want %d", len(photosHeard), len(ended))
				}
				for _, token := range photosHeard {
					sid := providertest.ClaimsOf(t, token)["sid"]
					if !slices.Contains(ended, sid) {
						t.Errorf("photos was notified of %s, want %v", sid, ended)
					}
					wantLogoutToken(t, photos, token, "RS256", sid)
				}
				if len(ended) == 2 && providertest.ClaimsOf(t, photosHeard[0])["jti"] == providertest.ClaimsOf(t, photosHeard[1])["jti"] {
					t.Error("two notices have one jti")
				}
				heard := wikiAt.drain()
				if len(heard) != 1 {
					t.Fatalf("wiki got %d tokens, want 1", len(heard))
				}
				wantLogoutToken(t, wiki, heard[0], "ES256", providertest.SidOf(t, offline))
				if got := idleAt.drain(); len(got) != 0 {
					t.Errorf("a client that alice never used was notified: %v", got)
				}
				wantNoticeStates(t, b, map[string]string{"photos": "delivered", "wiki": "delivered"})
				b.WantEvent(t, storage.LogoutDelivered, providertest.SidOf(t, tokens))
				if !c.All {
					wiki.MustRefresh(t, offline["refresh_token"]) // offline grants stay valid
				}
			})
		})
	}
}

// TestBackChannel_RetriedUntilTheClientAnswers: the client first does not answer, then fails, then
// succeeds. The node restarts before each try.
// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_RetriedUntilTheClientAnswers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		short := func(c *provider.Config) { c.Outbound.Timeout = 200 * time.Millisecond }
		b := providertest.StartOn(t, backend, short)
		at := startReceiver(t, hang, status(http.StatusInternalServerError), status(http.StatusOK))
		wiki := registerClient(t, b, "wiki", at)
		sid := providertest.SidOf(t, useClient(t, b.Visitor(t), wiki))
		b.EndSession(t, sid)
		var ids []any
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "again: timeout"}, {10 * time.Second, "again: status_500"}, {time.Minute, "delivered"}} {
			node := b.Restarted(t, short)
			if step.wait > 0 {
				b.Advance(step.wait - time.Second)
				deliver(t, node)
				if early := at.drain(); len(early) != 0 {
					t.Fatal("called a second too early")
				}
				b.Advance(time.Second)
			}
			deliver(t, node)
			got := at.drain()
			if len(got) != 1 {
				t.Fatalf("%d calls, want 1", len(got))
			}
			ids = append(ids, wantLogoutToken(t, wiki, got[0], "RS256", sid)["jti"])
			wantNoticeStates(t, b, map[string]string{"wiki": step.want})
		}
		if ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("jti %v, want the same at each try", ids)
		}
		b.Advance(25 * time.Hour)
		deliver(t, b)
		if got := at.drain(); len(got) != 0 {
			t.Errorf("notified again after the delivery: %v", got)
		}
	})
}

// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_GivenUpAfterADay(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		at := startReceiver(t, status(http.StatusServiceUnavailable))
		sid := providertest.SidOf(t, useClient(t, b.Visitor(t), registerClient(t, b, "wiki", at)))
		b.EndSession(t, sid)
		calls := 0
		for range 24 * 60 {
			deliver(t, b)
			calls += len(at.drain())
			b.Advance(time.Minute)
		}
		if calls != 8 {
			t.Errorf("%d calls in a day, want 8", calls)
		}
		wantNoticeStates(t, b, map[string]string{"wiki": "given up: status_503"})
		if e := b.WantEvent(t, storage.LogoutFailed, sid); e.Reason != "status_503" || e.ClientID != "wiki" {
			t.Errorf("event %+v", e)
		}
		b.Advance(24 * time.Hour)
		deliver(t, b)
		if got := at.drain(); len(got) != 0 {
			t.Errorf("called after it was given up: %v", got)
		}
		if strings.Contains(b.Log.String(), "eyJ") {
			t.Error("a token is in the log")
		}
	})
}

// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_AnswersOfClients(t *testing.T) {
	elsewhere := startReceiver(t)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"200": {status(http.StatusOK), "delivered"},
		"204": {status(http.StatusNoContent), "delivered"},
		"202": {status(http.StatusAccepted), "again: status_202"},
		"400": {status(http.StatusBadRequest), "given up: refused"},
		"401": {status(http.StatusUnauthorized), "again: status_401"},
		"303": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusSeeOther) }, "again: redirected"},
		"307": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/logout?from=signet", http.StatusTemporaryRedirect)
		}, "again: redirected"},
		"307 at home": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/logout?from=signet", http.StatusTemporaryRedirect)
		}, "again: redirected"},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}, "delivered"}, // only the status counts
		"slow head": {hang, "again: timeout"},
		"huge": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000000")
			w.WriteHeader(http.StatusOK)
		}, "again: answer_too_large"},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "again: unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				at := startReceiver(t, c.answer)
				sid := providertest.SidOf(t, useClient(t, b.Visitor(t), registerClient(t, b, "wiki", at)))
				b.EndSession(t, sid)
				deliver(t, b)
				wantNoticeStates(t, b, map[string]string{"wiki": c.want})
				if got := len(at.drain()); got != 1 {
					t.Errorf("%d calls, want 1", got)
				}
				if got := elsewhere.drain(); len(got) != 0 {
					t.Errorf("the token was sent to another host: %v", got)
				}
			}, func(c *provider.Config) { c.Outbound.Timeout = 300 * time.Millisecond })
		})
	}
}

// TestBackChannel_ClientChangedMeanwhile: the client changes between sign-out and delivery. The
// delivery uses the client's current registration.
// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_ClientChangedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, b *providertest.Testbed, after *receiver)
		want   string
		calls  int
	}{
		"disabled": {func(t *testing.T, b *providertest.Testbed, _ *receiver) { b.SetClientEnabled(t, false) }, "given up: client_disabled", 0},
		"URI removed": {func(t *testing.T, b *providertest.Testbed, _ *receiver) {
			b.ChangeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "" })
		}, "given up: no_backchannel_logout_uri", 0},
		"URI moved": {func(t *testing.T, b *providertest.Testbed, after *receiver) {
			b.ChangeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = after.URL + "/logout?from=signet" })
		}, "delivered", 1},
		"plain http to another machine": {func(t *testing.T, b *providertest.Testbed, _ *receiver) {
			b.ChangeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "http://wiki.example.com/logout" })
		}, "again: address_refused", 0},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				before, after := startReceiver(t), startReceiver(t)
				wiki := registerClient(t, b, "wiki", before)
				b.EndSession(t, providertest.SidOf(t, useClient(t, b.Visitor(t), wiki)))
				c.change(t, wiki, after)
				deliver(t, b)
				wantNoticeStates(t, b, map[string]string{"wiki": c.want})
				if old, got := before.drain(), after.drain(); len(old) != 0 || len(got) != c.calls {
					t.Errorf("%d calls of the old URI and %d of the new, want 0 and %d", len(old), len(got), c.calls)
				}
			})
		})
	}
}

// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_DisabledClientIsNotNotified(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		at := startReceiver(t)
		wiki := registerClient(t, b, "wiki", at)
		sid := providertest.SidOf(t, useClient(t, b.Visitor(t), wiki))
		wiki.SetClientEnabled(t, false)
		b.EndSession(t, sid)
		deliver(t, b)
		wantNoticeStates(t, b, map[string]string{})
	})
}

// TestBackChannel_KeyRevokedAMomentAgoDoesNotSign: the keys are revoked or everything ends, and the
// node delivers before it has followed the change. A client would refuse a token with the old key
// for good.
func TestBackChannel_KeyRevokedAMomentAgoDoesNotSign(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		at := startReceiver(t)
		wiki := registerClient(t, b, "wiki", at, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })
		for name, end := range map[string]func(sid any){
			"revocation": func(sid any) {
				b.RevokeKey(t, "ES256")
				b.EndSession(t, sid)
			},
			"end of everything": func(any) {
				if _, err := b.Keeper(t).EndEverything(t.Context(), storage.Ending{Reason: "stolen"}, storage.By{At: b.Now()}); err != nil {
					t.Fatal(err)
				}
			},
		} {
			sid := providertest.SidOf(t, useClient(t, b.Visitor(t), wiki))
			end(sid)
			deliver(t, b)
			tokens := at.drain()
			if len(tokens) != 1 {
				t.Fatalf("%s: %d logout tokens, want 1", name, len(tokens))
			}
			b.Follow(t)
			wantLogoutToken(t, wiki, tokens[0], "ES256", sid)
		}
	})
}

func TestBackChannel_TwoNodesNotifyEachClientOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		at := startReceiver(t)
		v := b.Visitor(t)
		var sid any
		for i := range 40 {
			sid = providertest.SidOf(t, useClient(t, v, registerClient(t, b, fmt.Sprintf("app%d", i), at, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })))
		}
		b.EndSession(t, sid)
		nodes := []*providertest.Testbed{b, b.Node(t)}
		providertest.Race(4, func(i int) { nodes[i%2].DeliverOnce(context.Background(), b.Now()) })
		deliver(t, b)
		told := map[any]int{}
		for _, token := range at.drain() {
			told[providertest.ClaimsOf(t, token)["aud"]]++
		}
		if len(told) != 40 {
			t.Errorf("%d clients were notified, want 40", len(told))
		}
		for client, times := range told {
			if times != 1 {
				t.Errorf("%s was notified %d times, want once", client, times)
			}
		}
	})
}

// TestBackChannel_NoticeSurvivesKilledNode: a node stops before it has sent a notice, and then while
// it holds the lease of the notice.
// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_NoticeSurvivesKilledNode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		at := startReceiver(t)
		wiki := registerClient(t, b, "wiki", at)
		sid := providertest.SidOf(t, useClient(t, b.Visitor(t), wiki))
		b.EndSession(t, sid) // this node does not deliver the notice
		other := b.Node(t)
		claimed, err := b.DB.ClaimNotices(context.Background(), storage.NoticeClaim{Limit: 10, Lease: 30 * time.Second}, b.Now())
		if err != nil || len(claimed) != 1 {
			t.Fatalf("claimed %v, %v", claimed, err)
		}
		deliver(t, other)
		if got := at.drain(); len(got) != 0 {
			t.Fatalf("notified during the lease of another node: %v", got)
		}
		b.Advance(31 * time.Second)
		deliver(t, other)
		got := at.drain()
		if len(got) != 1 {
			t.Fatalf("%d calls after the lease, want 1", len(got))
		}
		wantLogoutToken(t, wiki, got[0], "RS256", sid)
		wantNoticeStates(t, b, map[string]string{"wiki": "delivered"})
	})
}

// TestBackChannel_HangingClientDelaysNoOther: a client that does not answer is not called for a while,
// so the notices of other clients do not wait.
// P-71: Back-channel logout posts one logout_token to each client of the session, with
// retries.
func TestBackChannel_HangingClientDelaysNoOther(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		hanging, good := startReceiver(t, hang), startReceiver(t)
		slow := registerClient(t, b, "slow", hanging, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })
		for range 40 {
			b.EndSession(t, providertest.SidOf(t, useClient(t, b.Visitor(t), slow)))
		}
		b.EndSession(t, providertest.SidOf(t, useClient(t, b.Visitor(t), registerClient(t, b, "wiki", good))))
		deliver(t, b)
		if got := len(hanging.drain()); got != 32 {
			t.Errorf("the hanging client was called %d times, want the first 32", got)
		}
		if got := len(good.drain()); got != 1 {
			t.Errorf("the other was called %d times, want 1", got)
		}
	}, func(c *provider.Config) { c.Outbound.Timeout = 200 * time.Millisecond })
}

// TestSignedOut_ShowsStateOfEachClient on the page after a sign-out.
func TestSignedOut_ShowsStateOfEachClient(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop{
		"hint": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop {
			return v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
		},
		"confirmed": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, _ map[string]any) providertest.Stop {
			return v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		},
		"account": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop {
			return v.Submit(t, v.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "sid", providertest.SidOf(t, tokens).(string)))
		},
		"everywhere": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, _ map[string]any) providertest.Stop {
			return v.Submit(t, v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
				v := b.Visitor(t)
				tokens := useClient(t, v, registerClient(t, b, "photos", startReceiver(t)))
				useClient(t, v, registerClient(t, b, "mail", startReceiver(t)))
				useClient(t, v, registerClient(t, b, "wiki", startReceiver(t, status(http.StatusInternalServerError))))
				useClient(t, v, registerClient(t, b, "forum", startReceiver(t, status(http.StatusBadRequest))))
				page := leave(t, b, v, tokens)
				page.WantText(t, "You’re signed out", "2 of 4 applications signed you out too.", "App wiki</bdi> didn’t answer.", "App forum</bdi> didn’t sign you out.")
				b.Drain()
				b.Advance(time.Minute + time.Second)
				later := v.Get(t, page.At.String())
				if later.StatusCode == http.StatusOK && strings.Contains(later.Body, "App ") {
					t.Errorf("after a minute the URL still shows which applications were used:\n%s", later.Body)
				}
			})
		})
	}
}

func TestSignedOut_ShowsNothingToStrangers(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := useClient(t, v, registerClient(t, b, "photos", startReceiver(t)))
		page := v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		page.WantText(t, "The application that you used in this session signed you out too.")
		ended := page.At.Query().Get("ended")
		sealed := v.Get(t, b.EndSessionURL("state", "x")).At
		for name, params := range map[string][]string{
			"nothing":        {},
			"the sid":        {"ended", providertest.SidOf(t, tokens).(string)},
			"the ID token":   {"id_token_hint", tokens["id_token"].(string)},
			"altered":        {"ended", ended[:len(ended)/2] + strings.Repeat("A", 8) + ended[len(ended)/2+8:]},
			"another's seal": {"ended", sealed.Query().Get("logout")},
			"plain JSON":     {"ended", `{"u":"` + b.Alice.ID + `","t":"2020-01-01T00:00:00Z"}`},
		} {
			if got := b.Visitor(t).Get(t, b.EndSessionURL(params...)); strings.Contains(got.Body, "told") || strings.Contains(got.Body, "application you used") {
				t.Errorf("%s: the page shows\n%s", name, got.Body)
			}
		}
	})
}

// TestSignedOut_DoesNotWaitForClients: a client that does not answer does not delay the sign-out, and
// delays the page only for a limited time.
func TestSignedOut_DoesNotWaitForClients(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		release := make(chan struct{})
		at := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) { <-release })
		wiki := registerClient(t, b, "wiki", at, func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{providertest.PostLogoutURI} })

		v := b.Visitor(t)
		tokens := useClient(t, v, wiki)
		left := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI))
		if left.LeftTo == nil || left.LeftTo.String() != providertest.PostLogoutURI {
			t.Errorf("while the client does not answer, the browser is at %s", left.At)
		}
		v.WantSignedOut(t)

		useClient(t, v, wiki)
		page := v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		page.WantText(t, "0 of 1 application signed you out too.", "We’re still signing you out of <bdi>App wiki</bdi>.")
		wantNoticeStates(t, b, map[string]string{"wiki": "waiting"})
		close(release)
		b.Drain()
		wantNoticeStates(t, b, map[string]string{"wiki": "delivered"})
		v.Get(t, page.At.String()).WantText(t, "The application that you used in this session signed you out too.")
	})
}

// P-73: Discovery states the supported kinds of logout.
func TestBackChannel_DiscoveryAdvertisesIt(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		d := b.Discovery(t)
		for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
			if d[name] != true {
				t.Errorf("%s: %v, want true", name, d[name])
			}
		}
	})
}

// JW-20: Logout tokens have the required claims and no nonce (OIDC Back-Channel Logout,
// section 2.6).
func TestBackChannel_IncompleteLogoutTokenIsNotSigned(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		ring, whole := b.OpenKeys(t), keys.LogoutToken{Subject: "sub", Audience: "app", SessionID: "ses", ID: "jti", IssuedAt: 1, Expires: 121}
		if _, err := ring.SignLogout("ES256", whole); err != nil {
			t.Fatal(err)
		}
		if _, err := ring.SignLogout("none", whole); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("alg none: %v", err)
		}
		for name, spoil := range map[string]func(*keys.LogoutToken){
			"sub": func(l *keys.LogoutToken) { l.Subject = "" }, "aud": func(l *keys.LogoutToken) { l.Audience = "" },
			"sid": func(l *keys.LogoutToken) { l.SessionID = "" }, "jti": func(l *keys.LogoutToken) { l.ID = "" },
			"iat": func(l *keys.LogoutToken) { l.IssuedAt = 0 }, "exp": func(l *keys.LogoutToken) { l.Expires = 1 },
		} {
			token := whole
			spoil(&token)
			if _, err := ring.SignLogout("ES256", token); err == nil {
				t.Errorf("a token without %s was signed", name)
			}
		}
	})
}
