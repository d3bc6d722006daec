package provider_test

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
	"signet/provider/credential"
	"signet/provider/keys"
	"signet/storage"
	"signet/storage/storagetest"
)

// receiver is where a relying party takes logout tokens. It answers with the
// statuses it was given, the last of them from then on.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	tokens  []string
	answers []http.HandlerFunc
}

func receive(t *testing.T, answers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form) != 1 || req.Method != http.MethodPost || req.URL.RequestURI() != "/logout?from=signet" ||
			req.Header.Get("Content-Type") != formType || req.Header.Get("Cookie") != "" {
			t.Errorf("%s %s with %q, headers %v", req.Method, req.URL, body, req.Header)
		}
		r.take(form.Get("logout_token"))(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(token string) http.HandlerFunc {
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

// taken gives the tokens that have come since it was asked last.
func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	tokens := r.tokens
	r.tokens = nil
	return tokens
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hang answers never.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// party registers a client that hears of sign-outs at the receiver.
func (b *testbed) party(t *testing.T, id string, r *receiver, change ...func(*storage.Client)) *testbed {
	t.Helper()
	client, secret := b.registerWith(t, storage.Web, id, func(c *storage.Client) {
		c.SkipConsent, c.Metadata.RedirectURIs = true, []string{"https://" + id + ".example.com/callback"}
		if r != nil {
			c.Metadata.BackchannelLogoutURI = r.URL + "/logout?from=signet"
		}
		for _, f := range change {
			f(c)
		}
	})
	b.follow(t)
	return b.as(client, secret)
}

// uses lets the person in this browser use another client, and gives its tokens.
func (v *visitor) uses(t *testing.T, b *testbed, pairs ...string) map[string]any {
	t.Helper()
	page := v.get(t, b.authorizeURL(pairs...))
	if page.Left == nil {
		page = v.signIn(t, page, alice, password)
	}
	return b.redeem(t, page.code(t))
}

// deliver is a tick of the node.
func (b *testbed) deliver(t *testing.T) {
	t.Helper()
	b.Drain()
	if err := b.DeliverOnce(context.Background(), b.now()); err != nil {
		t.Fatalf("deliver: %v", err)
	}
}

// ledger is what the outbox says of each client: "delivered", "given up: reason",
// "again: reason" or "waiting".
func (b *testbed) ledger(t *testing.T) map[string]string {
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

func (b *testbed) wantLedger(t *testing.T, want map[string]string) {
	t.Helper()
	if got := b.ledger(t); !maps.Equal(got, want) {
		t.Fatalf("ledger %v, want %v", got, want)
	}
}

// end ends a session as the command line does: in the database alone.
func (b *testbed) end(t *testing.T, sid any) {
	t.Helper()
	if err := b.DB.EndSession(context.Background(), b.Alice.ID, sid.(string), "asked", storage.By{From: storage.Origin{Actor: "cli"}, At: b.now()}); err != nil {
		t.Fatal(err)
	}
}

func sidOf(t *testing.T, tokens map[string]any) any {
	t.Helper()
	return claimsOf(t, tokens["id_token"])["sid"]
}

// wantLogoutToken checks a token as section 2.6 of OIDC Back-Channel Logout has it:
// against the published keys, claim by claim, and that there is nothing else in it.
func (b *testbed) wantLogoutToken(t *testing.T, token, alg string, sid any) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%v: %s", err, token)
	}
	set := b.publicKeys(t)
	header := headerOf(t, token)
	published := set.Key(fmt.Sprint(header["kid"]))
	if len(published) != 1 || header["typ"] != "logout+jwt" || header["alg"] != alg || len(header) != 3 {
		t.Fatalf("header %v, of %d published keys", header, len(published))
	}
	if _, err := signed.Verify(published[0]); err != nil {
		t.Fatalf("signature: %v", err)
	}
	claims := claimsOf(t, token)
	if names := slices.Sorted(maps.Keys(claims)); !slices.Equal(names, []string{"aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"}) {
		t.Errorf("claims %v: a logout token has eight, and never a nonce", names)
	}
	issued, _ := claims["iat"].(json.Number).Int64()
	expires, _ := claims["exp"].(json.Number).Int64()
	if late := b.now().Unix() - issued; late < 0 || late > 5 || expires-issued != 120 {
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
		t.Errorf("jti %q tells of the user, or is short", jti)
	}
	return claims
}

// sessionsEnd are the ways in which a session ends, by what they leave of alice's
// other session.
var sessionsEnd = map[string]struct {
	end func(t *testing.T, b *testbed, v *visitor, tokens map[string]any)
	all bool
}{
	"end_session with a hint": {end: func(t *testing.T, b *testbed, v *visitor, tokens map[string]any) {
		v.get(t, b.leave("id_token_hint", tokens["id_token"].(string)))
	}},
	"end_session confirmed": {end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
	}},
	"the app's logout": {end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent)
	}},
	"account, this session": {end: func(t *testing.T, b *testbed, v *visitor, tokens map[string]any) {
		v.submit(t, v.account(t, "/account/sessions").formTo(t, "/account/sessions/end", "sid", sidOf(t, tokens).(string)))
	}},
	"account, from another browser": {end: func(t *testing.T, b *testbed, _ *visitor, tokens map[string]any) {
		w := b.visitor(t)
		w.submit(t, w.account(t, "/account/sessions").formTo(t, "/account/sessions/end", "sid", sidOf(t, tokens).(string)))
	}},
	"account, all but another browser": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		w := b.visitor(t)
		w.submit(t, w.account(t, "/account/sessions").formTo(t, "/account/sessions/end-others", "", ""))
	}},
	"account, everywhere": {all: true, end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		v.submit(t, v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", ""))
	}},
	"password changed": {all: true, end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		v.changePassword(t, password, newPassword)
	}},
	"password reset": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		hash, err := credential.New(credential.Config{DB: b.DB, Params: cheapHash}).Hash(ctx, newPassword, b.Alice)
		if err == nil {
			_, err = b.DB.ResetPassword(ctx, storage.PasswordReset{UserID: b.Alice.ID, Hash: hash, Reason: "set", From: here}, b.now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
	"user disabled": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) { b.disableUser(t, true) }},
	"user deleted": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		if err := b.DB.DeleteUser(ctx, b.Alice.ID, storage.By{From: here, At: b.now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"e-mail changed by an administrator": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		_, err := b.DB.ReviseUser(ctx, storage.Revision{
			UserID: b.Alice.ID, From: here, Revise: func(u *storage.User) error { u.Email = "new@example.com"; return nil },
		}, b.now())
		if err != nil {
			t.Fatal(err)
		}
	}},
	"restored from a backup": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		if _, err := b.DB.MarkRestored(ctx, storage.By{From: here, At: b.now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"command line, everywhere": {all: true, end: func(t *testing.T, b *testbed, _ *visitor, _ map[string]any) {
		if err := b.DB.SignOutEverywhere(context.Background(), b.Alice.ID, "asked", storage.By{From: storage.Origin{Actor: "cli"}, At: b.now()}); err != nil {
			t.Fatal(err)
		}
	}},
	"command line, one session": {end: func(t *testing.T, b *testbed, _ *visitor, tokens map[string]any) { b.end(t, sidOf(t, tokens)) }},
	"another user in the browser": {end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		b.user(t, "bob@example.com", password)
		v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), "bob@example.com", password)
	}},
	"replay in the app": {end: func(t *testing.T, b *testbed, v *visitor, _ map[string]any) {
		first := v.refreshApp(t)
		b.pass(31 * time.Second)
		v.refreshApp(t)
		b.pass(31 * time.Second)
		v.present(first.refresh.Value)
		wantStatus(t, v.app(t, "/refresh", ""), http.StatusUnauthorized)
	}},
}

