package races_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// onceOnly is a use case of which only one of many parallel calls may succeed.
type onceOnly struct {
	name string
	// ready prepares a round and returns the function that all rivals call.
	ready  func(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error
	losers []error // the possible errors of the other calls
}

// singleUse lists all single-use things. Add a line for each new one.
var singleUse = []onceOnly{
	{"code", codeRivals, []error{storage.ErrReplayed}},
	{"device code", deviceRivals, []error{storage.ErrReplayed}},
	{"answer to a device", deviceAnswerRivals, []error{storage.ErrConflict}},
	{"user code", userCodeRivals, []error{storage.ErrConflict}},
	{"handle of a new session", handleRivals, []error{storage.ErrConflict}},
	{"first keys of a line", keyRivals, []error{storage.ErrConflict}},
	{"client id", clientRivals, []error{storage.ErrConflict}},
	{"email address of a new user", userRivals, []error{storage.ErrConflict}},
	{"upstream attempt", attemptRivals, []error{storage.ErrReplayed}},
	{"first sign-in of an identity", newcomerRivals, []error{storage.ErrConflict}},
	{"proof of an identity", proofRivals, []error{storage.ErrReplayed}},
	{"last way in", lastWayRivals, []error{storage.ErrConflict, storage.ErrNotFound}},
	{"link for a new password", resetLinkRivals, []error{storage.ErrLinkDead}},
	{"link for a new account", signUpLinkRivals, []error{storage.ErrLinkDead}},
	{"invitation", invitationRivals, []error{storage.ErrLinkDead}},
	{"invitation, by password or upstream", invitationWaysRivals, []error{storage.ErrLinkDead}},
	{"address of two invitations", twoInvitationsRivals, []error{storage.ErrLinkDead}},
	{"address of a link and of an operator", linkedAddressRivals, []error{storage.ErrLinkDead, storage.ErrConflict}},
	{"link that proves an address", proofLinkRivals, []error{storage.ErrLinkDead}},
	{"link that changes an address", changeLinkRivals, []error{storage.ErrLinkDead, storage.ErrRevoked}},
	{"one new address of two users", oneAddressRivals, []error{storage.ErrConflict, storage.ErrLinkDead, storage.ErrRevoked}},
	{"link that undoes a change", undoLinkRivals, []error{storage.ErrLinkDead}},
	{"password that was checked", passwordRivals, []error{storage.ErrConflict, storage.ErrRevoked}},
}

// TestSingleUse_OneOfFiftySucceeds tries each use case fifty times at once, over the database
// handles of two nodes.
// MN-01: With two processes on one PostgreSQL, 50 parallel uses of each single-use value give
// one success.
// DV-14: Parallel polls of one approved device code give one set of tokens.
// MN-02: The same holds for two processes on one SQLite file, without "database is locked".
func TestSingleUse_OneOfFiftySucceeds(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		for _, thing := range singleUse {
			t.Run(thing.name, func(t *testing.T) {
				for round := range fewRounds() {
					a.wantOneOfFifty(t, thing, fmt.Sprint(thing.name, round))
				}
			})
		}
	})
}

func (a *arena) wantOneOfFifty(t *testing.T, thing onceOnly, round string) {
	t.Helper()
	try := thing.ready(t, a, round)
	results := make([]error, 50)
	providertest.Race(len(results), func(i int) { results[i] = try(a.nodes[i%2].DB, fmt.Sprint(round, " of ", i)) })
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !slices.ContainsFunc(thing.losers, func(want error) bool { return errors.Is(err, want) }):
			t.Fatalf("one of fifty calls: got %v, want one of %v", err, thing.losers)
		}
	}
	if won != 1 {
		t.Fatalf("%d of fifty calls succeeded, want 1", won)
	}
}

// signedIn starts a session of a user, without a browser.
func (a *arena) signedIn(t *testing.T, userID string) storage.Session {
	t.Helper()
	session, err := a.DB.SignIn(context.Background(), a.signIn(userID), a.Now())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// resetLinkRivals set a new password with one mailed link.
func resetLinkRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	u := a.CreateUser(t, storage.User{Email: storage.NewID("u") + "@example.com"}, providertest.Password)
	l, err := a.DB.IssueLink(t.Context(), storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, a.Now())
	if err != nil {
		t.Fatal(err)
	}
	return func(on *storage.DB, rival string) error {
		return on.ResetPasswordByLink(context.Background(), storage.LinkedReset{Link: l.Ref(), UserID: u.ID, Hash: rival, From: providertest.TestOrigin}, a.Now())
	}
}

