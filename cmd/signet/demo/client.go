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

// ensureClient gives the secret of the demo client, whose redirect URIs follow
// the address that dev listens on.
func (s *server) ensureClient(ctx context.Context) (string, error) {
	file := filepath.Join(s.settings.DataDir, "demo-secret")
	secret, err := node.ReadPrivate(file)
	if errors.Is(err, os.ErrNotExist) {
		secret, err = node.KeepPrivate(file, directory.NewSecret())
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
		if secret, err = s.renewSecret(ctx, file); err != nil {
			return "", err
		}
	}
	return secret, s.remakeClient(ctx, have, want)
}

// renewSecret gives the demo client another secret, since the one in the file is not valid any
// more: the file was removed, or somebody has rotated the secret. Theirs stays valid beside it.
func (s *server) renewSecret(ctx context.Context, file string) (string, error) {
	_, secret, err := s.directory.RotateSecret(ctx, ClientID, directory.LongestOverlap, byCommandLine)
	if err != nil {
		return "", err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("replace the secret of the demo client: %w", err)
	}
	return node.KeepPrivate(file, secret)
}

// remakeClient makes a client that exists the one that is wanted, and lets it work; its secret
// stays.
func (s *server) remakeClient(ctx context.Context, have, want storage.Client) error {
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

// ensureAppClient makes it, or lets it follow the app to another origin.
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
	return s.remakeClient(ctx, have, want)
}
