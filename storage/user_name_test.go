package storage_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// TestFoldUsername_LookalikesAreOne: each row is a name and its look-alikes.
func TestFoldUsername_LookalikesAreOne(t *testing.T) {
	for name, same := range map[string][]string{
		"admin": {
			"Admin", "ADMIN", "ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "ⓐⓓⓜⓘⓝ", "аdmin", "αdmin", "ɑdmin", "ᴀdmin", "admın", "admіn", "admіп", "adrnin", "adm1n", "admln", "adm|n",
			"ad min", " admin ", "ad\u200bmin", "ad\u00admin", "adm\ufe0fin", "admin\u3164", "ADMİN", "аԁмıո", "ᎪDMIN", "ꓮdmin", "Αdmin", "ΑDΜΙΝ",
			"ad\u2800min", "adm١n", "admⵏn",
		},
		"david":       {"daνid", "DAVID", "dаvіd", "davld"},
		"nick":        {"NICK", "ΝΙСΚ", "ոick"},
		"paul":        {"pauI", "pau1", "рaul", "ρaul", "paυl", "paսl"},
		"root0":       {"r00t0", "rooto", "rοοt0", "гoot0", "roоtО", "r٥ot0", "r०০t0", "ro๐t၀", "roסt0", "ᴦoot0"},
		"swan":        {"svvan", "sѡan", "ѕwan", "ꜱwan"},
		"a-b.c_d":     {"a‐b.c_d", "a‑b.c_d", "a–b.c_d", "a−b.c_d", "A-B.C_D", "a⁃b.c_d", "a˗b٠c_d", "a➖b.c_d"},
		"strasse":     {"straße", "STRASSE", "ﬆrasse"},
		"Νίκος":       {"νίκος", "ΝΊΚΟΣ", "Νι\u0301κος"},
		"Вадим":       {"вадим", "ВАДИМ"},
		"josé":        {"JOSÉ", "jose\u0301"},
		"x@y.example": {"X@Y.example"},
	} {
		want := storage.FoldUsername(name)
		if want == "" {
			t.Errorf("%q folds to the empty string", name)
		}
		for _, other := range same {
			if got := storage.FoldUsername(other); got != want {
				t.Errorf("%q folds to %q, and %q to %q", other, got, name, want)
			}
		}
	}
	distinct := []string{"ada", "adam", "bob", "jose", "josé", "anna", "hanna", "a.b", "a-b", "a_b", "ab", "李雷", "李蕾", "дмитрий", "юлия", "σοφία", "user2", "user3", "user5"}
	seen := map[string]string{}
	for _, name := range distinct {
		folded := storage.FoldUsername(name)
		if other, taken := seen[folded]; taken {
			t.Errorf("%q and %q fold to the same name", name, other)
		}
		seen[folded] = name
	}
	for _, name := range []string{"", " ", "...", "\u200b", "-_-", "\u0301"} {
		if got := storage.FoldUsername(name); got != "" {
			t.Errorf("%q folds to %q, want the empty string", name, got)
		}
	}
}

// usernameWriters returns all acts that can give a user a preferred_username and fail if
// the name is taken.
func usernameWriters(t *testing.T, w *world) map[string]func(u storage.User, name string) error {
	return map[string]func(storage.User, string) error{
		"a new user": func(_ storage.User, name string) error {
			_, err := w.CreateUser(t.Context(), storage.User{Email: storage.NewID("n") + "@example.com", PreferredUsername: name}, "", storage.By{At: noon})
			return err
		},
		"an operator": func(u storage.User, name string) error {
			_, err := w.ReviseUser(t.Context(), storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error {
				u.PreferredUsername = name
				return nil
			}}, noon)
			return err
		},
		"the person": func(u storage.User, name string) error {
			return w.UpdateProfile(t.Context(), u.ID, storage.Profile{PreferredUsername: name}, storage.By{At: noon})
		},
	}
}

// A username is unique in its folded form. The name is free again when its holder is deleted
// or takes another name.
func TestUsername_IsUniqueForEveryWriter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		holder, err := w.CreateUser(t.Context(), storage.User{Email: "holder@example.com", PreferredUsername: "Admin"}, "", storage.By{At: noon})
		if err != nil || !holder.UsernameUnique() {
			t.Fatalf("%+v, %v", holder, err)
		}
		for writer, write := range usernameWriters(t, w) {
			for _, name := range []string{"Admin", "admin", "аdmin", "adm1n"} {
				if err := write(w.user, name); !errors.Is(err, storage.ErrUsernameTaken) || errors.Is(err, storage.ErrConflict) {
					t.Errorf("%s writes the taken name %q: %v", writer, name, err)
				}
			}
			if got, _ := w.User(t.Context(), w.user.ID); got.PreferredUsername != "" {
				t.Errorf("%s: the refused name %q is stored", writer, got.PreferredUsername)
			}
			if err := write(w.user, "Grace"); err != nil {
				t.Errorf("%s writes a free name: %v", writer, err)
			}
			for _, u := range w.allUsers(t) { // the holder gives up the name
				if u.PreferredUsername == "Grace" {
					if !u.UsernameUnique() {
						t.Errorf("%s: the name is not unique: %+v", writer, u)
					}
					if err := usernameWriters(t, w)["an operator"](u, ""); err != nil {
						t.Error(err)
					}
				}
			}
		}
		// The holder may write the name again, also in another spelling.
		for _, name := range []string{"Admin", "ADMIN"} {
			for _, writer := range []string{"an operator", "the person"} {
				if err := usernameWriters(t, w)[writer](holder, name); err != nil {
					t.Errorf("%s: %v", writer, err)
				}
				if got, _ := w.User(t.Context(), holder.ID); got.PreferredUsername != name || !got.UsernameUnique() {
					t.Errorf("%s: %q is not unique any more", writer, got.PreferredUsername)
				}
			}
		}
		if err := w.DeleteUser(t.Context(), holder.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := usernameWriters(t, w)["the person"](w.user, "admin"); err != nil {
			t.Errorf("after its holder was deleted: %v", err)
		}
		if err := usernameWriters(t, w)["an operator"](w.user, "..."); err == nil {
			t.Error("a name without a letter is stored")
		}
	})
}