// signUpLink issues a link that creates an account.
func (a *arena) signUpLink(t *testing.T, kind storage.LinkKind, email string) storage.LinkRef {
	l, err := a.DB.IssueLink(t.Context(), storage.LinkDraft{Kind: kind, Holder: email, Address: email}, a.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l.Ref()
}

// signUpLinkRivals create an account with one mailed link.
func signUpLinkRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	link := a.signUpLink(t, storage.LinkSignUp, storage.NewID("u")+"@example.com")
	return func(on *storage.DB, rival string) error {
		_, err := on.CreateUserByLink(context.Background(), storage.LinkedUser{Link: link, Hash: rival, From: providertest.TestOrigin}, a.Now())
		return err
	}
}

// invitation invites a person to the role of its link.
func (a *arena) invitation(t *testing.T, email string) storage.LinkRef {
	l, err := a.DB.Invite(t.Context(), storage.InvitationDraft{Email: email, Invitation: storage.Invitation{Roles: []string{"invited"}}}, storage.By{From: storage.Origin{Actor: "cli"}, At: a.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return l.Ref()
}

// invitationRivals create an account with one invitation.
func invitationRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	link := a.invitation(t, storage.NewID("u")+"@example.com")
	return func(on *storage.DB, rival string) error {
		_, err := on.CreateUserByLink(context.Background(), storage.LinkedUser{Link: link, Hash: rival, From: providertest.TestOrigin}, a.Now())
		return err
	}
}

// invitationWaysRivals accept one invitation with a password, and with identities of an upstream.
func invitationWaysRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	link := a.invitation(t, storage.NewID("u")+"@example.com")
	var next atomic.Int64
	return func(on *storage.DB, rival string) (err error) {
		if next.Add(1)%2 == 0 {
			_, err = on.CreateUserByLink(context.Background(), storage.LinkedUser{Link: link, Hash: rival, From: providertest.TestOrigin}, a.Now())
			return err
		}
		_, err = on.SignInThrough(context.Background(), storage.ConnectorSignIn{
			Identity: storage.Identity{Connector: "google", Issuer: "https://accounts.google.com", Subject: rival}, AttemptID: storage.NewID("a"), Until: storage.At(a.Now().Add(time.Hour)),
			Invitation: &link, SignIn: a.signIn(""),
		}, a.Now())
		return err
	}
}

// twoInvitationsRivals use two invitations of one address, of which the newer one is valid.
func twoInvitationsRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	email := storage.NewID("u") + "@example.com"
	links := []storage.LinkRef{a.invitation(t, email), a.invitation(t, strings.ToUpper(email))}
	var next atomic.Int64
	return func(on *storage.DB, rival string) error {
		_, err := on.CreateUserByLink(context.Background(), storage.LinkedUser{Link: links[next.Add(1)%2], Hash: rival, From: providertest.TestOrigin}, a.Now())
		return err
	}
}

// linkedAddressRivals create an account of one address, by the link of a sign-up, by that of an
// invitation and as an operator.
func linkedAddressRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	email := storage.NewID("u") + "@example.com"
	links := []storage.LinkRef{a.signUpLink(t, storage.LinkSignUp, email), a.invitation(t, email)}
	var next atomic.Int64
	return func(on *storage.DB, rival string) (err error) {
		if i := next.Add(1) % 3; i < 2 {
			var u storage.User
			u, err = on.CreateUserByLink(context.Background(), storage.LinkedUser{Link: links[i], Hash: rival, From: providertest.TestOrigin}, a.Now())
			if invited := i == 1; err == nil && slices.Contains(u.Roles, "invited") != invited { // the roles are those of the row that won
				return fmt.Errorf("user with the roles %q, by an invitation: %v", u.Roles, invited)
			}
		} else {
			_, err = on.CreateUser(context.Background(), storage.User{Email: email}, rival, storage.By{From: providertest.TestOrigin, At: a.Now()})
		}
		return err
	}
}

// proofLinkRivals prove an address with one mailed link.
func proofLinkRivals(t *testing.T, a *arena, round string) func(on *storage.DB, rival string) error {
	u := a.CreateUser(t, storage.User{Email: storage.NewID("u") + "@example.com"}, providertest.Password)
	l, err := a.DB.IssueLink(t.Context(), storage.LinkDraft{Kind: storage.LinkVerify, Holder: u.ID, UserID: u.ID, Address: u.Email}, a.Now())
	if err != nil {
		t.Fatal(err)
	}
	return func(on *storage.DB, rival string) error {
		_, err := on.VerifyAddress(context.Background(), storage.AddressVerification{Link: l.Ref(), UserID: u.ID, From: providertest.TestOrigin}, a.Now())
		return err
	}
}

func (a *arena) signIn(userID string) storage.SignIn {
	return storage.SignIn{
		UserID: userID, HandleHash: storage.NewID("h"), Request: storage.NewID("r"), ACR: "urn:signet:1fa", AMR: []string{"pwd"},
		IdleFor: time.Hour, AbsoluteFor: 24 * time.Hour, From: providertest.TestOrigin,
	}
}

