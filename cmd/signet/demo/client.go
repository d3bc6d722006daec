package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// ensureClient returns the secret of the demo client. It creates the client if necessary,
// and sets its redirect URIs to the address that dev listens on.
func (s *server) ensureClient(ctx context.Context) (string, error) {
	file := filepath.Join(s.settings.DataDir, "demo-secret")
	secret, err := node.ReadPrivate(file)
	if errors.Is(err, os.ErrNotExist) {
		secret, err = node.StorePrivate(file, directory.NewSecret())
	}
	if err != nil {
		return "", err
	}
	want := directory.NewClient(storage.Web, ClientID, "Signet demo")
	want.Metadata.RedirectURIs = []string{s.settings.Issuer + Path + "/callback"}
	want.Metadata.PostLogoutRedirectURIs = []string{s.settings.Issuer + Path}
	want.Metadata.ClientURI = s.settings.Issuer + Path
	have, err := s.node.DB().Client(ctx, ClientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, err := s.directory.CreateClientWithSecret(ctx, want, secret, byCommandLine)
		return secret, err
	case err != nil:
		return "", err
	case !directory.SecretMatches(have.Secrets, secret, s.now()):
		if secret, err = s.addSecret(ctx, file); err != nil {
			return "", err
		}
	}
	return secret, s.updateClient(ctx, have, want)
}

// addSecret adds a new secret to the demo client and returns it. The secret in the file is
// not valid any more, because the file was removed or somebody rotated the secret. The other
// secrets of the client stay valid.
func (s *server) addSecret(ctx context.Context, file string) (string, error) {
	_, secret, err := s.directory.RotateSecret(ctx, ClientID, directory.LongestOverlap, byCommandLine)
	if err != nil {
		return "", err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("replace the secret of the demo client: %w", err)
	}
	return node.StorePrivate(file, secret)
}

// updateClient changes an existing client to the wanted one and enables it. Its secret stays
// the same.
func (s *server) updateClient(ctx context.Context, have, want storage.Client) error {
	if !have.Enabled() {
		if err := s.directory.EnableClient(ctx, want.ID, byCommandLine); err != nil {
			return err
		}
	}
	_, err := s.directory.ReviseClient(ctx, want.ID, func(have *storage.Client) error {
		*have = want
		return nil
	}, byCommandLine)
	return err
}

// ensureAppClient creates the client of the app, or changes its redirect URIs to the app's
// new origin.
func (s *server) ensureAppClient(ctx context.Context) error {
	want := directory.NewClient(storage.SPA, AppClient, "Your app")
	want.FirstParty = true
	want.Metadata.RedirectURIs = []string{s.app + "/"}
	have, err := s.node.DB().Client(ctx, AppClient)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, _, err := s.directory.CreateClient(ctx, want, byCommandLine)
		return err
	case err != nil:
		return err
	}
	return s.updateClient(ctx, have, want)
}
