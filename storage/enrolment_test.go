package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

// enrolmentLink asks for the mail that comes before the first factor, and returns its link.
func (w *world) enrolmentLink(t testing.TB, s storage.Session, at time.Time) storage.LinkRef {
	t.Helper()
	err := w.RequestEnrolment(t.Context(), storage.EnrolmentRequest{UserID: s.UserID, SessionID: s.ID, Detail: "totp", From: storage.Origin{Address: "192.0.2.7"}}, at)
	if err != nil {
		t.Fatalf("request enrolment: %v", err)
	}
	u, err := w.User(t.Context(), s.UserID)
	if err != nil {
		t.Fatal(err)
	}
	return w.linkTo(t, storage.MailEnrolment, u.Email)
}

func (w *world) confirm(t testing.TB, r storage.LinkRef, s storage.Session, at time.Time) error {
	t.Helper()
	return w.ConfirmEnrolment(t.Context(), storage.EnrolmentConfirmation{Link: r, UserID: s.UserID, SessionID: s.ID}, at)
}

// additions lists the ways to add a factor, by name.
func (w *world) additions(t testing.TB) map[string]func(s storage.Session, at time.Time) error {
	t.Helper()
	return map[string]func(s storage.Session, at time.Time) error{
		"authenticator app": func(s storage.Session, at time.Time) error {
			_, _, err := w.AddTOTP(t.Context(), storage.TOTPEnrolment{FactorChange: w.factorChange(s, storage.NewID("h")), ID: storage.NewID("crd_"), Secret: []byte("sealed"), Step: at.Unix() / 30}, at)
			return err
		},
		"passkey": func(s storage.Session, at time.Time) error {
			a := w.addition(storage.NewID("p"), s.ID)
			a.FactorChange = w.factorChange(s, storage.NewID("h"))
			_, _, err := w.AddPasskey(t.Context(), a, at)
			return err
		},
		"security key": func(s storage.Session, at time.Time) error {
			a := w.keyAddition(storage.NewID("k"), s)
			a.FactorChange = w.factorChange(s, storage.NewID("h"))
			_, _, err := w.AddSecurityKey(t.Context(), a, at)
			return err
		},
	}
}

// The first factor of each kind needs a link that was mailed to the address and opened in the same
// session, at most 30 minutes ago. A further factor, an account without an address and an instance
// without mails need none.
func TestFirstFactor_NeedsAMailedLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, add := range w.additions(t) {
			start := func(t *testing.T) storage.Session {
				u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
				return w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			}
			want := func(what string, s storage.Session, at time.Time, want error) {
				t.Helper()
				due, err := w.IsAddressProofDue(t.Context(), s.UserID, s.ID, time.Hour, at)
				if err != nil || due != errors.Is(want, storage.ErrAddressProofDue) {
					t.Errorf("%s, %s: due %v, %v", name, what, due, err)
				}
				if err := add(s, at); !errors.Is(err, want) {
					t.Errorf("%s, %s: %v, want %v", name, what, err, want)
				}
			}
			s := start(t)
			want("password alone", s, noon, storage.ErrAddressProofDue)
			if err := w.confirm(t, w.enrolmentLink(t, s, noon), s, noon); err != nil {
				t.Fatal(err)
			}
			other := w.signIn(t, s.UserID, storage.NewID("h"), "", noon)
			want("proved in another session", other, noon, storage.ErrAddressProofDue)
			late := noon.Add(storage.AddressProofLife + time.Millisecond)
			w.exec(t, `UPDATE sessions SET auth_time = ? WHERE id = ?`, storage.At(late), s.ID)
			want("too late", s, late, storage.ErrAddressProofDue)
			want("in time", s, late.Add(-time.Millisecond), nil)

			s = start(t)
			w.exec(t, `UPDATE users SET email = '', email_canonical = '', email_verified = ? WHERE id = ?`, false, s.UserID)
			want("no address", s, noon, nil)

			s = start(t)
			w.exec(t, `UPDATE users SET email_verified = ? WHERE id = ?`, false, s.UserID)
			if err := add(s, noon); !errors.Is(err, storage.ErrUnproven) {
				t.Errorf("%s of an unverified address: %v", name, err)
			}
		}
	})
}

