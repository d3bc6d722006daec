package storage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
)

const oldHost, newHost = "id.example.com", "login.example.org"

// wantHost compares the RP ID of the instance and the numbers.
func (w *world) wantHost(t testing.TB, what string, want storage.PasskeyHost) {
	t.Helper()
	if got, err := w.PasskeyHost(t.Context()); err != nil || got != want {
		t.Errorf("%s: %+v, %v, want %+v", what, got, err, want)
	}
}

// wantWays checks each place that counts the passkeys of the user: the ways to sign in, the level that
// a change of factors needs, and the list of the operator.
func (w *world) wantWays(t testing.TB, what string, passkeys int, session storage.Session) {
	t.Helper()
	ways, err := w.SignInMethodsOf(t.Context(), w.user.ID)
	if err != nil || ways.Passkeys != passkeys {
		t.Errorf("%s: ways %+v, %v, want %d passkeys", what, ways, err, passkeys)
	}
	attached, err := w.AttachedTo(t.Context(), w.user.ID, noon)
	usable := 0
	for _, f := range attached.Factors {
		if f.Kind == storage.FactorPasskey && !f.Unusable {
			usable++
		}
	}
	if err != nil || usable != passkeys {
		t.Errorf("%s: attached %+v, %v, want %d usable passkeys", what, attached.Factors, err, passkeys)
	}
	// A proven passkey makes a session with one factor too weak for changes.
	err = w.RemovePasskey(t.Context(), removal(w.user.ID, storage.Passkey{ID: "crd_none"}, session.ID), noon)
	if want := map[bool]error{true: storage.ErrNotFresh, false: storage.ErrNotFound}[passkeys > 0]; !errors.Is(err, want) {
		t.Errorf("%s: a change of factors: %v, want %v", what, err, want)
	}
}

// The first passkey stores the RP ID. Another one is refused as long as there is a passkey of it, with
// the numbers. After an operator has accepted the loss, the old passkeys are no way in anywhere; with
// the old RP ID they come back.
func TestRPID_OtherOneIsRefusedUntilLossIsAccepted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, by := t.Context(), storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		for _, rpID := range []string{newHost, "", oldHost} {
			if err := w.CheckRPID(ctx, rpID); err != nil {
				t.Fatalf("without passkeys, %q: %v", rpID, err)
			}
		}
		w.wantHost(t, "without passkeys", storage.PasskeyHost{})
		session := w.addPasskey(t, "p", w.session.ID, noon)
		w.exec(t, `UPDATE credentials SET proven_at = 1 WHERE kind = 'webauthn'`)
		bound := storage.PasskeyHost{RPID: oldHost, Passkeys: 1, Users: 1}
		w.wantHost(t, "after the first passkey", bound)
		if err := w.CheckRPID(ctx, oldHost); err != nil {
			t.Fatalf("the same RP ID: %v", err)
		}
		for _, rpID := range []string{newHost, "", "example.com"} {
			err := w.CheckRPID(ctx, rpID)
			refused, is := errors.AsType[*storage.RPIDError](err)
			if !is || !errors.Is(err, storage.ErrOtherRPID) || refused.Host != bound || refused.RPID != rpID || !strings.HasPrefix(refused.Error(), "1 passkey of 1 user belongs to ") {
				t.Fatalf("%q: %v", rpID, err)
			}
			w.wantHost(t, "after a refused RP ID", bound)
		}
		w.wantWays(t, "before the loss", 1, session)

		if before, err := w.ReplaceRPID(ctx, newHost, by); err != nil || before != bound {
			t.Fatalf("accept the loss: %+v, %v", before, err)
		}
		w.wantHost(t, "after the loss", storage.PasskeyHost{RPID: newHost, Lost: 1, LostUsers: 1})
		w.wantWays(t, "after the loss", 0, session)
		lost, _, err := w.PasskeyByHandle(ctx, "p")
		if err != nil || lost.BelongsTo(newHost) || lost.BelongsTo("") || !lost.BelongsTo(oldHost) {
			t.Fatalf("the lost passkey %+v, %v", lost, err)
		}
		if _, err := w.SignIn(ctx, w.useOf(lost, "c1", 9), noon); !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("a sign-in with the lost passkey: %v", err)
		}
		if _, _, err := w.AddPasskey(ctx, w.addition("late", session.ID), noon); !errors.Is(err, storage.ErrOtherRPID) {
			t.Errorf("a passkey of a node with the old settings: %v", err)
		}
		events, err := w.Events(ctx, storage.EventFilter{Type: storage.InstanceRPIDChanged}, 9)
		if err != nil || len(events) != 1 || fmt.Sprint(events[0].Detail["from"], events[0].Detail["to"], events[0].Detail["passkeys"], events[0].Detail["users"]) != oldHost+newHost+"1 1" {
			t.Errorf("events %+v, %v", events, err)
		}
		var oldest int
		if err := w.Read(ctx, func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&oldest).Error }); err != nil || oldest < 17 {
			t.Errorf("oldest program %d, %v: earlier ones would count the lost passkey", oldest, err)
		}

		if err := w.CheckRPID(ctx, oldHost); err != nil { // nothing belongs to the new one
			t.Errorf("back to the old RP ID: %v", err)
		}
		w.wantHost(t, "back", bound)
		w.wantWays(t, "back", 1, session)
		if _, err := w.SignIn(ctx, w.useOf(lost, "c2", 9), noon); err != nil {
			t.Errorf("a sign-in with the passkey that came back: %v", err)
		}
	})
}

