package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

const planted = "https://evil.example/"

// unprovenAccount creates an account with an unverified email address. An attacker has
// attached a password, an identity, a session, a grant and a website to it, and an operator
// has given it a role, a group and a custom attribute.
func (w *world) unprovenAccount(t *testing.T, role storage.AdminRole) (u storage.User, s storage.Session) {
	t.Helper()
	u = storage.User{
		Email: storage.NewID("c") + "@example.com", Name: "Planted", Website: planted,
		Roles: []string{"dev"}, Groups: []string{"staff"}, Custom: map[string]any{"floor": "3"},
	}
	u.SetAdminRole(role)
	u, err := w.CreateUser(t.Context(), u, "hash of mallory", storage.By{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	s = w.signIn(t, u.ID, storage.NewID("h"), "", noon)
	w.signInThrough(t, u.ID, "evil", u.ID, "")
	w.openGrantIn(t, s, true)
	return u, s
}

// wantEvicted wants everything that unprovenAccount attached to be deleted, or to be kept.
func (w *world) wantEvicted(t *testing.T, u storage.User, evicted bool) {
	t.Helper()
	attached, err := w.AttachedTo(t.Context(), u.ID, noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	evil := false
	for _, i := range attached.Identities {
		evil = evil || i.Connector == "evil"
	}
	now, err := w.User(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, hash, err := w.UserByEmail(t.Context(), now.Email)
	if err != nil {
		t.Fatal(err)
	}
	for what, kept := range map[string]bool{
		"identity": evil, "password": hash == "hash of mallory", "profile": now.Website == planted,
		"grant": attached.Grants > 0, "session": w.signedIn(t, u.ID, w.sessionBefore[u.ID]),
	} {
		if kept == evicted {
			t.Errorf("%s is kept: %v, want %v", what, kept, !evicted)
		}
	}
}

// provers are the acts that can prove an email address. own is the session of the browser,
// empty for another browser.
var provers = []struct {
	name      string
	by        storage.Voucher
	inSession bool // the proof can happen within a session
	prove     func(t *testing.T, w *world, u storage.User, own storage.Session, fresh time.Duration) error
}{
	{"a mailed link", storage.ByMail, true, func(t *testing.T, w *world, u storage.User, own storage.Session, fresh time.Duration) error {
		return proveBy(t, w, storage.ByMail, u, own, fresh)
	}},
	{"a mailed link that sets a password", storage.ByMail, false, func(t *testing.T, w *world, u storage.User, _ storage.Session, _ time.Duration) error {
		link := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, noon)
		return w.useResetLink(t, link.Ref(), u.ID, noon.Add(time.Second))
	}},
	{"an authoritative upstream", storage.ByAuthority, true, proveThrough(storage.ByAuthority)},
	{"a verifying upstream", storage.ByUpstream, true, proveThrough(storage.ByUpstream)},
	{"user update --email-verified", storage.ByOperator, false, func(t *testing.T, w *world, u storage.User, _ storage.Session, _ time.Duration) error {
		return w.reviseUser(t, u, func(*storage.User) {}, storage.StopIfAttached, true)
	}},
	{"a new address that is verified at once", storage.ByOperator, false, func(t *testing.T, w *world, u storage.User, _ storage.Session, _ time.Duration) error {
		return w.reviseUser(t, u, func(u *storage.User) { u.Email = "new-" + u.Email }, storage.StopIfAttached, true)
	}},
}

// proveBy proves the address of an account without signing in.
func proveBy(t *testing.T, w *world, by storage.Voucher, u storage.User, own storage.Session, fresh time.Duration) error {
	_, err := w.ProveAddress(t.Context(), storage.AddressProof{UserID: u.ID, Email: u.Email, By: by, SessionID: own.ID, FreshFor: fresh}, noon.Add(time.Second))
	return err
}

// proveThrough returns an act that proves the address by a sign-in through a connector.
func proveThrough(by storage.Voucher) func(*testing.T, *world, storage.User, storage.Session, time.Duration) error {
	return func(t *testing.T, w *world, u storage.User, own storage.Session, fresh time.Duration) error {
		w.attempts++
		identity := upstreamIdentity(u.ID, "good", u.ID)
		identity.Email = u.Email
		_, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: identity, AttemptID: fmt.Sprint("proof ", w.attempts), Until: storage.At(noon.Add(time.Hour)), Proof: by, FreshFor: fresh,
			SignIn: storage.SignIn{HandleHash: fmt.Sprint("proof ", w.attempts), Replaces: own.HandleHash, IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, noon.Add(time.Second))
		return err
	}
}

func (w *world) reviseUser(t *testing.T, u storage.User, change func(*storage.User), unproven storage.UnprovenPolicy, verified bool) error {
	t.Helper()
	r := storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error { change(u); return nil }, Unproven: unproven}
	if verified {
		r.Verified = &verified
	}
	_, err := w.ReviseUser(t.Context(), r, noon.Add(time.Second))
	return err
}

// The first proof of an address deletes everything that was attached before. Roles, groups
// and custom attributes are kept, unless an upstream that is not authoritative for the
// address gives the proof.
func TestEmailProof_FirstProofEvicts(t *testing.T) {
	for _, p := range provers {
		t.Run(p.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				u, s := w.unprovenAccount(t, storage.NoAdminRole)
				w.rememberSession(u, s)
				if err := p.prove(t, w, u, storage.Session{}, time.Minute); err != nil {
					t.Fatal(err)
				}
				w.wantEvicted(t, u, true)
				now, err := w.User(t.Context(), u.ID)
				if err != nil || !now.EmailVerified {
					t.Fatalf("verified: %v, %v", now.EmailVerified, err)
				}
				if kept := len(now.Roles) + len(now.Groups) + len(now.Custom); (kept == 3) != (p.by != storage.ByUpstream) {
					t.Errorf("%d roles, groups and attributes are kept", kept)
				}
				// A second proof changes nothing.
				w.signInThrough(t, u.ID, "evil", u.ID, "")
				if err := proveBy(t, w, storage.ByMail, now, storage.Session{}, time.Minute); err != nil {
					t.Error(err)
				}
				if list, err := w.IdentitiesOf(t.Context(), u.ID); err != nil || len(list) == 0 {
					t.Errorf("after the second proof: identities %v, %v", list, err)
				}
			})
		})
	}
}

