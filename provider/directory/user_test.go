package directory_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

const password = "correct horse battery staple"

func (h testDirectory) createUser(t *testing.T, u storage.User) storage.User {
	t.Helper()
	made, err := h.CreateUser(t.Context(), u, password, storage.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestCreateUser_StoresTheHashOfThePassword(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		h.createUser(t, storage.User{Email: "Ada@Example.com"})
		u, hash, err := h.db.UserByEmail(t.Context(), "ada@example.com")
		if err != nil || u.Email != "Ada@Example.com" || len(hash) < 20 || hash == password {
			t.Errorf("got %+v with %q, %v", u, hash, err)
		}
		if _, err := h.CreateUser(t.Context(), storage.User{Email: "bob@example.com"}, "", storage.Origin{}); err != nil {
			t.Error(err)
		}
		if _, hash, err := h.db.UserByEmail(t.Context(), "bob@example.com"); err != nil || hash != "" {
			t.Errorf("without a password the hash is %q, %v", hash, err)
		}
	})
}

func TestCreateUser_BrokenRuleNamesItsField(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		for _, c := range []struct {
			user        storage.User
			field, text string
		}{
			{storage.User{Email: "ada"}, "email", `email "ada": not an email address`},
			{storage.User{}, "email", `email "": not an email address`},
			{storage.User{Email: "ada@example.com", PreferredUsername: "…"}, "preferred_username", `preferred_username "…" has no letter or digit`},
		} {
			_, err := h.CreateUser(t.Context(), c.user, password, storage.Origin{})
			wrong, is := errors.AsType[*directory.FieldError](err)
			if !is || wrong.Field != c.field || err.Error() != c.text {
				t.Errorf("got %v, want %s", err, c.text)
			}
		}
	})
}

func TestCreateUser_PasswordRulesHold(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		for _, weak := range []string{"short", "ada@example.com", "password1"} {
			if _, err := h.CreateUser(t.Context(), storage.User{Email: "ada@example.com"}, weak, storage.Origin{}); !errors.Is(err, credential.ErrWeak) {
				t.Errorf("%q: got %v", weak, err)
			}
		}
		if users, err := h.db.Users(t.Context(), storage.UserFilter{}, 10); err != nil || len(users) != 0 {
			t.Errorf("stored %v, %v", users, err)
		}
	})
}

func TestCreateUser_TakenNamesAreRefused(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		h.createUser(t, storage.User{Email: "ada@example.com", PreferredUsername: "ada"})
		if _, err := h.CreateUser(t.Context(), storage.User{Email: "ADA@example.com"}, "", storage.Origin{}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("the same address: got %v", err)
		}
		if _, err := h.CreateUser(t.Context(), storage.User{Email: "a@example.com", PreferredUsername: "Аdа"}, "", storage.Origin{}); !errors.Is(err, storage.ErrUsernameTaken) {
			t.Errorf("a name that looks the same: got %v", err)
		}
	})
}

func TestReviseUser_RulesAreCheckedAgain(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		u := h.createUser(t, storage.User{Email: "ada@example.com"})
		revise := func(change func(*storage.User) error) (storage.RevisedUser, error) {
			return h.ReviseUser(t.Context(), storage.UserRevision{UserID: u.ID, Revise: change})
		}
		if revised, err := revise(func(u *storage.User) error { u.Name = "Ada"; return nil }); err != nil || revised.Name != "Ada" {
			t.Errorf("got %+v, %v", revised, err)
		}
		for field, change := range map[string]func(*storage.User) error{
			"email":              func(u *storage.User) error { u.Email = ""; return nil },
			"preferred_username": func(u *storage.User) error { u.PreferredUsername = "..."; return nil },
		} {
			_, err := revise(change)
			if wrong, is := errors.AsType[*directory.FieldError](err); !is || wrong.Field != field {
				t.Errorf("%s: got %v", field, err)
			}
		}
		own := errors.New("changed my mind")
		if _, err := revise(func(u *storage.User) error { u.Name = "Bob"; return own }); err != own {
			t.Errorf("got %v, want the error of Revise", err)
		}
		if stored, err := h.db.User(t.Context(), u.ID); err != nil || stored.Name != "Ada" || stored.Email != "ada@example.com" {
			t.Errorf("stored %+v, %v", stored, err)
		}
	})
}