// A lost passkey can be removed although no way in is left, and does not count towards the limit. A
// usable one stays the last way in.
func TestRemovePasskey_OfOtherRPIDIsNoWayIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `DELETE FROM credentials WHERE kind = 'password'`)
		session := w.addPasskey(t, "p", w.session.ID, noon)
		w.exec(t, `UPDATE credentials SET proven_at = 1 WHERE kind = 'webauthn'`)
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRPhishingResistant, session.ID)
		p, _, err := w.PasskeyByHandle(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, p, session.ID), noon); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("the last way in: %v", err)
		}
		if _, err := w.ReplaceRPID(t.Context(), "", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for i := range storage.MostPasskeys {
			w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, rp_id) VALUES (?, ?, 'webauthn', 'x', ?, ?)`, storage.NewID("crd_"), w.user.ID, fmt.Sprint("lost", i), oldHost)
		}
		again := w.addition("q", session.ID)
		again.Passkey.RPID = newHost
		if session, _, err = w.AddPasskey(t.Context(), again, noon); err != nil {
			t.Errorf("beside %d lost passkeys: %v", storage.MostPasskeys, err)
		}
		if err := w.RemovePasskey(t.Context(), removal(w.user.ID, p, session.ID), noon); err != nil {
			t.Errorf("remove the lost passkey: %v", err)
		}
	})
}

// An earlier program stored no RP ID. Its passkeys belong to the RP ID of the first start, and keep it
// when the instance gets another one; the copies for an undo too. If no passkeys are offered at the
// first start, they are not taken over silently.
func TestCheckRPID_TakesOverPasskeysOfEarlierProgram(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.addPasskey(t, "p", w.session.ID, noon)
		w.exec(t, `UPDATE instance SET rp_id = ''`)
		w.exec(t, `UPDATE credentials SET rp_id = ''`)
		w.exec(t, `INSERT INTO address_changes (id, user_id, email_canonical) VALUES ('chg_1', ?, 'old@example.com')`, w.user.ID)
		w.exec(t, `INSERT INTO former_credentials (change_id, id, user_id, kind, secret, handle) VALUES ('chg_1', 'crd_old', ?, 'webauthn', 'x', 'old')`, w.user.ID)
		if err := w.CheckRPID(ctx, ""); !errors.Is(err, storage.ErrOtherRPID) || !strings.Contains(err.Error(), "another address") {
			t.Errorf("without passkeys on offer: %v", err)
		}
		if err := w.CheckRPID(ctx, oldHost); err != nil {
			t.Fatal(err)
		}
		w.wantHost(t, "after the first start", storage.PasskeyHost{RPID: oldHost, Passkeys: 1, Users: 1})
		if _, err := w.ReplaceRPID(ctx, newHost, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantHost(t, "after the loss", storage.PasskeyHost{RPID: newHost, Lost: 1, LostUsers: 1})
		for _, table := range []string{"credentials", "former_credentials"} {
			if n := w.count(t, table+` WHERE kind = 'webauthn' AND rp_id = ?`, oldHost); n != 1 {
				t.Errorf("%s: %d rows keep the RP ID, want 1", table, n)
			}
		}
	})
}

// While an operator accepts the loss, people add passkeys on nodes with either settings: none counts
// for an RP ID that is not its own.
func TestReplaceRPID_RaceWithNewPasskey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.backend.Open(t)
		w.proveIn(t, w.session, noon)
		results := together(2, func(i int) error {
			if i == 0 {
				_, err := other.ReplaceRPID(t.Context(), newHost, storage.By{At: noon})
				return err
			}
			_, _, err := w.AddPasskey(t.Context(), w.addition("p", w.session.ID), noon)
			return err
		})
		host, err := w.PasskeyHost(t.Context())
		if err != nil || results[0] != nil {
			t.Fatal(err, results)
		}
		ways, err := w.SignInMethodsOf(t.Context(), w.user.ID)
		if err != nil || int64(ways.Passkeys) != host.Passkeys {
			t.Errorf("ways %+v, host %+v, %v", ways, host, err)
		}
		if added := results[1] == nil; added != (host.Passkeys+host.Lost == 1) || !added && !errors.Is(results[1], storage.ErrOtherRPID) {
			t.Errorf("add: %v, host %+v", results[1], host)
		}
	})
}