// allUsers returns every user.
func (w *world) allUsers(t *testing.T) []storage.User {
	t.Helper()
	users, err := w.Users(t.Context(), storage.UserFilter{}, 500)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// If several callers write one username at once, one of them gets it.
func TestUsername_OneOfManyAtOnceWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		writers := usernameWriters(t, w)
		names := []string{"racer", "Racer", "rаcer", "RACER"}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 12 {
			u := w.createUser(t, storage.NewID("r")+"@example.com")
			writer := []string{"a new user", "an operator", "the person"}[i%3]
			wg.Go(func() {
				err := writers[writer](u, names[i%len(names)])
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, storage.ErrUsernameTaken):
					t.Errorf("%s: %v", writer, err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d callers got the name, want 1", won)
		}
	})
}

// The migration makes the name of the oldest user unique if several users have look-alike
// names. The others keep their names, also through other edits, but not as unique names. The
// name of another user becomes unique at its next edit after the name is free.
func TestUsername_MigrationGivesTheNameToTheOldest(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		w := &world{DB: db}
		first := w.createUser(t, "first@example.com")
		second := w.createUser(t, "second@example.com")
		third := w.createUser(t, "third@example.com")
		nameless := w.createUser(t, "fourth@example.com")
		statements := undoMigrationsAfter(t, 6)
		at := time.UnixMilli(1700000000000)
		for i, u := range []struct{ id, name string }{{second.ID, "ada"}, {first.ID, "Аda"}, {third.ID, "ADA"}, {nameless.ID, "..."}} {
			statements = append(statements, `UPDATE users SET preferred_username = '`+u.name+`', created_at = `+
				strconv.FormatInt(int64(storage.At(at.Add(time.Duration(i)*time.Second))), 10)+` WHERE id = '`+u.id+`'`)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			for _, s := range statements {
				if err := tx.Exec(s).Error; err != nil {
					return errors.Join(errors.New(s), err)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.DB = b.Open(t)
		unique := func(u storage.User) bool {
			t.Helper()
			got, err := w.User(t.Context(), u.ID)
			if err != nil || got.PreferredUsername == "" {
				t.Fatalf("%+v, %v", got, err)
			}
			return got.UsernameUnique()
		}
		if !unique(second) || unique(first) || unique(third) || unique(nameless) {
			t.Fatalf("unique: second %v, first %v, third %v, nameless %v", unique(second), unique(first), unique(third), unique(nameless))
		}
		clashing, err := w.Users(t.Context(), storage.UserFilter{Clashing: true}, 10)
		if err != nil || len(clashing) != 3 {
			t.Errorf("%d users have clashing names, %v; want 3", len(clashing), err)
		}
		holders, err := w.Users(t.Context(), storage.UserFilter{Username: "adа"}, 10)
		if err != nil || len(holders) != 1 || holders[0].ID != second.ID {
			t.Errorf("holders of the name: %v, %v; want %s", holders, err, second.ID)
		}
		rename := func(u storage.User) error {
			_, err := w.ReviseUser(t.Context(), storage.UserRevision{UserID: u.ID, Revise: func(u *storage.User) error { u.Name = "Ada"; return nil }}, noon)
			return err
		}
		if err := errors.Join(rename(first), rename(nameless)); err != nil || unique(first) {
			t.Errorf("another edit by an operator: %v, unique %v; want not unique", err, unique(first))
		}
		if err := w.UpdateProfile(t.Context(), third.ID, storage.Profile{Name: "A", PreferredUsername: "ADA"}, storage.By{At: noon}); err != nil || unique(third) {
			t.Errorf("another edit by the person: %v, unique %v; want not unique", err, unique(third))
		}
		if err := w.DeleteUser(t.Context(), second.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := rename(first); err != nil || !unique(first) {
			t.Errorf("an edit after the name is free: %v, unique %v; want unique", err, unique(first))
		}
	})
}

// An older program can change the name but leaves the folded form of the earlier name. Such a
// name does not count as unique.
func TestUsername_OutdatedFoldIsNotUnique(t *testing.T) {
	u := storage.User{PreferredUsername: "bob", UsernameFolded: storage.FoldUsername("ada")}
	if u.UsernameUnique() {
		t.Error("a name with an outdated folded form counts as unique")
	}
}
