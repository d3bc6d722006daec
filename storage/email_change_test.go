package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

const undoLife = 7 * 24 * time.Hour

// requestChange asks for a link to a new address, in a session of the user.
func (w *world) requestChange(t testing.TB, u storage.User, s storage.Session, email string, at time.Time) error {
	t.Helper()
	return w.RequestAddressChange(t.Context(), storage.AddressRequest{
		UserID: u.ID, SessionID: s.ID, FreshFor: time.Hour, Email: email, From: storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"},
	}, at)
}

// changeAddress asks for a link to a new address and uses it in the same session.
func (w *world) changeAddress(t testing.TB, u storage.User, s storage.Session, email string, at time.Time) (storage.Session, error) {
	t.Helper()
	if err := w.requestChange(t, u, s, email, at); err != nil {
		t.Fatal(err)
	}
	return w.useChangeLink(t, u, s, w.linkTo(t, storage.MailAddressChange, email), at)
}

func (w *world) useChangeLink(t testing.TB, u storage.User, s storage.Session, link storage.LinkRef, at time.Time) (storage.Session, error) {
	t.Helper()
	return w.ChangeAddress(t.Context(), storage.AddressChange{Link: link, UserID: u.ID, SessionID: s.ID, Handle: storage.NewID("h"), FreshFor: time.Hour,
		From: storage.Origin{Address: "192.0.2.7", Agent: "agent", RequestID: "asked"}}, at)
}

// mustChange is changeAddress that succeeds.
func (w *world) mustChange(t testing.TB, u storage.User, s storage.Session, email string, at time.Time) storage.Session {
	t.Helper()
	next, err := w.changeAddress(t, u, s, email, at)
	if err != nil {
		t.Fatalf("change %s to %s: %v", u.Email, email, err)
	}
	return next
}

// linkTo returns the name of the link in the newest mail of the kind to the address.
func (w *world) linkTo(t testing.TB, kind storage.MailKind, to string) storage.LinkRef {
	t.Helper()
	m := w.mailTo(t, kind, to)
	if m == nil || m.Message.Link.ID == "" {
		t.Fatalf("no mail of the kind %s with a link to %s", kind, to)
	}
	return m.Message.Link
}

// mailTo returns the newest mail of the kind to the address; nil if there is none.
func (w *world) mailTo(t testing.TB, kind storage.MailKind, to string) *storage.Mail {
	t.Helper()
	list, err := w.Mails(t.Context(), storage.MailFilter{}, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.Message.Kind == kind && m.Recipient == to {
			return &m
		}
	}
	return nil
}

// undoLink returns the link that the former address got.
func (w *world) undoLink(t testing.TB, former string, _ time.Time) storage.LinkRef {
	t.Helper()
	return w.linkTo(t, storage.MailAddressChanged, former)
}

func (w *world) undo(t testing.TB, link storage.LinkRef, u storage.User, at time.Time) error {
	t.Helper()
	return w.UndoAddressChange(t.Context(), storage.AddressUndo{Link: link, UserID: u.ID}, at)
}

// wantAddress wants the user to have the address as a verified one.
func (w *world) wantAddress(t testing.TB, when string, u storage.User, want string) {
	t.Helper()
	now, err := w.User(t.Context(), u.ID)
	if err != nil || now.Email != want || !now.EmailVerified {
		t.Errorf("%s: %s (verified %v), %v, want %s verified", when, now.Email, now.EmailVerified, err, want)
	}
}

