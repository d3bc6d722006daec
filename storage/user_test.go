package storage_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestCreateUser_ReadsBackEveryField(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		in := storage.User{
			Email: " Zoë.Miller@Bücher.example ", EmailVerified: true,
			Name: "Zoë Miller", GivenName: "Zoë", FamilyName: "Miller", MiddleName: "M", Nickname: "zo", PreferredUsername: "zoe",
			Profile: "p", Picture: "https://x/p.png", Website: "w", Gender: "f", Birthdate: "1990-01-01", Zoneinfo: "Europe/Berlin", Locale: "de-DE",
			PhoneNumber: "+49 30 1", PhoneNumberVerified: true, Address: storage.Address{Country: "DE", Locality: "Berlin"},
			Roles: []string{"admin", "dev"}, Groups: []string{"a"}, Custom: map[string]any{"tier": "gold", "n": 1.5}, Admin: true,
		}
		if _, err := db.CreateUser(t.Context(), in, "", storage.By{At: noon}); err == nil {
			t.Error("a local part outside ASCII was accepted")
		}
		in.Email = " Zoe.Miller@Bücher.example "
		made, err := db.CreateUser(t.Context(), in, "", storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(made.ID, "usr_") || len(made.ID) < 4+26 || made.EmailCanonical != "zoe.miller@xn--bcher-kva.example" || made.Email != "Zoe.Miller@Bücher.example" {
			t.Errorf("made %+v", made)
		}
		read, err := db.User(t.Context(), made.ID)
		if err != nil || !reflect.DeepEqual(read, made) {
			t.Errorf("read %+v, %v\nwant %+v", read, err, made)
		}
		byEmail, hash, err := db.UserByEmail(t.Context(), "ZOE.miller@BÜCHER.example")
		if err != nil || hash != "" || !reflect.DeepEqual(byEmail, made) {
			t.Errorf("by email %+v, hash %q, %v", byEmail, hash, err)
		}
	})
}

// ST-18: the canonical form of an email address is unique on both databases.
func TestCreateUser_EmailIsUniqueByCanonicalForm(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, same := range []string{"ALICE@example.com", "alice@EXAMPLE.com", " alice@example.com", "alice@ｅxample.com"} {
			_, err := w.CreateUser(t.Context(), storage.User{Email: same}, "other", storage.By{At: noon})
			wantError(t, same, err, storage.ErrConflict)
		}
		if _, hash, err := w.UserByEmail(t.Context(), "alice@example.com"); err != nil || hash != "hash of alice@example.com" {
			t.Errorf("hash %q, %v; want the hash of alice", hash, err)
		}
	})
}

func TestCreateUser_OneOfManyAtOnceWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		counts := tally(together(10, func(int) error {
			_, err := w.CreateUser(context.Background(), storage.User{Email: "bob@example.com"}, "", storage.By{At: noon})
			if err != nil && !strings.Contains(err.Error(), "already exists") {
				return err
			}
			if err != nil {
				return storage.ErrReplayed
			}
			return nil
		}))
		if counts["ok"] != 1 || counts["replayed"] != 9 {
			t.Errorf("outcomes %v, want one winner and nine conflicts", counts)
		}
	})
}

// ST-03: a missing row is ErrNotFound, never a zero value.
func TestReads_MissingRowIsAnError(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, id := range []string{"", "unknown", "1=1", "id = id", "%", "_", "x\x00", "\xff", strings.Repeat("x", 2000)} {
			_, err := w.User(t.Context(), id)
			wantError(t, "user "+id, err, storage.ErrNotFound)
			_, err = w.Client(t.Context(), id)
			wantError(t, "client "+id, err, storage.ErrNotFound)
			_, _, err = w.SessionByHandle(t.Context(), id, noon)
			wantError(t, "session "+id, err, storage.ErrNotFound)
			_, _, err = w.LiveGrant(t.Context(), id, "", noon)
			wantError(t, "grant "+id, err, storage.ErrNotFound)
			_, _, err = w.UserByEmail(t.Context(), id)
			wantError(t, "email "+id, err, storage.ErrNotFound)
			_, err = w.Consent(t.Context(), id, w.client.ID, noon)
			wantError(t, "consent "+id, err, storage.ErrNotFound)
		}
	})
}

