package oauth_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func wantThrottled(t *testing.T, what string, a providertest.Answer) {
	t.Helper()
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusTooManyRequests || a.JSON(t)["error"] != "invalid_client" || err != nil || seconds < 1 || seconds > 901 {
		t.Fatalf("%s: got %d, Retry-After %q, %s", what, a.StatusCode, a.Header.Get("Retry-After"), a.Body)
	}
}

// Wrong secrets are throttled over all endpoints and nodes together, for unknown clients as
// for known clients. The correct secret works even then.
// TK-07: A wrong secret and an unknown client get the same answer and the same work; failures
// are limited.
// MN-05: Limits are shared by all nodes.
func TestClientThrottle_WrongSecretsAreThrottledPerClient(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.BehindProxy)
		nodes := []*providertest.Testbed{b, b.Node(t)}
		for _, id := range []string{b.Client.ID, "nobody"} {
			for i := range 20 {
				address := fmt.Sprintf("198.51.100.%d", i)
				providertest.WantRefusedClient(t, id, nodes[i%2].PostAsClient(t, providertest.FormEndpoints[i%3], id, "wrong", address))
			}
			for i, path := range providertest.FormEndpoints {
				wantThrottled(t, id+" at "+path, nodes[i%2].PostAsClient(t, path, id, "wrong", "203.0.113.9"))
			}
		}
		for _, node := range nodes {
			if a := node.PostAsClient(t, "/introspect", b.Client.ID, b.Secret, "198.51.100.1"); a.StatusCode != http.StatusOK {
				t.Errorf("the right secret while others are throttled: got %d %s", a.StatusCode, a.Body)
			}
		}
		wantThrottled(t, "after the right secret", b.PostAsClient(t, "/token", b.Client.ID, "wrong", "203.0.113.9"))
		b.Advance(15 * time.Minute)
		providertest.WantRefusedClient(t, "after the window", b.PostAsClient(t, "/token", b.Client.ID, "wrong", "203.0.113.9"))
	})
}

// TK-07: A wrong secret and an unknown client get the same answer and the same work; failures
// are limited.
func TestClientThrottle_GuessesAtManyClientsAreThrottledPerNetwork(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for i := range 100 {
			address := fmt.Sprintf("2001:db8:0:1::%x", i) // all in the /64 network of one customer
			providertest.WantRefusedClient(t, "guess", b.PostAsClient(t, "/token", fmt.Sprintf("client-%d", i), "wrong", address))
		}
		wantThrottled(t, "one more", b.PostAsClient(t, "/token", "another", "wrong", "2001:db8:0:1::ffff"))
		providertest.WantRefusedClient(t, "another network", b.PostAsClient(t, "/token", "yet-another", "wrong", "2001:db8:0:2::1"))
		if a := b.PostAsClient(t, "/introspect", b.Client.ID, b.Secret, "2001:db8:0:1::1"); a.StatusCode != http.StatusOK {
			t.Errorf("the right secret from the throttled network: got %d %s", a.StatusCode, a.Body)
		}
	}, providertest.BehindProxy)
}

// A failure costs one read and one write, and only the read above the limit. A request
// without a secret costs nothing. An unknown client costs one more read, because it may have
// been registered a moment ago.
// TK-07: A wrong secret and an unknown client get the same answer and the same work; failures
// are limited.
func TestClientThrottle_FailureReadsAndWritesLittle(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		cost := func(what string, wantReads, wantWrites int64, ask func() providertest.Answer) {
			t.Helper()
			readsBefore, writesBefore := b.DB.Calls()
			ask()
			reads, writes := b.DB.Calls()
			if reads-readsBefore != wantReads || writes-writesBefore != wantWrites {
				t.Errorf("%s: %d reads and %d writes, want %d and %d", what, reads-readsBefore, writes-writesBefore, wantReads, wantWrites)
			}
		}
		ask := func(id, secret string) func() providertest.Answer {
			return func() providertest.Answer { return b.PostAsClient(t, "/token", id, secret, "") }
		}
		cost("no secret", 0, 0, func() providertest.Answer {
			return b.Post(t, "/token", providertest.FormType, strings.NewReader("grant_type=client_credentials&client_id="+b.Client.ID), func(r *http.Request) { r.Header.Del("Authorization") })
		})
		cost("right secret", 0, 0, ask(b.Client.ID, b.Secret))
		for range 20 {
			cost("wrong secret", 1, 1, ask(b.Client.ID, "canary-secret"))
			cost("unknown client", 2, 1, ask("canary-client", "canary-secret"))
		}
		for range 5 {
			cost("throttled client", 1, 0, ask(b.Client.ID, "canary-secret"))
			cost("throttled unknown client", 2, 0, ask("canary-client", "canary-secret"))
		}
		cost("right secret of a throttled client", 0, 0, ask(b.Client.ID, b.Secret))
		refused := 0
		for _, e := range b.Events(t) {
			if e.Type == storage.ClientRefused {
				refused += int(e.Times)
				if e.ClientID != b.Client.ID || e.Outcome != storage.Refused || e.Reason != "wrong_secret" || e.From.Address == "" || e.From.RequestID == "" {
					t.Errorf("event %+v", e)
				}
			}
		}
		if refused != 20 {
			t.Errorf("%d events, want 20: one for each counted wrong secret of the known client", refused)
		}
		if strings.Contains(b.Log.String(), "canary-secret") {
			t.Error("the log contains the secret")
		}
	})
}

// ST-14: if the database cannot count failures, no secret can be guessed.
// TK-07: A wrong secret and an unknown client get the same answer and the same work; failures
// are limited.
func TestClientThrottle_DatabaseGoneGives503(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		if err := b.DB.Close(); err != nil {
			t.Fatal(err)
		}
		a := b.PostAsClient(t, "/token", b.Client.ID, "wrong", "")
		providertest.WantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
	})
}