// waysOf returns all columns of the credentials and identities of a user as text.
func (w *world) waysOf(t testing.TB, u storage.User) string {
	t.Helper()
	var all []string
	for _, table := range []string{"credentials", "identities"} {
		var rows []map[string]any
		err := w.Read(t.Context(), func(q *gorm.DB) error {
			return q.Table(table).Where("user_id = ?", u.ID).Order("created_at").Find(&rows).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all = append(all, fmt.Sprint(row))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// RC-16: an address counts only after its proof. Then everything else ends, also pending links;
// the browser of the user stays signed in, and the former address gets a link that undoes it.
func TestChangeAddress_EndsEverythingElse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		here, other := w.signIn(t, u.ID, "here", "", noon), w.signIn(t, u.ID, "other", "", noon)
		r := w.redemption("offline request", "offline code", noon)
		r.Grant.Offline, r.Grant.UserID, r.Grant.SessionID = true, u.ID, here.ID
		offline := w.redeem(t, r, noon)
		reset := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, noon)

		at := noon.Add(time.Minute)
		if err := w.requestChange(t, u, here, "New.Bob@Example.com", at); err != nil {
			t.Fatal(err)
		}
		w.wantAddress(t, "before the proof", u, u.Email)
		if _, _, err := w.UserByEmail(t.Context(), "new.bob@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the new address counts before its proof: %v", err)
		}
		link := w.linkTo(t, storage.MailAddressChange, "New.Bob@Example.com")
		next, err := w.useChangeLink(t, u, here, link, at)
		if err != nil {
			t.Fatal(err)
		}
		w.wantAddress(t, "after the proof", u, "New.Bob@Example.com")
		if got := w.events(t)[:3]; !slices.Contains(got, storage.AddressChanged) || !slices.Contains(got, storage.AddressProven) || !slices.Contains(got, storage.SessionEnded) {
			t.Errorf("events %v", got)
		}
		w.wantDead(t, offline.ID, at)
		for _, s := range []storage.Session{here, other} {
			if w.signedIn(t, u.ID, s.ID) {
				t.Errorf("the session %s still lives", s.ID)
			}
		}
		if !w.signedIn(t, u.ID, next.ID) || next.AuthTime != here.AuthTime {
			t.Errorf("the new session is %+v", next)
		}
		w.wantDeadLink(t, reset, at, "link_ended")
		if _, err := w.useChangeLink(t, u, next, link, at); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("the link again: %v", err)
		}
		if got := w.undoLink(t, u.Email, at); got.Kind != storage.LinkUndo {
			t.Errorf("the former address got %+v", got)
		}
	})
}

// A person who only claimed an address gets neither an undo nor a reservation of it.
func TestChangeAddress_UnprovenFormerAddressGetsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		none, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: upstreamIdentity("", "corp", "1"), AttemptID: "a", Until: storage.At(noon.Add(time.Hour)), SignIn: w.signInOf("", "handle of none", ""),
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		w.exec(t, `UPDATE sessions SET auth_time = ? WHERE id = ?`, storage.At(noon), none.ID)
		nameless, err := w.User(t.Context(), none.UserID)
		if err != nil || nameless.Email != "" {
			t.Fatalf("%+v, %v", nameless, err)
		}
		for _, c := range []struct {
			user    storage.User
			session storage.Session
		}{{w.user, w.session}, {nameless, none}} {
			to := storage.NewID("n") + "@example.com"
			w.mustChange(t, c.user, c.session, to, noon)
			w.wantAddress(t, "after the change", c.user, to)
			if c.user.Email == "" {
				continue
			}
			if w.mailTo(t, storage.MailAddressChanged, c.user.Email) != nil {
				t.Error("the claimed address got a mail")
			}
			if _, err := w.CreateUser(t.Context(), storage.User{Email: c.user.Email}, "", storage.By{At: noon}); err != nil {
				t.Errorf("the claimed address is reserved: %v", err)
			}
		}
		if n := w.count(t, "address_changes"); n != 0 {
			t.Errorf("%d changes can be undone", n)
		}
	})
}