// ST-06: "%" and "_" in an email address match only themselves.
func TestUserByEmail_WildcardsAreLiteral(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.createUser(t, "a%@example.com")
		for _, email := range []string{"%@example.com", "alic_@example.com", "a%e@example.com", "%"} {
			_, _, err := w.UserByEmail(t.Context(), email)
			wantError(t, email, err, storage.ErrNotFound)
		}
		if _, _, err := w.UserByEmail(t.Context(), "a%@example.com"); err != nil {
			t.Errorf("the address with a %%: %v", err)
		}
	})
}

// ST-04: values that are switched off or zero are stored as such.
func TestReplaceClient_StoresFalseAndZero(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		c := w.client
		c.FirstParty, c.SkipConsent, c.PKCEOptional, c.Resources, c.RefreshGrace = true, true, true, []string{"https://api"}, time.Minute
		c.Metadata.RequireAuthTime = true
		update := func(c storage.Client) storage.Client {
			if err := storagetest.ReplaceClient(t.Context(), w.DB, c, storage.By{At: noon.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
			read, err := w.Client(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			return read
		}
		if on := update(c); !on.FirstParty || !on.SkipConsent || !on.PKCEOptional || !on.Metadata.RequireAuthTime || on.RefreshGrace != time.Minute {
			t.Errorf("switched on, read %+v", on)
		}
		c = storage.Client{ID: c.ID, Type: storage.SPA}
		off := update(c)
		if off.FirstParty || off.SkipConsent || off.PKCEOptional || off.Metadata.RequireAuthTime || off.RefreshGrace != 0 ||
			len(off.Resources) != 0 || off.Name != "" || len(off.Metadata.RedirectURIs) != 0 {
			t.Errorf("switched off, read %+v", off)
		}
		if off.CreatedAt != storage.At(noon) || off.UpdatedAt != storage.At(noon.Add(time.Minute)) {
			t.Errorf("times %d, %d", off.CreatedAt, off.UpdatedAt)
		}
	})
}

// ST-05: an update does not bring a deleted row back.
func TestUpdates_DoNotBringADeletedRowBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			if err := tx.Exec(`DELETE FROM clients WHERE id = ?`, w.client.ID).Error; err != nil {
				return err
			}
			return tx.Exec(`DELETE FROM users WHERE id = ?`, w.user.ID).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, "update client", storagetest.ReplaceClient(t.Context(), w.DB, w.client, storage.By{At: noon}), storage.ErrNotFound)
		wantError(t, "disable client", w.SetClientEnabled(t.Context(), w.client.ID, false, storage.By{At: noon}), storage.ErrNotFound)
		wantError(t, "disable user", w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}), storage.ErrNotFound)
		wantError(t, "reset password", w.resetPassword(t, w.user.ID, "h", noon), storage.ErrNotFound)
		_, err = w.User(t.Context(), w.user.ID)
		wantError(t, "read user", err, storage.ErrNotFound)
		_, err = w.Client(t.Context(), w.client.ID)
		wantError(t, "read client", err, storage.ErrNotFound)
	})
}

func TestSetUserEnabled_OffAndOn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Hour)
		for _, off := range []bool{true, true, false, false} {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, !off, storage.By{From: storage.Origin{Actor: "cli"}, At: at}); err != nil {
				t.Fatal(err)
			}
			u, err := w.User(t.Context(), w.user.ID)
			if err != nil || u.Enabled() == off || u.NotBefore != storage.At(at) {
				t.Errorf("off=%v: %+v, %v", off, u, err)
			}
		}
		var switches []storage.EventType
		for _, e := range w.events(t) {
			if e == storage.UserDisabled || e == storage.UserEnabled {
				switches = append(switches, e)
			}
		}
		if !slices.Equal(switches, []storage.EventType{storage.UserEnabled, storage.UserDisabled}) {
			t.Errorf("events %v, want one of each", switches)
		}
	})
}

