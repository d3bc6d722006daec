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

// describedSession is the JSON form of a session. The sid is no secret: it cannot be used to sign
// in.
type describedSession struct {
	SessionID  string    `json:"sid"`
	Subject    string    `json:"sub"`
	AuthTime   time.Time `json:"auth_time,omitzero"` // time of the last proof of identity; absent if unknown
	ArrivedAt  time.Time `json:"arrived_at"`         // time of the last sign-in of any kind
	ACR        string    `json:"acr"`
	AMR        []string  `json:"amr"`
	CreatedAt  time.Time `json:"created_at"`
	SeenAt     time.Time `json:"seen_at"`    // precise to five minutes
	ExpiresAt  time.Time `json:"expires_at"` // if the session is not used
	Persistent bool      `json:"persistent"`
	Address    string    `json:"address,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	Clients    []string  `json:"clients"` // clients with a valid grant of this session
}

// sessionsOf returns the sessions of a user, last seen first; never nil.
func (p *program) sessionsOf(ctx context.Context, db *storage.DB, u storage.User) ([]describedSession, error) {
	at := p.Now()
	sessions, err := db.SessionsOf(ctx, u.ID, at)
	if err != nil {
		return nil, err
	}
	clients, err := db.ClientsBySession(ctx, u.ID, at)
	if err != nil {
		return nil, err
	}
	described := []describedSession{}
	for _, s := range sessions {
		described = append(described, describedSession{
			SessionID: s.ID, Subject: u.PublicSubject(), AuthTime: s.AuthTime.Time(), ArrivedAt: s.ArrivedAt.Time(), ACR: s.ACR, AMR: append([]string{}, s.AMR...),
			CreatedAt: s.CreatedAt.Time(), SeenAt: s.SeenAt.Time(), ExpiresAt: min(s.IdleExpiresAt, s.ExpiresAt).Time(),
			Persistent: s.Persistent, Address: s.Address, Agent: s.Agent, Clients: append([]string{}, clients[s.ID]...),
		})
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
		i := slices.IndexFunc(sessions, func(s describedSession) bool { return s.SessionID == args[0] })
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
