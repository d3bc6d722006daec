package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// ensurePeople makes a user, and an administrator who sees what users do not.
func (s *server) ensurePeople(ctx context.Context) (people, error) {
	user, err := s.ensureUser(ctx, "demo-password", storage.User{
		Email: UserEmail, EmailVerified: true,
		Name: "Demo User", GivenName: "Demo", FamilyName: "User", PreferredUsername: "demo", Locale: "en",
	})
	if err != nil {
		return people{}, fmt.Errorf("make the demo user: %w", err)
	}
	admin, err := s.ensureUser(ctx, "admin-password", storage.User{
		Email: AdminEmail, EmailVerified: true, Admin: true, Name: "Demo Administrator", PreferredUsername: "admin", Locale: "en",
	})
	if err != nil {
		return people{}, fmt.Errorf("make the demo administrator: %w", err)
	}
	return people{user, admin}, nil
}

// ensureUser makes a user where there is none, and tells how to sign in as them. The password
// is random, and kept in a file so that the next start has the same. Changes that somebody has made
// since then stay: a password that is not valid any more is not told.
func (s *server) ensureUser(ctx context.Context, name string, want storage.User) (person, error) {
	file := filepath.Join(s.settings.DataDir, name)
	kept, err := node.ReadPrivate(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return person{}, err
	}
	found, stored, err := s.node.DB().UserByEmail(ctx, want.Email)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return person{}, err
	case exists && kept != "":
		return s.asFound(found, stored, kept), nil
	}
	password := kept
	if password == "" {
		if password, err = node.KeepPrivate(file, demoPassword()); err != nil {
			return person{}, err
		}
	}
	if !exists {
		return person{email: want.Email, password: password}, s.makeUser(ctx, want, password)
	}
	// The file was removed: whoever may do that may have a new password.
	_, err = s.directory.ResetPassword(ctx, directory.NewPassword{
		User: found, Password: password, Reason: "by_administrator", Unproven: storage.KeepAttached,
	}, byCommandLine)
	return s.asFound(found, "", password), err
}

// makeUser makes a user. Another one may have the user name: the demo user whose address
// somebody has changed.
func (s *server) makeUser(ctx context.Context, want storage.User, password string) error {
	_, err := s.directory.CreateUser(ctx, want, password, byCommandLine)
	if errors.Is(err, storage.ErrUsernameTaken) {
		want.PreferredUsername = ""
		_, err = s.directory.CreateUser(ctx, want, password, byCommandLine)
	}
	return err
}

// asFound tells how to sign in as a user who was there already. stored is the hash of their
// password; "" if it was set just now.
func (s *server) asFound(u storage.User, stored, kept string) person {
	p := person{email: u.Email, password: kept}
	command := func(act string, flags ...string) string {
		words := append([]string{"signet user", act, u.Email}, flags...)
		return strings.Join(append(words, "--data-dir", s.settings.DataDir), " ")
	}
	switch {
	case !u.Enabled():
		p.password, p.note = "", "the account is disabled: "+command("enable")
	case stored != "" && !s.directory.PasswordIs(stored, kept):
		p.password, p.note = "", "changed since; to set another: "+command("set-password", "--password-stdin")
	}
	if u.Email == AdminEmail && !u.Admin {
		p.note = "no administrator any more: " + command("admin")
	}
	return p
}

// demoPassword is 100 random bits that can be typed.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[0:5], text[5:10], text[10:15], text[15:20]}, "-")
}