// TestP71_TestP72_EveryEndTellsEveryClientOfTheSession has alice signed in twice:
// here with an online and an offline client and one that does not listen, elsewhere
// with the online one.
func TestP71_TestP72_EveryEndTellsEveryClientOfTheSession(t *testing.T) {
	for name, c := range sessionsEnd {
		t.Run(name, func(t *testing.T) {
			eachApp(t, func(t *testing.T, b *testbed) {
				photosAt, wikiAt, idleAt := receive(t), receive(t), receive(t)
				photos := b.party(t, "photos", photosAt, func(c *storage.Client) { c.Metadata.BackchannelLogoutSession = true })
				wiki := b.party(t, "wiki", wikiAt, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })
				b.party(t, "idle", idleAt)
				deaf := b.party(t, "deaf", nil)
				v, w := b.visitor(t), b.visitor(t)
				tokens := v.uses(t, photos)
				offline := v.uses(t, wiki, "scope", "openid offline_access")
				v.uses(t, deaf)
				elsewhere := sidOf(t, w.uses(t, photos))
				b.pass(time.Minute)

				c.end(t, b, v, tokens)
				b.deliver(t)
				b.deliver(t)

				ended := []any{sidOf(t, tokens)}
				if c.all {
					ended = append(ended, elsewhere)
				}
				photosHeard := photosAt.taken()
				if len(photosHeard) != len(ended) {
					t.Fatalf("photos got %d tokens, want %d", len(photosHeard), len(ended))
				}
				for _, token := range photosHeard {
					sid := claimsOf(t, token)["sid"]
					if !slices.Contains(ended, sid) {
						t.Errorf("photos heard of %s, want %v", sid, ended)
					}
					photos.wantLogoutToken(t, token, "RS256", sid)
				}
				if len(ended) == 2 && claimsOf(t, photosHeard[0])["jti"] == claimsOf(t, photosHeard[1])["jti"] {
					t.Error("two notices have one jti")
				}
				heard := wikiAt.taken()
				if len(heard) != 1 {
					t.Fatalf("wiki got %d tokens, want 1", len(heard))
				}
				wiki.wantLogoutToken(t, heard[0], "ES256", sidOf(t, offline))
				if got := idleAt.taken(); len(got) != 0 {
					t.Errorf("a client that alice never used heard of it: %v", got)
				}
				b.wantLedger(t, map[string]string{"photos": "delivered", "wiki": "delivered"})
				b.wantEvent(t, storage.LogoutDelivered, sidOf(t, tokens))
				if !c.all {
					wiki.refreshed(t, offline["refresh_token"]) // offline grants live on
				}
			})
		})
	}
}

