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
func (s *server) ensurePeople(ctx context.Context) (passwords, error) {
	user, err := s.ensureUser(ctx, "demo-password", storage.User{
		Email: UserEmail, EmailVerified: true,
		Name: "Demo User", GivenName: "Demo", FamilyName: "User", PreferredUsername: "demo", Locale: "en",
	})
	if err != nil {
		return passwords{}, fmt.Errorf("make the demo user: %w", err)
	}
	admin, err := s.ensureUser(ctx, "admin-password", storage.User{
		Email: AdminEmail, EmailVerified: true, Admin: true, Name: "Demo Administrator", PreferredUsername: "admin", Locale: "en",
	})
	if err != nil {
		return passwords{}, fmt.Errorf("make the demo administrator: %w", err)
	}
	return passwords{user, admin}, nil
}

// ensureUser gives the password of a user that it makes where there is none. It
// is random, and kept in a file so that the next start has the same.
func (s *server) ensureUser(ctx context.Context, name string, want storage.User) (string, error) {
	file := filepath.Join(s.settings.DataDir, name)
	kept, err := node.ReadPrivate(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	found, _, err := s.node.DB().UserByEmail(ctx, want.Email)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return "", err
	case exists && kept != "":
		return kept, nil
	}
	password := kept
	if password == "" {
		if password, err = node.KeepPrivate(file, demoPassword()); err != nil {
			return "", err
		}
	}
	if !exists {
		_, err = s.directory.CreateUser(ctx, want, password, byCommandLine)
		return password, err
	}
	// The file was removed: whoever may do that may have a new password.
	_, err = s.directory.ResetPassword(ctx, directory.NewPassword{
		User: found, Password: password, Reason: "by_administrator", Unproven: storage.KeepAttached,
	}, byCommandLine)
	return password, err
}

// demoPassword is 100 random bits that can be typed.
func demoPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[0:5], text[5:10], text[10:15], text[15:20]}, "-")
}
