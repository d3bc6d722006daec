package provider_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// CO-03: Same over two nodes and one PostgreSQL.
// MN-01: One harness: two processes, one PostgreSQL, 50 parallel uses of each single-use thing.
func TestNodes_RaceOfOneCodeOverTwoNodesHasOneWinner(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		b.RaceCode(t, b.Visitor(t).Flow(t), b, second)
	})
}

// CO-03: Same over two nodes and one PostgreSQL.
func TestNodes_ReplayAtAnotherNodeEndsTheGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		code := b.Visitor(t).Flow(t)
		tokens := b.Redeem(t, code)
		second.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		second.RefuseCode(t, code, "invalid_grant")
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// balanced puts a balancer in front of the testbed and a second node of it, which
// sends each request to the other one of the two. It counts what each has got.
func balanced(t *testing.T, b *providertest.Testbed) *[2]atomic.Int64 {
	t.Helper()
	nodes := [2]http.Handler{b.Handler(), b.Node(t).Handler()}
	var turn atomic.Int64
	var served [2]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		node := turn.Add(1) % 2
		served[node].Add(1)
		nodes[node].ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	providertest.Proxied.Store(strings.TrimPrefix(providertest.Secure, "https://"), strings.TrimPrefix(server.URL, "http://"))
	return &served
}

// Any node can take any step: nothing that a sign-in needs lies in memory.
// SS-23: Node restart or other node.
func TestNodes_EachRequestAtAnotherNode(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.IssuedBy(providertest.Secure))
		served := balanced(t, b)
		// Each walk begins at the one node and at the other.
		for range 2 {
			v := b.Visitor(t)
			page := v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "consent login")), providertest.Alice, providertest.Password)
			tokens := b.Redeem(t, v.Allow(t, page).Code(t))
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			tokens = b.Refreshed(t, tokens["refresh_token"])
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			if !v.SignedIn(t) {
				t.Fatal("the session is known to one node alone")
			}
			code := v.Again(t)
			confirmation := v.Get(t, b.Leave()).Form(t)
			v.Fetch(t, b.Issuer+"/") // one request more, so that the next begins elsewhere
			v.Submit(t, confirmation, "decision", "allow")
			v.WantSignedOut(t)
			b.RefuseCode(t, code, "invalid_grant")
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		}
		if served[0].Load() < 10 || served[1].Load() < 10 {
			t.Errorf("the nodes served %d and %d requests", served[0].Load(), served[1].Load())
		}
	})
}

// SS-23: Node restart or other node.
func TestNodes_RestartKeepsSessionsAndWhatIsUnderWay(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.IssuedBy(providertest.Secure))
		v, w := b.Visitor(t), b.Visitor(t)
		tokens := b.Redeem(t, v.Flow(t))
		code, consent := v.Again(t), v.Get(t, b.AuthorizeURL("prompt", "consent"))
		page := w.Get(t, b.AuthorizeURL())
		b.Node(t) // takes the issuer's name over
		if !v.SignedIn(t) {
			t.Error("the session is gone")
		}
		b.Redeem(t, code)
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		b.Refreshed(t, tokens["refresh_token"])
		b.Redeem(t, v.Allow(t, consent).Code(t))
		b.Redeem(t, w.SignIn(t, page, providertest.Alice, providertest.Password).Code(t))
	})
}

// What is switched off at one node is off at the other: at once where a row is
// asked, and with the next look at the change counter where a cache is.
// MN-04: Disable client, user, provider on A; use on B.
func TestNodes_SwitchedOffAtAnotherNode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		v := b.Visitor(t)
		code := v.Flow(t)
		token := b.Redeem(t, v.Again(t))["access_token"].(string)
		second.WantUserinfo(t, token, http.StatusOK)

		b.DisableClient(t, true) // the first node knows, the second has not looked
		second.WantUserinfo(t, token, http.StatusUnauthorized)
		second.RefuseCode(t, code, "invalid_grant")
		second.Follow(t)
		providertest.WantOAuthError(t, second.TokenRequest(t, b.CodeForm(code)), http.StatusUnauthorized, "invalid_client")
		b.DisableClient(t, false)
		second.Follow(t)
		second.WantUserinfo(t, token, http.StatusOK)

		b.DisableUser(t, true)
		second.WantUserinfo(t, token, http.StatusUnauthorized)
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
	})
}

// A client that was made at one node can be used at another before that has looked.
// MN-04: Disable client, user, provider on A; use on B.
func TestNodes_NewClientIsKnownAtOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		fresh := b.As(b.Register(t, storage.Web, "fresh", providertest.Callback))
		at := second.As(fresh.Client, fresh.Secret)
		at.RefuseCode(t, "none", "invalid_grant")
	})
}
