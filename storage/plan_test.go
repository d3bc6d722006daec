package storage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// smallTables stay small for any number of users, so statements may scan them.
var smallTables = []string{"instance", "clients", "keys", "leases", "migrations", "connector_health", "jwks_readers", "setup_links", "served_connectors", "emergency_links", "unfinished", "registration_tokens", "subject_secret"}

// methodsWithoutTables are methods that read no table, or that exist only in tests.
var methodsWithoutTables = []string{"Calls", "Close", "Ping", "ClockOffset", "Write", "Read", "Queued", "SetLockPatience", "SetWritePatience", "Record"}

// operatorMethods are use cases of keys and leases, whose tables are small, and use cases
// that read whole tables on purpose.
var operatorMethods = []string{
	"AddNextKey", "EndExpiredKeys", "ClearKeyReference", "JWKSReaders", "MarkRestored", "EndEverything", "Extent", "ReplaceRPID", "PasskeyHost", "CheckRPID", "RecordJWKSReaders", "RaiseLongestLife", "RetireKeyLine", "RevokeKey", "RewrapKeys", "RewrapTokens", "RewrapFactors", "RotateKeys", "ClampKeyTimes", "TakeLease", "ReturnLease",
}

// call runs one use case for the statements that it executes.
type call struct {
	method string
	run    func() error
}

