package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/user"
	"signet/provider/directory"
	"signet/storage"
)

func (p *program) sessionCommand() *cobra.Command {
	c := &cobra.Command{Use: "session", Short: "List and end the sessions of a user"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.sessionListCommand(), p.sessionEndCommand())
	return c
}

func (p *program) sessionListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list EMAIL|SUB",
		Short:   "List the sessions of a user",
		Example: "  signet session list ada@example.com",
		Args:    cli.ExactArgs(user.EmailOrSubject),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		u, err := user.Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		sessions, err := p.sessionsOf(ctx, db, u)
		if err != nil {
			return user.ErrorAbout(args[0], err)
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"sessions": sessions})
		}
		if len(sessions) == 0 {
			p.Say("%s has no sessions", user.DisplayName(u))
			return nil
		}
		rows := [][]string{{"SID", "SIGNED IN", "LAST SEEN", "ADDRESS", "CLIENTS", "AGENT"}}
		for _, s := range sessions {
			rows = append(rows, []string{
				s.SessionID, s.ArrivedAt.Format(time.RFC3339), s.SeenAt.Format(time.RFC3339), s.Address, strings.Join(s.Clients, " "), s.Agent,
			})
		}
		return p.WriteTable(rows)
	})
	return c
}

// sessionsOf returns the sessions of a user, last seen first; never nil.
func (p *program) sessionsOf(ctx context.Context, db *storage.DB, u storage.User) ([]directory.SessionDocument, error) {
	at := p.Now()
	sessions, err := db.SessionsOf(ctx, u.ID, at)
	if err != nil {
		return nil, err
	}
	clients, err := db.ClientsBySession(ctx, u.ID, at)
	if err != nil {
		return nil, err
	}
	described := []directory.SessionDocument{}
	for _, s := range sessions {
		described = append(described, directory.DescribeSession(u, s, clients[s.ID]))
	}
	return described, nil
}

func (p *program) sessionEndCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "end SID --user EMAIL|SUB",
		Short: "End one session of a user",
		Long: `End one session of a user, and its tokens. Tokens for offline access stay valid; to end
them too, use: signet user sign-out.`,
		Args: cli.ExactArgs("the id of a session (sid)"),
	}
	name := c.Flags().String("user", "", "email address or subject (sub) of the user of the session")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *name == "" {
			return errors.New("the flag --user is missing: pass the user of the session")
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		u, err := user.Find(ctx, db, *name)
		if err != nil {
			return err
		}
		sessions, err := p.sessionsOf(ctx, db, u)
		if err != nil {
			return user.ErrorAbout(*name, err)
		}
		i := slices.IndexFunc(sessions, func(s directory.SessionDocument) bool { return s.SessionID == args[0] })
		if i < 0 {
			return exit.New(
				exit.NotFound, fmt.Errorf("%s has no session %q", user.DisplayName(u), args[0]),
				"list the sessions with: signet session list "+user.DisplayName(u),
			)
		}
		if err := db.EndSession(ctx, u.ID, args[0], cli.ByAdministrator, storage.By{From: cli.Origin(), At: p.Now()}); err != nil {
			return user.ErrorAbout(*name, err)
		}
		p.Say("the session has ended; offline access continues")
		if *asJSON {
			return p.WriteJSON(sessions[i])
		}
		return nil
	})
	return c
}
