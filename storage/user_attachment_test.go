package storage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// wideningActs are acts of operators that give an account more rights and do not prove its
// email address.
var wideningActs = []struct {
	name     string
	password bool // whether an attached password stops the act
	act      func(t *testing.T, on *storage.DB, u storage.User, do storage.UnprovenPolicy) error
	done     func(u storage.User, hash string) bool
}{
	{"set-password", false, func(t *testing.T, on *storage.DB, u storage.User, do storage.UnprovenPolicy) error {
		_, err := on.ResetPassword(t.Context(), storage.PasswordReset{UserID: u.ID, Hash: "typed", Reason: "typed", Unproven: do}, noon)
		return err
	}, func(_ storage.User, hash string) bool { return hash == "typed" }},
	{"admin", true, func(t *testing.T, on *storage.DB, u storage.User, do storage.UnprovenPolicy) error {
		_, err := on.GrantAdmin(t.Context(), u.ID, storage.Administrator, do, storage.By{At: noon})
		return err
	}, func(u storage.User, _ string) bool { return u.Admin }},
	{"role", true, reviseAct(func(u *storage.User) { u.Roles = append(u.Roles, "ops") }),
		func(u storage.User, _ string) bool { return slices.Contains(u.Roles, "ops") }},
	{"group", true, reviseAct(func(u *storage.User) { u.Groups = []string{"wheel"} }),
		func(u storage.User, _ string) bool { return slices.Contains(u.Groups, "wheel") }},
	{"role and a new address", true, reviseAct(func(u *storage.User) { u.Email, u.Roles = "new-"+u.Email, []string{"ops"} }),
		func(u storage.User, _ string) bool { return slices.Contains(u.Roles, "ops") }},
}

// reviseAct returns an act that revises the user.
func reviseAct(change func(*storage.User)) func(*testing.T, *storage.DB, storage.User, storage.UnprovenPolicy) error {
	return func(t *testing.T, on *storage.DB, u storage.User, do storage.UnprovenPolicy) error {
		r := storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error { change(u); return nil }, Unproven: do}
		_, err := on.ReviseUser(t.Context(), r, noon)
		return err
	}
}

// attachments attach one thing to an account.
var attachments = map[string]func(t *testing.T, w *world, u storage.User){
	"password":     func(t *testing.T, w *world, u storage.User) { w.addCredential(t, u, "password") },
	"totp":         func(t *testing.T, w *world, u storage.User) { w.addCredential(t, u, "totp") },
	"webauthn":     func(t *testing.T, w *world, u storage.User) { w.addCredential(t, u, "webauthn") },
	"recovery":     func(t *testing.T, w *world, u storage.User) { w.addCredential(t, u, "recovery") },
	"security key": func(t *testing.T, w *world, u storage.User) { w.addCredential(t, u, "security_key") },
	"identity": func(t *testing.T, w *world, u storage.User) {
		w.endSession(t, w.signInThrough(t, u.ID, "evil", u.ID, ""))
	},
	"session": func(t *testing.T, w *world, u storage.User) { w.signIn(t, u.ID, storage.NewID("h"), "", noon) },
	"offline grant": func(t *testing.T, w *world, u storage.User) {
		s := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
		w.openGrantIn(t, s, true)
		w.endSession(t, s)
	},
}

