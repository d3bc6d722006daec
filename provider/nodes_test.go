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

// TestNodes_RaceOfOneCodeOverTwoNodesHasOneWinner redeems one code at two nodes at once.
//
// CO-03 and MN-01: exactly one redemption succeeds.
func TestNodes_RaceOfOneCodeOverTwoNodesHasOneWinner(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		b.RaceCode(t, b.Visitor(t).SignInForCode(t), b, second)
	})
}

// TestNodes_ReplayAtAnotherNodeEndsTheGrant redeems a code at one node, then at the other.
//
// CO-03: a code works once over all nodes.
func TestNodes_ReplayAtAnotherNodeEndsTheGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		code := b.Visitor(t).SignInForCode(t)
		tokens := b.Redeem(t, code)
		second.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		second.RefuseCode(t, code, "invalid_grant")
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// balanced puts a load balancer in front of two nodes, which alternates between them. It
// returns the number of requests of each node.
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
	providertest.Proxied.Store(strings.TrimPrefix(providertest.HTTPSIssuer, "https://"), strings.TrimPrefix(server.URL, "http://"))
	return &served
}

// TestNodes_EachRequestAtAnotherNode: every node can serve every step of a sign-in, because
// no step needs the memory of a node.
//
// SS-23: sessions work on every node.
func TestNodes_EachRequestAtAnotherNode(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
		served := balanced(t, b)
		// Each walk runs twice, beginning at either node.
		for range 2 {
			v := b.Visitor(t)
			page := v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "consent login")), providertest.Alice, providertest.Password)
			tokens := b.Redeem(t, v.Allow(t, page).Code(t))
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			tokens = b.MustRefresh(t, tokens["refresh_token"])
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			if !v.SignedIn(t) {
				t.Fatal("only one node knows the session")
			}
			code := v.CodeFromSession(t)
			confirmation := v.Get(t, b.EndSessionURL()).Form(t)
			v.Fetch(t, b.Issuer+"/") // one more request, so that the next walk begins at the other node
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

// TestNodes_RestartKeepsSessionsAndSignIns: sessions, and sign-ins in progress, survive a
// restart.
//
// SS-23: sessions survive a restart.
func TestNodes_RestartKeepsSessionsAndSignIns(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
		v, w := b.Visitor(t), b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		code, consent := v.CodeFromSession(t), v.Get(t, b.AuthorizeURL("prompt", "consent"))
		page := w.Get(t, b.AuthorizeURL())
		b.Node(t) // serves the issuer from now on
		if !v.SignedIn(t) {
			t.Error("the session is gone")
		}
		b.Redeem(t, code)
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		b.MustRefresh(t, tokens["refresh_token"])
		b.Redeem(t, v.Allow(t, consent).Code(t))
		b.Redeem(t, w.SignIn(t, page, providertest.Alice, providertest.Password).Code(t))
	})
}

// TestNodes_SwitchedOffAtAnotherNode disables a client and a user at one node. The other node
// refuses them: at once where it reads the row, and after the next reload where it has a
// cache.
//
// MN-04: disabling takes effect on all nodes.
func TestNodes_SwitchedOffAtAnotherNode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		v := b.Visitor(t)
		code := v.SignInForCode(t)
		token := b.Redeem(t, v.CodeFromSession(t))["access_token"].(string)
		second.WantUserinfo(t, token, http.StatusOK)

		b.SetClientEnabled(t, false) // the first node knows it; the second has not reloaded yet
		second.WantUserinfo(t, token, http.StatusUnauthorized)
		second.RefuseCode(t, code, "invalid_grant")
		second.Follow(t)
		providertest.WantOAuthError(t, second.TokenRequest(t, b.CodeForm(code)), http.StatusUnauthorized, "invalid_client")
		b.SetClientEnabled(t, true)
		second.Follow(t)
		second.WantUserinfo(t, token, http.StatusOK)

		b.SetAliceEnabled(t, false)
		second.WantUserinfo(t, token, http.StatusUnauthorized)
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
	})
}

// TestNodes_NewClientIsKnownAtOnce creates a client at one node. The other node accepts it
// before its next reload.
//
// MN-04: changes take effect on all nodes.
func TestNodes_NewClientIsKnownAtOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		second := b.Node(t)
		fresh := b.AsClient(b.Register(t, storage.Web, "fresh", providertest.Callback))
		at := second.AsClient(fresh.Client, fresh.Secret)
		at.RefuseCode(t, "none", "invalid_grant")
	})
}
