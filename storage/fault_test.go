package storage_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// watched is a world whose calls are watched and made to fail; seen is another
// handle, which looks at what they did.
type watched struct {
	*world
	seen *storage.DB

	mu      sync.Mutex
	onCall  func()                   // before each call
	names   []string                 // of the calls
	failing map[string]storage.Fault // by name, once
	hit     func()                   // before one fails
	dumping string                   // the statement of dump
}

func newWatched(t *testing.T, b storagetest.Backend) *watched {
	t.Helper()
	f := &watched{world: newWorld(t, b), seen: b.Open(t)}
	f.DB = b.OpenFaulty(t, func(name string) storage.Fault {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.names = append(f.names, name)
		if f.onCall != nil {
			f.onCall()
		}
		fault, found := f.failing[name]
		if found {
			delete(f.failing, name)
			f.hit()
		}
		return fault
	})
	return f
}

// operatorUseCases are calls of what is done to keys and leases.
func operatorUseCases(t *testing.T, w *world) []call {
	ctx, from := t.Context(), storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"}
	later := noon.Add(48 * time.Hour)
	return []call{
		{"StartKeyLines", func() error {
			_, err := w.StartKeyLines(ctx, firstKeys("RS256", "EdDSA"), storage.By{From: from, At: noon})
			return err
		}},
		{"RaiseLongestLife", func() error { return w.RaiseLongestLife(ctx, w.keyIn(t, "RS256", storage.KeyActive).ID, time.Hour) }},
		{"RotateKeys", func() error {
			return w.RotateKeys(ctx, []storage.KeyRotation{w.keyRotation(t, "RS256")}, storage.By{From: from, At: noon})
		}},
		{"RevokeKey", func() error {
			next := w.keyIn(t, "RS256", storage.KeyNext)
			return w.RevokeKey(ctx, storage.KeyRevocation{
				Key: w.keyIn(t, "RS256", storage.KeyActive), Promote: &next, Reason: "drill", Fresh: []storage.Key{freshKey("RS256")},
			}, storage.By{From: from, At: noon})
		}},
		{"ClampKeyTimes", func() error { return w.ClampKeyTimes(ctx, margin, noon) }},
		{"RewrapKeys", func() error {
			_, err := w.RewrapKeys(ctx, func(storage.Key) ([]byte, error) { return []byte("sealed"), nil }, storage.By{From: from, At: noon})
			return err
		}},
		{"RewrapTokens", func() error {
			_, err := w.RewrapTokens(ctx, func(storage.Identity) ([]byte, error) { return nil, nil })
			return err
		}},
		{"EndExpiredKeys", func() error {
			_, err := w.EndExpiredKeys(ctx, time.Hour, storage.By{From: from, At: later})
			return err
		}},
		{"RetireKeyLine", func() error { return w.RetireKeyLine(ctx, "EdDSA", margin, storage.By{From: from, At: noon}) }},
		{"AddNextKey", func() error { return w.AddNextKey(ctx, freshKey("PS256"), storage.By{From: from, At: noon}) }},
		{"RecordJWKSReaders", func() error {
			_, err := w.RecordJWKSReaders(ctx, []storage.JWKSReader{{Family: "f", Fetches: 1, SeenAt: 1}}, noon)
			return err
		}},
		{"JWKSReaders", func() error { _, err := w.JWKSReaders(ctx); return err }},
		{"TakeLease", func() error { _, err := w.TakeLease(ctx, "keys", "a", time.Minute, noon); return err }},
		{"ReturnLease", func() error { return w.ReturnLease(ctx, "keys", "a") }},
		{"MarkRestored", func() error {
			_, err := w.MarkRestored(ctx, storage.By{From: from, At: noon.Add(-time.Hour)})
			return err
		}},
	}
}