// everyUseCase returns calls of all exported methods. The order matters: a call uses rows
// that earlier calls have made. Some methods are called twice, for two cases.
func everyUseCase(t *testing.T, w *world) []call {
	ctx, from, later := t.Context(), storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"}, noon.Add(10*time.Minute)
	until := storage.At(noon.Add(24 * time.Hour))
	identity := storage.Identity{Connector: "google", Issuer: "https://accounts.example", Subject: "1", UserID: w.user.ID}
	limits := []storage.Limit{{Key: "a", Max: 1, Window: time.Minute}, {Key: "b", Max: 2, Window: time.Minute}}
	ofMails := []storage.Limit{{Key: "mails", Max: 100, Window: time.Minute}}
	rotation := func(generation int64) storage.GrantRotation {
		return storage.GrantRotation{GrantID: "gid request code", Generation: generation, ClientID: w.client.ID, Grace: time.Hour, From: from}
	}
	online := func(r storage.GrantRotation) storage.GrantRotation {
		r.Online = true
		return r
	}
	rotate := func(generation int64) error {
		_, err := w.RotateGrant(ctx, rotation(generation), func(storage.Grant) error { return nil }, later)
		return err
	}
	signIn := func(handle string) storage.SignIn {
		return storage.SignIn{UserID: w.user.ID, HandleHash: handle, Request: "r", IdleFor: time.Hour, AbsoluteFor: time.Hour, From: from}
	}
	redemption := func(request, code string) storage.CodeRedemption {
		r := w.redemption(request, code, noon)
		r.From = from
		return r
	}
	claim := func(userID, sessionID string, except ...string) error {
		_, err := w.ClaimNotices(ctx, storage.NoticeClaim{UserID: userID, SessionID: sessionID, Except: except, Limit: 32, Lease: time.Minute}, later)
		return err
	}
	factorChange := func(s storage.Session) storage.FactorChange {
		return storage.FactorChange{UserID: s.UserID, SessionID: s.ID, Handle: storage.NewID("h"), FreshFor: time.Hour, From: from}
	}
	// prove notes that the user has proved the address in a session.
	prove := func(s storage.Session) error {
		return w.AddFact(ctx, s.UserID, s.ID, storage.Fact{Kind: storage.FactAddressProved, At: storage.At(later)}, later)
	}
	app := "" // ID of the authenticator app
	// addFactor adds an authenticator app and one recovery code, in a new session.
	addFactor := func() (storage.Session, string, error) {
		w.exec(t, `DELETE FROM credentials WHERE user_id = ? AND kind IN ('totp', 'security_key')`, w.user.ID)
		s := w.signIn(t, w.user.ID, storage.NewID("h"), "", later)
		if err := prove(s); err != nil {
			return storage.Session{}, "", err
		}
		e := storage.TOTPEnrolment{FactorChange: factorChange(s), ID: storage.NewID("crd_"), Secret: []byte("sealed"), Step: 1, Codes: [][]byte{[]byte("code")}}
		s, _, err := w.AddTOTP(ctx, e, later)
		return s, e.ID, err
	}
	register := func(id, initial, digest string, at time.Time) error {
		c := storagetest.NewClient(storage.Web, id, id)
		c.TokenHash, c.MetadataDigest = "token of "+id, digest
		_, _, err := w.RegisterClient(ctx, storage.ClientRegistration{Client: c, InitialToken: initial, MaxUnapproved: 10}, storage.By{From: from, At: at})
		return err
	}
	// A user without an address can add a passkey in any fresh session. This one has another way in.
	bare := w.createUser(t, storage.NewID("p")+"@example.com")
	w.exec(t, `UPDATE users SET email = '', email_canonical = '' WHERE id = ?`, bare.ID)
	w.signInThrough(t, bare.ID, "google", "bare", "")
	// The ID of that user's passkey. There is none if an earlier call failed.
	passkeyID := func() string {
		list, _ := w.PasskeysOf(ctx, bare.ID)
		return append(list, storage.Passkey{ID: "crd_none"})[0].ID
	}
	// keyID is the same for the user's security key.
	keyID := func() string {
		has, _ := w.SecondFactorsOf(ctx, w.user.ID)
		return append(has.Keys, storage.Passkey{ID: "crd_none"})[0].ID
	}
	return []call{
		{"Changes", func() error { _, err := w.Changes(ctx); return err }},
		{"CreateUser", func() error {
			_, err := w.CreateUser(ctx, storage.User{Email: "bob@example.com"}, "hash", storage.By{From: from, At: noon})
			return err
		}},
		{"StartCall", func() error {
			_, _, err := w.StartCall(ctx, storage.APICall{ID: "call", Attempt: "first", ExpiresAt: until}, noon)
			return err
		}},
		{"CreateUser", func() error {
			act := from
			act.Attempt = storage.CallAttempt{CallID: "call", Attempt: "first"}
			_, err := w.CreateUser(ctx, storage.User{Email: "called@example.com"}, "", storage.By{From: act, At: noon})
			return err
		}},
		{"FinishCall", func() error {
			return w.FinishCall(ctx, storage.CallAttempt{CallID: "call", Attempt: "first"}, "answer", w.user.ID, noon)
		}},
		{"ReleaseCall", func() error { return w.ReleaseCall(ctx, storage.CallAttempt{CallID: "call", Attempt: "first"}) }},
		{"User", func() error { _, err := w.User(ctx, w.user.ID); return err }},
		{"UserBySubject", func() error { _, err := w.UserBySubject(ctx, w.user.ID); return err }},
		{"CreateUser", func() error {
			_, err := w.CreateUser(ctx, storage.User{Email: "former@example.com", ChosenSubject: "of a former system"}, "", storage.By{From: from, At: noon})
			return err
		}},
		{"UserBySubject", func() error { _, err := w.UserBySubject(ctx, "of a former system"); return err }},
		{"StartSubjectSecret", func() error { return w.StartSubjectSecret(ctx, []byte("sealed")) }},
		{"SubjectSecret", func() error { _, err := w.SubjectSecret(ctx); return err }},
		{"RewrapSubjectSecret", func() error {
			return w.RewrapSubjectSecret(ctx, func([]byte) ([]byte, error) { return []byte("sealed again"), nil })
		}},
		{"UserByEmail", func() error { _, _, err := w.UserByEmail(ctx, "alice@example.com"); return err }},
		{"Users", func() error { _, err := w.Users(ctx, storage.UserFilter{}, 10); return err }},
		{"Users", func() error {
			_, err := w.Users(ctx, storage.UserFilter{Email: "A", After: "alice@example.com", Admins: true, Disabled: true}, 10)
			return err
		}},
		{"UpdateProfile", func() error {
			return w.UpdateProfile(ctx, w.user.ID, storage.Profile{Name: "A"}, storage.By{From: from, At: noon})
		}},
		{"UpdateProfile", func() error {
			return w.UpdateProfile(ctx, w.user.ID, storage.Profile{Seen: 1}, storage.By{From: from, At: noon})
		}},
		{"OpenSetup", func() error { return w.OpenSetup(ctx, "link", later, storage.By{From: from, At: noon}) }},
		{"IsSetupOpen", func() error { _, err := w.IsSetupOpen(ctx, "link", noon); return err }},
		{"CompleteSetup", func() error {
			_, err := w.CompleteSetup(ctx, "link", storage.User{Email: "root@example.com"}, "hash", storage.By{From: from, At: noon})
			return err
		}},
		{"OpenEmergencyLink", func() error {
			return w.OpenEmergencyLink(ctx, storage.EmergencyOpening{Hash: "emergency", HostUser: "root", Until: later}, storage.By{From: from, At: noon})
		}},
		{"OpenLink", func() error { _, err := w.OpenLink(ctx, "emergency", noon); return err }},
		{"EmergencyLinks", func() error { _, err := w.EmergencyLinks(ctx, noon.Add(-time.Hour), 3); return err }},
		{"CreateEmergencyAdmin", func() error {
			_, err := w.CreateEmergencyAdmin(ctx, "emergency", storage.User{Email: "rescue@example.com"}, "hash", storage.By{From: from, At: noon})
			return err
		}},
		{"ResetEmergencyPassword", func() error {
			root, _, err := w.UserByEmail(ctx, "rescue@example.com")
			if err != nil {
				return err
			}
			err = w.OpenEmergencyLink(ctx, storage.EmergencyOpening{Hash: "again", UserID: root.ID, HostUser: "root", Until: later}, storage.By{From: from, At: noon})
			if err != nil {
				return err
			}
			_, err = w.ResetEmergencyPassword(ctx, storage.EmergencyReset{LinkHash: "again", UserID: root.ID, Hash: "hash"}, storage.By{From: from, At: noon})
			return err
		}},
		{"CreateClient", func() error {
			return w.CreateClient(ctx, storagetest.NewClient(storage.Service, "robot", "Robot"), storage.By{From: from, At: noon})
		}},
		{"Client", func() error { _, err := w.Client(ctx, "web"); return err }},
		{"Clients", func() error { _, err := w.Clients(ctx); return err }},
		{"ReviseClient", func() error {
			_, err := w.ReviseClient(ctx, "web", func(c *storage.Client) error { c.Name = "New"; return nil }, storage.By{From: from, At: noon})
			return err
		}},
		{"ReplaceSecret", func() error {
			return w.ReplaceSecret(ctx, "web", strings.Repeat("a", 64), time.Hour, storage.By{From: from, At: noon})
		}},
		{"ReviseClientState", func() error {
			_, err := w.ReviseClientState(ctx, "robot", false, func(c *storage.Client) error { c.Name = "Off"; return nil }, storage.By{From: from, At: noon})
			return err
		}},
		{"ReviseClientState", func() error {
			_, err := w.ReviseClientState(ctx, "robot", true, func(c *storage.Client) error { return nil }, storage.By{From: from, At: noon})
			return err
		}},
		{"ClientPage", func() error {
			_, err := w.ClientPage(ctx, storage.ClientFilter{Type: storage.Web, Disabled: true, Unapproved: true, After: "a"}, 10)
			return err
		}},
		{"DeleteSecret", func() error {
			c, err := w.Client(ctx, "web")
			if err != nil {
				return err
			}
			return w.DeleteSecret(ctx, "web", c.Secrets[0].ID(), storage.By{From: from, At: noon})
		}},
		{"CreateRegistrationToken", func() error {
			return w.CreateRegistrationToken(ctx, storage.RegistrationToken{ID: "reg_a", Hash: "initial", UsesLeft: 1000, ExpiresAt: storage.At(noon.Add(time.Hour))}, storage.By{From: from, At: noon})
		}},
		{"RegistrationToken", func() error { _, err := w.RegistrationToken(ctx, "initial"); return err }},
		{"RegistrationTokenWithID", func() error { _, err := w.RegistrationTokenWithID(ctx, "reg_a"); return err }},
		{"RegistrationTokens", func() error { _, err := w.RegistrationTokens(ctx); return err }},
		{"RegisterClient", func() error { return register("own", "initial", "", noon) }},
		{"RegisterClient", func() error { return register("shared", "initial", "digest", noon) }},
		{"RegisterClient", func() error { return register("stray", "", "", noon) }},
		{"RegisterClient", func() error { return register("unused", "", "", noon.Add(-2*storage.UnusedClientLife)) }},
		{"ReviseRegisteredClient", func() error {
			_, err := w.ReviseRegisteredClient(ctx, "own", "token of own", func(c *storage.Client) error { c.Name = "New"; return nil }, storage.By{From: from, At: noon})
			return err
		}},
		{"ApproveClient", func() error { return w.ApproveClient(ctx, "stray", storage.By{From: from, At: noon}) }},
		{"DeleteRegisteredClient", func() error {
			return w.DeleteRegisteredClient(ctx, "stray", "token of stray", storage.By{From: from, At: noon})
		}},
		{"SweepUnusedClients", func() error {
			_, err := w.SweepUnusedClients(ctx, 10, noon, storage.By{From: from, At: noon})
			return err
		}},
		{"RevokeRegistrationToken", func() error { return w.RevokeRegistrationToken(ctx, "reg_a", storage.By{From: from, At: noon}) }},
		{"StartKeyLines", func() error {
			_, err := w.StartKeyLines(ctx, firstKeys("ES256"), storage.By{From: from, At: noon})
			return err
		}},
		{"Keys", func() error { _, err := w.Keys(ctx); return err }},
		{"Reserve", func() error { _, err := w.Reserve(ctx, limits, noon); return err }},
		{"Reserve", func() error { _, err := w.Reserve(ctx, limits, noon); return err }},
		{"CheckAttempts", func() error { return w.CheckAttempts(ctx, limits, noon) }},
		{"CountFailure", func() error { return w.CountFailure(ctx, limits, storage.Event{}, noon) }},
		{"GiveBack", func() error {
			return w.GiveBack(ctx, storage.Reservation{Keys: []string{fmt.Sprint(storage.At(noon.Add(time.Minute)), " a")}}, noon)
		}},
		{"CountFailure", func() error {
			return w.CountFailure(ctx, limits[1:], storage.Event{Type: storage.ClientRefused, ClientID: "web", From: from}, noon)
		}},
		{"SignIn", func() error { _, err := w.SignIn(ctx, signIn("h1"), noon); return err }},
		{"SignIn", func() error {
			s := signIn("h2")
			s.Replaces, s.OldHash, s.NewHash = "h1", "hash of alice@example.com", "hash of alice@example.com"
			s.GiveBack, _ = w.Reserve(ctx, []storage.Limit{{Key: "c", Max: 1, Window: time.Minute}}, noon)
			_, err := w.SignIn(ctx, s, noon)
			return err
		}},
		{"SessionByHandle", func() error { _, _, err := w.SessionByHandle(ctx, "h2", noon); return err }},
		{"RenewFirstParty", func() error {
			_, err := w.RenewFirstParty(ctx, storage.FirstPartyRenewal{Grant: redemption("fp", "c").Grant, From: from}, noon)
			return err
		}},
		{"RenewFirstParty", func() error {
			_, err := w.RenewFirstParty(ctx, storage.FirstPartyRenewal{Grant: redemption("fp", "c").Grant, From: from}, later)
			return err
		}},
		{"FirstPartySession", func() error { _, err := w.FirstPartySession(ctx, "handle of alice", noon); return err }},
		{"Session", func() error { _, _, err := w.Session(ctx, w.session.ID, noon); return err }},
		{"SessionsOf", func() error { _, err := w.SessionsOf(ctx, w.user.ID, noon); return err }},
		{"IsHandleStolen", func() error { _, err := w.IsHandleStolen(ctx, "handle", noon); return err }},
		{"StolenSessions", func() error { _, err := w.StolenSessions(ctx, w.user.ID, noon); return err }},
		{"AddFact", func() error {
			return w.AddFact(ctx, w.user.ID, w.session.ID, storage.Fact{Kind: storage.FactChosen, Request: "r"}, noon)
		}},
		{"AllowConsent", func() error {
			return w.AllowConsent(ctx, storage.ConsentAnswer{
				Consent:   storage.Consent{UserID: w.user.ID, ClientID: "web", Scopes: []string{"openid"}, ExpiresAt: until},
				SessionID: w.session.ID, RequestID: "r", Remember: true, From: from,
			}, noon)
		}},
		{"DenyConsent", func() error {
			return w.DenyConsent(ctx, storage.ConsentAnswer{
				Consent: storage.Consent{UserID: w.user.ID, ClientID: "web"}, SessionID: w.session.ID, RequestID: "r5", From: from,
			}, noon)
		}},
		{"Consent", func() error { _, err := w.Consent(ctx, w.user.ID, "web", noon); return err }},
		{"RedeemCode", func() error { _, err := w.RedeemCode(ctx, redemption("request", "code"), noon); return err }},
		{"RedeemCode", func() error { _, err := w.RedeemCode(ctx, redemption("request", "sibling"), noon); return err }},
		{"SpendCode", func() error {
			return w.SpendCode(ctx, storage.CodeRefusal{RequestID: "r3", CodeID: "c", SpentUntil: until, RevokesReplayed: true}, storage.By{From: from, At: noon})
		}},
		{"OpenDeviceCode", func() error {
			d := storage.DeviceCode{ID: "d", UserCode: "u", ClientID: "web", ExpiresAt: until}
			return w.OpenDeviceCode(ctx, d, []storage.Limit{{Key: "device", Max: 9, Window: time.Minute}}, noon)
		}},
		{"OpenDeviceCode", func() error {
			return w.OpenDeviceCode(ctx, storage.DeviceCode{ID: "denied", UserCode: "v", ClientID: "web", ExpiresAt: until}, nil, noon)
		}},
		{"DeviceCode", func() error { _, err := w.DeviceCode(ctx, "d"); return err }},
		{"DeviceCodeOf", func() error { _, err := w.DeviceCodeOf(ctx, []string{"t", "u"}, noon); return err }},
		{"CountPoll", func() error { _, err := w.CountPoll(ctx, storage.DeviceCode{ID: "d"}, noon); return err }},
		{"CountPoll", func() error { _, err := w.CountPoll(ctx, storage.DeviceCode{ID: "d"}, noon); return err }}, // too early
		{"ApproveDevice", func() error {
			return w.ApproveDevice(ctx, storage.DeviceAnswer{ID: "d", ClientID: "web", UserID: w.user.ID, SessionID: w.session.ID, From: from}, noon)
		}},
		{"DenyDevice", func() error {
			return w.DenyDevice(ctx, storage.DeviceAnswer{ID: "denied", ClientID: "web", UserID: w.user.ID, SessionID: w.session.ID, From: from}, noon)
		}},
		{"DenyDevice", func() error { // answered
			return w.DenyDevice(ctx, storage.DeviceAnswer{ID: "d", ClientID: "web", UserID: w.user.ID, SessionID: w.session.ID, From: from}, noon)
		}},
		{"RedeemDeviceCode", func() error {
			r := deviceRedemption("d", "gid of a device", noon)
			r.From = from
			_, err := w.RedeemDeviceCode(ctx, r, noon)
			return err
		}},
		{"RedeemDeviceCode", func() error { // replayed
			r := deviceRedemption("d", "gid of a device", noon)
			r.From = from
			_, err := w.RedeemDeviceCode(ctx, r, noon)
			return err
		}},
		{"LiveGrant", func() error { _, _, err := w.LiveGrant(ctx, "gid request code", "", noon); return err }},
		{"LiveGrant", func() error { _, _, err := w.LiveGrant(ctx, "gid request code", "jti", noon); return err }},
		{"LiveOnlineGrant", func() error { _, _, err := w.LiveOnlineGrant(ctx, "gid request code", "jti", noon); return err }},
		{"RefreshableGrant", func() error { _, err := w.RefreshableGrant(ctx, rotation(1), noon); return err }},
		{"RefreshableGrant", func() error { _, err := w.RefreshableGrant(ctx, online(rotation(1)), noon); return err }},
		{"RotateGrant", func() error { return rotate(1) }},
		{"RotateGrant", func() error { return rotate(1) }}, // within the grace
		{"ConnectedClientsOf", func() error { _, err := w.ConnectedClientsOf(ctx, w.user.ID, noon); return err }},
		{"ClientsBySession", func() error { _, err := w.ClientsBySession(ctx, w.user.ID, noon); return err }},
		{"ClientsOfSession", func() error { _, err := w.ClientsOfSession(ctx, w.user.ID, w.session.ID); return err }},
		{"PushRequest", func() error {
			return w.PushRequest(ctx, storage.PushedRequest{ID: "pushed", ClientID: "web", Message: "m", ExpiresAt: until})
		}},
		{"OpenPushedRequest", func() error {
			_, err := w.OpenPushedRequest(ctx, "pushed", "web", until, noon)
			return err
		}},
		{"PushedRequest", func() error {
			_, err := w.PushedRequest(ctx, "pushed", "web", noon)
			return err
		}},
		{"UsePushedRequest", func() error {
			_, err := w.UsePushedRequest(ctx, "pushed", noon)
			return err
		}},
		{"OpenGrant", func() error {
			opened := redemption("request", "without a code").Grant
			opened.ID = "gid without a code"
			_, err := w.OpenGrant(ctx, opened, from, noon)
			return err
		}},
		{"SpendAssertion", func() error {
			_, err := w.SpendAssertion(ctx, "web", "jti", until)
			return err
		}},
		{"RevokeToken", func() error {
			return w.RevokeToken(ctx, storage.TokenRevocation{JTI: "jti", ClientID: "web", GrantID: "gid request code", Expires: until}, storage.By{From: from, At: noon})
		}},
		{"IsTokenRevoked", func() error { _, err := w.IsTokenRevoked(ctx, "jti", storage.At(noon)); return err }},
		{"RotateGrant", func() error { return rotate(0) }}, // replayed
		{"RedeemCode", func() error { _, err := w.RedeemCode(ctx, redemption("request", "code"), noon); return err }},
		{"RevokeGrant", func() error {
			return w.RevokeGrant(ctx, w.offlineGrant(t, storage.NewID("r"), noon).ID, "revoked", storage.By{From: from, At: noon})
		}},
		{"LinkIdentity", func() error {
			return w.LinkIdentity(ctx, storage.IdentityLink{Identity: identity, ProofID: "p", Until: until, SessionID: w.session.ID, Proof: storage.ByUpstream, FreshFor: time.Minute, From: from}, noon)
		}},
		{"ProveAddress", func() error {
			u := w.createUser(t, storage.NewID("p")+"@example.com")
			_, err := w.ProveAddress(ctx, storage.AddressProof{
				UserID: u.ID, Email: u.Email, By: storage.ByUpstream, SessionID: w.session.ID, FreshFor: time.Minute, From: from,
			}, noon)
			return err
		}},
		{"OwnerOf", func() error {
			_, err := w.OwnerOf(ctx, storage.Identity{Connector: "google", Issuer: identity.Issuer, Subject: "1"}, "")
			return err
		}},
		{"OwnerOf", func() error {
			_, err := w.OwnerOf(ctx, storage.Identity{Connector: "google", Issuer: identity.Issuer, Subject: "unknown"}, w.user.Email)
			return err
		}},
		{"IdentitiesOf", func() error { _, err := w.IdentitiesOf(ctx, w.user.ID); return err }},
		{"SignInMethodsOf", func() error { _, err := w.SignInMethodsOf(ctx, w.user.ID); return err }},
		{"SignInThrough", func() error {
			a := storage.ConnectorSignIn{
				Identity: identity, AttemptID: "a1", Until: until, SignIn: signIn("h5"), Proof: storage.ByUpstream,
				Profile: storage.Profile{Name: "A"}, Groups: &storage.AssertedGroups{Names: []string{"staff"}}, FreshFor: time.Nanosecond,
			}
			a.Identity.Email, a.SignIn.Replaces = w.user.Email, "handle of alice"
			_, err := w.SignInThrough(ctx, a, noon.Add(2*time.Millisecond))
			return err
		}},
		{"SignInThrough", func() error {
			a := storage.ConnectorSignIn{
				Identity: identity, AttemptID: "a2", Until: until, SignIn: signIn("h6"), NewUser: storage.User{Email: "carol@example.com"},
				Profile: storage.Profile{PreferredUsername: "carol"}, Groups: &storage.AssertedGroups{Names: []string{"staff"}},
			}
			a.Identity.UserID, a.Identity.Subject = "", "2"
			_, err := w.SignInThrough(ctx, a, noon)
			return err
		}},
		{"RemoveUnconfiguredGroups", func() error {
			_, _, err := w.RemoveUnconfiguredGroups(ctx, storage.GroupSource{Connector: "google"}, storage.By{From: from, At: noon})
			return err
		}},
		{"RemoveUnconfiguredGroups", func() error {
			_, _, err := w.RemoveUnconfiguredGroups(ctx, storage.GroupSource{Connector: "google", Issuers: []string{"a", "b"}}, storage.By{From: from, At: noon})
			return err
		}},
		{"CorrectStrayGroups", func() error {
			_, err := w.CorrectStrayGroups(ctx, storage.By{From: from, At: noon})
			return err
		}},
		{"AttachedTo", func() error { _, err := w.AttachedTo(ctx, w.user.ID, noon); return err }},
		{"ResetPassword", func() error {
			r := storage.PasswordReset{UserID: w.user.ID, Hash: "hash 2", Reason: "asked", Unproven: storage.KeepAttached, From: from}
			_, err := w.ResetPassword(ctx, r, noon)
			return err
		}},
		{"ReadUpstreamToken", func() error {
			_, err := w.ReadUpstreamToken(ctx, w.user.ID, "google", storage.By{From: from, At: later})
			return err
		}},
		{"UnlinkIdentity", func() error {
			return w.UnlinkIdentity(ctx, storage.IdentityRemoval{Identity: identity, Connectors: []string{"google"}, From: from}, noon)
		}},
		{"AnnounceConnectors", func() error {
			_, err := w.AnnounceConnectors(ctx, storage.ConnectorPresence{Node: "node", Connectors: []string{"google", "gone"}, HoldsFor: time.Minute}, noon)
			return err
		}},
		{"AnnounceConnectors", func() error {
			_, err := w.AnnounceConnectors(ctx, storage.ConnectorPresence{Node: "node"}, noon)
			return err
		}},
		{"ReleaseConnectors", func() error { return w.ReleaseConnectors(ctx, "node", time.Second, noon) }},
		{"EndConnectorSessions", func() error {
			w.signInThrough(t, w.createUser(t, storage.NewID("g")+"@example.com").ID, "gone", storage.NewID("s"), "")
			_, _, err := w.EndConnectorSessions(ctx, "gone", storage.By{From: from, At: later})
			return err
		}},
		{"EndSession", func() error {
			return w.EndSession(ctx, w.user.ID, w.signIn(t, w.user.ID, storage.NewID("h"), "", later).ID, "asked", storage.By{From: from, At: later})
		}},
		{"EndOtherSessions", func() error {
			return w.EndOtherSessions(ctx, w.user.ID, w.signIn(t, w.user.ID, storage.NewID("h"), "", later).ID, "asked", storage.By{From: from, At: later})
		}},
		{"ChangePassword", func() error {
			c := storage.PasswordChange{
				UserID: w.user.ID, OldHash: "hash 2", NewHash: "hash 3", SessionID: w.signIn(t, w.user.ID, storage.NewID("h"), "", later).ID, Handle: "h10", From: from,
			}
			_, err := w.ChangePassword(ctx, c, later)
			return err
		}},
		{"AddTOTP", func() (err error) { _, app, err = addFactor(); return err }},
		{"SecondFactorsOf", func() error { _, err := w.SecondFactorsOf(ctx, w.user.ID); return err }},
		{"RewrapFactors", func() error {
			return w.RewrapFactors(ctx, func(string, []byte) ([]byte, error) { return []byte("sealed again"), nil })
		}},
		{"SignIn", func() error {
			_, err := w.SignIn(ctx, signIn("half"), later)
			if _, due := errors.AsType[*storage.FactorDueError](err); !due {
				return err
			}
			return nil
		}},
		{"SignIn", func() error {
			s := signIn("recovered")
			s.ACR, s.Factor = storage.ACRTwoFactors, &storage.FactorUse{CodeHash: []byte("code")}
			_, err := w.SignIn(ctx, s, later)
			return err
		}},
		{"SignIn", func() error {
			s := signIn("trusting")
			s.ACR, s.Factor = storage.ACRTwoFactors, &storage.FactorUse{CredentialID: app, Step: 2}
			s.Trust = &storage.NewTrust{BrowserKey: storage.BrowserKey{DeviceHash: "device", SecretHash: "secret"}, Until: until}
			_, err := w.SignIn(ctx, s, later)
			return err
		}},
		{"SignIn", func() error {
			s := signIn("trusted")
			s.Replaces, s.ACR, s.Trusted = "none", storage.ACROneFactor, storage.BrowserKey{DeviceHash: "device", SecretHash: "secret"}
			_, err := w.SignIn(ctx, s, later)
			return err
		}},
		{"TrustedBrowsersOf", func() error { _, err := w.TrustedBrowsersOf(ctx, w.user.ID, later); return err }},
		{"NoteAdminUse", func() error { return w.NoteAdminUse(ctx, w.session.ID, time.Minute, later) }},
		{"EndTrust", func() error {
			list, err := w.TrustedBrowsersOf(ctx, w.user.ID, later)
			if err != nil {
				return err
			}
			return w.EndTrust(ctx, w.user.ID, append(list, storage.TrustedBrowser{ID: "trb_none"})[0].ID, w.session.ID, storage.By{From: from, At: later})
		}},
		{"ReplaceRecoveryCodes", func() error {
			s, _, err := addFactor()
			if err != nil {
				return err
			}
			_, err = w.ReplaceRecoveryCodes(ctx, factorChange(s), [][]byte{[]byte("new code")}, later)
			return err
		}},
		{"RemoveSecondFactor", func() error {
			s, id, err := addFactor()
			if err != nil {
				return err
			}
			_, err = w.RemoveSecondFactor(ctx, factorChange(s), id, later)
			return err
		}},
		{"AddSecurityKey", func() error {
			s, _, err := addFactor()
			if err != nil {
				return err
			}
			_, _, err = w.AddSecurityKey(ctx, storage.SecurityKeyAddition{
				FactorChange: factorChange(s), Key: storage.Passkey{Handle: "key", RPID: "id.example.com", PublicKey: []byte("key")}, Codes: [][]byte{[]byte("code")}, ChallengeID: "c3", Until: until,
			}, later)
			return err
		}},
		{"SetAlwaysAsk", func() error {
			u := w.createUser(t, storage.NewID("a")+"@example.com")
			w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, proven_at) VALUES (?, ?, 'webauthn', ?, 1)`, storage.NewID("crd_"), u.ID, []byte("key"))
			s := w.signIn(t, u.ID, storage.NewID("h"), "", later)
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRPhishingResistant, s.ID)
			_, _, err := w.SetAlwaysAsk(ctx, storage.AlwaysAskChange{FactorChange: factorChange(s), On: true, Codes: [][]byte{[]byte("code")}}, later)
			return err
		}},
		{"RenamePasskey", func() error {
			return w.RenamePasskey(ctx, w.user.ID, keyID(), "Key", storage.By{From: from, At: later})
		}},
		{"SignIn", func() error {
			s := signIn("h13")
			s.ACR, s.Factor = storage.ACRTwoFactors, &storage.FactorUse{Key: &storage.PasskeyUse{PasskeyID: keyID(), ChallengeID: "c4", Until: until, Counter: 2}}
			_, err := w.SignIn(ctx, s, later)
			return err
		}},
		{"ResetFactors", func() error {
			if _, _, err := addFactor(); err != nil {
				return err
			}
			_, err := w.ResetFactors(ctx, storage.FactorReset{UserID: w.user.ID, Support: storage.Support{Alone: true, Note: "lost the phone"}}, storage.By{From: from, At: later})
			return err
		}},
		{"AddAutomaticPasskey", func() error {
			return w.AddAutomaticPasskey(ctx, storage.PasskeyAddition{
				FactorChange: factorChange(w.signIn(t, w.user.ID, storage.NewID("h"), "", later)),
				Passkey:      storage.Passkey{Handle: "automatic", RPID: "id.example.com", PublicKey: []byte("key")}, ChallengeID: "c5", Until: until,
			}, later)
		}},
		{"AddPasskey", func() error {
			s := w.signIn(t, bare.ID, storage.NewID("h"), "", later)
			_, _, err := w.AddPasskey(ctx, storage.PasskeyAddition{
				FactorChange: factorChange(s), Passkey: storage.Passkey{Handle: "passkey", RPID: "id.example.com", PublicKey: []byte("key")}, ChallengeID: "c1", Until: until,
			}, later)
			return err
		}},
		{"PasskeysOf", func() error { _, err := w.PasskeysOf(ctx, w.user.ID); return err }},
		{"PasskeyByHandle", func() error { _, _, err := w.PasskeyByHandle(ctx, "passkey"); return err }},
		{"RenamePasskey", func() error {
			return w.RenamePasskey(ctx, bare.ID, passkeyID(), "Phone", storage.By{From: from, At: later})
		}},
		{"SignIn", func() error {
			s := signIn("h12")
			s.UserID = bare.ID
			s.Passkey = &storage.PasskeyUse{PasskeyID: passkeyID(), ChallengeID: "c2", Until: until, Counter: 2}
			_, err := w.SignIn(ctx, s, later)
			return err
		}},
		{"RemovePasskey", func() error {
			s := w.signIn(t, bare.ID, storage.NewID("h"), "", later)
			return w.RemovePasskey(ctx, storage.PasskeyRemoval{FactorChange: factorChange(s), PasskeyID: passkeyID(), Connectors: []string{"google"}}, later)
		}},
		{"LogoutNotices", func() error { _, err := w.LogoutNotices(ctx, w.user.ID, w.session.ID, noon); return err }},
		{"LogoutNotices", func() error { _, err := w.LogoutNotices(ctx, w.user.ID, "", noon); return err }},
		{"ClaimNotices", func() error {
			ended := w.signIn(t, w.user.ID, storage.NewID("h"), "", later)
			w.addLogoutClient(t, "notified", ended, false)
			return errors.Join(w.EndSession(ctx, w.user.ID, ended.ID, "asked", storage.By{From: from, At: later}), claim(w.user.ID, ended.ID, "another client"))
		}},
		{"ClaimNotices", func() error { return claim("", "") }},
		{"SettleNotice", func() error {
			return w.SettleNotice(ctx, storage.Notice{ID: "none", UserID: w.user.ID, ClientID: "web", SessionID: w.session.ID}, storage.NoticeResult{}, later)
		}},
		{"IssueLink", func() error {
			_, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, later)
			return err
		}},
		{"IssuePasswordLink", func() error {
			_, err := w.IssuePasswordLink(ctx, storage.PasswordLink{UserID: w.user.ID, Reason: "by_administrator", Support: storage.Support{Alone: true}}, storage.By{From: from, At: later})
			return err
		}},
		{"ResetPasswordByLink", func() error {
			l, err := w.IssuePasswordLink(ctx, storage.PasswordLink{UserID: w.user.ID, Unproven: storage.KeepAttached}, storage.By{From: from, At: later})
			if err != nil {
				return err
			}
			return w.ResetPasswordByLink(ctx, storage.LinkedReset{Link: l.Ref(), UserID: w.user.ID, Hash: "hash 5", From: from}, later)
		}},
		{"IssuePasskeyLink", func() error {
			_, err := w.IssuePasskeyLink(ctx, storage.PasskeyLink{UserID: w.user.ID, Reason: "by_administrator", Unproven: storage.KeepAttached}, storage.By{From: from, At: later})
			return err
		}},
		{"AddPasskeyByLink", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			l, err := w.IssuePasskeyLink(ctx, storage.PasskeyLink{UserID: u.ID}, storage.By{From: from, At: later})
			if err != nil {
				return err
			}
			return w.AddPasskeyByLink(ctx, storage.LinkedPasskey{
				Link: l.Ref(), UserID: u.ID, Passkey: storage.Passkey{Handle: storage.NewID("linked"), RPID: "id.example.com", PublicKey: []byte("key")}, ChallengeID: storage.NewID("c"), Until: until, From: from,
			}, later)
		}},
		{"Invite", func() error {
			_, err := w.Invite(ctx, storage.InvitationDraft{Email: "eva@example.com", Invitation: storage.Invitation{Roles: []string{"dev"}, ClientID: w.client.ID}, Mail: true}, storage.By{From: from, At: later})
			return err
		}},
		{"Invitations", func() error {
			for _, f := range []storage.InvitationFilter{{}, {ID: "x"}, {Before: storage.SentInvitation{Link: storage.MailLink{Holder: "a", CreatedAt: until}}}} {
				if _, err := w.Invitations(ctx, f, 10, later); err != nil {
					return err
				}
			}
			return nil
		}},
		{"RevokeInvitationByID", func() error {
			l, err := w.Invite(ctx, storage.InvitationDraft{Email: storage.NewID("e") + "@example.com"}, storage.By{From: from, At: later})
			if err != nil {
				return err
			}
			return w.RevokeInvitationByID(ctx, l.ID, storage.By{From: from, At: later})
		}},
		{"SignInThrough", func() error {
			l, err := w.Invite(ctx, storage.InvitationDraft{Email: storage.NewID("e") + "@example.com"}, storage.By{From: from, At: later})
			if err != nil {
				return err
			}
			r := l.Ref()
			_, err = w.SignInThrough(ctx, storage.ConnectorSignIn{
				Identity: storage.Identity{Connector: "google", Issuer: "https://accounts.google.com", Subject: storage.NewID("s")}, AttemptID: storage.NewID("a"), Until: until, Invitation: &r, SignIn: signIn(storage.NewID("h")),
			}, later)
			return err
		}},
		{"RevokeInvitation", func() error { return w.RevokeInvitation(ctx, "eva@example.com", storage.By{From: from, At: later}) }},
		{"CreateUserByLink", func() error {
			inviter, err := w.CreateUser(ctx, storage.User{Email: storage.NewID("i") + "@example.com", Admin: true}, "", storage.By{At: later})
			if err != nil {
				return err
			}
			l, err := w.Invite(ctx, storage.InvitationDraft{Email: storage.NewID("e") + "@example.com", Invitation: storage.Invitation{Admin: true}}, storage.By{From: storage.Origin{Actor: inviter.ID}, At: later})
			if err != nil {
				return err
			}
			_, err = w.CreateUserByLink(ctx, storage.LinkedUser{Link: l.Ref(), Hash: "hash 6", From: from}, later)
			return err
		}},
		{"RequestMail", func() error {
			return w.RequestMail(ctx, storage.MailRequest{
				Limits: limits[1:], Link: &storage.LinkDraft{Kind: storage.LinkSignUp, Holder: "dan@example.com"},
				Mail: &storage.MailDraft{Kind: storage.MailPasswordChanged, Recipient: "dan@example.com"},
			}, later)
		}},
		{"RequestPasswordReset", func() error {
			_, err := w.RequestPasswordReset(ctx, storage.ForgottenPassword{Email: w.user.Email, Limits: limits[1:], Connectors: []string{"google"}, From: from}, later)
			return err
		}},
		{"ResetPasswordByLink", func() error {
			l, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID, Address: w.user.Email}, later)
			if err != nil {
				return err
			}
			return w.ResetPasswordByLink(ctx, storage.LinkedReset{Link: l.Ref(), UserID: w.user.ID, Hash: "hash 4", From: from}, later)
		}},
		{"RequestSignUp", func() error {
			_, err := w.RequestSignUp(ctx, storage.SignUpRequest{Email: "wants@example.com", Limits: []storage.Limit{{Key: "mail:wants", Max: 1000, Window: time.Minute}}, From: from}, later)
			return err
		}},
		{"CreateUserByLink", func() error {
			email := storage.NewID("n") + "@example.com"
			l, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkSignUp, Holder: email, Address: email}, later)
			if err != nil {
				return err
			}
			_, err = w.CreateUserByLink(ctx, storage.LinkedUser{Link: l.Ref(), Hash: "hash", From: from}, later)
			return err
		}},
		{"RequestAddressProof", func() error {
			u := w.createUser(t, storage.NewID("p")+"@example.com")
			session := w.signIn(t, u.ID, storage.NewID("h"), "", later)
			return w.RequestAddressProof(ctx, storage.AddressRequest{UserID: u.ID, SessionID: session.ID, Email: u.Email, Limits: ofMails, From: from}, later)
		}},
		{"RequestEnrolment", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			session := w.signIn(t, u.ID, storage.NewID("h"), "", later)
			return w.RequestEnrolment(ctx, storage.EnrolmentRequest{UserID: u.ID, SessionID: session.ID, Limits: ofMails, From: from}, later)
		}},
		{"ConfirmEnrolment", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			session := w.signIn(t, u.ID, storage.NewID("h"), "", later)
			l, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkEnrol, Holder: u.ID, UserID: u.ID, Address: u.Email}, later)
			if err != nil {
				return err
			}
			return w.ConfirmEnrolment(ctx, storage.EnrolmentConfirmation{Link: l.Ref(), UserID: u.ID, SessionID: session.ID, From: from}, later)
		}},
		{"IsAddressProofDue", func() error {
			_, err := w.IsAddressProofDue(ctx, w.user.ID, w.session.ID, time.Minute, later)
			return err
		}},
		{"EnrolmentAddressOf", func() error { _, err := w.EnrolmentAddressOf(ctx, w.user.ID, later); return err }},
		{"RequestAddressChange", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			session := w.signIn(t, u.ID, storage.NewID("h"), "", later)
			for _, email := range []string{w.user.Email, storage.NewID("q") + "@example.com"} {
				err := w.RequestAddressChange(ctx, storage.AddressRequest{UserID: u.ID, SessionID: session.ID, FreshFor: time.Minute, Email: email, Limits: ofMails, From: from}, later)
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"ChangeAddress", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			_, err := w.changeAddress(t, u, w.signIn(t, u.ID, storage.NewID("h"), "", later), storage.NewID("q")+"@example.com", later)
			return err
		}},
		{"UndoAddressChange", func() error {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			if _, err := w.changeAddress(t, u, w.signIn(t, u.ID, storage.NewID("h"), "", later), storage.NewID("q")+"@example.com", later); err != nil {
				return err
			}
			return w.UndoAddressChange(ctx, storage.AddressUndo{Link: w.undoLink(t, u.Email, later), UserID: u.ID, From: from}, later)
		}},
		{"VerifyAddress", func() error {
			u := w.createUser(t, storage.NewID("p")+"@example.com")
			l, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkVerify, Holder: u.ID, UserID: u.ID, Address: u.Email}, later)
			if err != nil {
				return err
			}
			_, err = w.VerifyAddress(ctx, storage.AddressVerification{Link: l.Ref(), UserID: u.ID, From: from}, later)
			return err
		}},
		{"OpenMailLink", func() error {
			_, err := w.OpenMailLink(ctx, storage.LinkRef{Kind: storage.LinkReset, Holder: w.user.ID, ID: "another"}, later)
			return ignoreErrors(err, storage.ErrLinkDead)
		}},
		{"LinkToMail", func() error {
			_, err := w.LinkToMail(ctx, storage.LinkRef{Kind: storage.LinkUndo, Holder: "another", ID: "another"}, later)
			return ignoreErrors(err, storage.ErrLinkDead)
		}},
		{"SpendLink", func() error {
			l, err := w.IssueLink(ctx, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, later)
			if err != nil {
				return err
			}
			_, err = w.SpendLink(ctx, l.Ref(), later)
			return err
		}},
		{"ClaimMails", func() error {
			_, err := w.ClaimMails(ctx, storage.MailClaim{Kinds: storage.MailKinds, Limit: 16, Lease: time.Minute}, later)
			return err
		}},
		{"SettleMails", func() error {
			err := w.RequestMail(ctx, storage.MailRequest{Mail: &storage.MailDraft{Kind: storage.MailPasswordChanged, Recipient: "dan@example.com"}}, later)
			if err != nil {
				return err
			}
			mails, err := w.ClaimMails(ctx, storage.MailClaim{Limit: 16, Lease: time.Minute}, later)
			if err != nil {
				return err
			}
			return w.SettleMails(ctx, []storage.MailResult{{Mail: mails[0], Error: "status_550"}}, later)
		}},
		{"Mails", func() error {
			for _, f := range []storage.MailFilter{{}, {Failed: true, Before: "mail_z"}, {ID: "mail_a"}} {
				if _, err := w.Mails(ctx, f, 10); err != nil {
					return err
				}
			}
			return nil
		}},
		{"RetryMails", func() error {
			_, err := w.RetryMails(ctx, nil, storage.By{From: from, At: later})
			return err
		}},
		{"RetryMails", func() error {
			_, err := w.RetryMails(ctx, []string{"mail_a", "mail_b"}, storage.By{From: from, At: later})
			return err
		}},
		{"WithdrawConsent", func() error { return w.WithdrawConsent(ctx, w.user.ID, "web", storage.By{From: from, At: later}) }},
		{"SignOutEverywhere", func() error { return w.SignOutEverywhere(ctx, w.user.ID, "asked", storage.By{From: from, At: later}) }},
		{"SetUserEnabled", func() error { return w.SetUserEnabled(ctx, w.user.ID, false, storage.By{From: from, At: later}) }},
		{"ReviseUser", func() error {
			_, err := w.ReviseUser(ctx, storage.UserRevision{
				UserID: w.user.ID, Revise: func(u *storage.User) error { u.Email = "new@example.com"; return nil }, From: from,
			}, later)
			return err
		}},
		{"ReviseUser", func() error {
			verified := true
			_, err := w.ReviseUser(ctx, storage.UserRevision{
				UserID: w.createUser(t, storage.NewID("v")+"@example.com").ID, Revise: func(*storage.User) error { return nil }, Verified: &verified, From: from,
			}, later)
			return err
		}},
		{"GrantAdmin", func() error {
			_, err := w.GrantAdmin(ctx, w.user.ID, storage.Administrator, storage.EvictAttached, storage.By{From: from, At: later})
			return err
		}},
		{"RevokeAdmin", func() error {
			return w.RevokeAdmin(ctx, w.user.ID, storage.By{From: from, At: later})
		}},
		{"DeleteUser", func() error { return w.DeleteUser(ctx, w.user.ID, storage.By{From: from, At: later}) }},
		{"DeleteClient", func() error { return w.DeleteClient(ctx, "robot", storage.By{From: from, At: later}) }},
		{"SetClientEnabled", func() error { return w.SetClientEnabled(ctx, "web", false, storage.By{From: from, At: later}) }},
		{"UpdateConnectorHealth", func() error {
			return w.UpdateConnectorHealth(ctx, storage.ConnectorHealth{Connector: "google", SucceededAt: until})
		}},
		{"StartSweep", func() error { _, _, err := w.StartSweep(ctx, "node", noon); return err }},
		{"SweepRows", func() error {
			for _, kind := range storage.SweepRules {
				if _, err := w.SweepRows(ctx, kind, later); err != nil {
					return err
				}
			}
			return nil
		}},
		{"SweepSessions", func() error {
			_, _, err := w.SweepSessions(ctx, storage.SessionCursor{}, noon.AddDate(1, 0, 0))
			return err
		}},
		{"SweepSessions", func() error {
			_, _, err := w.SweepSessions(ctx, storage.SessionCursor{Expired: true}, noon.AddDate(1, 0, 0))
			return err
		}},
		{"SweepUnfinished", func() error { _, err := w.SweepUnfinished(ctx); return err }},
		{"ConnectorHealth", func() error { _, err := w.ConnectorHealth(ctx); return err }},
		{"RecordEvents", func() error {
			return w.RecordEvents(ctx, []storage.Event{{Type: storage.GrantRefused, Outcome: storage.Refused, From: from, At: storage.At(noon)}})
		}},
		{"RecordEvent", func() error {
			return w.RecordEvent(ctx, storage.Event{Type: storage.UserSignInFailed, From: from}, noon)
		}},
		{"Events", func() error {
			last := storage.Event{ID: "evt_", At: until}
			for _, f := range []storage.EventFilter{
				{Before: last}, {Type: storage.KeyAlarm, Outcome: storage.Refused, Since: noon},
				{UserID: w.user.ID, Before: last}, {ClientID: "web", Before: last},
			} {
				if _, err := w.Events(ctx, f, 10); err != nil {
					return err
				}
			}
			return nil
		}},
		{"ResendEvents", func() error {
			list, err := w.Events(ctx, storage.EventFilter{UserID: w.user.ID}, 1)
			if err != nil {
				return err
			}
			return w.ResendEvents(ctx, []string{list[0].ID}, storage.By{From: from, At: noon})
		}},
		{"ClaimDeliveries", func() error {
			w.exec(t, `INSERT INTO event_deliveries (event_id) VALUES (?)`, storage.NewID("evt_"))
			_, err := w.ClaimDeliveries(ctx, 10, time.Minute, later)
			return err
		}},
		{"SettleDeliveries", func() error {
			w.exec(t, `INSERT INTO event_deliveries (event_id, tries) VALUES (?, 1)`, storage.NewID("evt_"))
			claimed, err := w.ClaimDeliveries(ctx, 10, time.Minute, later)
			if err != nil || len(claimed) == 0 {
				return err
			}
			d := claimed[0]
			return w.SettleDeliveries(ctx, []storage.DeliveryResult{
				{Delivery: d, Error: "status_500"}, {Delivery: d, Error: "status_500", RetryAt: until.Time()}, {Delivery: d},
				{Delivery: d, Error: "status_500", RetryAt: until.Time(), NotTried: true},
			}, later)
		}},
		{"Event", func() error { _, err := w.Event(ctx, "evt_none"); return err }},
		{"QueueEndedLogouts", func() error {
			w.exec(t, `UPDATE instance SET notices_until = ?, notices_after = '' WHERE id = 1`, storage.At(noon))
			_, err := w.QueueEndedLogouts(ctx, noon)
			return err
		}},
	}
}

// TestPlans_NoUseCaseScansAGrowingTable reads the query plan of each statement that a use
// case executes. It runs all exported methods, so a new method fails here until
// everyUseCase calls it.
func TestPlans_NoUseCaseScansAGrowingTable(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.fill(t, 5000)            // in nearly empty tables, all plans cost the same
		plain := w.backend.Open(t) // its statements are not recorded
		recorder, err := w.Record(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ran, explained := map[string]bool{}, map[string]bool{}
		for _, c := range everyUseCase(t, w) {
			recorder.Take()
			var throttled *storage.ThrottledError
			if err := c.run(); err != nil && !errors.As(err, &throttled) && !isSentinel(err) {
				t.Fatalf("%s: %v", c.method, err)
			}
			executed := recorder.Take()
			if len(executed) == 0 {
				t.Errorf("%s: no statement was recorded", c.method)
			}
			ran[c.method] = true
			for _, e := range executed {
				if explained[e.SQL] {
					continue
				}
				explained[e.SQL] = true
				if w.backend.Name == "sqlite" && bareParameter.MatchString(e.SQL) {
					t.Errorf("%s: SQLite compiles the statement at each execution, because a parameter has no unary plus: %s", c.method, e.SQL)
				}
				for _, scan := range fullScans(t, plain, w.backend.Name, e) {
					t.Errorf("%s: %s\nin %s", c.method, scan, e.SQL)
				}
			}
		}
		for method := range reflect.TypeFor[*storage.DB]().Methods() {
			if !ran[method.Name] && !slices.Contains(methodsWithoutTables, method.Name) && !slices.Contains(operatorMethods, method.Name) {
				t.Errorf("no plan of %s was checked: add a call of it to everyUseCase", method.Name)
			}
		}
		t.Logf("%d statements of %d use cases", len(explained), len(ran))
	})
}

// bareParameter matches a parameter that SQLite may read when it chooses a plan: see newSQLiteDialector.
var bareParameter = regexp.MustCompile(`[^+]\?`)

func isSentinel(err error) bool {
	return slices.ContainsFunc([]error{storage.ErrNotFound, storage.ErrConflict, storage.ErrExpired, storage.ErrReplayed, storage.ErrRevoked, storage.ErrSubjectTaken},
		func(sentinel error) bool { return errors.Is(err, sentinel) })
}

func TestPlans_FindsFullScans(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := storage.At(noon)
		for text, scans := range map[string]bool{
			`SELECT id FROM sessions s WHERE s.agent = 'x'`:                           true,
			`UPDATE grants SET revoked_at = 1 WHERE scopes = ''`:                      true,
			`SELECT COUNT(*) FROM events`:                                             true,
			`SELECT u.id FROM users u JOIN sessions s ON s.acr = u.id`:                true,
			`SELECT id FROM sessions WHERE user_id = 'x'`:                             false,
			`SELECT id FROM clients`:                                                  false,
			`SELECT id FROM events ORDER BY at DESC, id DESC LIMIT 10`:                false,
			fmt.Sprintf(`DELETE FROM throttles WHERE expires_at < %d`, at):            false,
			`SELECT 1 FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = ''`: false,
		} {
			if found := fullScans(t, w.DB, w.backend.Name, storage.Executed{SQL: text}); (len(found) > 0) != scans {
				t.Errorf("%s: found %v, want a scan: %v", text, found, scans)
			}
		}
	})
}

// fullScans returns the steps of a statement's plan that read all of a growing table, or
// all of one of its indexes. A statement with a LIMIT may walk an index, because it stops
// after the first rows in index order.
func fullScans(t *testing.T, db *storage.DB, backend string, e storage.Executed) []string {
	t.Helper()
	if backend == "postgres" {
		return postgresScans(t, db, e)
	}
	return sqliteScans(t, db, e)
}

func sqliteScans(t *testing.T, db *storage.DB, e storage.Executed) (found []string) {
	t.Helper()
	plan := lines(t, db.Read, `EXPLAIN QUERY PLAN `+e.SQL, 3, e.Args)
	for _, step := range plan {
		scanned, is := strings.CutPrefix(step, "SCAN ")
		name, how, _ := strings.Cut(scanned, " ")
		if slices.Contains(plan, "MATERIALIZE "+name) || slices.Contains(plan, "CO-ROUTINE "+name) {
			continue // the rows of a subquery, whose own steps are in the plan too
		}
		if !is || name == "CONSTANT" || strings.HasPrefix(name, "(") {
			continue
		}
		if ordered := strings.HasPrefix(how, "USING ") && limited(e.SQL); !ordered && grows(tableOf(e.SQL, name)) {
			found = append(found, step)
		}
	}
	return found
}

// tableOf returns the table that an alias stands for.
func tableOf(text, alias string) string {
	match := regexp.MustCompile(`(?:FROM|JOIN|UPDATE|INTO|,)\s+(\w+)\s+(?:AS\s+)?` + regexp.QuoteMeta(alias) + `\b`).FindStringSubmatch(text)
	if match == nil {
		return alias
	}
	return match[1]
}

func grows(table string) bool { return !slices.Contains(smallTables, table) }

func limited(text string) bool { return strings.Contains(text, " LIMIT ") }

// plan is a step of a query plan of PostgreSQL.
type plan struct {
	Kind     string `json:"Node Type"`
	Table    string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Children []plan `json:"Plans"`
}

func postgresScans(t *testing.T, db *storage.DB, e storage.Executed) []string {
	t.Helper()
	// Without this setting PostgreSQL scans the tables, because they are small.
	text := strings.Join(lines(t, func(ctx context.Context, run func(*gorm.DB) error) error {
		return db.Write(ctx, func(tx *gorm.DB) error {
			return errors.Join(tx.Exec(`SET LOCAL enable_seqscan = off`).Error, run(tx))
		})
	}, `EXPLAIN (FORMAT JSON) `+e.SQL, 0, e.Args), "\n")
	var plans []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return plans[0].Plan.fullScans(limited(e.SQL), "")
}

func (p plan) fullScans(limited bool, table string) (found []string) {
	if p.Table != "" {
		table = p.Table // an index scan below a bitmap scan names only the index
	}
	byIndex := strings.Contains(p.Kind, "Index") && p.Kind != "Bitmap Heap Scan"
	if grows(table) && (p.Kind == "Seq Scan" || byIndex && p.Cond == "" && !limited) {
		found = append(found, p.Kind+" of "+table+" "+p.Index)
	}
	for _, child := range p.Children {
		found = append(found, child.fullScans(limited, table)...)
	}
	return found
}

// lines returns the values of one column of a query; column is its position.
func lines(t *testing.T, through func(context.Context, func(*gorm.DB) error) error, text string, column int, args []any) (list []string) {
	t.Helper()
	err := through(t.Context(), func(q *gorm.DB) error {
		rows, err := q.Statement.ConnPool.QueryContext(t.Context(), text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			values[column] = new(string)
			if err := rows.Scan(values...); err != nil {
				return err
			}
			list = append(list, *values[column].(*string))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("explain: %v\n%s", err, text)
	}
	return list
}
