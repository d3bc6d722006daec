package storage_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
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

// watched is a world whose database calls are recorded and can be made to fail. The
// test reads the results through seen, another handle of the same database.
type watched struct {
	*world
	seen *storage.DB

	mu      sync.Mutex
	onCall  func()                   // runs before each call
	names   []string                 // of the calls so far
	failing map[string]storage.Fault // by name of the call; each fault happens once
	hit     func()                   // runs before a call fails
	dumpSQL string                   // the statement of dump
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

// operatorUseCases returns calls of the use cases of keys and leases.
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
		{"Extent", func() error { _, err := w.Extent(ctx, noon); return err }},
		{"CheckRPID", func() error {
			w.exec(t, `DELETE FROM credentials WHERE rp_id = 'id.example.com'`) // that earlier use cases have left
			w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, rp_id)
				SELECT 'crd_last', MIN(id), 'webauthn', 'x', 'last', 'former.example' FROM users WHERE id <> '' ON CONFLICT DO NOTHING`)
			return w.CheckRPID(ctx, "former.example")
		}},
		{"PasskeyHost", func() error { _, err := w.PasskeyHost(ctx); return err }},
		{"ReplaceRPID", func() error {
			_, err := w.ReplaceRPID(ctx, "new.example", storage.By{From: from, At: noon})
			return err
		}},
		{"EndEverything", func() error {
			_, err := w.EndEverything(ctx, storage.Ending{Reason: "drill", HostUser: "root", Fresh: firstKeys("RS256", "EdDSA")}, storage.By{From: from, At: noon})
			return err
		}},
	}
}

// lastCalls runs all use cases on a world of its own. For each use case it returns the
// name of the last database call, and whether this call writes.
func lastCalls(t *testing.T) (names []string, writes []bool) {
	t.Helper()
	f := newWatched(t, storagetest.SQLite(t))
	for _, c := range append(everyUseCase(t, f.world), operatorUseCases(t, f.world)...) {
		_, counted := f.Calls()
		writing := false // whether the last call so far writes
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

// isAnswer reports whether an error is an answer of the use case, such as ErrNotFound or
// a limit, and not a failure of the database.
func isAnswer(err error) bool {
	var throttled *storage.ThrottledError
	return isSentinel(err) || errors.As(err, &throttled)
}

// TestFaults_EveryUseCaseIsWholeOrNothing lets the database of each use case fail: it is
// gone, locked or full, at the call, before the commit or after it. Without a commit
// nothing is stored, and a repeated call does not do committed work twice. The caller
// always gets ErrUnavailable, never an error that says that its input is invalid.
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
				case fault.When == storage.AtOnce || !isAnswer(err): // a refusal may come before the commit
					t.Errorf("%s: got %v, want ErrUnavailable", what, err)
				}
				if after := f.dump(t); fault.When != storage.AfterCommit && after != before {
					t.Errorf("%s: rows changed although the use case failed:\n%s", what, difference(before, after))
				}
			}
			if err := c.run(); err != nil && !isAnswer(err) { // the caller tries again
				t.Errorf("%s, called again after the fault: %v", c.method, err)
			}
		}
		t.Logf("%d faults", failed)
	})
}

// tables lists all tables but migrations.
var tables = strings.Fields(`instance users credentials identities clients consents sessions grants spent keys throttles events
	outbox pushed_requests device_codes leases connector_health jwks_readers setup_links served_connectors emergency_links unfinished registration_tokens mail_links subject_secret
	address_changes former_credentials former_identities trusted_browsers api_calls event_deliveries`)

// dump returns every row of every table as text, one row in a line.
func (f *watched) dump(t *testing.T) string {
	t.Helper()
	if f.dumpSQL == "" {
		f.dumpSQL = f.dumpStatement(t)
	}
	var lines []string
	err := f.seen.Read(context.Background(), func(q *gorm.DB) error { return q.Raw(f.dumpSQL).Scan(&lines).Error })
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// dumpStatement returns a statement that reads all tables at once.
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

// difference returns the lines of after that before does not have.
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

// recorded lists the events of each use case that writes. silent lists the use cases that
// write and record no event, with the reason.
var (
	recorded = map[string][]storage.EventType{
		"CreateUser": {storage.UserCreated}, "UpdateProfile": {storage.UserUpdated}, "OpenSetup": {storage.SetupOpened},
		"CompleteSetup": {storage.UserCreated, storage.SetupCompleted}, "OpenEmergencyLink": {storage.BreakGlassOpened},
		"CreateEmergencyAdmin":   {storage.UserCreated, storage.BreakGlassUsed},
		"ResetEmergencyPassword": {storage.PasswordChanged, storage.SessionsEnded, storage.BreakGlassUsed},
		"EndEverything":          {storage.EverythingEnded, storage.KeyCreated, storage.KeyRevokedEvent},
		"CreateClient":           {storage.ClientCreated}, "ReviseClient": {storage.ClientUpdated}, "ReviseClientState": {storage.ClientUpdated, storage.ClientDisabled, storage.ClientEnabled},
		"ReplaceSecret": {storage.ClientSecretReplaced}, "DeleteSecret": {storage.ClientSecretDeleted}, "SetClientEnabled": {storage.ClientDisabled},
		"RegisterClient": {storage.ClientRegistered}, "ReviseRegisteredClient": {storage.ClientUpdated}, "DeleteRegisteredClient": {storage.ClientDeleted},
		"ApproveClient": {storage.ClientApproved}, "SweepUnusedClients": {storage.ClientDeleted},
		"CreateRegistrationToken": {storage.RegistrationTokenCreated}, "RevokeRegistrationToken": {storage.RegistrationTokenRevoked},
		"StartKeyLines": {storage.KeyCreated}, "RotateKeys": {storage.KeyCreated, storage.KeyRotated}, "RevokeKey": {storage.KeyCreated, storage.KeyRevokedEvent},
		"RewrapKeys": {storage.KeysRewrapped}, "EndExpiredKeys": {storage.KeyEnded}, "RetireKeyLine": {storage.KeyLineRetired}, "AddNextKey": {storage.KeyCreated},
		"CountFailure": {storage.ClientRefused}, "SignIn": {storage.SessionEnded, storage.UserSignedIn, storage.RecoveryCodeUsed, storage.BrowserTrusted},
		"EndTrust":             {storage.BrowserTrustEnded, storage.SessionEnded},
		"SignInThrough":        {storage.AddressProven, storage.IdentityLinked, storage.InvitationUsed, storage.UserCreated, storage.UserEvicted, storage.UserGroupsChanged, storage.UserSignedIn},
		"ProveAddress":         {storage.AddressProven, storage.UserEvicted},
		"RequestAddressChange": {storage.AddressChangeRequested}, "ChangeAddress": {storage.AddressChanged, storage.AddressProven, storage.SessionEnded},
		"UndoAddressChange":   {storage.AddressProven, storage.AddressChangeUndone, storage.SessionsEnded},
		"RequestAddressProof": {storage.AddressProofRequested}, "VerifyAddress": {storage.AddressProven, storage.UserEvicted},
		"RenewFirstParty": {storage.GrantReplayed, storage.GrantRetried, storage.SessionEnded}, "AllowConsent": {storage.ConsentGiven}, "DenyConsent": {storage.ConsentDenied}, "WithdrawConsent": {storage.ConsentWithdrawn},
		"RedeemCode": {storage.GrantReplayed}, "SpendCode": {storage.GrantReplayed}, "RotateGrant": {storage.GrantReplayed, storage.GrantRetried},
		"ApproveDevice": {storage.DeviceApproved}, "DenyDevice": {storage.DeviceDenied}, "RedeemDeviceCode": {storage.GrantReplayed},
		"RevokeToken": {storage.TokenRevoked}, "RevokeGrant": {storage.GrantRevoked},
		"LinkIdentity": {storage.IdentityLinked}, "UnlinkIdentity": {storage.IdentityUnlinked, storage.SessionEnded}, "ReadUpstreamToken": {storage.UpstreamTokenRead},
		"ResetPassword": {storage.PasswordChanged, storage.SessionsEnded}, "ChangePassword": {storage.PasswordChanged, storage.SessionEnded},
		"AddPasskey": {storage.PasskeyAdded, storage.SessionEnded}, "AddAutomaticPasskey": {storage.PasskeyAdded}, "RenamePasskey": {storage.FactorRenamed, storage.PasskeyRenamed}, "RemovePasskey": {storage.PasskeyRemoved, storage.SessionEnded},
		"RequestPasswordReset": {storage.PasswordResetRequested}, "IssuePasswordLink": {storage.PasswordResetRequested},
		"IssuePasskeyLink": {storage.PasskeyRequested}, "AddPasskeyByLink": {storage.PasskeyAdded, storage.SessionsEnded},
		"Invite": {storage.InvitationCreated}, "RevokeInvitation": {storage.InvitationRevoked}, "RevokeInvitationByID": {storage.InvitationRevoked},
		"CreateUserByLink": {storage.UserCreated, storage.InvitationUsed},
		"RequestSignUp":    {storage.SignUpRequested},
		"RequestEnrolment": {storage.EnrolmentRequested}, "ConfirmEnrolment": {storage.EnrolmentConfirmed},
		"AddTOTP": {storage.FactorAdded, storage.SessionEnded}, "AddSecurityKey": {storage.FactorAdded, storage.SessionEnded}, "RemoveSecondFactor": {storage.FactorRemoved, storage.SessionEnded}, "SetAlwaysAsk": {storage.AlwaysAskChanged, storage.SessionEnded},
		"ReplaceRecoveryCodes": {storage.RecoveryCodesReplaced, storage.SessionEnded}, "ResetFactors": {storage.FactorsReset, storage.SessionsEnded},
		"ResetPasswordByLink":  {storage.PasswordChanged, storage.SessionsEnded, storage.PasskeyRemoved},
		"EndConnectorSessions": {storage.SessionEnded}, "RemoveUnconfiguredGroups": {storage.UserGroupsChanged},
		"EndSession": {storage.SessionEnded}, "EndOtherSessions": {storage.SessionEnded}, "SignOutEverywhere": {storage.SessionsEnded},
		"SetUserEnabled": {storage.UserDisabled}, "DeleteUser": {storage.UserDeleted}, "GrantAdmin": {storage.UserPromoted, storage.UserEvicted}, "RevokeAdmin": {storage.UserDemoted},
		"ReviseUser": {storage.UserUpdated, storage.AddressProven, storage.UserEvicted, storage.SessionsEnded}, "DeleteClient": {storage.ClientDeleted}, "MarkRestored": {storage.InstanceRestored}, "ReplaceRPID": {storage.InstanceRPIDChanged},
		"SettleNotice": {storage.LogoutDelivered}, "SettleMails": {storage.MailFailed}, "RetryMails": {storage.MailRetried}, "SettleDeliveries": {storage.WebhookFailed}, "ResendEvents": {storage.WebhookResent}, "RecordEvent": {storage.UserSignInFailed}, "RecordEvents": {storage.GrantRefused},
	}
	silent = map[string]string{
		"NoteAdminUse":          "a page was opened; the log has the request",
		"Reserve":               "an attempt is recorded once it has failed",
		"SpendAssertion":        "the request of the client is in the log",
		"PushRequest":           "the request of the client is in the log",
		"OpenPushedRequest":     "the sign-in records its steps",
		"UsePushedRequest":      "the sign-in records its steps",
		"GiveBack":              "the use case that succeeded records it",
		"AddFact":               "the use case of the step records its decision",
		"ClaimNotices":          "a delivery is recorded when its result is stored",
		"ClaimDeliveries":       "a failure is recorded when the result is stored",
		"ClaimMails":            "a failure is recorded when the result is stored",
		"RequestMail":           "the act of the mail's link is recorded",
		"IssueLink":             "the act of the link is recorded",
		"SpendLink":             "the act of the link is recorded",
		"UpdateConnectorHealth": "a measurement, not an act",
		"RecordJWKSReaders":     "a measurement, not an act",
		"RaiseLongestLife":      "follows from the settings",
		"CheckRPID":             "follows from the settings",
		"OpenDeviceCode":        "the answer of the user is recorded",
		"OpenGrant":             "tokens of a client are recorded when they end",
		"CountPoll":             "devices poll every few seconds",
		"ClampKeyTimes":         "key.alarm reports the clock",
		"RewrapTokens":          "part of a rewrap, which is recorded",
		"RewrapFactors":         "part of a rewrap, which is recorded",
		"RewrapSubjectSecret":   "part of a rewrap, which is recorded",
		"StartSubjectSecret":    "part of the first start, which records its keys",
		"AnnounceConnectors":    "the presence of a node is not an act", "ReleaseConnectors": "the presence of a node is not an act",
		"QueueEndedLogouts": "the end of the sessions is recorded",
		"StartCall":         "the act of the call is recorded", "FinishCall": "the act of the call is recorded", "ReleaseCall": "the call has not acted",
		"TakeLease": "coordinates nodes", "ReturnLease": "coordinates nodes",
		"StartSweep": "deletes only expired rows", "SweepRows": "deletes only expired rows", "SweepSessions": "deletes only expired rows",
	}
)

// TestAudit_EveryUseCaseRecordsItsEvents compares the events of each use case that writes
// with recorded and silent. A use case that is in neither list fails here. TestFaults shows
// that a use case that was rolled back records no event.
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
		f.onCall = func() { before = events() } // other use cases prepare the data of this one
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
			if c.method != "SettleNotice" && c.method != "SettleMails" && c.method != "SettleDeliveries" && (e.From.Address != "192.0.2.7" || e.From.RequestID != "asked") {
				t.Errorf("%s: event %s has the wrong origin: %+v", c.method, e.Type, e.From)
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
			t.Errorf("%s recorded %q: it must be in exactly one of the lists recorded and silent", method, types)
		}
	}
	for method := range maps.Keys(recorded) {
		if _, ran := got[method]; !ran {
			t.Errorf("%s is in the list recorded, but no call of it writes", method)
		}
	}
}

// extraAuditCalls returns calls of use cases whose events depend on the case, for the
// cases that everyUseCase does not run.
func extraAuditCalls(t *testing.T, w *world) []call {
	ctx, from := t.Context(), storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"}
	return []call{
		{"SignIn", func() error { // in a browser in which another user is signed in
			u := w.createUser(t, "second@example.com")
			w.signIn(t, u.ID, "second", "", noon)
			v := w.createUser(t, "third@example.com")
			_, err := w.SignIn(ctx, storage.SignIn{UserID: v.ID, HandleHash: "third", Replaces: "second", IdleFor: time.Hour, AbsoluteFor: time.Hour, From: from}, noon)
			return err
		}},
		{"RedeemCode", func() error { // replayed
			r := w.newRedemption(t, "again@example.com")
			w.redeem(t, r, noon)
			r.From = from
			_, err := w.RedeemCode(ctx, r, noon)
			return err
		}},
		{"SpendCode", func() error { // of a code that has opened a grant
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
			w.addLogoutClient(t, "notified", s, false)
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

// newRedemption creates a user with a session, and returns the redemption of a code of it.
func (w *world) newRedemption(t *testing.T, email string) storage.CodeRedemption {
	t.Helper()
	u := w.createUser(t, email)
	r := w.redemption(storage.NewID("r"), "code", noon)
	r.Grant.UserID, r.Grant.SessionID = u.ID, w.signIn(t, u.ID, storage.NewID("h"), "", noon).ID
	r.Grant.ClientID = "notified" // this client is still enabled
	return r
}

// randomID matches the ids that storage.NewID made for these tests. Their 26 random
// letters may spell any word.
var randomID = regexp.MustCompile(`\b(usr_|ses_|gid r|(?:EdDSA|[A-Z]{2}256)-)[a-z2-7]{26}\b`)

// wantNoSecret searches an event for the secrets that the use cases were given. It ignores
// the random letters of ids.
func wantNoSecret(t *testing.T, method string, e storage.Event) {
	t.Helper()
	event, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	text := randomID.ReplaceAllString(string(event), "$1")
	for _, secret := range []string{"hash", "handle", "sealed", "link\"", strings.Repeat("a", 64)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: %q in event %s", method, secret, event)
		}
	}
}