// A proof in a fresh session of the account evicts nothing. A proof in an old session, in a
// session of another user, or without any session evicts.
func TestEmailProof_EvictsNothingInOwnFreshSession(t *testing.T) {
	for _, p := range provers {
		if !p.inSession {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				for name, test := range map[string]struct {
					session func(own storage.Session) storage.Session
					fresh   time.Duration
					evicts  bool
				}{
					"own and fresh":    {func(own storage.Session) storage.Session { return own }, time.Minute, false},
					"own but old":      {func(own storage.Session) storage.Session { return own }, time.Second / 2, true},
					"own, never fresh": {func(own storage.Session) storage.Session { return own }, 0, true},
					"another user's":   {func(storage.Session) storage.Session { return w.session }, time.Minute, true},
					"none":             {func(storage.Session) storage.Session { return storage.Session{} }, time.Minute, true},
					"own, but ended":   {func(own storage.Session) storage.Session { w.endSession(t, own); return own }, time.Minute, true},
				} {
					u, own := w.unprovenAccount(t, storage.NoAdminRole)
					w.rememberSession(u, own)
					if name == "another user's" {
						w.session = w.signIn(t, w.user.ID, storage.NewID("h"), "", noon)
					}
					if err := p.prove(t, w, u, test.session(own), test.fresh); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					t.Run(name, func(t *testing.T) { w.wantEvicted(t, u, test.evicts) })
					if now, err := w.User(t.Context(), u.ID); err != nil || !now.EmailVerified {
						t.Errorf("%s: verified: %v, %v", name, now.EmailVerified, err)
					}
				}
			})
		})
	}
}

// rememberSession stores the session that wantEvicted checks.
func (w *world) rememberSession(u storage.User, s storage.Session) {
	if w.sessionBefore == nil {
		w.sessionBefore = map[string]string{}
	}
	w.sessionBefore[u.ID] = s.ID
}

func (w *world) endSession(t *testing.T, s storage.Session) {
	t.Helper()
	if err := w.EndSession(t.Context(), s.UserID, s.ID, "asked", storage.By{At: noon}); err != nil {
		t.Fatal(err)
	}
}