func (w *world) addCredential(t *testing.T, u storage.User, kind string) {
	t.Helper()
	w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret) VALUES (?, ?, ?, 'x')`, storage.NewID("crd_"), u.ID, kind)
}

// bareUser creates a user with nothing attached.
func (w *world) bareUser(t *testing.T, verified bool) storage.User {
	t.Helper()
	u, err := w.CreateUser(t.Context(), storage.User{Email: storage.NewID("b") + "@example.com", EmailVerified: verified}, "", storage.By{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantDone wants the act to have changed the user, or not to have changed the user.
func (w *world) wantDone(t *testing.T, what string, u storage.User, done func(storage.User, string) bool, want bool) {
	t.Helper()
	now, err := w.User(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, hash, err := w.UserByEmail(t.Context(), now.Email)
	if err != nil {
		t.Fatal(err)
	}
	if got := done(now, hash); got != want {
		t.Errorf("%s: the act is done: %v, want %v", what, got, want)
	}
	if want && now.EmailVerified && !u.EmailVerified {
		t.Errorf("%s: the act verified the email address", what)
	}
}

// An act that gives more rights stops if the email address is unverified and anything is
// attached to the account. The error lists the attachments, and nothing changes.
func TestUnproven_StopsIfAnythingIsAttached(t *testing.T) {
	for _, act := range wideningActs {
		t.Run(act.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				for name, attach := range attachments {
					u := w.bareUser(t, false)
					attach(t, w, u)
					before, err := w.AttachedTo(t.Context(), u.ID, noon)
					if err != nil || before.IsEmpty() {
						t.Fatalf("%s: nothing is attached, %v", name, err)
					}
					err = act.act(t, w.DB, u, storage.StopIfAttached)
					if name == "password" && !act.password {
						if err != nil {
							t.Errorf("the act replaces the password: %v", err)
						}
						continue
					}
					var stopped *storage.UnprovenError
					if !errors.As(err, &stopped) || !errors.Is(err, storage.ErrUnproven) || stopped.Attached.IsEmpty() {
						t.Errorf("%s: got %v, want an UnprovenError", name, err)
					}
					w.wantDone(t, name, u, act.done, false)
					after, err := w.AttachedTo(t.Context(), u.ID, noon)
					if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
						t.Errorf("%s: after the refusal %+v, %v; before %+v", name, after, err, before)
					}
				}
			})
		})
	}
}

// The acts go on if nothing is attached, if the address is verified, or if the operator
// decides to evict or to keep the attachments.
func TestUnproven_GoesOnOnceTheOperatorDecides(t *testing.T) {
	for _, act := range wideningActs {
		t.Run(act.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				u := w.bareUser(t, false)
				if err := act.act(t, w.DB, u, storage.StopIfAttached); err != nil {
					t.Errorf("nothing attached: %v", err)
				}
				w.wantDone(t, "nothing attached", u, act.done, true)
				if act.name != "role and a new address" { // the new address is unverified
					u = w.bareUser(t, true)
					w.signInThrough(t, u.ID, "good", u.ID, "")
					if err := act.act(t, w.DB, u, storage.StopIfAttached); err != nil {
						t.Errorf("a proven address: %v", err)
					}
					w.wantDone(t, "a proven address", u, act.done, true)
				}
				for do, evicts := range map[storage.UnprovenPolicy]bool{storage.EvictAttached: true, storage.KeepAttached: false} {
					u = w.bareUser(t, false)
					w.signInThrough(t, u.ID, "evil", u.ID, "")
					if err := act.act(t, w.DB, u, do); err != nil {
						t.Errorf("decided: %v", err)
					}
					w.wantDone(t, "decided", u, act.done, true)
					if list, err := w.IdentitiesOf(t.Context(), u.ID); err != nil || (len(list) == 0) != evicts {
						t.Errorf("identities %v, %v; evicted: %v", list, err, evicts)
					}
				}
			})
		})
	}
}

// A revision that adds a role and the first email address stops too, because the new address
// is unverified and an identity is attached.
func TestUnproven_StopsForARoleWithTheFirstAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(*storage.User){
			"role": func(u *storage.User) { u.Roles = []string{"ops"} }, "group": func(u *storage.User) { u.Groups = []string{"wheel"} },
		} {
			u := storage.User{ID: w.signInThrough(t, "", "evil", name, "").UserID}
			act := reviseAct(func(u *storage.User) { u.Email = name + "@example.com"; change(u) })
			var stopped *storage.UnprovenError
			if err := act(t, w.DB, u, storage.StopIfAttached); !errors.As(err, &stopped) || stopped.Email != name+"@example.com" {
				t.Errorf("%s: %v", name, err)
			}
			if now, err := w.User(t.Context(), u.ID); err != nil || now.Email != "" || len(now.Roles)+len(now.Groups) > 0 {
				t.Errorf("%s: after the refusal: %+v, %v", name, now, err)
			}
			if err := act(t, w.DB, u, storage.KeepAttached); err != nil {
				t.Errorf("%s: decided: %v", name, err)
			}
		}
	})
}

// Acts that remove rights never stop.
func TestUnproven_NeverStopsRemovals(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, _ := w.unprovenAccount(t, storage.Administrator)
		w.createAdmin(t, "another@example.com")
		if err := w.RevokeAdmin(t.Context(), u.ID, storage.By{At: noon}); err != nil {
			t.Error(err)
		}
		if err := w.reviseUser(t, u, func(u *storage.User) { u.Roles, u.Groups, u.Name = nil, nil, "Mallory" }, storage.StopIfAttached, false); err != nil {
			t.Error(err)
		}
		w.rememberSession(u, storage.Session{})
	})
}

// A sign-in through a connector races with the act. Either the sign-in is first and the act
// stops, or the act is first, when nothing was attached yet.
func TestUnproven_RaceWithSignIn(t *testing.T) {
	for _, act := range wideningActs[:3] {
		t.Run(act.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				other := w.backend.Open(t)
				for range 20 {
					u := w.bareUser(t, false)
					w.attempts++
					identity := upstreamIdentity(u.ID, "evil", u.ID)
					signIn := storage.ConnectorSignIn{
						Identity: identity, AttemptID: fmt.Sprint("race ", w.attempts), Until: storage.At(noon),
						SignIn: storage.SignIn{HandleHash: fmt.Sprint("race ", w.attempts), NotBefore: &u.NotBefore, IdleFor: 1e9, AbsoluteFor: 1e9},
					}
					results := together(2, func(i int) error {
						if i == 0 {
							return act.act(t, w.DB, u, storage.StopIfAttached)
						}
						_, err := other.SignInThrough(t.Context(), signIn, noon)
						return err
					})
					stopped, refused := errors.Is(results[0], storage.ErrUnproven), errors.Is(results[1], storage.ErrRevoked)
					if results[0] != nil && !stopped || results[1] != nil && !refused || stopped && refused {
						t.Fatalf("the act: %v, the sign-in: %v", results[0], results[1])
					}
					w.wantDone(t, "in the race", u, act.done, !stopped)
				}
			})
		})
	}
}

// A proof of the address races with a new password from an operator. In either order, the
// identity of the attacker is gone afterwards.
func TestUnproven_RaceWithProof(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.backend.Open(t)
		for range 20 {
			u, _ := w.unprovenAccount(t, storage.NoAdminRole)
			results := together(2, func(i int) error {
				if i == 0 {
					return wideningActs[0].act(t, w.DB, u, storage.StopIfAttached)
				}
				_, err := other.ProveAddress(t.Context(), storage.AddressProof{UserID: u.ID, Email: u.Email, By: storage.ByMail}, noon)
				return err
			})
			if results[0] != nil && !errors.Is(results[0], storage.ErrUnproven) || results[1] != nil {
				t.Fatal(results)
			}
			attached, err := w.AttachedTo(t.Context(), u.ID, noon)
			if err != nil || len(attached.Identities) != 0 || attached.Sessions+attached.Grants != 0 {
				t.Fatalf("still attached: %+v, %v", attached, err)
			}
			if _, hash, err := w.UserByEmail(t.Context(), u.Email); err != nil || (hash == "typed") != (results[0] == nil) || hash == "hash of mallory" {
				t.Errorf("the password is %q, %v after %v", hash, err, results[0])
			}
		}
	})
}

// Only the listed files write email_verified: the proof of an address, and the creation of a
// user by an operator or an upstream.
// RC-17: Only verification sets email_verified (ZITADEL CVE-2026-27946).
func TestSource_OnlyListedFilesVerifyAddresses(t *testing.T) {
	writers := map[string]string{
		"../storage/email_proof.go":      "the proof of an address",
		"../storage/user_revision.go":    "an operator vouches for it",
		"../storage/invitation.go":       "a mailed link creates a new user, or an operator vouches for an invited one",
		"../storage/user.go":             "a deletion removes it",
		"../storage/signin_connector.go": "an upstream vouches for a new user",
		"../cmd/signet/user/user.go":     "only shows it",

		"../provider/directory/userdocument.go": "only shows it",
		"../provider/admin/api/users.go":        "an operator vouches for a new user, with the scope signet:admin",
		"../provider/admin/api/invitations.go":  "an operator vouches for an invited person, with the scope signet:admin",

		"../provider/directory/invitationdocument.go": "only shows it",

		"../cmd/signet/user/change.go":     "an operator vouches for a new user",
		"../cmd/signet/user/invitation.go": "an operator vouches for an invited person",
		"../cmd/signet/demo/people.go":     "users of the demo",
	}
	writes := regexp.MustCompile(`email_verified = |"EmailVerified"|EmailVerified: |EmailVerified = |EmailVerified, .* = `)
	read := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "examples" || name == "federation" || // the claim of an upstream
			name == "node_modules" || strings.HasSuffix(name, "test") || strings.HasPrefix(name, ".") && name != "..") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		read++
		found := writes.FindString(string(text))
		if _, listed := writers[filepath.ToSlash(file)]; found != "" && !listed {
			t.Errorf("%s contains %q: only DB.ProveAddress and the callers of prove may verify an address", file, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 100 {
		t.Errorf("read %d files, want the whole program", read)
	}
}
