package provider_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// behindProxy lets a test choose the client's address.
func behindProxy(c *provider.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

// present asks a form endpoint as a client of an address.
func (b *testbed) present(t *testing.T, path, id, secret, address string) answer {
	t.Helper()
	return b.post(t, path, formType, strings.NewReader(b.goodForm(path, "none").Encode()), func(r *http.Request) {
		r.Header.Set("Authorization", basic(id, secret))
		r.Header.Set("X-Forwarded-For", address)
	})
}

func wantThrottled(t *testing.T, what string, a answer) {
	t.Helper()
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusTooManyRequests || a.json(t)["error"] != "invalid_client" || err != nil || seconds < 1 || seconds > 901 {
		t.Fatalf("%s: got %d, Retry-After %q, %s", what, a.StatusCode, a.Header.Get("Retry-After"), a.Body)
	}
}

func wantRefusedClient(t *testing.T, what string, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusUnauthorized || a.json(t)["error"] != "invalid_client" || a.Header.Get("Retry-After") != "" {
		t.Fatalf("%s: got %d %s, want it refused and not throttled", what, a.StatusCode, a.Body)
	}
}

// Whatever others try, the right secret works; wrong ones are throttled, over all
// endpoints and nodes together, for an unknown client as for a known one.
func TestTK07_TestMN05_WrongSecretsAreThrottledPerClient(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, behindProxy)
		nodes := []*testbed{b, b.node(t)}
		for _, id := range []string{b.Client.ID, "nobody"} {
			for i := range 20 {
				address := fmt.Sprintf("198.51.100.%d", i)
				wantRefusedClient(t, id, nodes[i%2].present(t, formEndpoints[i%3], id, "wrong", address))
			}
			for i, path := range formEndpoints {
				wantThrottled(t, id+" at "+path, nodes[i%2].present(t, path, id, "wrong", "203.0.113.9"))
			}
		}
		for _, node := range nodes {
			if a := node.present(t, "/introspect", b.Client.ID, b.Secret, "198.51.100.1"); a.StatusCode != http.StatusOK {
				t.Errorf("the right secret while others are throttled: got %d %s", a.StatusCode, a.Body)
			}
		}
		wantThrottled(t, "after the right secret", b.present(t, "/token", b.Client.ID, "wrong", "203.0.113.9"))
		b.pass(15 * time.Minute)
		wantRefusedClient(t, "after the window", b.present(t, "/token", b.Client.ID, "wrong", "203.0.113.9"))
	})
}

func TestTK07_GuessesAtManyClientsAreThrottledPerNetwork(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for i := range 100 {
			address := fmt.Sprintf("2001:db8:0:1::%x", i) // one customer's
			wantRefusedClient(t, "guess", b.present(t, "/token", fmt.Sprintf("client-%d", i), "wrong", address))
		}
		wantThrottled(t, "one more", b.present(t, "/token", "another", "wrong", "2001:db8:0:1::ffff"))
		wantRefusedClient(t, "another network", b.present(t, "/token", "yet-another", "wrong", "2001:db8:0:2::1"))
		if a := b.present(t, "/introspect", b.Client.ID, b.Secret, "2001:db8:0:1::1"); a.StatusCode != http.StatusOK {
			t.Errorf("the right secret from the throttled network: got %d %s", a.StatusCode, a.Body)
		}
	}, behindProxy)
}

// What a failure costs: one read and one write, once throttled the read alone;
// and nothing where no secret was tried. An unknown client costs one read more: it
// may have been made a moment ago.
func TestTK07_WhatAFailureCostsAndLeaves(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		cost := func(what string, wantReads, wantWrites int64, ask func() answer) {
			t.Helper()
			readsBefore, writesBefore := b.DB.Calls()
			ask()
			reads, writes := b.DB.Calls()
			if reads-readsBefore != wantReads || writes-writesBefore != wantWrites {
				t.Errorf("%s: %d reads and %d writes, want %d and %d", what, reads-readsBefore, writes-writesBefore, wantReads, wantWrites)
			}
		}
		ask := func(id, secret string) func() answer {
			return func() answer { return b.present(t, "/token", id, secret, "") }
		}
		cost("no secret", 0, 0, func() answer {
			return b.post(t, "/token", formType, strings.NewReader("grant_type=client_credentials&client_id="+b.Client.ID), func(r *http.Request) { r.Header.Del("Authorization") })
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
		for _, e := range b.events(t) {
			if e.Type == storage.ClientRefused {
				refused += int(e.Times)
				if e.ClientID != b.Client.ID || e.Outcome != storage.Refused || e.Reason != "wrong_secret" || e.From.Address == "" || e.From.RequestID == "" {
					t.Errorf("event %+v", e)
				}
			}
		}
		if refused != 20 {
			t.Errorf("%d events, want one for each wrong secret of the known client that was counted", refused)
		}
		if strings.Contains(b.Log.String(), "canary-secret") {
			t.Error("the log has the secret")
		}
	})
}

// A database that cannot count lets nobody guess (ST-14).
func TestTK07_NothingIsTriedUncounted(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		if err := b.DB.Close(); err != nil {
			t.Fatal(err)
		}
		a := b.present(t, "/token", b.Client.ID, "wrong", "")
		wantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
	})
}
