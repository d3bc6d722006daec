package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
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

// logoutNotices reads the logout notices of the user from the database while the server runs, by
// client ID and session ID of the ended session.
func logoutNotices(t *testing.T, i *signettest.Instance) map[[2]string]storage.Notice {
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
	notices := map[[2]string]storage.Notice{}
	for _, n := range rows {
		notices[[2]string{n.ClientID, n.SessionID}] = n
	}
	return notices
}

// TestLogout_DeliveryThroughFailuresAndRestarts delivers a logout token to a receiver
// that first fails, then hangs, and then accepts the token. After each try the server is
// restarted at the time when the next try is due. The receiver checks tokens with jose.
func TestLogout_DeliveryThroughFailuresAndRestarts(t *testing.T) {
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
	// wantToken checks that the receiver got one token of this session, and sets its next answer.
	wantToken := func(sid, answer string) {
		t.Helper()
		var tokens []map[string]any
		if got := receiver.Check(answer); json.Unmarshal([]byte(got), &tokens) != nil || len(tokens) != 1 || tokens[0]["sid"] != sid {
			t.Fatalf("the receiver got %s, want one token of session %s", got, sid)
		}
		if jti == nil {
			jti = tokens[0]["jti"]
		}
		if tokens[0]["jti"] != jti {
			t.Errorf("jti %v, before it was %v: want the same, so that the receiver recognizes the same sign-out", tokens[0]["jti"], jti)
		}
	}
	if got := receiver.Check("500"); got != "[]" {
		t.Fatalf("before the sign-out the receiver got %s, want no tokens", got)
	}
	sid := idClaims(t, signettest.NewGoParty(t, i, client).SignIn(t, i, signettest.NewFormBrowser(t)).Extra("id_token"))["sid"].(string)
	i.Command(t, "", nil, "session", "end", sid, "--user", i.Email)
	entry := [2]string{client.ID, sid}
	var last storage.Notice
	for _, step := range []struct {
		code, next string
		wait       time.Duration // until the next try
	}{{"status_500", "hang", 11 * time.Second}, {"timeout", "204", 61 * time.Second}, {"", "500", 24 * time.Hour}} {
		signettest.Eventually(t, time.Minute, "the notice has the error "+strconv.Quote(step.code), func() bool {
			notices := logoutNotices(t, i)
			last = notices[entry]
			return len(notices) == 1 && last.LastError == step.code && last.Settled() == (step.code == "") && last.LeasedUntil == 0
		})
		wantToken(sid, step.next)
		end()
		if kept := logoutNotices(t, i)[entry]; kept != last {
			t.Errorf("the notice after the server stopped: got %+v, before it was %+v", kept, last)
		}
		moved.Add(int64(step.wait))
		end = signettest.StartSignetAt(t, now, i.Issuer, i.Env, "serve")
	}
	i.Command(t, "", nil, "session", "end", idClaims(t, signettest.NewGoParty(t, i, client).SignIn(t, i, signettest.NewFormBrowser(t)).Extra("id_token"))["sid"].(string), "--user", i.Email)
	signettest.Eventually(t, time.Minute, "a later sign-out is noted", func() bool { return len(logoutNotices(t, i)) == 2 })
	if kept := logoutNotices(t, i)[entry]; kept != last || last.DeliveredAt == 0 || last.Tries != 3 {
		t.Errorf("the notice a day later: got %+v, at its delivery it was %+v", kept, last)
	}
}

// idClaims reads the claims of an ID token or logout token. The caller has verified the token.
func idClaims(t *testing.T, token any) (claims map[string]any) {
	t.Helper()
	parsed, err := oidc.NewVerifier("", nil, &oidc.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: true, InsecureSkipSignatureCheck: true,
		SupportedSigningAlgs: []string{"ES256", "RS256"},
	}).Verify(t.Context(), fmt.Sprint(token))
	if err == nil {
		err = parsed.Claims(&claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// logoutReceiver receives the logout tokens of several clients. It answers 500 until healthy
// is set.
type logoutReceiver struct {
	*httptest.Server
	healthy atomic.Bool
	mu      sync.Mutex
	tokens  map[string][]string // by path
}

func receiveLogouts(t *testing.T) *logoutReceiver {
	t.Helper()
	r := &logoutReceiver{tokens: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tokens[request.URL.Path] = append(r.tokens[request.URL.Path], form.Get("logout_token"))
		if !r.healthy.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// sids verifies the tokens that the client received and returns the IDs of their sessions,
// sorted, once for each jti.
func (r *logoutReceiver) sids(t *testing.T, path, issuer string, client signettest.CreatedClient) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	provider, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[any]string{}
	for _, token := range r.tokens[path] {
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

// TestLogout_DeliveryAfterKill kills the process between a sign-out and its
// delivery. After a failure, the process does not call a client for ten seconds. It is killed
// within this time, after it has answered a second sign-out. The next process notifies each
// client of each ended session, and of no other session.
func TestLogout_DeliveryAfterKill(t *testing.T) {
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
			// One session at /photos only, one session at both clients, and one that does not end.
			first, second, third := signettest.NewFormBrowser(t), signettest.NewFormBrowser(t), signettest.NewFormBrowser(t)
			one := signInAt(t, c, parties["/photos"], first)
			both := signInAt(t, c, parties["/photos"], second)
			if got := signInAt(t, c, parties["/wiki"], second); got.sid != both.sid {
				t.Fatalf("one browser has two sessions, %s and %s, want one", both.sid, got.sid)
			}
			signInAt(t, c, parties["/wiki"], third)

			first.Open(c.Issuer + "/end_session?" + url.Values{"id_token_hint": {one.idToken}}.Encode())
			signettest.Eventually(t, time.Minute, "the first sign-out was tried", func() bool {
				return logoutNotices(t, c.Instance)[[2]string{clients["/photos"].ID, one.sid}].LastError == "status_500"
			})
			second.Open(c.Issuer + "/end_session?" + url.Values{"id_token_hint": {both.idToken}}.Encode())
			p.Kill()

			noted := logoutNotices(t, c.Instance)
			if len(noted) != 3 {
				t.Fatalf("got the notices %v, want three", noted)
			}
			for key, n := range noted {
				t.Logf("the process was killed after %d tries for %v", n.Tries, key)
				if n.Settled() {
					t.Errorf("the notice for %v is settled, but the client has not accepted it: %+v", key, n)
				}
			}
			receiver.healthy.Store(true)
			c.Start(t, true)
			signettest.Eventually(t, 2*time.Minute, "all notices are delivered", func() bool {
				for _, n := range logoutNotices(t, c.Instance) {
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
					t.Errorf("%s received tokens of the sessions %v, want %v", path, got, sids)
				}
			}
			if got := len(logoutNotices(t, c.Instance)); got != 3 {
				t.Errorf("got %d notices, want 3", got)
			}
		})
	}
}

// partySession holds the session of a relying party after a sign-in.
type partySession struct{ sid, idToken string }

// signInAt signs in at a party. If the browser has a session already, it uses this session.
func signInAt(t *testing.T, c *signettest.Cluster, party *signettest.GoParty, b *signettest.FormBrowser) partySession {
	t.Helper()
	got := party.SignIn(t, c.Instance, b)
	idToken := got.Extra("id_token").(string)
	return partySession{idClaims(t, idToken)["sid"].(string), idToken}
}