func (a *arena) redemption(s storage.Session, clientID, requestID, codeID string) storage.CodeRedemption {
	return storage.CodeRedemption{
		RequestID: requestID, CodeID: codeID, SpentUntil: storage.At(a.Now().Add(24 * time.Hour)), From: providertest.TestOrigin,
		Grant: storage.Grant{
			ID: storage.NewID("gid"), UserID: s.UserID, ClientID: clientID, SessionID: s.ID, Scopes: []string{"openid"},
			AuthTime: s.AuthTime, IdleFor: time.Hour, ExpiresAt: storage.At(a.Now().Add(24 * time.Hour)),
		},
	}
}

func codeRivals(t *testing.T, a *arena, round string) func(*storage.DB, string) error {
	session := a.signedIn(t, a.Alice.ID)
	return func(on *storage.DB, _ string) error {
		_, err := on.RedeemCode(context.Background(), a.redemption(session, a.Client.ID, round, "code"), a.Now())
		return err
	}
}

// openDevice stores a device code of the arena's client.
func (a *arena) openDevice(t *testing.T, id string) {
	t.Helper()
	if err := a.DB.OpenDeviceCode(context.Background(), a.device(id, id), nil, a.Now()); err != nil {
		t.Fatal(err)
	}
}

func (a *arena) device(id, userCode string) storage.DeviceCode {
	return storage.DeviceCode{ID: id, UserCode: userCode, ClientID: a.Client.ID, Scopes: []string{"openid"}, ExpiresAt: storage.At(a.Now().Add(10 * time.Minute))}
}

// deviceRivals polls an approved device code.
func deviceRivals(t *testing.T, a *arena, round string) func(*storage.DB, string) error {
	session := a.signedIn(t, a.Alice.ID)
	a.openDevice(t, round)
	answer := storage.DeviceAnswer{ID: round, ClientID: a.Client.ID, UserID: session.UserID, SessionID: session.ID, Scopes: []string{"openid"}, From: providertest.TestOrigin}
	if err := a.DB.ApproveDevice(context.Background(), answer, a.Now()); err != nil {
		t.Fatal(err)
	}
	return func(on *storage.DB, _ string) error {
		_, err := on.RedeemDeviceCode(context.Background(), storage.DeviceRedemption{ID: round, From: providertest.TestOrigin, Grant: func(storage.DeviceCode) (storage.Grant, error) {
			return storage.Grant{ID: storage.NewID("gid"), Scopes: []string{"openid"}, IdleFor: time.Hour, ExpiresAt: storage.At(a.Now().Add(24 * time.Hour))}, nil
		}}, a.Now())
		return err
	}
}

// deviceAnswerRivals lets two users allow and deny one device.
func deviceAnswerRivals(t *testing.T, a *arena, round string) func(*storage.DB, string) error {
	other, err := a.DB.CreateUser(context.Background(), storage.User{Email: storage.NewID("d") + "@example.com"}, "", storage.By{At: a.Now()})
	if err != nil {
		t.Fatal(err)
	}
	sessions := []storage.Session{a.signedIn(t, a.Alice.ID), a.signedIn(t, other.ID)}
	a.openDevice(t, round)
	return func(on *storage.DB, rival string) error {
		s := sessions[int(rival[len(rival)-1])%2]
		decide := on.ApproveDevice
		if rival[len(rival)-1] < '5' {
			decide = on.DenyDevice
		}
		return decide(context.Background(), storage.DeviceAnswer{ID: round, ClientID: a.Client.ID, UserID: s.UserID, SessionID: s.ID, From: providertest.TestOrigin}, a.Now())
	}
}

// userCodeRivals stores device codes with one user code.
func userCodeRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, rival string) error {
		return on.OpenDeviceCode(context.Background(), a.device(rival, round), nil, a.Now())
	}
}

func handleRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, _ string) error {
		in := a.signIn(a.Alice.ID)
		in.HandleHash = round
		_, err := on.SignIn(context.Background(), in, a.Now())
		return err
	}
}

func keyRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, rival string) error {
		started, err := on.StartKeyLines(context.Background(), []storage.Key{
			{ID: rival + " active", Line: round, State: storage.KeyActive, Sealed: []byte("sealed")},
			{ID: rival + " next", Line: round, State: storage.KeyNext, Sealed: []byte("sealed")},
		}, storage.By{From: providertest.TestOrigin, At: a.Now()})
		if err == nil && started == 0 {
			return storage.ErrConflict // another rival's keys are stored
		}
		return err
	}
}

func clientRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, rival string) error {
		return on.CreateClient(context.Background(), directory.NewClient(storage.Web, round, rival), storage.By{From: providertest.TestOrigin, At: a.Now()})
	}
}

