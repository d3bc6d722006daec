package cluster_test

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
	"signet/cmd/signet/signettest"
	"signet/storage"
	"signet/storage/storagetest"
)

// ledger is what the database says of each client and session that ended, read beside
// the server.
func ledger(t *testing.T, i *signettest.Instance) map[[2]string]storage.Notice {
	t.Helper()
	read := config.Read(config.Sources{Env: cli.ParseEnvironment(i.Env)})
	if err := read.Err(); err != nil {
		t.Fatal(err)
	}
	db, err := node.OpenDatabase(t.Context(), read.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	user, _, err := db.UserByEmail(t.Context(), i.Email)
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
	i := signettest.NewInstance(t)
	port := signettest.FreePort(t)
	client := i.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent",
		"--backchannel-logout-uri", fmt.Sprintf("http://127.0.0.1:%d/logout", port), "--backchannel-logout-session-required")
	var moved atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
	end := signettest.StartSignetAt(t, now, i.Issuer, i.Env, "serve")
	receiver := signettest.StartNode(t, "logoutreceiver.mjs", i.Issuer, client.ID, fmt.Sprint(port))
	var jti any
	// came wants one token of this session to have come, and gives the next answers.
	came := func(sid, answer string) {
		t.Helper()
		var tokens []map[string]any
		if said := receiver.Check(answer); json.Unmarshal([]byte(said), &tokens) != nil || len(tokens) != 1 || tokens[0]["sid"] != sid {
			t.Fatalf("the receiver got %s, want one token of %s", said, sid)
		}
		if jti == nil {
			jti = tokens[0]["jti"]
		}
		if tokens[0]["jti"] != jti {
			t.Errorf("jti %v after %v: the receiver cannot tell that it is the same sign-out", tokens[0]["jti"], jti)
		}
	}
	if said := receiver.Check("500"); said != "[]" {
		t.Fatal(said)
	}
	sid := idClaims(t, signettest.NewGoParty(t, i, client).SignIn(t, i, signettest.NewFormBrowser(t)).Extra("id_token"))["sid"].(string)
	i.Command(t, "", nil, "session", "end", sid, "--user", i.Email)
	entry := [2]string{client.ID, sid}
	var last storage.Notice
	for _, step := range []struct {
		code, next string
		wait       time.Duration // until the next try
	}{{"status_500", "hang", 11 * time.Second}, {"timeout", "204", 61 * time.Second}, {"", "500", 24 * time.Hour}} {
		signettest.Eventually(t, time.Minute, "the ledger says "+step.code, func() bool {
			ledger := ledger(t, i)
			last = ledger[entry]
			return len(ledger) == 1 && last.LastError == step.code && last.Settled() == (step.code == "") && last.LeasedUntil == 0
		})
		came(sid, step.next)
		end()
		if kept := ledger(t, i)[entry]; kept != last {
			t.Errorf("after the end of the server the ledger says %+v, before %+v", kept, last)
		}
		moved.Add(int64(step.wait))
		end = signettest.StartSignetAt(t, now, i.Issuer, i.Env, "serve")
	}
	i.Command(t, "", nil, "session", "end", idClaims(t, signettest.NewGoParty(t, i, client).SignIn(t, i, signettest.NewFormBrowser(t)).Extra("id_token"))["sid"].(string), "--user", i.Email)
	signettest.Eventually(t, time.Minute, "a later sign-out is tried", func() bool { return len(ledger(t, i)) == 2 })
	if kept := ledger(t, i)[entry]; kept != last || last.DeliveredAt == 0 || last.Tries != 3 {
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
func (r *logoutReceiver) sids(t *testing.T, path, issuer string, client signettest.CreatedClient) []string {
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
			c := signettest.NewCluster(t, database)
			receiver := receiveLogouts(t)
			clients := map[string]signettest.CreatedClient{}
			for _, name := range []string{"/photos", "/wiki"} {
				clients[name] = c.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent", "--backchannel-logout-uri", receiver.URL+name)
			}
			p := c.Start(t, true)
			parties := map[string]*signettest.GoParty{}
			for name, client := range clients {
				parties[name] = signettest.NewGoParty(t, c.Instance, client)
			}
			// A session of /photos alone, one of both, and one that goes on.
			first, second, third := signettest.NewFormBrowser(t), signettest.NewFormBrowser(t), signettest.NewFormBrowser(t)
			one := signInAt(t, c, parties["/photos"], first)
			both := signInAt(t, c, parties["/photos"], second)
			if got := signInAt(t, c, parties["/wiki"], second); got.sid != both.sid {
				t.Fatalf("one browser has the sessions %s and %s", both.sid, got.sid)
			}
			signInAt(t, c, parties["/wiki"], third)

			first.Open(c.Issuer + "/end_session?" + url.Values{"id_token_hint": {one.idToken}}.Encode())
			signettest.Eventually(t, time.Minute, "the first sign-out was tried", func() bool {
				return ledger(t, c.Instance)[[2]string{clients["/photos"].ID, one.sid}].LastError == "status_500"
			})
			second.Open(c.Issuer + "/end_session?" + url.Values{"id_token_hint": {both.idToken}}.Encode())
			p.Kill()

			noted := ledger(t, c.Instance)
			if len(noted) != 3 {
				t.Fatalf("the ledger has %v, want three entries", noted)
			}
			for of, n := range noted {
				t.Logf("killed after %d tries for %v", n.Tries, of)
				if n.Settled() {
					t.Errorf("%v is settled, and nobody has taken it: %+v", of, n)
				}
			}
			receiver.healthy.Store(true)
			c.Start(t, true)
			signettest.Eventually(t, 2*time.Minute, "all are told", func() bool {
				for _, n := range ledger(t, c.Instance) {
					if n.DeliveredAt == 0 {
						return false
					}
				}
				return true
			})
			want := map[string][]string{"/photos": {one.sid, both.sid}, "/wiki": {both.sid}}
			for path, sids := range want {
				slices.Sort(sids)
				if got := receiver.sids(t, path, c.Issuer, clients[path]); !slices.Equal(got, sids) {
					t.Errorf("%s was told of %v, want %v", path, got, sids)
				}
			}
			if got := len(ledger(t, c.Instance)); got != 3 {
				t.Errorf("the ledger has %d entries, want 3", got)
			}
		})
	}
}

// signedIn is what a relying party knows after a sign-in.
type signedIn struct{ sid, idToken string }

// signInAt signs in, or goes on with the session that the browser has.
func signInAt(t *testing.T, c *signettest.Cluster, party *signettest.GoParty, b *signettest.FormBrowser) signedIn {
	t.Helper()
	got := party.SignIn(t, c.Instance, b)
	idToken := got.Extra("id_token").(string)
	return signedIn{idClaims(t, idToken)["sid"].(string), idToken}
}