// A further factor needs a session with two factors, and no link.
func TestFurtherFactor_NeedsNoLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, _ := w.addTOTP(t, w.session, "strong", noon)
		w.exec(t, `UPDATE sessions SET facts = '[]' WHERE id = ?`, s.ID)
		w.addFurther(t, s, noon)
	})
}

func (w *world) addFurther(t *testing.T, s storage.Session, at time.Time) {
	t.Helper()
	if err := w.additions(t)["passkey"](s, at); err != nil {
		t.Errorf("further passkey: %v", err)
	}
	list, err := w.PasskeysOf(t.Context(), s.UserID)
	if err != nil || len(list) != 1 || list[0].ProvenAt == 0 {
		t.Errorf("passkeys %+v, %v", list, err)
	}
}

// A passkey that is the first factor is proven if the address was proved in that session. A second
// one of a session with one factor would not be, but such a session can add none.
func TestFirstPasskey_IsProvenWithTheAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.proveIn(t, w.session, noon)
		s, _, err := w.AddPasskey(t.Context(), w.addition("first", w.session.ID), noon)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.PasskeysOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 1 || list[0].ProvenAt != storage.At(noon) {
			t.Errorf("passkeys %+v, %v", list, err)
		}
		if s.ACR != storage.ACROneFactor {
			t.Errorf("acr %s: making a passkey signs nothing", s.ACR)
		}
		if _, _, err := w.AddPasskey(t.Context(), w.addition("second", s.ID), noon); !errors.Is(err, storage.ErrNotFresh) {
			t.Errorf("second passkey with one factor: %v", err)
		}
	})
}

// A passkey that was added without such a proof is proven when it is used in a session in which the address
// was proved lately, and only there: not in another browser, too late, or beside another factor.
func TestPasskey_IsProvenByUseWithTheAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		late := noon.Add(storage.AddressProofLife + time.Millisecond)
		for i, c := range []struct {
			name   string
			proves bool // the address in the session
			other  bool // another browser
			app    bool // the account has an app
			at     time.Time
			want   bool
		}{
			{"in the session", true, false, false, noon, true},
			{"without a proof", false, false, false, noon, false},
			{"another browser", true, true, false, noon, false},
			{"too late", true, false, false, late, false},
			{"with an app", true, false, true, noon, false},
		} {
			u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
			handle := storage.NewID("h")
			s := w.signIn(t, u.ID, handle, "", noon)
			w.proveIn(t, s, noon)
			a := w.addition(storage.NewID("p"), s.ID)
			a.FactorChange = w.factorChange(s, storage.NewID("h"))
			s, _, err := w.AddPasskey(t.Context(), a, noon)
			if err != nil {
				t.Fatal(err)
			}
			w.exec(t, `UPDATE credentials SET proven_at = 0 WHERE user_id = ?`, u.ID)
			if !c.proves {
				w.exec(t, `UPDATE sessions SET facts = '[]' WHERE id = ?`, s.ID)
			}
			if c.app {
				w.addTOTP(t, s, storage.NewID("h"), noon)
				w.exec(t, `UPDATE sessions SET handle_hash = ? WHERE id = ?`, s.HandleHash, s.ID)
			}
			list, err := w.PasskeysOf(t.Context(), u.ID)
			if err != nil || len(list) != 1 {
				t.Fatalf("passkeys %+v, %v", list, err)
			}
			in := w.useOf(list[0], storage.NewID("c"), int64(i+1))
			if in.HandleHash = storage.NewID("h"); !c.other {
				in.Replaces = s.HandleHash
			}
			got, err := w.SignIn(t.Context(), in, c.at)
			var due *storage.FactorDueError
			if c.app != errors.As(err, &due) || !c.app && err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			list, err = w.PasskeysOf(t.Context(), u.ID)
			if err != nil || (list[0].ProvenAt != 0) != c.want {
				t.Errorf("%s: proven at %d, %v; want proven: %v", c.name, list[0].ProvenAt, err, c.want)
			}
			if !c.app && (got.ACR == storage.ACRPhishingResistant) != c.want {
				t.Errorf("%s: acr %s", c.name, got.ACR)
			}
		}
	})
}