// No upstream takes over the account of a user with a role of administration. This holds even if the
// user got the role after the caller had read the account.
func TestEmailProof_UpstreamNeverEvictsARoleOfAdministration(t *testing.T) {
	for _, role := range storage.AdminRoles() {
		t.Run(string(role), func(t *testing.T) { testUpstreamNeverEvicts(t, role) })
	}
}

func testUpstreamNeverEvicts(t *testing.T, role storage.AdminRole) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, p := range provers {
			u, s := w.unprovenAccount(t, role)
			w.rememberSession(u, s)
			err := p.prove(t, w, u, storage.Session{}, time.Minute)
			if p.by == storage.ByUpstream || p.by == storage.ByAuthority {
				wantError(t, p.name, err, storage.ErrConflict)
				wantError(t, p.name+", in a session of the account", p.prove(t, w, u, s, time.Minute), storage.ErrConflict)
				w.wantEvicted(t, u, false)
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			w.wantEvicted(t, u, true)
			if now, err := w.User(t.Context(), u.ID); err != nil || now.AdminRole() != role {
				t.Errorf("%s: role of administration: %q, %v", p.name, now.AdminRole(), err)
			}
		}
	})
}

// An identity that is connected opens the account without a proof of its address. If it brings the
// first one, it does not delete the factors for which the person would be asked. In a fresh session
// of the account nothing is deleted anyway.
func TestEmailProof_ConnectedIdentityDeletesNoFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			kind        string
			proven      int
			own         bool
			due, evicts bool
			verified    bool
		}{
			"password only":                       {kind: "password", evicts: true, verified: true},
			"authenticator app":                   {kind: "totp", due: true},
			"authenticator app, in a session":     {kind: "totp", own: true, due: true, verified: true},
			"confirmed passkey":                   {kind: "webauthn", proven: 1},
			"confirmed passkey, in a session":     {kind: "webauthn", proven: 1, own: true, verified: true},
			"passkey that nobody confirmed":       {kind: "webauthn", evicts: true, verified: true},
			"passkey nobody confirmed, a session": {kind: "webauthn", own: true, verified: true},
		} {
			u, s := w.unprovenAccount(t, storage.NoAdminRole)
			if c.kind != "password" {
				w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, proven_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0)`,
					storage.NewID("crd_"), u.ID, c.kind, []byte("secret"), storage.NewID("handle"), c.proven)
			}
			identity := upstreamIdentity(u.ID, "evil", u.ID)
			identity.Email = u.Email
			a := storage.ConnectorSignIn{
				Identity: identity, Linked: true, AttemptID: storage.NewID("a"), Until: storage.At(noon.Add(time.Hour)), Proof: storage.ByUpstream, FreshFor: time.Minute,
				SignIn: storage.SignIn{HandleHash: storage.NewID("h"), IdleFor: time.Hour, AbsoluteFor: time.Hour},
			}
			if c.own {
				a.SignIn.Replaces = s.HandleHash
			}
			_, err := w.SignInThrough(t.Context(), a, noon.Add(time.Second))
			if _, due := errors.AsType[*storage.FactorDueError](err); due != c.due || err != nil && !due {
				t.Errorf("%s: %v, want a second factor to be due: %v", name, err, c.due)
			}
			now, err := w.User(t.Context(), u.ID)
			if err != nil || now.EmailVerified != c.verified {
				t.Errorf("%s: verified %v, want %v (%v)", name, now.EmailVerified, c.verified, err)
			}
			if n := w.count(t, "credentials WHERE user_id = ?", u.ID); (n == 0) != c.evicts {
				t.Errorf("%s: %d credentials are left, want none: %v", name, n, c.evicts)
			}
		}
	})
}

// A sign-in that found its account by email address is refused if the account has changed
// before the sign-in is written.
func TestSignInThrough_RefusesAChangedAccount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(u storage.User) error{
			"new address": func(u storage.User) error {
				return w.reviseUser(t, u, func(u *storage.User) { u.Email = "moved-" + u.Email }, storage.KeepAttached, false)
			},
			"address proven meanwhile": func(u storage.User) error {
				return w.reviseUser(t, u, func(*storage.User) {}, storage.KeepAttached, true)
			},
			"administrator": func(u storage.User) error { return w.setAdmin(t, w.DB, u.ID, true) },
		} {
			u, _ := w.unprovenAccount(t, storage.NoAdminRole)
			if err := change(u); err != nil {
				t.Fatal(err)
			}
			wantError(t, name, proveThrough(storage.ByUpstream)(t, w, u, storage.Session{}, 0), storage.ErrConflict)
			list, err := w.IdentitiesOf(t.Context(), u.ID)
			if err != nil || len(list) != 1 {
				t.Errorf("%s: %d identities, %v", name, len(list), err)
			}
		}
		// An identity is linked by email address alone only if the address is proven and the
		// account is not of an administrator.
		for name, prepare := range map[string]func(u storage.User) error{
			"unproven address": func(storage.User) error { return nil },
			"administrator": func(u storage.User) error {
				return errors.Join(w.reviseUser(t, u, func(*storage.User) {}, storage.KeepAttached, true), w.setAdmin(t, w.DB, u.ID, true))
			},
		} {
			u, _ := w.unprovenAccount(t, storage.NoAdminRole)
			if err := prepare(u); err != nil {
				t.Fatal(err)
			}
			wantError(t, "link, "+name, proveThrough("")(t, w, u, storage.Session{}, 0), storage.ErrConflict)
		}
	})
}

// An identity that is linked in a fresh session proves the address that its upstream
// vouches for, if this is the address of the account. Linking evicts nothing.
func TestLinkIdentity_ProvesTheAccountsOwnAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, test := range map[string]struct {
			email  string // "": the address of the account
			proof  storage.Voucher
			fresh  time.Duration
			proven bool
		}{
			"own address":              {"", storage.ByUpstream, time.Minute, true},
			"own address, no voucher":  {"", "", time.Minute, false},
			"own address, old session": {"", storage.ByUpstream, time.Second / 2, false},
			"another address":          {"other@example.com", storage.ByUpstream, time.Minute, false},
		} {
			u, s := w.unprovenAccount(t, storage.NoAdminRole)
			w.rememberSession(u, s)
			identity := upstreamIdentity(u.ID, "good", u.ID)
			if identity.Email = u.Email; test.email != "" {
				identity.Email = test.email
			}
			err := w.LinkIdentity(t.Context(), storage.IdentityLink{
				Identity: identity, ProofID: u.ID, Until: storage.At(noon.Add(time.Hour)), SessionID: s.ID, Proof: test.proof, FreshFor: test.fresh,
			}, noon.Add(time.Second))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			t.Run(name, func(t *testing.T) { w.wantEvicted(t, u, false) })
			if now, err := w.User(t.Context(), u.ID); err != nil || now.EmailVerified != test.proven {
				t.Errorf("%s: verified: %v, %v", name, now.EmailVerified, err)
			}
		}
	})
}

// A new email address is unverified, unless the same act verifies it. If the old address
// was proven, nothing is evicted.
// RC-17: Only verification sets email_verified, and a new address resets it.
func TestReviseUser_NewAddressIsUnverified(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, test := range []struct{ before, verify, want bool }{
			{true, false, false}, {true, true, true}, {false, false, false},
		} {
			u, s := w.unprovenAccount(t, storage.NoAdminRole)
			w.rememberSession(u, s)
			if test.before {
				if err := w.reviseUser(t, u, func(*storage.User) {}, storage.KeepAttached, true); err != nil {
					t.Fatal(err)
				}
			}
			move := func(u *storage.User) { u.Email, u.EmailVerified = "new-"+u.Email, true }
			if err := w.reviseUser(t, u, move, storage.StopIfAttached, test.verify); err != nil {
				t.Fatal(err)
			}
			now, err := w.User(t.Context(), u.ID)
			if err != nil || now.EmailVerified != test.want || now.Website != planted {
				t.Errorf("%+v: verified %v, website %q, %v", test, now.EmailVerified, now.Website, err)
			}
			// Another spelling of the same address is not a new address.
			if err := w.reviseUser(t, u, func(u *storage.User) { u.Email = " " + u.Email }, storage.StopIfAttached, false); err != nil {
				t.Fatal(err)
			}
			if again, err := w.User(t.Context(), u.ID); err != nil || again.EmailVerified != now.EmailVerified {
				t.Errorf("another spelling: verified %v, %v", again.EmailVerified, err)
			}
		}
	})
}