func userRivals(_ *testing.T, a *arena, _ string) func(*storage.DB, string) error {
	email := storage.NewID("u") + "@example.com"
	return func(on *storage.DB, _ string) error {
		_, err := on.CreateUser(context.Background(), storage.User{Email: email}, "", storage.By{From: providertest.TestOrigin, At: a.Now()})
		return err
	}
}

func identity(userID, subject string) storage.Identity {
	return storage.Identity{Connector: "upstream", Issuer: "https://upstream.example.com", Subject: subject, UserID: userID}
}

func (a *arena) arrival(userID, subject, attempt string) storage.ConnectorSignIn {
	return storage.ConnectorSignIn{
		Identity: identity(userID, subject), AttemptID: attempt, Until: storage.At(a.Now().Add(time.Hour)), SignIn: a.signIn(""),
	}
}

func attemptRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, _ string) error {
		_, err := on.SignInThrough(context.Background(), a.arrival(a.Alice.ID, "alice", round), a.Now())
		return err
	}
}

// newcomerRivals sign in with one identity and fifty email addresses. One user is created.
func newcomerRivals(_ *testing.T, a *arena, round string) func(*storage.DB, string) error {
	return func(on *storage.DB, rival string) error {
		arrival := a.arrival("", round, rival)
		arrival.NewUser = storage.User{Email: storage.NewID("n") + "@example.com", EmailVerified: true}
		_, err := on.SignInThrough(context.Background(), arrival, a.Now())
		return err
	}
}

func proofRivals(t *testing.T, a *arena, round string) func(*storage.DB, string) error {
	session := a.signedIn(t, a.Alice.ID)
	return func(on *storage.DB, _ string) error {
		return on.LinkIdentity(context.Background(), storage.IdentityLink{
			Identity: identity(a.Alice.ID, round), ProofID: round, Until: storage.At(a.Now().Add(time.Hour)), SessionID: session.ID, From: providertest.TestOrigin,
		}, a.Now())
	}
}

// lastWayRivals remove the two identities of a user without a password. One must stay.
func lastWayRivals(t *testing.T, a *arena, round string) func(*storage.DB, string) error {
	user, err := a.DB.CreateUser(context.Background(), storage.User{Email: storage.NewID("w") + "@example.com"}, "", storage.By{From: providertest.TestOrigin, At: a.Now()})
	if err != nil {
		t.Fatal(err)
	}
	ways := []storage.Identity{identity(user.ID, round+" one"), identity(user.ID, round+" two")}
	for _, way := range ways {
		if _, err := a.DB.SignInThrough(context.Background(), a.arrival(user.ID, way.Subject, storage.NewID("att")), a.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return func(on *storage.DB, rival string) error {
		return on.UnlinkIdentity(context.Background(), storage.IdentityRemoval{Identity: ways[int(rival[len(rival)-1])%2], Connectors: []string{"upstream"}, From: providertest.TestOrigin}, a.Now())
	}
}

func passwordRivals(t *testing.T, a *arena, _ string) func(*storage.DB, string) error {
	user, err := a.DB.CreateUser(context.Background(), storage.User{Email: storage.NewID("p") + "@example.com"}, "old", storage.By{From: providertest.TestOrigin, At: a.Now()})
	if err != nil {
		t.Fatal(err)
	}
	session := a.signedIn(t, user.ID)
	return func(on *storage.DB, rival string) error {
		_, err := on.ChangePassword(context.Background(), storage.PasswordChange{
			UserID: user.ID, OldHash: "old", NewHash: rival, SessionID: session.ID, Handle: storage.NewID("h"), From: providertest.TestOrigin,
		}, a.Now())
		return err
	}
}

// TestSingleUse_FiftyRevocationsWriteOneEvent: a repeated revocation succeeds without effect.
// MN-01: With two processes on one PostgreSQL, 50 parallel uses of each single-use value give
// one success.
func TestSingleUse_FiftyRevocationsWriteOneEvent(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		a := newArena(t, backend, 2)
		for round := range fewRounds() {
			jti, gid := fmt.Sprint("jti", round), fmt.Sprint("gid", round)
			providertest.Race(50, func(i int) {
				if err := a.nodes[i%2].DB.RevokeToken(context.Background(), storage.TokenRevocation{JTI: jti, ClientID: a.Client.ID, GrantID: gid, Expires: storage.At(a.Now().Add(time.Hour))}, storage.By{From: providertest.TestOrigin, At: a.Now()}); err != nil {
					t.Error(err)
				}
			})
			written := 0
			for _, e := range a.Events(t) {
				if e.Type == storage.TokenRevoked && e.GrantID == gid {
					written++
				}
			}
			if written != 1 {
				t.Fatalf("%d events of one revocation, want 1", written)
			}
		}
	})
}