// The first proven passkey brings recovery codes, because from then on only a session with two factors
// changes the factors. An unproven one brings none, and codes that exist stay.
func TestFirstProvenPasskey_BringsRecoveryCodes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		codes := func() int {
			has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(has.Codes)
		}
		add := func(handle string, s storage.Session, want bool) storage.Session {
			t.Helper()
			a := w.addition(handle, s.ID)
			a.Codes = [][]byte{[]byte("code 1 of " + handle), []byte("code 2 of " + handle)}
			s, added, err := w.AddPasskey(t.Context(), a, noon)
			if err != nil || added != want {
				t.Errorf("%s: codes %v, %v", handle, added, err)
			}
			return s
		}
		w.exec(t, `UPDATE users SET email = '', email_canonical = '', email_verified = ? WHERE id = ?`, false, w.user.ID)
		s := add("unproven", w.session, false)
		if n := codes(); n != 0 {
			t.Errorf("%d codes with an unproven passkey", n)
		}
		w.exec(t, `UPDATE users SET email = ?, email_canonical = ?, email_verified = ? WHERE id = ?`, w.user.Email, w.user.EmailCanonical, true, w.user.ID)
		w.proveIn(t, s, noon)
		s = add("proven", s, true)
		if n := codes(); n != 2 {
			t.Errorf("%d codes with a proven passkey", n)
		}
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRPhishingResistant, s.ID)
		add("second", s, false)
		if n := codes(); n != 2 {
			t.Errorf("%d codes with a second passkey", n)
		}
	})
}

// A link opens nothing in a session of another user, after it was used, if it was printed, or if the
// user has another address now. Then it is not spent, and nothing is noted.
func TestConfirmEnrolment_RefusesOtherLinks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.proveAddress(t, w.user.ID)
		eve := w.signIn(t, w.verifiedUser(t, "eve@example.com").ID, "eve", "", noon)
		link := w.enrolmentLink(t, w.session, noon)
		printed := link
		printed.Printed = true
		reset := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, noon)
		for name, c := range map[string]struct {
			link storage.LinkRef
			in   storage.Session
			want error
		}{
			"session of another user":  {link, eve, storage.ErrLinkDead},
			"another session's handle": {link, storage.Session{UserID: w.user.ID, ID: eve.ID}, storage.ErrRevoked},
			"printed":                  {printed, w.session, storage.ErrLinkDead},
			"another kind":             {reset.Ref(), w.session, storage.ErrLinkDead},
		} {
			if err := w.confirm(t, c.link, c.in, noon); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		w.exec(t, `UPDATE users SET email = 'new@example.com', email_canonical = 'new@example.com' WHERE id = ?`, w.user.ID)
		if err := w.confirm(t, link, w.session, noon); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("former address: %v", err)
		}
		w.exec(t, `UPDATE users SET email = ?, email_canonical = ? WHERE id = ?`, w.user.Email, w.user.EmailCanonical, w.user.ID)
		if err := w.confirm(t, link, w.session, noon); err != nil {
			t.Errorf("the refusals spent the link: %v", err)
		}
		if err := w.confirm(t, link, w.session, noon); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("a second time: %v", err)
		}
	})
}