// Nobody learns from the request whether an address is taken: it succeeds for each, and ends the
// older link. Only the owner of a taken address is told, at the stored form (RC-08).
func TestRequestAddressChange_SameForEveryAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		proven, claimed, disabled := w.verifiedUser(t, "Proven@example.com"), w.claimedUser(t, true), w.verifiedUser(t, "disabled@example.com")
		if err := w.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		moved := w.verifiedUser(t, "reserved@example.com")
		w.mustChange(t, moved, w.signIn(t, moved.ID, "handle of moved", "", noon), "elsewhere@example.com", noon)
		u := w.verifiedUser(t, "bob@example.com")
		s := w.signIn(t, u.ID, "handle of bob", "", noon)
		for i, c := range []struct {
			ask  string
			to   string // who gets a mail
			kind storage.MailKind
		}{
			{"free@example.com", "free@example.com", storage.MailAddressChange},
			{"PROVEN@example.com", proven.Email, storage.MailAddressTaken},
			{claimed.Email, claimed.Email, storage.MailAddressTaken},
			{"reserved@example.com", "reserved@example.com", storage.MailAddressReserved},
			{"disabled@example.com", "disabled@example.com", storage.MailAddressTaken},
		} {
			at := noon.Add(time.Duration(i+1) * time.Minute)
			if err := w.requestChange(t, u, s, "first@example.com", at); err != nil {
				t.Fatal(err)
			}
			first := w.linkTo(t, storage.MailAddressChange, "first@example.com")
			before := w.count(t, "outbox")
			if err := w.requestChange(t, u, s, c.ask, at); err != nil {
				t.Errorf("%s: %v", c.ask, err)
			}
			if _, err := w.OpenMailLink(t.Context(), first, at); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: the older link still works: %v", c.ask, err)
			}
			if got := w.count(t, "outbox") - before; got != 1 {
				t.Errorf("%s: %d mails, want 1", c.ask, got)
			}
			m := w.mailTo(t, c.kind, c.to)
			if m == nil || (m.Message.Link.ID != "") != (c.kind == storage.MailAddressChange) {
				t.Errorf("%s: mail %+v", c.ask, m)
			}
			if got := w.events(t)[0]; got != storage.AddressChangeRequested {
				t.Errorf("%s: event %s", c.ask, got)
			}
		}
		if err := w.requestChange(t, u, s, "BOB@example.com", noon); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("the own address: %v", err)
		}
	})
}

// RC-16: neither the request nor the link works in a session that is old, ended or another user's.
// A link that a stranger opens gives the stranger's address to no account.
func TestChangeAddress_NeedsOwnFreshSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		own, eve := w.signIn(t, u.ID, "handle of bob", "", noon), w.session
		if err := w.requestChange(t, u, own, "new@example.com", noon); err != nil {
			t.Fatal(err)
		}
		link := w.linkTo(t, storage.MailAddressChange, "new@example.com")
		late := noon.Add(time.Hour + time.Minute)
		for name, c := range map[string]struct {
			session storage.Session
			at      time.Time
			want    error
		}{
			"another user's": {eve, noon, storage.ErrRevoked}, "none": {storage.Session{ID: "none"}, noon, storage.ErrRevoked},
			"old": {own, late, storage.ErrNotFresh},
		} {
			if _, err := w.useChangeLink(t, u, c.session, link, c.at); !errors.Is(err, c.want) {
				t.Errorf("link, session %s: %v", name, err)
			}
			if err := w.requestChange(t, u, c.session, "other@example.com", c.at); !errors.Is(err, c.want) {
				t.Errorf("request, session %s: %v", name, err)
			}
		}
		if _, err := w.VerifyAddress(t.Context(), storage.AddressVerification{Link: link, UserID: u.ID}, noon); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("the link as a proof without a session: %v", err)
		}
		w.wantAddress(t, "after refused acts", u, u.Email)
		w.addCredential(t, u, "totp")
		if _, err := w.useChangeLink(t, u, own, link, noon); !errors.Is(err, storage.ErrNotFresh) {
			t.Errorf("a session without the second factor: %v", err)
		}
		w.exec(t, `DELETE FROM credentials WHERE user_id = ? AND kind = 'totp'`, u.ID)
		if _, err := w.useChangeLink(t, u, own, link, noon); err != nil {
			t.Errorf("the refused acts spent the link: %v", err)
		}
	})
}

