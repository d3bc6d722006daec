package provider_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestCO03_TestMN01_RaceOfOneCodeOverTwoNodesHasOneWinner(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second := b.node(t)
		b.raceCode(t, b.visitor(t).flow(t), b, second)
	})
}

func TestCO03_ReplayAtAnotherNodeEndsTheGrant(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second := b.node(t)
		code := b.visitor(t).flow(t)
		tokens := b.redeem(t, code)
		second.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		second.refuseCode(t, code, "invalid_grant")
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// balanced puts a balancer in front of the testbed and a second node of it, which
// sends each request to the other one of the two. It counts what each has got.
func (b *testbed) balanced(t *testing.T) *[2]atomic.Int64 {
	t.Helper()
	nodes := [2]http.Handler{b.Handler(), b.node(t).Handler()}
	var turn atomic.Int64
	var served [2]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		node := turn.Add(1) % 2
		served[node].Add(1)
		nodes[node].ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	proxied.Store(strings.TrimPrefix(secure, "https://"), strings.TrimPrefix(server.URL, "http://"))
	return &served
}

// Any node can take any step: nothing that a sign-in needs lies in memory.
func TestSS23_EachRequestAtAnotherNode(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, issuedBy(secure))
		served := b.balanced(t)
		// Each walk begins at the one node and at the other.
		for range 2 {
			v := b.visitor(t)
			page := v.signIn(t, v.get(t, b.authorizeURL("prompt", "consent login")), alice, password)
			tokens := b.redeem(t, v.allow(t, page).code(t))
			b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			tokens = b.refreshed(t, tokens["refresh_token"])
			b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			if !v.signedIn(t) {
				t.Fatal("the session is known to one node alone")
			}
			code := v.again(t)
			confirmation := v.get(t, b.leave()).form(t)
			v.fetch(t, b.Issuer+"/") // one request more, so that the next begins elsewhere
			v.submit(t, confirmation, "decision", "allow")
			v.wantSignedOut(t)
			b.refuseCode(t, code, "invalid_grant")
			b.wantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		}
		if served[0].Load() < 10 || served[1].Load() < 10 {
			t.Errorf("the nodes served %d and %d requests", served[0].Load(), served[1].Load())
		}
	})
}

func TestSS23_RestartKeepsSessionsAndWhatIsUnderWay(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, issuedBy(secure))
		v, w := b.visitor(t), b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		code, consent := v.again(t), v.get(t, b.authorizeURL("prompt", "consent"))
		page := w.get(t, b.authorizeURL())
		b.node(t) // takes the issuer's name over
		if !v.signedIn(t) {
			t.Error("the session is gone")
		}
		b.redeem(t, code)
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		b.refreshed(t, tokens["refresh_token"])
		b.redeem(t, v.allow(t, consent).code(t))
		b.redeem(t, w.signIn(t, page, alice, password).code(t))
	})
}

// What is switched off at one node is off at the other: at once where a row is
// asked, and with the next look at the change counter where a cache is.
func TestMN04_SwitchedOffAtAnotherNode(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second := b.node(t)
		v := b.visitor(t)
		code := v.flow(t)
		token := b.redeem(t, v.again(t))["access_token"].(string)
		second.wantUserinfo(t, token, http.StatusOK)

		b.disableClient(t, true) // the first node knows, the second has not looked
		second.wantUserinfo(t, token, http.StatusUnauthorized)
		second.refuseCode(t, code, "invalid_grant")
		second.follow(t)
		wantOAuthError(t, second.tokenRequest(t, b.codeForm(code)), http.StatusUnauthorized, "invalid_client")
		b.disableClient(t, false)
		second.follow(t)
		second.wantUserinfo(t, token, http.StatusOK)

		b.disableUser(t, true)
		second.wantUserinfo(t, token, http.StatusUnauthorized)
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "login_required")
	})
}

// A client that was made at one node can be used at another before that has looked.
func TestMN04_NewClientIsKnownAtOnce(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		second := b.node(t)
		fresh := b.as(b.register(t, storage.Web, "fresh", callback))
		at := second.as(fresh.Client, fresh.Secret)
		at.refuseCode(t, "none", "invalid_grant")
	})
}