// A user who has only an upstream that never states when the person signed in has no fresh sign-in. The
// mailed link is the fresh proof for the first factor, for as long as a sign-in would be. Users who can
// sign in anew, and further factors, still need that.
func TestFirstFactor_LinkIsTheFreshProofOfAnUpstream(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, add := range w.additions(t) {
			start := func() storage.Session {
				u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
				s := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
				w.exec(t, `UPDATE sessions SET auth_time = 0 WHERE id = ?`, s.ID)
				w.exec(t, `DELETE FROM credentials WHERE user_id = ?`, u.ID)
				return s
			}
			want := func(what string, s storage.Session, at time.Time, wanted error) {
				t.Helper()
				due, err := w.IsAddressProofDue(t.Context(), s.UserID, s.ID, 5*time.Minute, at)
				if err != nil || due != errors.Is(wanted, storage.ErrAddressProofDue) {
					t.Errorf("%s, %s: due %v, %v", name, what, due, err)
				}
				if err := add(s, at); !errors.Is(err, wanted) {
					t.Errorf("%s, %s: %v, want %v", name, what, err, wanted)
				}
			}
			s := start()
			want("no link", s, noon, storage.ErrAddressProofDue)
			if err := w.confirm(t, w.enrolmentLink(t, s, noon), s, noon); err != nil {
				t.Fatal(err)
			}
			end := noon.Add(5 * time.Minute)
			want("too late", s, end.Add(time.Millisecond), storage.ErrAddressProofDue)
			want("in time", s, end, nil)

			s = start()
			w.proveIn(t, s, noon)
			w.exec(t, `UPDATE sessions SET auth_time = 1 WHERE id = ?`, s.ID)
			want("an old sign-in", s, noon, storage.ErrNotFresh)

			s = start()
			w.proveIn(t, s, noon)
			w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret) VALUES (?, ?, 'password', ?)`, storage.NewID("crd_"), s.UserID, []byte("hash"))
			want("a password", s, noon, storage.ErrNotFresh)
		}
	})
}

// A person who stole the password changes the address, also twice, and then adds the first factor. The
// link goes to the first address, as long as the changes can be undone. Links to the new addresses
// prove nothing.
func TestFirstFactor_FormerAddressDecides(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, add := range w.additions(t) {
			owner := w.verifiedUser(t, storage.NewID("o")+"@example.com")
			s := w.mustChange(t, owner, w.signIn(t, owner.ID, storage.NewID("h"), "", noon), storage.NewID("m")+"@example.com", noon)
			second := noon.Add(time.Hour)
			thief, err := w.User(t.Context(), owner.ID)
			if err != nil {
				t.Fatal(err)
			}
			w.exec(t, `UPDATE sessions SET auth_time = ? WHERE id = ?`, storage.At(second), s.ID)
			s = w.mustChange(t, thief, s, storage.NewID("n")+"@example.com", second)
			if thief, err = w.User(t.Context(), owner.ID); err != nil {
				t.Fatal(err)
			}
			got, err := w.EnrolmentAddressOf(t.Context(), owner.ID, second)
			if err != nil || got.Email != owner.Email || got.FormerUntil != storage.At(noon.Add(undoLife)) {
				t.Errorf("address %+v, %v", got, err)
			}
			ask := storage.EnrolmentRequest{UserID: s.UserID, SessionID: s.ID}
			if err := w.RequestEnrolment(t.Context(), ask, second); err != nil {
				t.Fatal(err)
			}
			if m := w.mailTo(t, storage.MailEnrolment, thief.Email); m != nil {
				t.Errorf("%s: the new address gets the link", name)
			}
			link := w.linkTo(t, storage.MailEnrolment, owner.Email)

			forged := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkEnrol, Holder: storage.NewID("x"), UserID: s.UserID, Address: thief.Email}, second)
			if err := w.confirm(t, forged.Ref(), s, second); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: link to the new address: %v", name, err)
			}
			verify := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: s.UserID, UserID: s.UserID, Address: thief.Email}, second)
			_, err = w.VerifyAddress(t.Context(), storage.AddressVerification{Link: verify.Ref(), UserID: s.UserID, SessionID: s.ID, FreshFor: time.Hour}, second)
			if err != nil {
				t.Errorf("%s: verify the new address: %v", name, err)
			}
			if err := add(s, second); !errors.Is(err, storage.ErrAddressProofDue) {
				t.Errorf("%s by the thief: %v", name, err)
			}
			if err := w.confirm(t, link, s, second); err != nil {
				t.Errorf("%s: link to the first address: %v", name, err)
			}
			if err := add(s, second); err != nil {
				t.Errorf("%s by the owner: %v", name, err)
			}
		}
	})
}

// When no change can be undone any more, the address of the account gets the link. A final change, which
// needs two factors, leaves nothing to undo.
func TestEnrolmentAddress_ChangesWithTheUndo(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "before@example.com")
		want := func(email string, until storage.Millis, at time.Time) {
			t.Helper()
			got, err := w.EnrolmentAddressOf(t.Context(), u.ID, at)
			if err != nil || got != (storage.EnrolmentAddress{Email: email, FormerUntil: until}) {
				t.Errorf("%+v, %v, want %s", got, err, email)
			}
		}
		want("before@example.com", 0, noon)
		end := noon.Add(undoLife)
		w.mustChange(t, u, w.signIn(t, u.ID, storage.NewID("h"), "", noon), "after@example.com", noon)
		want("before@example.com", storage.At(end), end.Add(-time.Millisecond))
		want("after@example.com", 0, end)

		late := w.signIn(t, u.ID, storage.NewID("h"), "", end)
		if err := w.confirm(t, w.enrolmentLink(t, late, end), late, end); err != nil {
			t.Error(err)
		}
		if _, err := w.EnrolmentAddressOf(t.Context(), "usr_none", noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("unknown user: %v", err)
		}
	})
}

// Only a user with a verified address and without a factor gets the mail.
func TestRequestEnrolment_OnlyBeforeTheFirstFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ask := func(s storage.Session) error {
			return w.RequestEnrolment(t.Context(), storage.EnrolmentRequest{UserID: s.UserID, SessionID: s.ID}, noon)
		}
		if err := ask(w.session); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("unverified address: %v", err)
		}
		strong, _ := w.addTOTP(t, w.session, "strong", noon)
		if err := ask(strong); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("with a factor: %v", err)
		}
		if err := ask(w.session); !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("ended session: %v", err)
		}
		if mails := w.claimMails(t, noon); len(mails) != 1 || mails[0].Message.Kind != storage.MailFactorAdded {
			t.Errorf("mails %+v", mails)
		}
	})
}

// The proof of a claimed address in the own session counts for the first factor too: the person has
// just opened a mailed link.
func TestVerifyAddress_AllowsTheFirstFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.askForProof(t, w.user, w.session.ID, noon); err != nil {
			t.Fatal(err)
		}
		v := storage.AddressVerification{Link: w.linkTo(t, storage.MailAddressProof, w.user.Email), UserID: w.user.ID, SessionID: w.session.ID, FreshFor: time.Minute}
		if _, err := w.VerifyAddress(t.Context(), v, noon); err != nil {
			t.Fatal(err)
		}
		if err := w.additions(t)["authenticator app"](w.session, noon); err != nil {
			t.Error(err)
		}
	})
}

// An instance that sends no mails asks nobody for a link. A passkey of a session with one factor is
// unproven there.
func TestFirstFactor_WithoutMailsNeedsNoLink(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		w := newWorld(t, backend)
		c := backend.Config()
		c.Mails = false
		db, err := storage.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if due, err := db.IsAddressProofDue(t.Context(), w.user.ID, w.session.ID, time.Hour, noon); err != nil || due {
			t.Errorf("due %v, %v", due, err)
		}
		if _, _, err := db.AddPasskey(t.Context(), w.addition("p", w.session.ID), noon); err != nil {
			t.Fatal(err)
		}
		list, err := db.PasskeysOf(t.Context(), w.user.ID)
		if err != nil || len(list) != 1 || list[0].ProvenAt != 0 {
			t.Errorf("passkeys %+v, %v", list, err)
		}
	})
}
