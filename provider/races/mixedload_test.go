package races_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestMixedLoad_OnlyExpectedErrors runs all writing use cases at once on a few users and
// clients, over two handles on one database. Each succeeds or returns a sentinel error of
// storage. A deadlock, a serialization failure or a lock timeout is another error.
func TestMixedLoad_OnlyExpectedErrors(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		m := &mixture{arena: a, clients: []string{a.Client.ID, "other"}, users: []string{a.Alice.ID}}
		a.Register(t, storage.Web, "other", providertest.Callback)
		m.users = append(m.users, a.User(t, "bob@example.com", providertest.Password).ID)
		ends := time.Now().Add(loadFor())
		providertest.Race(12, func(i int) {
			for time.Now().Before(ends) && !t.Failed() {
				m.runRandom(t, a.nodes[i%2].DB)
			}
		})
		t.Logf("%d use cases, %d of them refused, the slowest after %v", m.done, m.refused, m.longest)
		if m.done < 100 {
			t.Errorf("%d use cases in %v, want at least 100", m.done, loadFor())
		}
		if backend.Name == "postgres" {
			t.Logf("%d deadlocks, each resolved by a second attempt", deadlocks(t, backend.Config().Database))
		}
	})
}

func loadFor() time.Duration {
	if soaking() {
		return time.Minute
	}
	return 3 * time.Second
}

func deadlocks(t *testing.T, database string) (n int64) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// mixture stores the latest sessions and grants, so that later use cases work on them.
type mixture struct {
	*arena
	users, clients []string

	mu       sync.Mutex
	sessions []storage.Session
	grants   []storage.Grant
	done     int
	refused  int
	longest  time.Duration
}

// latest is the number of stored sessions and of stored grants. It is small, so that the use
// cases work on the same rows.
const latest = 6

func (m *mixture) keepSession(s storage.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = append(m.sessions, s)
	m.sessions = m.sessions[max(0, len(m.sessions)-latest):]
}

func (m *mixture) keepGrant(g storage.Grant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grants = append(m.grants, g)
	m.grants = m.grants[max(0, len(m.grants)-latest):]
}

// pick returns a random stored session and grant. Before the first one is stored, it returns
// one with an unknown id.
func (m *mixture) pick() (storage.Session, storage.Grant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := storage.Session{ID: "none", UserID: m.users[0], HandleHash: "none"}
	g := storage.Grant{ID: "none", UserID: m.users[0], ClientID: m.clients[0]}
	if len(m.sessions) > 0 {
		s = m.sessions[rand.IntN(len(m.sessions))]
	}
	if len(m.grants) > 0 {
		g = m.grants[rand.IntN(len(m.grants))]
	}
	return s, g
}

// runRandom runs a random use case and checks its error.
func (m *mixture) runRandom(t *testing.T, on *storage.DB) {
	s, g := m.pick()
	user, client := m.users[rand.IntN(len(m.users))], m.clients[rand.IntN(len(m.clients))]
	work := mixed[m.choose()]
	start := time.Now()
	err := work.do(m, on, s, g, user, client)
	took := time.Since(start)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	m.longest = max(m.longest, took)
	var throttled *storage.ThrottledError
	switch {
	case err == nil:
	case errors.As(err, &throttled), errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrConflict),
		errors.Is(err, storage.ErrExpired), errors.Is(err, storage.ErrReplayed), errors.Is(err, storage.ErrRevoked):
		m.refused++
	default:
		t.Errorf("%s: %v", work.name, err)
	}
	if err != nil && strings.Contains(err.Error(), "locked") {
		t.Errorf("%s: got a lock error: %v", work.name, err)
	}
}

// choose returns a random index in mixed. The use cases of everyday are more frequent than
// those that end sessions and grants.
func (m *mixture) choose() int {
	if rand.IntN(3) > 0 {
		return rand.IntN(everyday)
	}
	return rand.IntN(len(mixed))
}

