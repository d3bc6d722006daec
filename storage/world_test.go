package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

// noon is the time at which the tests begin. Later times are sums with noon.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a database with a user, a client and a session of the user.
type world struct {
	*storage.DB
	backend storagetest.Backend
	user    storage.User
	client  storage.Client
	session storage.Session

	attempts      int               // sign-ins through connectors so far, for unique ids
	sessionBefore map[string]string // by user, see rememberSession
}

func eachWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) { f(t, newWorld(t, b)) })
}

func newWorld(t testing.TB, b storagetest.Backend) *world {
	t.Helper()
	w := &world{DB: b.Open(t), backend: b}
	w.user = w.createUser(t, "alice@example.com")
	w.client = w.createClient(t, "web")
	w.session = w.signIn(t, w.user.ID, "handle of alice", "", noon)
	return w
}

func (w *world) createUser(t testing.TB, email string) storage.User {
	t.Helper()
	u, err := w.CreateUser(t.Context(), storage.User{Email: email}, "hash of "+email, storage.By{At: noon})
	if err != nil {
		t.Fatalf("create user %s: %v", email, err)
	}
	return u
}

func (w *world) createClient(t testing.TB, id string) storage.Client {
	t.Helper()
	c := storage.Client{ID: id, Name: "Client " + id, Type: storage.Web, RefreshGrace: -1}
	c.Metadata.RedirectURIs = []string{"https://" + id + ".example.com/callback"}
	if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
		t.Fatalf("create client %s: %v", id, err)
	}
	return c
}

func (w *world) signIn(t testing.TB, userID, handle, replaces string, at time.Time) storage.Session {
	t.Helper()
	s, err := w.SignIn(t.Context(), w.signInOf(userID, handle, replaces), at)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	return s
}

// signInOf returns a sign-in with a password.
func (w *world) signInOf(userID, handle, replaces string) storage.SignIn {
	return storage.SignIn{
		UserID: userID, HandleHash: handle, Replaces: replaces, Request: "req " + handle,
		ACR: "urn:signet:1fa", AMR: []string{"pwd"}, IdleFor: 12 * time.Hour, AbsoluteFor: 30 * 24 * time.Hour,
		From: storage.Origin{Agent: "agent", Address: "192.0.2.1", RequestID: "r1"},
	}
}

// redemption returns the redemption of a code of the world's session. The id of its grant is
// built from the ids of the request and the code.
func (w *world) redemption(request, code string, at time.Time) storage.CodeRedemption {
	return storage.CodeRedemption{
		RequestID: request, CodeID: code, SpentUntil: storage.At(at.Add(24 * time.Hour)),
		Grant: storage.Grant{
			ID: "gid " + request + " " + code, UserID: w.user.ID, ClientID: w.client.ID, SessionID: w.session.ID,
			Scopes: []string{"openid", "profile"}, Resources: []string{"https://api.example.com"}, Claims: `{"id_token":{}}`,
			AuthTime: w.session.AuthTime, ACR: w.session.ACR, AMR: w.session.AMR, Confirmation: "jkt",
			IdleFor: 7 * 24 * time.Hour, ExpiresAt: storage.At(at.Add(30 * 24 * time.Hour)),
		},
	}
}

func (w *world) redeem(t testing.TB, r storage.CodeRedemption, at time.Time) storage.Grant {
	t.Helper()
	g, err := w.RedeemCode(t.Context(), r, at)
	if err != nil {
		t.Fatalf("redeem code: %v", err)
	}
	return g
}

// wantAlive wants LiveGrant to find the grant.
func (w *world) wantAlive(t testing.TB, grantID string, at time.Time) {
	t.Helper()
	if _, _, err := w.LiveGrant(t.Context(), grantID, "", at); err != nil {
		t.Fatalf("grant %q: %v, want it to be valid", grantID, err)
	}
}

// wantDead wants LiveGrant not to find the grant.
func (w *world) wantDead(t testing.TB, grantID string, at time.Time) {
	t.Helper()
	_, _, err := w.LiveGrant(t.Context(), grantID, "", at)
	wantError(t, "read a grant that must not be valid", err, storage.ErrNotFound)
}

// events returns the types of all events, newest first.
func (w *world) events(t testing.TB) []storage.EventType {
	t.Helper()
	list, err := w.Events(t.Context(), storage.EventFilter{}, 1000)
	if err != nil {
		t.Fatalf("list events: %v", err)
	}
	var types []storage.EventType
	for _, e := range list {
		types = append(types, e.Type)
	}
	return types
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

// together runs f n times in parallel and returns the error of each call.
func together(n int, f func(i int) error) []error {
	start, results := make(chan struct{}), make([]error, n)
	done := make(chan struct{})
	for i := range n {
		go func() {
			<-start
			results[i] = f(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return results
}

// tally counts the results by outcome.
func tally(results []error) map[string]int {
	counts := map[string]int{}
	for _, err := range results {
		counts[outcome(err)]++
	}
	return counts
}

// outcome names the sentinel that an error wraps; "ok" if there is no error.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, storage.ErrReplayed):
		return "replayed"
	case errors.Is(err, storage.ErrRevoked):
		return "revoked"
	case errors.Is(err, storage.ErrExpired):
		return "expired"
	case errors.Is(err, storage.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return fmt.Sprint(err)
	}
}

// inSoak returns the number of repetitions of a test: often if SIGNET_SOAK is set (make
// soak), seldom otherwise.
func inSoak(often, seldom int) int {
	if os.Getenv("SIGNET_SOAK") != "" {
		return often
	}
	return seldom
}
