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

// ensurePeople creates a user and an administrator if they do not exist.
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

// ensureUser creates a user if there is none with the address, and returns how to sign in as
// them. The password is random and stored in a file, so that it is the same at the next
// start. Later changes stay: a password that is not valid any more is not shown.
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
		return s.existingPerson(found, stored, kept), nil
	}
	password := kept
	if password == "" {
		if password, err = node.StorePrivate(file, demoPassword()); err != nil {
			return person{}, err
		}
	}
	if !exists {
		return person{email: want.Email, password: password}, s.createUser(ctx, want, password)
	}
	// The file was removed. A person with access to that file may set a new password.
	_, err = s.directory.ResetPassword(ctx, directory.PasswordReset{
		User: found, Password: password, Reason: "by_administrator", Unproven: storage.KeepAttached,
	}, byCommandLine)
	return s.existingPerson(found, "", password), err
}

// createUser creates a user. The new user gets no user name if another user has it: a demo
// user with a changed address.
func (s *server) createUser(ctx context.Context, want storage.User, password string) error {
	_, err := s.directory.CreateUser(ctx, want, password, byCommandLine)
	if errors.Is(err, storage.ErrUsernameTaken) {
		want.PreferredUsername = ""
		_, err = s.directory.CreateUser(ctx, want, password, byCommandLine)
	}
	return err
}

// existingPerson returns how to sign in as an existing user. stored is the hash of the user's
// password; "" if the password was just set.
func (s *server) existingPerson(u storage.User, stored, kept string) person {
	p := person{email: u.Email, password: kept}
	command := func(act string, flags ...string) string {
		words := append([]string{"signet user", act, u.Email}, flags...)
		return strings.Join(append(words, "--data-dir", shellWord(s.settings.DataDir)), " ")
	}
	switch {
	case !u.Enabled():
		p.password, p.note = "", "the account is disabled: "+command("enable")
	case stored != "" && !s.directory.PasswordMatches(stored, kept):
		p.password, p.note = "", "changed since; to set another: "+command("set-password", "--password-stdin")
	}
	if u.Email == AdminEmail && !u.Admin {
		p.note = "no administrator any more: " + command("admin")
	}
	return p
}

// shellWord returns a path as one word of a command line that people copy into a shell.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 && path != "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// demoPassword returns 100 random bits in characters that are easy to type.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[0:5], text[5:10], text[10:15], text[15:20]}, "-")
}