// RC-16, RC-11: a new password, a sign-out everywhere and a change by an operator end a pending
// change.
func TestChangeAddress_PendingOneEndsWithTheRest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, end := range map[string]func(u storage.User, at time.Time) error{
			"new password": func(u storage.User, at time.Time) error { return w.resetPassword(t, u.ID, "new hash", at) },
			"reset by mail": func(u storage.User, at time.Time) error {
				l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, at)
				return w.useResetLink(t, l.Ref(), u.ID, at)
			},
			"sign-out": func(u storage.User, at time.Time) error {
				return w.SignOutEverywhere(t.Context(), u.ID, "asked", storage.By{At: at})
			},
			"operator": func(u storage.User, _ time.Time) error {
				return w.reviseUser(t, u, func(u *storage.User) { u.Email = storage.NewID("o") + "@example.com" }, storage.KeepAttached, true)
			},
		} {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			s := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			to := storage.NewID("n") + "@example.com"
			if err := w.requestChange(t, u, s, to, noon); err != nil {
				t.Fatal(err)
			}
			link, at := w.linkTo(t, storage.MailAddressChange, to), noon.Add(time.Minute)
			if err := end(u, at); err != nil {
				t.Fatal(err)
			}
			again := w.signIn(t, u.ID, storage.NewID("h"), "", at.Add(time.Second))
			if _, err := w.useChangeLink(t, u, again, link, at.Add(time.Second)); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: the link still works: %v", name, err)
			}
		}
	})
}

// A user can undo ten changes at the same time at most. The next one waits until the oldest is
// final.
func TestChangeAddress_TooManyAreRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		s := w.signIn(t, u.ID, "handle of bob", "", noon)
		for range 10 {
			s = w.mustChange(t, u, s, storage.NewID("n")+"@example.com", noon)
		}
		var throttled *storage.ThrottledError
		if err := w.requestChange(t, u, s, "more@example.com", noon); !errors.As(err, &throttled) || throttled.RetryAfter != undoLife {
			t.Errorf("the eleventh change: %v", err)
		}
	})
}

// An operator's change is final: the former address is told, without a link, and older changes can
// no longer be undone.
func TestReviseUser_NewAddressMakesChangesFinal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		w.mustChange(t, u, w.signIn(t, u.ID, "handle of bob", "", noon), "new@example.com", noon)
		link := w.undoLink(t, u.Email, noon)
		if err := w.reviseUser(t, u, func(u *storage.User) { u.Email = "operator@example.com" }, storage.KeepAttached, true); err != nil {
			t.Fatal(err)
		}
		m := w.mailTo(t, storage.MailAddressChanged, "new@example.com")
		if m == nil || m.Message.Link.ID != "" {
			t.Errorf("the former address got %+v, want a mail without a link", m)
		}
		if err := w.undo(t, link, u, noon); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("undo: %v", err)
		}
		if _, err := w.CreateUser(t.Context(), storage.User{Email: u.Email}, "", storage.By{At: noon}); err != nil {
			t.Errorf("the former address is still reserved: %v", err)
		}
	})
}