// lastCalls runs all use cases on a world of its own and gives the name of the last
// call of the database that each makes, and whether that writes.
func lastCalls(t *testing.T) (names []string, writes []bool) {
	t.Helper()
	f := newWatched(t, storagetest.SQLite(t))
	for _, c := range append(everyUseCase(t, f.world), operatorUseCases(t, f.world)...) {
		_, counted := f.Calls()
		writing := false // the call that was the last so far
		f.onCall = func() {
			_, now := f.Calls()
			writing, counted = now > counted, now
		}
		if err := c.run(); err != nil && !isAnswer(err) {
			t.Fatalf("%s: %v", c.method, err)
		}
		names, writes = append(names, f.names[len(f.names)-1]), append(writes, writing)
	}
	return names, writes
}

// isAnswer reports whether a use case came to an answer, though not the one it was
// asked for.
func isAnswer(err error) bool {
	var throttled *storage.ThrottledError
	return isSentinel(err) || errors.As(err, &throttled)
}

// TestFaults_EveryUseCaseIsWholeOrNothing lets each use case fail: the database is
// gone, locked or full, at once, before the commit and after it. What was not
// committed is not there, what was is not done twice, and either way the caller hears
// that the database is unavailable, never that something is invalid.
func TestFaults_EveryUseCaseIsWholeOrNothing(t *testing.T) {
	names, writes := lastCalls(t)
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		f := newWatched(t, b)
		full := map[string]error{"sqlite": syscall.ENOSPC, "postgres": &pgconn.PgError{Code: "53100"}}[b.Name]
		failed := 0
		for i, c := range append(everyUseCase(t, f.world), operatorUseCases(t, f.world)...) {
			faults := []storage.Fault{{Err: driver.ErrBadConn}, {Err: context.DeadlineExceeded}, {Err: full}}
			if writes[i] {
				faults = append(faults, storage.Fault{When: storage.BeforeCommit, Err: full},
					storage.Fault{When: storage.BeforeCommit, Err: context.DeadlineExceeded}, storage.Fault{When: storage.AfterCommit, Err: driver.ErrBadConn})
			}
			for _, fault := range faults {
				before, hit := "", false
				f.failing = map[string]storage.Fault{names[i]: fault}
				f.hit = func() { before, hit = f.dump(t), true }
				err := c.run()
				what := fmt.Sprintf("%s (%s), moment %d, %v", c.method, names[i], fault.When, fault.Err)
				switch {
				case !hit:
					t.Fatalf("%s: never called: %v", what, err)
				case errors.Is(err, storage.ErrUnavailable):
					failed++
				case fault.When == storage.AtOnce || !isAnswer(err): // it was refused before there was anything to commit
					t.Errorf("%s: got %v, want ErrUnavailable", what, err)
				}
				if after := f.dump(t); fault.When != storage.AfterCommit && after != before {
					t.Errorf("%s left something behind:\n%s", what, difference(before, after))
				}
			}
			if err := c.run(); err != nil && !isAnswer(err) { // after an unknown outcome
				t.Errorf("%s again: %v", c.method, err)
			}
		}
		t.Logf("%d faults", failed)
	})
}

// tables lists them all.
var tables = strings.Fields(`instance users credentials identities clients consents sessions grants spent keys throttles events
	outbox pushed_requests device_codes leases connector_health jwks_readers setup_links served_connectors`)