// TestP71_RetriedUntilTheClientAnswers has a client that hangs, then fails, then
// answers, and a node that is started anew after each.
func TestP71_RetriedUntilTheClientAnswers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		short := func(c *provider.Config) { c.Outbound.Timeout = 200 * time.Millisecond }
		b := startOn(t, backend, short)
		at := receive(t, hang, status(http.StatusInternalServerError), status(http.StatusOK))
		wiki := b.party(t, "wiki", at)
		sid := sidOf(t, b.visitor(t).uses(t, wiki))
		b.end(t, sid)
		var ids []any
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{0, "again: timeout"}, {10 * time.Second, "again: status_500"}, {time.Minute, "delivered"}} {
			node := b.restarted(t, short)
			if step.wait > 0 {
				b.pass(step.wait - time.Second)
				node.deliver(t)
				if early := at.taken(); len(early) != 0 {
					t.Fatal("called a second too early")
				}
				b.pass(time.Second)
			}
			node.deliver(t)
			got := at.taken()
			if len(got) != 1 {
				t.Fatalf("%d calls, want 1", len(got))
			}
			ids = append(ids, wiki.wantLogoutToken(t, got[0], "RS256", sid)["jti"])
			b.wantLedger(t, map[string]string{"wiki": step.want})
		}
		if ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("jti %v, want the same at each try", ids)
		}
		b.pass(25 * time.Hour)
		b.deliver(t)
		if got := at.taken(); len(got) != 0 {
			t.Errorf("told again: %v", got)
		}
	})
}

