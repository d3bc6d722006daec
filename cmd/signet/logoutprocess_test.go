package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/storage"
	"signet/storage/storagetest"
)

// ledger is what the database says of each client and session that ended, read beside
// the server.
func (i *instance) ledger(t *testing.T) map[[2]string]storage.Notice {
	t.Helper()
	read := config.Read(config.Sources{Env: cli.Environment(i.env)})
	if err := read.Err(); err != nil {
		t.Fatal(err)
	}
	db, err := node.OpenDatabase(t.Context(), read.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	user, _, err := db.UserByEmail(t.Context(), i.email)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.LogoutNotices(t.Context(), user.ID, "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ledger := map[[2]string]storage.Notice{}
	for _, n := range rows {
		ledger[[2]string{n.ClientID, n.SessionID}] = n
	}
	return ledger
}

// TestLogout_ReceiverOnJoseThroughFailuresAndRestarts: a receiver fails, hangs and then
// answers, and the server is started anew after each, as late as the next try is due.
func TestLogout_ReceiverOnJoseThroughFailuresAndRestarts(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	port := freePort(t)
	client := i.createClient(t, "--redirect-uri", nowhere, "--skip-consent",
		"--backchannel-logout-uri", fmt.Sprintf("http://127.0.0.1:%d/logout", port), "--backchannel-logout-session-required")
	var moved atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
	end := startSignetAt(t, now, i.issuer, i.env, "serve")
	receiver := startNode(t, "logoutreceiver.mjs", i.issuer, client.ID, fmt.Sprint(port))
	var jti any
	// came wants one token of this session to have come, and gives the next answers.
	came := func(sid, answer string) {
		t.Helper()
		var tokens []map[string]any
		if said := receiver.check(answer); json.Unmarshal([]byte(said), &tokens) != nil || len(tokens) != 1 || tokens[0]["sid"] != sid {
			t.Fatalf("the receiver got %s, want one token of %s", said, sid)
		}
		if jti == nil {
			jti = tokens[0]["jti"]
		}
		if tokens[0]["jti"] != jti {
			t.Errorf("jti %v after %v: the receiver cannot tell that it is the same sign-out", tokens[0]["jti"], jti)
		}
	}
	if said := receiver.check("500"); said != "[]" {
		t.Fatal(said)
	}
	sid := idClaims(t, newGoParty(t, i, client).signIn(t, i, newFormBrowser(t)).Extra("id_token"))["sid"].(string)
	i.command(t, "", nil, "session", "end", sid, "--user", i.email)
	entry := [2]string{client.ID, sid}
	var last storage.Notice
	for _, step := range []struct {
		code, next string
		wait       time.Duration // until the next try
	}{{"status_500", "hang", 11 * time.Second}, {"timeout", "204", 61 * time.Second}, {"", "500", 24 * time.Hour}} {
		eventually(t, time.Minute, "the ledger says "+step.code, func() bool {
			ledger := i.ledger(t)
			last = ledger[entry]
			return len(ledger) == 1 && last.LastError == step.code && last.Settled() == (step.code == "") && last.LeasedUntil == 0
		})
		came(sid, step.next)
		end()
		if kept := i.ledger(t)[entry]; kept != last {
			t.Errorf("after the end of the server the ledger says %+v, before %+v", kept, last)
		}
		moved.Add(int64(step.wait))
		end = startSignetAt(t, now, i.issuer, i.env, "serve")
	}
	i.command(t, "", nil, "session", "end", idClaims(t, newGoParty(t, i, client).signIn(t, i, newFormBrowser(t)).Extra("id_token"))["sid"].(string), "--user", i.email)
	eventually(t, time.Minute, "a later sign-out is tried", func() bool { return len(i.ledger(t)) == 2 })
	if kept := i.ledger(t)[entry]; kept != last || last.DeliveredAt == 0 || last.Tries != 3 {
		t.Errorf("a day later the ledger says %+v, when it was delivered %+v", kept, last)
	}
}

// idClaims reads the claims of an ID token that was checked before.
func idClaims(t *testing.T, token any) (claims map[string]any) {
	t.Helper()
	parsed, err := oidc.NewVerifier("", nil, &oidc.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: true, InsecureSkipSignatureCheck: true,
	}).Verify(t.Context(), fmt.Sprint(token))
	if err == nil {
		err = parsed.Claims(&claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// logoutReceiver is where clients take their logout tokens; it answers 500 until it is
// healthy.
type logoutReceiver struct {
	*httptest.Server
	healthy atomic.Bool
	mu      sync.Mutex
	came    map[string][]string // by path
}

func receiveLogouts(t *testing.T) *logoutReceiver {
	t.Helper()
	r := &logoutReceiver{came: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.came[request.URL.Path] = append(r.came[request.URL.Path], form.Get("logout_token"))
		if !r.healthy.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// sids checks the tokens that came for a client and gives their sessions, each once.
func (r *logoutReceiver) sids(t *testing.T, path, issuer string, client createdClient) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	provider, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[any]string{}
	for _, token := range r.came[path] {
		if _, err := provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
		claims := idClaims(t, token)
		ids[claims["jti"]] = claims["sid"].(string)
	}
	sids := []string{}
	for _, sid := range ids {
		sids = append(sids, sid)
	}
	slices.Sort(sids)
	return sids
}

// TestLogout_KilledBetweenTheSignOutAndItsDelivery: a client that has just failed is
// left alone for ten seconds; the process is killed in them, after it has answered a
// second sign-out. The next process tells each client of each session, and of no other.
func TestLogout_KilledBetweenTheSignOutAndItsDelivery(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := newCluster(t, database)
			receiver := receiveLogouts(t)
			clients := map[string]createdClient{}
			for _, name := range []string{"/photos", "/wiki"} {
				clients[name] = c.createClient(t, "--redirect-uri", nowhere, "--skip-consent", "--backchannel-logout-uri", receiver.URL+name)
			}
			p := c.start(t, true)
			parties := map[string]*goParty{}
			for name, client := range clients {
				parties[name] = newGoParty(t, c.instance, client)
			}
			// A session of /photos alone, one of both, and one that goes on.
			first, second, third := newFormBrowser(t), newFormBrowser(t), newFormBrowser(t)
			one := c.signInAt(t, parties["/photos"], first)
			both := c.signInAt(t, parties["/photos"], second)
			if got := c.signInAt(t, parties["/wiki"], second); got.sid != both.sid {
				t.Fatalf("one browser has the sessions %s and %s", both.sid, got.sid)
			}
			c.signInAt(t, parties["/wiki"], third)

			first.open(c.issuer + "/end_session?" + url.Values{"id_token_hint": {one.idToken}}.Encode())
			eventually(t, time.Minute, "the first sign-out was tried", func() bool { return c.ledger(t)[[2]string{clients["/photos"].ID, one.sid}].LastError == "status_500" })
			second.open(c.issuer + "/end_session?" + url.Values{"id_token_hint": {both.idToken}}.Encode())
			p.kill()

			ledger := c.ledger(t)
			if len(ledger) != 3 {
				t.Fatalf("the ledger has %v, want three entries", ledger)
			}
			for of, n := range ledger {
				t.Logf("killed after %d tries for %v", n.Tries, of)
				if n.Settled() {
					t.Errorf("%v is settled, and nobody has taken it: %+v", of, n)
				}
			}
			receiver.healthy.Store(true)
			c.start(t, true)
			eventually(t, 2*time.Minute, "all are told", func() bool {
				for _, n := range c.ledger(t) {
					if n.DeliveredAt == 0 {
						return false
					}
				}
				return true
			})
			want := map[string][]string{"/photos": {one.sid, both.sid}, "/wiki": {both.sid}}
			for path, sids := range want {
				slices.Sort(sids)
				if got := receiver.sids(t, path, c.issuer, clients[path]); !slices.Equal(got, sids) {
					t.Errorf("%s was told of %v, want %v", path, got, sids)
				}
			}
			if got := len(c.ledger(t)); got != 3 {
				t.Errorf("the ledger has %d entries, want 3", got)
			}
		})
	}
}

// signedIn is what a relying party knows after a sign-in.
type signedIn struct{ sid, idToken string }

// signInAt signs in, or goes on with the session that the browser has.
func (c *cluster) signInAt(t *testing.T, party *goParty, b *formBrowser) signedIn {
	t.Helper()
	got := party.signIn(t, c.instance, b)
	idToken := got.Extra("id_token").(string)
	return signedIn{idClaims(t, idToken)["sid"].(string), idToken}
}