func TestUsers_PagesByCanonicalEmail(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, email := range []string{"Zed@example.com", "b-b@example.com", "bb@example.com", "Carol@example.com"} {
			w.createUser(t, email)
		}
		var got []string
		after := ""
		for {
			page, err := w.Users(t.Context(), storage.UserFilter{After: after}, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, u := range page {
				got = append(got, u.EmailCanonical)
			}
			after = got[len(got)-1]
		}
		want := []string{"alice@example.com", "b-b@example.com", "bb@example.com", "carol@example.com", "zed@example.com"}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// PW-16: an email address that people could take for that of another account is the
// address of this account, or is refused.
func TestCreateUser_LookAlikeEmailsAreOneAccountOrRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if _, err := w.CreateUser(t.Context(), storage.User{Email: "admin@example.com"}, "", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, same := range []string{"Admin@example.com", "ADMIN@EXAMPLE.COM", " admin@example.com ", "admin@example.com\t", "admin@ｅxample.com", "admin@example．com"} {
			_, err := w.CreateUser(t.Context(), storage.User{Email: same}, "", storage.By{At: noon})
			wantError(t, same, err, storage.ErrConflict)
		}
		for _, refused := range []string{
			"admin", "admin@", "\x00admin@example.com", "admin\x00@example.com", "%00admin@", "ａdmin@example.com", "аdmin@example.com",
			"admin\u200b@example.com", "admin @example.com", "admin@example.com@", "admin@example.com.", "аdmin@еxample.com\u200d",
		} {
			if made, err := w.CreateUser(t.Context(), storage.User{Email: refused}, "", storage.By{At: noon}); err == nil {
				t.Errorf("%q was accepted as %q", refused, made.EmailCanonical)
			}
		}
		// A domain in another script is another domain, and its canonical form shows this.
		made, err := w.CreateUser(t.Context(), storage.User{Email: "admin@еxample.com"}, "", storage.By{At: noon})
		if err != nil || made.EmailCanonical != "admin@xn--xample-2of.com" {
			t.Errorf("got %q, %v", made.EmailCanonical, err)
		}
	})
}

// ST-07: a deleted user is gone for every query, and a new user with the same address
// has another id.
func TestDeleteUser_LeavesEventsAndNotices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		w.addLogoutClient(t, "rp", w.session, false)
		if err := w.DeleteUser(t.Context(), w.user.ID, storage.By{From: storage.Origin{Actor: "cli"}, At: noon.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, g.ID, noon.Add(time.Minute))
		_, err := w.User(t.Context(), w.user.ID)
		wantError(t, "the deleted user", err, storage.ErrNotFound)
		wantError(t, "delete again", w.DeleteUser(t.Context(), w.user.ID, storage.By{At: noon}), storage.ErrNotFound)
		notices, err := w.LogoutNotices(t.Context(), w.user.ID, "", noon)
		if err != nil || len(notices) != 1 || notices[0].ClientID != "rp" {
			t.Errorf("notices %+v, %v", notices, err)
		}
		if events := w.events(t); events[0] != storage.UserDeleted || !slices.Contains(events, storage.UserSignedIn) {
			t.Errorf("events %v, want user.deleted first and user.signed_in", events)
		}
		next := w.createUser(t, w.user.Email)
		sessions, err := w.SessionsOf(t.Context(), next.ID, noon.Add(time.Minute))
		if next.ID == w.user.ID || err != nil || len(sessions) != 0 {
			t.Errorf("the next user with the address: id %s after %s, sessions %v, %v", next.ID, w.user.ID, sessions, err)
		}
	})
}