func TestP71_GivenUpAfterADay(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		at := receive(t, status(http.StatusServiceUnavailable))
		sid := sidOf(t, b.visitor(t).uses(t, b.party(t, "wiki", at)))
		b.end(t, sid)
		calls := 0
		for range 24 * 60 {
			b.deliver(t)
			calls += len(at.taken())
			b.pass(time.Minute)
		}
		if calls != 8 {
			t.Errorf("%d calls in a day, want 8", calls)
		}
		b.wantLedger(t, map[string]string{"wiki": "given up: status_503"})
		if e := b.wantEvent(t, storage.LogoutFailed, sid); e.Reason != "status_503" || e.ClientID != "wiki" {
			t.Errorf("event %+v", e)
		}
		b.pass(24 * time.Hour)
		b.deliver(t)
		if got := at.taken(); len(got) != 0 {
			t.Errorf("called after it was given up: %v", got)
		}
		if strings.Contains(b.Log.String(), "eyJ") {
			t.Error("a token is in the log")
		}
	})
}

func TestP71_AnswersOfClients(t *testing.T) {
	elsewhere := receive(t)
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
		}, "delivered"}, // the status is the answer
		"slow head": {hang, "again: timeout"},
		"huge": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000000")
			w.WriteHeader(http.StatusOK)
		}, "again: answer_too_large"},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "again: unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, b *testbed) {
				at := receive(t, c.answer)
				sid := sidOf(t, b.visitor(t).uses(t, b.party(t, "wiki", at)))
				b.end(t, sid)
				b.deliver(t)
				b.wantLedger(t, map[string]string{"wiki": c.want})
				if got := len(at.taken()); got != 1 {
					t.Errorf("%d calls, want 1", got)
				}
				if got := elsewhere.taken(); len(got) != 0 {
					t.Errorf("the token went on to another host: %v", got)
				}
			}, func(c *provider.Config) { c.Outbound.Timeout = 300 * time.Millisecond })
		})
	}
}

// What changes between the end and the delivery: the client is asked for as it is now.
func TestP71_ClientChangedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, b *testbed, after *receiver)
		want   string
		calls  int
	}{
		"disabled": {func(t *testing.T, b *testbed, _ *receiver) { b.disableClient(t, true) }, "given up: client_disabled", 0},
		"URI removed": {func(t *testing.T, b *testbed, _ *receiver) {
			b.changeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "" })
		}, "given up: no_backchannel_logout_uri", 0},
		"URI moved": {func(t *testing.T, b *testbed, after *receiver) {
			b.changeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = after.URL + "/logout?from=signet" })
		}, "delivered", 1},
		"plain http to another machine": {func(t *testing.T, b *testbed, _ *receiver) {
			b.changeClient(t, func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "http://wiki.example.com/logout" })
		}, "again: address_refused", 0},
	} {
		t.Run(name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, b *testbed) {
				before, after := receive(t), receive(t)
				wiki := b.party(t, "wiki", before)
				b.end(t, sidOf(t, b.visitor(t).uses(t, wiki)))
				c.change(t, wiki, after)
				b.deliver(t)
				b.wantLedger(t, map[string]string{"wiki": c.want})
				if old, got := before.taken(), after.taken(); len(old) != 0 || len(got) != c.calls {
					t.Errorf("%d calls of the old URI and %d of the new, want 0 and %d", len(old), len(got), c.calls)
				}
			})
		})
	}
}