// dump gives every row of every table as text, a row a line.
func (f *watched) dump(t *testing.T) string {
	t.Helper()
	if f.dumping == "" {
		f.dumping = f.dumpStatement(t)
	}
	var lines []string
	err := f.seen.Read(context.Background(), func(q *gorm.DB) error { return q.Raw(f.dumping).Scan(&lines).Error })
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// dumpStatement reads all tables at once.
func (f *watched) dumpStatement(t *testing.T) string {
	t.Helper()
	var parts []string
	for _, table := range tables {
		row := `CAST(t AS TEXT)`
		if f.backend.Name == "sqlite" {
			var columns []string
			err := f.seen.Read(t.Context(), func(q *gorm.DB) error {
				return q.Raw(`SELECT 'quote(' || name || ')' FROM pragma_table_info(?)`, table).Scan(&columns).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			row = strings.Join(columns, ` || ' ' || `)
		}
		parts = append(parts, `SELECT '`+table+` ' || `+row+` FROM `+table+` t`)
	}
	return strings.Join(parts, ` UNION ALL `)
}

func difference(before, after string) string {
	var lines []string
	had := strings.Split(before, "\n")
	for line := range strings.SplitSeq(after, "\n") {
		if !slices.Contains(had, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestFaults_DumpHasEveryTable(t *testing.T) {
	w := newWorld(t, storagetest.SQLite(t))
	var all []string
	err := w.Read(t.Context(), func(q *gorm.DB) error {
		return q.Raw(`SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'migrations' ORDER BY name`).Scan(&all).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(slices.Values(tables)); !slices.Equal(all, want) {
		t.Errorf("tables %q, want %q", all, want)
	}
}

// recorded tells the events of each use case that writes; the others are silent, and
// that is why.
var (
	recorded = map[string][]storage.EventType{
		"CreateUser": {storage.UserCreated}, "UpdateProfile": {storage.UserUpdated}, "OpenSetup": {storage.SetupOpened},
		"CompleteSetup": {storage.UserCreated, storage.SetupCompleted},
		"CreateClient":  {storage.ClientCreated}, "ReviseClient": {storage.ClientUpdated},
		"ReplaceSecret": {storage.ClientSecretReplaced}, "SetClientEnabled": {storage.ClientDisabled},
		"StartKeyLines": {storage.KeyCreated}, "RotateKeys": {storage.KeyCreated, storage.KeyRotated}, "RevokeKey": {storage.KeyCreated, storage.KeyRevokedEvent},
		"RewrapKeys": {storage.KeysRewrapped}, "EndExpiredKeys": {storage.KeyEnded}, "RetireKeyLine": {storage.KeyLineRetired}, "AddNextKey": {storage.KeyCreated},
		"CountFailure": {storage.ClientRefused}, "SignIn": {storage.SessionEnded, storage.UserSignedIn},
		"SignInThrough":   {storage.AddressProven, storage.IdentityLinked, storage.UserCreated, storage.UserEvicted, storage.UserGroupsChanged, storage.UserSignedIn},
		"ProveAddress":    {storage.AddressProven, storage.UserEvicted},
		"RenewFirstParty": {storage.GrantReplayed, storage.GrantRetried, storage.SessionEnded}, "AllowConsent": {storage.ConsentGiven}, "DenyConsent": {storage.ConsentDenied}, "WithdrawConsent": {storage.ConsentWithdrawn},
		"RedeemCode": {storage.GrantReplayed}, "SpendCode": {storage.GrantReplayed}, "RotateGrant": {storage.GrantReplayed, storage.GrantRetried},
		"RevokeToken": {storage.TokenRevoked}, "RevokeGrant": {storage.GrantRevoked},
		"LinkIdentity": {storage.IdentityLinked}, "UnlinkIdentity": {storage.IdentityUnlinked, storage.SessionEnded}, "ReadUpstreamToken": {storage.UpstreamTokenRead},
		"ResetPassword": {storage.PasswordChanged, storage.SessionsEnded}, "ChangePassword": {storage.PasswordChanged, storage.SessionEnded},
		"EndConnectorSessions": {storage.SessionEnded}, "RemoveUnconfiguredGroups": {storage.UserGroupsChanged},
		"EndSession": {storage.SessionEnded}, "EndOtherSessions": {storage.SessionEnded}, "SignOutEverywhere": {storage.SessionsEnded},
		"SetUserEnabled": {storage.UserDisabled}, "DeleteUser": {storage.UserDeleted}, "GrantAdmin": {storage.UserPromoted, storage.UserEvicted}, "RevokeAdmin": {storage.UserDemoted},
		"ReviseUser": {storage.UserUpdated, storage.AddressProven, storage.UserEvicted, storage.SessionsEnded}, "DeleteClient": {storage.ClientDeleted}, "MarkRestored": {storage.InstanceRestored},
		"SettleNotice": {storage.LogoutDelivered}, "RecordEvent": {storage.UserSignInFailed}, "RecordEvents": {storage.GrantRefused},
	}
	silent = map[string]string{
		"Reserve":               "an attempt is recorded when it has failed",
		"GiveBack":              "what succeeds is recorded by what succeeded",
		"AddFact":               "the step's own use case is recorded where it decides something",
		"ClaimNotices":          "a try is recorded when it is settled",
		"UpdateConnectorHealth": "a measure, not an act",
		"RecordJWKSReaders":     "a measure, not an act",
		"RaiseLongestLife":      "the settings tell of it",
		"ClampKeyTimes":         "key.alarm tells of the clock beside it",
		"RewrapTokens":          "part of a rewrap, which is recorded",
		"AnnounceConnectors":    "who serves is no act", "ReleaseConnectors": "who serves is no act",
		"TakeLease": "who works is no act", "ReturnLease": "who works is no act",
		"StartSweep": "what is swept is over", "SweepRows": "what is swept is over", "SweepSessions": "what is swept is over",
	}
)

// TestAudit_EveryUseCaseRecordsItsEvents: one that writes and is named in neither list
// fails here. That an undone one records none, TestFaults shows.
func TestAudit_EveryUseCaseRecordsItsEvents(t *testing.T) {
	_, writes := lastCalls(t)
	f := newWatched(t, storagetest.SQLite(t))
	events := func() map[string]storage.Event {
		list, err := f.seen.Events(t.Context(), storage.EventFilter{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		byID := map[string]storage.Event{}
		for _, e := range list {
			byID[e.ID] = e
		}
		return byID
	}
	got := map[string][]storage.EventType{}
	for i, c := range append(everyUseCase(t, f.world), append(operatorUseCases(t, f.world), extraAuditCalls(t, f.world)...)...) {
		before := events()
		f.onCall = func() { before = events() } // what a use case needs is prepared by others
		if err := c.run(); err != nil && !isAnswer(err) {
			t.Fatalf("%s: %v", c.method, err)
		}
		if i < len(writes) && !writes[i] {
			continue
		}
		got[c.method] = append(got[c.method], []storage.EventType{}...)
		for id, e := range events() {
			if _, old := before[id]; old {
				continue
			}
			got[c.method] = append(got[c.method], e.Type)
			if c.method != "SettleNotice" && (e.From.Address != "192.0.2.7" || e.From.RequestID != "asked") {
				t.Errorf("%s: event %s does not tell where it came from: %+v", c.method, e.Type, e.From)
			}
			wantNoSecret(t, c.method, e)
		}
	}
	for method, types := range got {
		slices.Sort(types)
		types, want := slices.Compact(types), slices.Sorted(slices.Values(recorded[method]))
		if !slices.Equal(types, want) {
			t.Errorf("%s: events %q, want %q", method, types, want)
		}
		if _, known := silent[method]; known == (len(types) > 0) {
			t.Errorf("%s recorded %q: it must stand in exactly one of the lists", method, types)
		}
	}
	for method := range maps.Keys(recorded) {
		if _, ran := got[method]; !ran {
			t.Errorf("%s is no use case that writes", method)
		}
	}
}

// extraAuditCalls are use cases of which everyUseCase shows another side.
func extraAuditCalls(t *testing.T, w *world) []call {
	ctx, from := t.Context(), storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"}
	return []call{
		{"SignIn", func() error { // another's browser
			u := w.createUser(t, "second@example.com")
			w.signIn(t, u.ID, "second", "", noon)
			v := w.createUser(t, "third@example.com")
			_, err := w.SignIn(ctx, storage.SignIn{UserID: v.ID, HandleHash: "third", Replaces: "second", IdleFor: time.Hour, AbsoluteFor: time.Hour, From: from}, noon)
			return err
		}},
		{"RedeemCode", func() error { // again
			r := w.newRedemption(t, "again@example.com")
			w.redeem(t, r, noon)
			r.From = from
			_, err := w.RedeemCode(ctx, r, noon)
			return err
		}},
		{"SpendCode", func() error { // which had opened a grant
			r := w.newRedemption(t, "spent@example.com")
			w.redeem(t, r, noon)
			return w.SpendCode(ctx, storage.CodeRefusal{RequestID: r.RequestID, CodeID: r.CodeID, SpentUntil: r.SpentUntil, RevokesReplayed: true}, storage.By{From: from, At: noon})
		}},
		{"RenewFirstParty", func() error { // retried
			r := storage.FirstPartyRenewal{Grant: w.newRedemption(t, "first@example.com").Grant, Grace: time.Hour, From: from}
			for _, at := range []time.Time{noon, noon.Add(2 * time.Hour)} { // opened, then rotated
				g, err := w.RenewFirstParty(ctx, r, at)
				if err != nil {
					return err
				}
				r.GrantID, r.Generation = g.ID, 1
			}
			_, err := w.RenewFirstParty(ctx, r, noon.Add(2*time.Hour))
			return err
		}},
		{"RenewFirstParty", func() error { // replayed
			r := storage.FirstPartyRenewal{Grant: w.newRedemption(t, "stolen@example.com").Grant, From: from}
			g, err := w.RenewFirstParty(ctx, r, noon)
			if err != nil {
				return err
			}
			r.GrantID, r.Generation = g.ID, 7
			_, err = w.RenewFirstParty(ctx, r, noon)
			return err
		}},
		{"ReadUpstreamToken", func() error {
			u := w.createUser(t, "kept@example.com")
			a := storage.ConnectorSignIn{
				Identity:  storage.Identity{Connector: "kept", Issuer: "https://kept.example", Subject: "1", UserID: u.ID, Detail: storage.IdentityDetail{Token: []byte("sealed-upstream-token")}},
				AttemptID: "kept", Until: storage.At(noon.Add(time.Hour)), SignIn: storage.SignIn{HandleHash: "kept", IdleFor: time.Hour, AbsoluteFor: time.Hour, From: from},
			}
			if _, err := w.SignInThrough(ctx, a, noon.Add(time.Hour)); err != nil {
				return err
			}
			_, err := w.ReadUpstreamToken(ctx, u.ID, "kept", storage.By{From: from, At: noon})
			return err
		}},
		{"SettleNotice", func() error {
			u := w.createUser(t, "settled@example.com")
			s := w.signIn(t, u.ID, "settled", "", noon)
			w.addLogoutClient(t, "told", s, false)
			if err := w.EndSession(ctx, u.ID, s.ID, "asked", storage.By{From: from, At: noon}); err != nil {
				return err
			}
			claimed, err := w.ClaimNotices(ctx, storage.NoticeClaim{UserID: u.ID, SessionID: s.ID, Limit: 1, Lease: time.Minute}, noon)
			if err != nil || len(claimed) != 1 {
				return fmt.Errorf("%d notices: %w", len(claimed), err)
			}
			return w.SettleNotice(ctx, claimed[0], storage.NoticeResult{}, noon)
		}},
	}
}

// newRedemption is what redeems a code of a session that a new user has.
func (w *world) newRedemption(t *testing.T, email string) storage.CodeRedemption {
	t.Helper()
	u := w.createUser(t, email)
	r := w.redemption(storage.NewID("r"), "code", noon)
	r.Grant.UserID, r.Grant.SessionID = u.ID, w.signIn(t, u.ID, storage.NewID("h"), "", noon).ID
	r.Grant.ClientID = "told" // which is enabled still
	return r
}

// wantNoSecret looks for what the use cases were given of secrets.
func wantNoSecret(t *testing.T, method string, e storage.Event) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hash", "handle", "sealed", "link\"", strings.Repeat("a", 64)} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s: %q in event %s", method, secret, text)
		}
	}
}