// Nobody else gets a former address while its owner can restore it, whichever way an account
// comes about. Afterwards it is free.
func TestReservedAddress_EveryUseCaseRefusesIt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const email = "Bob@Example.com"
		u := w.verifiedUser(t, email)
		s := w.signIn(t, u.ID, "handle of bob", "", noon)
		other := w.verifiedUser(t, "other@example.com")
		otherSession := w.signIn(t, other.ID, "handle of other", "", noon)
		if err := w.requestChange(t, other, otherSession, "pending@example.com", noon); err != nil {
			t.Fatal(err)
		}
		// The pending change of another user is to the address that is about to be reserved.
		w.exec(t, `UPDATE mail_links SET address = ? WHERE kind = 'verify' AND holder = ?`, email, other.ID)
		pending := w.linkTo(t, storage.MailAddressChange, "pending@example.com")
		w.mustChange(t, u, s, "new@example.com", noon)

		signUp := w.signUpLink(t, storage.LinkSignUp, "bob@example.com", noon)
		invitation := w.signUpLink(t, storage.LinkInvitation, "bob@example.com", noon)
		w.createAdmin(t, "root@example.com")
		if err := w.OpenEmergencyLink(t.Context(), storage.EmergencyOpening{Hash: "emergency", HostUser: "root", Until: noon.Add(time.Hour)}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		by := storage.By{At: noon}
		creates := map[string]func() error{
			"CreateUser": func() error {
				_, err := w.CreateUser(t.Context(), storage.User{Email: "BOB@example.com"}, "", by)
				return err
			},
			"CreateEmergencyAdmin": func() error {
				_, err := w.CreateEmergencyAdmin(t.Context(), "emergency", storage.User{Email: "bob@example.com"}, "hash", by)
				return err
			},
			"SignInThrough": func() error {
				i := upstreamIdentity("", "google", "new")
				i.Email = "bob@example.com"
				_, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
					Identity: i, NewUser: storage.User{Email: i.Email}, Proof: storage.ByUpstream, AttemptID: "attempt", Until: storage.At(noon.Add(time.Hour)), SignIn: w.signInOf("", "handle", ""),
				}, noon)
				return err
			},
			"ReviseUser": func() error {
				return w.reviseUser(t, other, func(u *storage.User) { u.Email = "bob@example.com" }, storage.KeepAttached, true)
			},
			"Invite": func() error {
				_, err := w.Invite(t.Context(), storage.InvitationDraft{Email: "bob@example.com"}, by)
				return err
			},
			"ChangeAddress": func() error { _, err := w.useChangeLink(t, other, otherSession, pending, noon); return err },
		}
		for name, create := range creates {
			err := create()
			reserved, is := errors.AsType[*storage.AddressReservedError](err)
			if !is || reserved.UserID != u.ID || reserved.Email != email || reserved.Until != storage.At(noon.Add(undoLife)) {
				t.Errorf("%s: %v, want the reservation", name, err)
			}
		}
		for _, l := range []storage.MailLink{signUp, invitation} {
			_, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: l.Ref(), Hash: "hash"}, noon)
			wantLinkCode(t, string(l.Kind), err, "link_address_taken")
		}
		if _, _, err := w.UserByEmail(t.Context(), email); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("somebody has the reserved address: %v", err)
		}
		// Its owner can take it back by another change, and it is free after the last moment of the undo.
		if _, err := w.CreateUser(t.Context(), storage.User{Email: email}, "", storage.By{At: noon.Add(undoLife)}); err != nil {
			t.Errorf("after the reservation: %v", err)
		}
	})
}

// The owner of a reserved address can take it back by an ordinary change.
func TestReservedAddress_ItsOwnerMayReturn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		s := w.mustChange(t, u, w.signIn(t, u.ID, "handle of bob", "", noon), "new@example.com", noon)
		w.mustChange(t, u, s, "bob@example.com", noon)
		w.wantAddress(t, "after the return", u, "bob@example.com")
	})
}

// The sweep deletes changes that are final, with the copies. Deleting the user deletes them at
// once, and frees the address.
func TestAddressChanges_AreDeleted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		tables := []string{"address_changes", "former_credentials", "former_identities"}
		want := func(when string, n int) {
			t.Helper()
			for _, table := range tables {
				if got := w.count(t, table); got != n {
					t.Errorf("%s: %d rows in %s, want %d", when, got, table, n)
				}
			}
		}
		users := []storage.User{w.verifiedUser(t, "bob@example.com"), w.verifiedUser(t, "carol@example.com")}
		for _, u := range users {
			w.signInThrough(t, u.ID, "google", u.ID, "")
			w.mustChange(t, u, w.signIn(t, u.ID, storage.NewID("h"), "", noon), storage.NewID("n")+"@example.com", noon)
		}
		want("after the changes", 2)
		if err := w.DeleteUser(t.Context(), users[0].ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		want("after a user was deleted", 1)
		if _, err := w.CreateUser(t.Context(), storage.User{Email: "bob@example.com"}, "", storage.By{At: noon}); err != nil {
			t.Errorf("the address of a deleted user: %v", err)
		}
		w.sweepAll(t, w.DB, noon.Add(undoLife))
		want("before the end", 1)
		w.sweepAll(t, w.DB, noon.Add(undoLife+sweptDay+time.Second))
		want("after the end", 0)
	})
}