func TestP71_DisabledClientHearsNothing(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		at := receive(t)
		wiki := b.party(t, "wiki", at)
		sid := sidOf(t, b.visitor(t).uses(t, wiki))
		wiki.disableClient(t, true)
		b.end(t, sid)
		b.deliver(t)
		b.wantLedger(t, map[string]string{})
	})
}

func TestMN_TwoNodesTellEachClientOnce(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		at := receive(t)
		v := b.visitor(t)
		var sid any
		for i := range 40 {
			sid = sidOf(t, v.uses(t, b.party(t, fmt.Sprintf("app%d", i), at, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })))
		}
		b.end(t, sid)
		nodes := []*testbed{b, b.node(t)}
		race(4, func(i int) { nodes[i%2].DeliverOnce(context.Background(), b.now()) })
		b.deliver(t)
		told := map[any]int{}
		for _, token := range at.taken() {
			told[claimsOf(t, token)["aud"]]++
		}
		if len(told) != 40 {
			t.Errorf("%d clients were told, want 40", len(told))
		}
		for client, times := range told {
			if times != 1 {
				t.Errorf("%s was told %d times", client, times)
			}
		}
	})
}

// A node dies: before it has begun, and while a client has its token and the node
// not yet the answer.
func TestP71_KilledNodeLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		at := receive(t)
		wiki := b.party(t, "wiki", at)
		sid := sidOf(t, b.visitor(t).uses(t, wiki))
		b.end(t, sid) // and nothing more happens in this process
		other := b.node(t)
		claimed, err := b.DB.ClaimNotices(context.Background(), storage.NoticeClaim{Limit: 10, Lease: 30 * time.Second}, b.now())
		if err != nil || len(claimed) != 1 {
			t.Fatalf("claimed %v, %v", claimed, err)
		}
		other.deliver(t)
		if got := at.taken(); len(got) != 0 {
			t.Fatalf("told while another node is at it: %v", got)
		}
		b.pass(31 * time.Second)
		other.deliver(t)
		got := at.taken()
		if len(got) != 1 {
			t.Fatalf("%d calls after the lease, want 1", len(got))
		}
		wiki.wantLogoutToken(t, got[0], "RS256", sid)
		b.wantLedger(t, map[string]string{"wiki": "delivered"})
	})
}

// A client that hangs is left alone for a while: the others' notices do not wait.
func TestP71_HangingClientHoldsUpNobody(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		hanging, good := receive(t, hang), receive(t)
		slow := b.party(t, "slow", hanging, func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" })
		for range 40 {
			b.end(t, sidOf(t, b.visitor(t).uses(t, slow)))
		}
		b.end(t, sidOf(t, b.visitor(t).uses(t, b.party(t, "wiki", good))))
		b.deliver(t)
		if got := len(hanging.taken()); got != 32 {
			t.Errorf("the hanging client was called %d times, want the first 32", got)
		}
		if got := len(good.taken()); got != 1 {
			t.Errorf("the other was called %d times, want 1", got)
		}
	}, func(c *provider.Config) { c.Outbound.Timeout = 200 * time.Millisecond })
}

// The page after a sign-out says who was told.
func TestSignedOut_SaysWhoWasTold(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, b *testbed, v *visitor, tokens map[string]any) stop{
		"hint": func(t *testing.T, b *testbed, v *visitor, tokens map[string]any) stop {
			return v.get(t, b.leave("id_token_hint", tokens["id_token"].(string)))
		},
		"confirmed": func(t *testing.T, b *testbed, v *visitor, _ map[string]any) stop {
			return v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
		},
		"account": func(t *testing.T, b *testbed, v *visitor, tokens map[string]any) stop {
			return v.submit(t, v.account(t, "/account/sessions").formTo(t, "/account/sessions/end", "sid", sidOf(t, tokens).(string)))
		},
		"everywhere": func(t *testing.T, b *testbed, v *visitor, _ map[string]any) stop {
			return v.submit(t, v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *testbed) {
				v := b.visitor(t)
				tokens := v.uses(t, b.party(t, "photos", receive(t)))
				v.uses(t, b.party(t, "mail", receive(t)))
				v.uses(t, b.party(t, "wiki", receive(t, status(http.StatusInternalServerError))))
				v.uses(t, b.party(t, "forum", receive(t, status(http.StatusBadRequest))))
				page := leave(t, b, v, tokens)
				page.wantText(t, "You are signed out", "2 of 4 applications signed you out too.", "App wiki</bdi> did not answer.", "App forum</bdi> did not sign you out.")
				b.Drain()
				b.pass(time.Minute + time.Second)
				later := v.get(t, page.At.String())
				if later.StatusCode == http.StatusOK && strings.Contains(later.Body, "App ") {
					t.Errorf("a minute later the address still shows which applications were used:\n%s", later.Body)
				}
			})
		})
	}
}