// everyday is the number of frequent use cases, which come first in mixed.
const everyday = 6

type mixedWork struct {
	name string
	do   func(m *mixture, on *storage.DB, s storage.Session, g storage.Grant, user, client string) error
}

var mixed = []mixedWork{
	{"sign in", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, user, _ string) error {
		in := m.signIn(user)
		in.Replaces = s.HandleHash
		session, err := on.SignIn(context.Background(), in, m.Now())
		if err == nil {
			m.keepSession(session)
		}
		return err
	}},
	{"redeem code", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, client string) error {
		r := m.redemption(s, client, fmt.Sprint("request", rand.IntN(1000)), fmt.Sprint("code", rand.IntN(2)))
		r.Grant.Offline = rand.IntN(2) == 0
		grant, err := on.RedeemCode(context.Background(), r, m.Now())
		if err == nil {
			m.keepGrant(grant)
		}
		return err
	}},
	{"rotate grant", rotateAny}, {"rotate grant", rotateAny},
	{"add fact", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, _ string) error {
		return on.AddFact(context.Background(), s.UserID, s.ID, storage.Fact{Kind: storage.FactChosen, At: storage.At(m.Now()), Request: "r"}, m.Now())
	}},
	{"allow consent", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, client string) error {
		return on.AllowConsent(context.Background(), storage.ConsentAnswer{
			Consent:   storage.Consent{UserID: s.UserID, ClientID: client, Scopes: []string{"openid"}, ExpiresAt: storage.At(m.Now().Add(time.Hour))},
			SessionID: s.ID, RequestID: "r", Remember: true, From: providertest.TestOrigin,
		}, m.Now())
	}},
	{"reserve attempt", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, client string) error {
		limits := []storage.Limit{{Key: user, Max: 50, Window: time.Minute}, {Key: client, Max: 50, Window: time.Minute}}
		reserved, err := on.Reserve(context.Background(), limits, m.Now())
		if err == nil {
			err = on.GiveBack(context.Background(), reserved, m.Now())
		}
		return err
	}},
	{"spend code", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, _, _ string) error {
		return on.SpendCode(context.Background(), storage.CodeRefusal{RequestID: fmt.Sprint("request", rand.IntN(1000)), CodeID: "code0", SpentUntil: storage.At(m.Now().Add(time.Hour)), RevokesReplayed: true}, storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"revoke token", func(m *mixture, on *storage.DB, _ storage.Session, g storage.Grant, _, client string) error {
		return on.RevokeToken(context.Background(), storage.TokenRevocation{JTI: fmt.Sprint("jti", rand.IntN(1000)), ClientID: client, GrantID: g.ID, Expires: storage.At(m.Now().Add(time.Hour))}, storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"revoke grant", func(m *mixture, on *storage.DB, _ storage.Session, g storage.Grant, _, _ string) error {
		return on.RevokeGrant(context.Background(), g.ID, "revoked", storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"end session", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, _ string) error {
		return on.EndSession(context.Background(), s.UserID, s.ID, "signed_out", storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"end other sessions", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, _ string) error {
		return on.EndOtherSessions(context.Background(), s.UserID, s.ID, "asked", storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"sign out everywhere", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		return on.SignOutEverywhere(context.Background(), user, "asked", storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"withdraw consent", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, client string) error {
		return on.WithdrawConsent(context.Background(), user, client, storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"disable user", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		return errors.Join(on.SetUserEnabled(context.Background(), user, false, storage.By{From: providertest.TestOrigin, At: m.Now()}), on.SetUserEnabled(context.Background(), user, true, storage.By{From: providertest.TestOrigin, At: m.Now()}))
	}},
	{"disable client", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, _, client string) error {
		return errors.Join(on.SetClientEnabled(context.Background(), client, false, storage.By{From: providertest.TestOrigin, At: m.Now()}), on.SetClientEnabled(context.Background(), client, true, storage.By{From: providertest.TestOrigin, At: m.Now()}))
	}},
	{"revise client", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, _, client string) error {
		_, err := on.ReviseClient(context.Background(), client, func(c *storage.Client) error { c.Name += "."; return nil }, storage.By{From: providertest.TestOrigin, At: m.Now()})
		return err
	}},
	{"update profile", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		return on.UpdateProfile(context.Background(), user, storage.Profile{Name: "A. Liddell"}, storage.By{From: providertest.TestOrigin, At: m.Now()})
	}},
	{"change password", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, _ string) error {
		session, err := on.ChangePassword(context.Background(), storage.PasswordChange{
			UserID: s.UserID, OldHash: "hash", NewHash: "hash", SessionID: s.ID, Handle: storage.NewID("h"), From: providertest.TestOrigin,
		}, m.Now())
		if err == nil {
			m.keepSession(session)
		}
		return err
	}},
	{"reset password", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		_, err := on.ResetPassword(context.Background(), storage.PasswordReset{UserID: user, Hash: "hash", Reason: "forgotten", Unproven: storage.KeepAttached, From: providertest.TestOrigin}, m.Now())
		return err
	}},
	{"sign in through connector", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, user, _ string) error {
		arrival := m.arrival(user, fmt.Sprint("subject", rand.IntN(6)), storage.NewID("att"))
		arrival.SignIn.Replaces = s.HandleHash
		if rand.IntN(2) == 0 {
			arrival.Identity.UserID = ""
			arrival.NewUser = storage.User{Email: fmt.Sprintf("new%d@example.com", rand.IntN(50))}
		}
		session, err := on.SignInThrough(context.Background(), arrival, m.Now())
		if err == nil {
			m.keepSession(session)
		}
		return err
	}},
	{"prove address", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, user, _ string) error {
		u, err := on.User(context.Background(), user)
		if err == nil {
			_, err = on.ProveAddress(context.Background(), storage.AddressProof{UserID: user, Email: u.Email, By: storage.ByUpstream, SessionID: s.ID, FreshFor: time.Hour, From: providertest.TestOrigin}, m.Now())
		}
		return err
	}},
	{"claim address", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		claimed := false
		_, err := on.ReviseUser(context.Background(), storage.UserRevision{UserID: user, Revise: func(*storage.User) error { return nil }, Verified: &claimed, From: providertest.TestOrigin}, m.Now())
		return err
	}},
	{"end sessions of connector", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, _, _ string) error {
		_, _, err := on.EndConnectorSessions(context.Background(), "upstream", storage.By{From: providertest.TestOrigin, At: m.Now()})
		return err
	}},
	{"link identity", func(m *mixture, on *storage.DB, s storage.Session, _ storage.Grant, _, _ string) error {
		return on.LinkIdentity(context.Background(), storage.IdentityLink{
			Identity: identity(s.UserID, fmt.Sprint("subject", rand.IntN(6))), ProofID: storage.NewID("prf"),
			Until: storage.At(m.Now().Add(time.Hour)), SessionID: s.ID, From: providertest.TestOrigin,
		}, m.Now())
	}},
	{"unlink identity", func(m *mixture, on *storage.DB, _ storage.Session, _ storage.Grant, user, _ string) error {
		return on.UnlinkIdentity(context.Background(), storage.IdentityRemoval{Identity: identity(user, fmt.Sprint("subject", rand.IntN(6))), Connectors: []string{"upstream"}, From: providertest.TestOrigin}, m.Now())
	}},
}

func rotateAny(m *mixture, on *storage.DB, _ storage.Session, g storage.Grant, _, _ string) error {
	rotated, err := on.RotateGrant(context.Background(), storage.GrantRotation{
		GrantID: g.ID, Generation: g.Generation, ClientID: g.ClientID, Grace: 30 * time.Second, From: providertest.TestOrigin,
	}, func(storage.Grant) error { return nil }, m.Now())
	if err == nil {
		m.keepGrant(rotated)
	}
	return err
}
