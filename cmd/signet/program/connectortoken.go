package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/keys"
	"signet/cmd/signet/user"
	"signet/federation"
	"signet/provider/keys/vault"
	"signet/storage"
)

func (p *program) connectorTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token EMAIL|SUB CONNECTOR",
		Short: "Print the stored upstream token of a user",
		Long: `Print the upstream token that was stored at a user's last sign-in through a connector
with keep_token. For scripts, it prints only the access token; --json prints all stored
values. Anyone with the token can act as this user at the upstream, within its scope.
Each use of this command is recorded as an event.`,
		Args: cli.ExactArgs(user.EmailOrSubject, "the id of a connector"),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := user.Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		kept, err := db.ReadUpstreamToken(ctx, u.ID, args[1], storage.By{From: cli.Origin(), At: p.Now()})
		if errors.Is(err, storage.ErrNotFound) {
			return exit.New(
				exit.NotFound, fmt.Errorf("no token of %s is stored for %s", args[1], user.DisplayName(u)),
				"set keep_token: true for this connector; Signet then stores the token of the user's next sign-in",
			)
		}
		if err != nil {
			return user.ErrorAbout(args[0], err)
		}
		token, err := openUpstreamToken(ctx, settings, db, kept)
		if err != nil {
			return err
		}
		if *asJSON {
			return p.WriteJSON(describeUpstreamToken(kept, token))
		}
		_, err = fmt.Fprintln(p.Stdout, token.AccessToken)
		return err
	})
	return c
}

func openUpstreamToken(ctx context.Context, settings config.Config, db *storage.DB, kept storage.Identity) (federation.Token, error) {
	var token federation.Token
	keeper, err := keys.OpenKeeper(ctx, settings, db)
	if err != nil {
		return token, err
	}
	plain, err := keeper.OpenToken(ctx, kept)
	if errors.Is(err, vault.ErrNotOpened) {
		return token, exit.New(
			exit.NotOpened, errors.New("the stored token cannot be decrypted: it was altered, or encrypted with another master key"),
			"let the user sign in through the connector again, which replaces the token",
		)
	}
	if err != nil {
		return token, keys.WithExitCode(err)
	}
	if err := json.Unmarshal(plain, &token); err != nil {
		return token, errors.New("the stored token is not valid JSON")
	}
	return token, nil
}

// describedUpstreamToken is the JSON form of a stored upstream token.
type describedUpstreamToken struct {
	Connector    string     `json:"connector"`
	Issuer       string     `json:"issuer"`
	Subject      string     `json:"subject"` // at the upstream
	AccessToken  string     `json:"access_token"`
	RefreshToken string     `json:"refresh_token,omitempty"`
	Scope        string     `json:"scope,omitempty"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"` // of the access token; absent if the upstream sent no expiry
	KeptAt       time.Time  `json:"kept_at"`
}

func describeUpstreamToken(i storage.Identity, token federation.Token) describedUpstreamToken {
	d := describedUpstreamToken{
		Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, AccessToken: token.AccessToken, RefreshToken: token.RefreshToken,
		Scope: token.Scope, KeptAt: i.UsedAt.Time(),
	}
	if token.ExpiresAt != 0 {
		at := time.UnixMilli(token.ExpiresAt).UTC()
		d.ExpiresAt = &at
	}
	return d
}
