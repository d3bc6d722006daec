package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/storage"
)

func (p *program) registrationCommand() *cobra.Command {
	c := &cobra.Command{Use: "registration", Short: "Manage how clients register themselves"}
	cli.RequireSubcommand(c)
	token := &cobra.Command{Use: "token", Short: "Create, list and revoke the tokens with which clients register themselves"}
	cli.RequireSubcommand(token)
	token.AddCommand(p.registrationTokenCreateCommand(), p.registrationTokenListCommand(), p.registrationTokenRevokeCommand())
	c.AddCommand(token)
	return c
}

func (p *program) registrationTokenCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create",
		Short: "Create a token for registrations",
		Long: `Create an initial access token (RFC 7591), which is printed only once. A program sends it
as a bearer token to the registration endpoint. The clients that it registers count as
approved by you. The setting registration.mode must be token or open.`,
		Example: `  signet registration token create --name "CI of the shop" --redirect-host shop.example.com
  signet registration token create --uses 50 --expires 7d --json`,
		Args: cli.ExactArgs(),
	}
	name := c.Flags().String("name", "", "name of the token, for your own lists")
	uses := c.Flags().Int("uses", 1, fmt.Sprintf("number of clients that can be registered with it, 1 to %d", directory.MaxRegistrationUses))
	expires := c.Flags().String("expires", "24h", "time until it expires, 1m to 365d")
	hosts := c.Flags().StringArray("redirect-host", nil, "host that redirect URIs may have; repeat the flag for more (default: every host)")
	asJSON := cli.JSONFlag(c)
	var draft storage.RegistrationToken
	cli.CheckUsage(c, func() error {
		life, err := foreign.ParseDuration(*expires, time.Minute, directory.MaxRegistrationLife)
		if err != nil {
			return fmt.Errorf("--expires %w", err)
		}
		at := p.Now()
		draft = storage.RegistrationToken{Name: *name, UsesLeft: int64(*uses), RedirectHosts: cli.DropEmpty(*hosts), ExpiresAt: storage.At(at.Add(life))}
		if broken, is := errors.AsType[*directory.ClientError](directory.CheckRegistrationToken(draft, at)); is {
			return errors.New("--" + strings.ReplaceAll(broken.Line(), "redirect_hosts", "redirect-host"))
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		made, token, err := p.Directory(settings, db).CreateRegistrationToken(ctx, draft, cli.Origin())
		if err != nil {
			return err
		}
		p.Say("save the token now: it is not stored and will not be shown again")
		if settings.Registration.IsOff() {
			p.Say("the setting registration.mode is off: set it to token, so that the token can be used")
		}
		if *asJSON {
			return p.WriteJSON(describeRegistrationToken(made, token))
		}
		_, err = fmt.Fprintln(p.Stdout, token)
		return err
	})
	return c
}

func (p *program) registrationTokenListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the tokens for registrations", Example: "  signet registration token list --json", Args: cli.ExactArgs()}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		tokens, err := db.RegistrationTokens(ctx)
		if err != nil {
			return fmt.Errorf("list registration tokens: %w", err)
		}
		if *asJSON {
			list := []describedRegistrationToken{} // never null
			for _, t := range tokens {
				list = append(list, describeRegistrationToken(t, ""))
			}
			return p.WriteJSON(map[string]any{"registration_tokens": list})
		}
		if len(tokens) == 0 {
			p.Say("there are no tokens; create one with: signet registration token create")
			return nil
		}
		rows := [][]string{{"ID", "NAME", "USES LEFT", "EXPIRES", "REDIRECT HOSTS"}}
		for _, t := range tokens {
			rows = append(rows, []string{t.ID, t.Name, fmt.Sprint(t.UsesLeft), cli.FormatTime(t.ExpiresAt.Time()), cmp.Or(strings.Join(t.RedirectHosts, " "), "all")})
		}
		return p.WriteTable(rows)
	})
	return c
}

func (p *program) registrationTokenRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke TOKEN_ID", Short: "Make a token for registrations invalid; its clients stay", Example: "  signet registration token revoke reg_…",
		Args: cli.ExactArgs("the token's id"),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		err := p.Directory(settings, db).RevokeRegistrationToken(ctx, args[0], cli.Origin())
		if errors.Is(err, storage.ErrNotFound) {
			return exit.New(exit.NotFound, fmt.Errorf("there is no token %q", args[0]), "list the tokens with: signet registration token list")
		}
		if err != nil {
			return err
		}
		p.Say("token %s is revoked", args[0])
		if *asJSON {
			return p.WriteJSON(map[string]any{"id": args[0]})
		}
		return nil
	})
	return c
}

// describedRegistrationToken is the JSON form of an initial access token.
type describedRegistrationToken struct {
	ID            string    `json:"id"`
	Token         string    `json:"token,omitempty"` // only at its creation
	Name          string    `json:"name,omitempty"`
	UsesLeft      int64     `json:"uses_left"`
	RedirectHosts []string  `json:"redirect_hosts,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
	ExpiresAt     time.Time `json:"expires_at"`
}

func describeRegistrationToken(t storage.RegistrationToken, token string) describedRegistrationToken {
	return describedRegistrationToken{
		ID: t.ID, Token: token, Name: t.Name, UsesLeft: t.UsesLeft, RedirectHosts: t.RedirectHosts,
		CreatedAt: t.CreatedAt.Time(), ExpiresAt: t.ExpiresAt.Time(),
	}
}
