package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"signet/cmd/signet/exit"
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
		return "", exit.New(
			exit.DemoSecretDiffers, fmt.Errorf("%s is not the secret of the demo client in the database", file),
			"begin anew: remove the folder "+s.settings.DataDir+", nothing in it is worth keeping",
		)
	}
	return secret, s.remakeClient(ctx, want)
}

// remakeClient makes a client that exists the one that is wanted; its secret stays.
func (s *server) remakeClient(ctx context.Context, want storage.Client) error {
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
	_, err := s.node.DB().Client(ctx, AppClient)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, _, err := s.directory.CreateClient(ctx, want, byCommandLine)
		return err
	case err != nil:
		return err
	}
	return s.remakeClient(ctx, want)
}