// The tables of the copies have the columns of the tables that they copy, and all of them are
// copied. A migration that adds a column to credentials or identities adds it to the copies.
func TestFormerWays_HaveEveryColumn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		columns := func(table string) []string {
			var names []string
			err := w.Read(t.Context(), func(q *gorm.DB) error {
				if w.backend.Name == "sqlite" {
					return q.Raw(`SELECT name FROM pragma_table_info(?) ORDER BY name`, table).Scan(&names).Error
				}
				return q.Raw(`SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ? ORDER BY column_name`, table).Scan(&names).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(names)
			return names
		}
		for _, ways := range storage.Ways() {
			want := columns(ways.Table)
			if got := slices.DeleteFunc(columns(ways.Copies), func(c string) bool { return c == "change_id" }); !slices.Equal(got, want) {
				t.Errorf("%s has the columns %q, want %q", ways.Copies, got, want)
			}
			if got := strings.Split(ways.Columns, ", "); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
				t.Errorf("the columns %q of %s are copied, want %q", got, ways.Table, want)
			}
		}
	})
}

// A person who signed in with two factors may say that the old address is not theirs any more. Then it
// gets no undo and is not reserved. A session with one factor can neither ask for that nor confirm it.
func TestChangeAddress_WithoutUndo(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			asked, confirmed string // acr of the session
			final            bool
			refused, undo    bool
		}{
			"final":                      {asked: storage.ACRTwoFactors, confirmed: storage.ACRPhishingResistant, final: true},
			"not ticked":                 {asked: storage.ACRTwoFactors, confirmed: storage.ACRTwoFactors, undo: true},
			"asked for with one factor":  {asked: storage.ACROneFactor, final: true, refused: true},
			"confirmed with one factor":  {asked: storage.ACRTwoFactors, confirmed: storage.ACROneFactor, final: true, undo: true},
			"one factor, and not ticked": {asked: storage.ACROneFactor, confirmed: storage.ACROneFactor, undo: true},
		} {
			u := w.verifiedUser(t, storage.NewID("o")+"@example.com")
			s := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, c.asked, s.ID)
			to := storage.NewID("n") + "@example.com"
			err := w.RequestAddressChange(t.Context(), storage.AddressRequest{UserID: u.ID, SessionID: s.ID, FreshFor: time.Hour, Email: to, Final: c.final}, noon)
			if c.refused {
				wantError(t, name, err, storage.ErrNotFresh)
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, c.confirmed, s.ID)
			if _, err := w.useChangeLink(t, u, s, w.linkTo(t, storage.MailAddressChange, to), noon); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			w.wantAddress(t, name, u, to)
			m := w.mailTo(t, storage.MailAddressChanged, u.Email)
			if m == nil || (m.Message.Link.ID != "") != c.undo || m.Message.Facts.Operator || m.Message.Facts.Address == "" {
				t.Errorf("%s: the former address got %+v, want a mail with an undo: %v", name, m, c.undo)
			}
			if n := w.count(t, "address_changes WHERE user_id = ?", u.ID); (n == 1) != c.undo {
				t.Errorf("%s: %d changes can be undone, want one: %v", name, n, c.undo)
			}
			_, err = w.CreateUser(t.Context(), storage.User{Email: u.Email}, "", storage.By{At: noon})
			if reserved := errors.Is(err, storage.ErrAddressReserved); reserved != c.undo || err != nil && !reserved {
				t.Errorf("%s: another account with the former address: %v, want it to be reserved: %v", name, err, c.undo)
			}
		}
	})
}