func TestCreateFirstAdmin_OnlyOneSucceeds(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		const link = "hash of a token"
		if err := h.db.OpenSetup(t.Context(), link, noon.Add(time.Hour), storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		create := func(email, password string) error {
			u, err := h.CreateFirstAdmin(t.Context(), link, storage.User{Email: email}, password, storage.Origin{})
			if err == nil && !u.Admin {
				t.Errorf("%s is not an administrator", email)
			}
			return err
		}
		if _, is := errors.AsType[*directory.FieldError](create("ada", password)); !is {
			t.Error("an invalid email address was accepted")
		}
		if err := create("ada@example.com", "short"); !errors.Is(err, credential.ErrWeak) {
			t.Errorf("a short password: got %v", err)
		}
		if err := create("ada@example.com", ""); !errors.Is(err, credential.ErrWeak) {
			t.Errorf("no password: got %v", err)
		}
		if err := create("ada@example.com", password); err != nil {
			t.Error(err)
		}
		if err := create("bob@example.com", password); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a second one: got %v", err)
		}
	})
}

// Users that sign in through an upstream may have no email address.
func TestReviseUser_NoAddressCannotBeVerified(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		session, err := h.db.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity:  storage.Identity{Connector: "github", Issuer: "https://github.example", Subject: "1"},
			AttemptID: "attempt", Until: storage.At(noon.Add(time.Hour)),
			SignIn:  storage.SignIn{HandleHash: "handle", ACR: "1", AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour},
			NewUser: storage.User{Name: "Ada"},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.ReviseUser(t.Context(), storage.UserRevision{UserID: session.UserID, Verified: new(true), Revise: func(*storage.User) error { return nil }})
		if !errors.Is(err, storage.ErrNoAddress) {
			t.Errorf("got %v", err)
		}
	})
}

func TestResetPassword_PasswordRulesHold(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		u := h.createUser(t, storage.User{Email: "ada@example.com"})
		_, before, _ := h.db.UserByEmail(t.Context(), u.Email)
		if _, err := h.ResetPassword(t.Context(), directory.PasswordReset{User: u, Password: "ada@example.com"}, storage.Origin{}); !errors.Is(err, credential.ErrWeak) {
			t.Errorf("the address as password: got %v", err)
		}
		if _, err := h.ResetPassword(t.Context(), directory.PasswordReset{User: u, Password: password + "!", Reason: "test"}, storage.Origin{}); err != nil {
			t.Error(err)
		}
		if _, after, err := h.db.UserByEmail(t.Context(), u.Email); err != nil || after == before || after == "" {
			t.Errorf("the hash is %q after %q, %v", after, before, err)
		}
	})
}

func TestAdmin_LastOneStays(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		ada := h.createUser(t, storage.User{Email: "ada@example.com", EmailVerified: true, Admin: true})
		bob := h.createUser(t, storage.User{Email: "bob@example.com"})
		for name, act := range map[string]func() error{
			"revoke":  func() error { return h.RevokeAdmin(t.Context(), ada.ID, storage.Origin{}) },
			"disable": func() error { return h.DisableUser(t.Context(), ada.ID, storage.Origin{}) },
			"delete":  func() error { return h.DeleteUser(t.Context(), ada.ID, storage.Origin{}) },
		} {
			if err := act(); !errors.Is(err, storage.ErrLastAdmin) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := h.GrantAdmin(t.Context(), bob.ID, storage.Administrator, storage.StopIfAttached, storage.Origin{}); !errors.Is(err, storage.ErrUnproven) {
			t.Errorf("an unproven address with a password: got %v", err)
		}
		if _, err := h.GrantAdmin(t.Context(), bob.ID, storage.Administrator, storage.KeepAttached, storage.Origin{}); err != nil {
			t.Error(err)
		}
		for name, act := range map[string]func() error{
			"disable": func() error { return h.DisableUser(t.Context(), ada.ID, storage.Origin{}) },
			"enable":  func() error { return h.EnableUser(t.Context(), ada.ID, storage.Origin{}) },
		} {
			if err := act(); err != nil {
				t.Errorf("%s with another administrator: %v", name, err)
			}
		}
		if err := h.DeleteUser(t.Context(), ada.ID, storage.Origin{}); err != nil {
			t.Error(err)
		}
	})
}