func TestSignedOut_TellsNothingToStrangers(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := v.uses(t, b.party(t, "photos", receive(t)))
		page := v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
		page.wantText(t, "The application you used with it signed you out too.")
		ended := page.At.Query().Get("ended")
		sealed := v.get(t, b.leave("state", "x")).At
		for name, params := range map[string][]string{
			"nothing":        {},
			"the sid":        {"ended", sidOf(t, tokens).(string)},
			"the ID token":   {"id_token_hint", tokens["id_token"].(string)},
			"altered":        {"ended", ended[:len(ended)/2] + strings.Repeat("A", 8) + ended[len(ended)/2+8:]},
			"another's seal": {"ended", sealed.Query().Get("logout")},
			"plain JSON":     {"ended", `{"u":"` + b.Alice.ID + `","t":"2020-01-01T00:00:00Z"}`},
		} {
			if got := b.visitor(t).get(t, b.leave(params...)); strings.Contains(got.Body, "told") || strings.Contains(got.Body, "application you used") {
				t.Errorf("%s: shows\n%s", name, got.Body)
			}
		}
	})
}

// A client that does not answer holds up neither the sign-out nor, for long, the page.
func TestSignedOut_DoesNotWaitForClients(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		release := make(chan struct{})
		at := receive(t, func(w http.ResponseWriter, _ *http.Request) { <-release })
		wiki := b.party(t, "wiki", at, func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{goodbye} })

		v := b.visitor(t)
		tokens := v.uses(t, wiki)
		left := v.get(t, b.leave("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", goodbye))
		if left.Left == nil || left.Left.String() != goodbye {
			t.Errorf("while the client is thinking, the browser is at %s", left.At)
		}
		v.wantSignedOut(t)

		v.uses(t, wiki)
		page := v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
		page.wantText(t, "0 of 1 applications signed you out too.", "App wiki</bdi> is being told.")
		b.wantLedger(t, map[string]string{"wiki": "waiting"})
		close(release)
		b.Drain()
		b.wantLedger(t, map[string]string{"wiki": "delivered"})
		v.get(t, page.At.String()).wantText(t, "The application you used with it signed you out too.")
	})
}

func TestP73_DiscoverySaysSo(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		d := b.discovery(t)
		for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
			if d[name] != true {
				t.Errorf("%s: %v, want true", name, d[name])
			}
		}
	})
}

// logoutToken is one of the bench's own session.
func (s *bench) logoutToken(t *testing.T) string {
	t.Helper()
	at := s.b.now()
	token, err := s.b.insider(t).SignLogout("RS256", keys.LogoutToken{
		Subject: s.b.Alice.ID, Audience: s.b.Client.ID, SessionID: sidOf(t, s.tokens).(string), ID: "jti",
		IssuedAt: at.Unix(), Expires: at.Add(2 * time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestJW20_NoLogoutTokenWithoutItsClaims(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		ring, whole := b.insider(t), keys.LogoutToken{Subject: "sub", Audience: "app", SessionID: "ses", ID: "jti", IssuedAt: 1, Expires: 121}
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
