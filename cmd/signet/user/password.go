package user

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) passwordCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "set-password EMAIL|SUB --password-stdin",
		Aliases: []string{"password"},
		Short:   "Give a user a new password, and sign the user out everywhere",
		Long: `Give a user a new password. All that was made with the old one ends with it, in
one step: every session and every token, those for offline access too.

Typing a password proves no address: where the address is only claimed and more than a
password is attached to the account (an identity, a session), the command stops and
lists it. --evict deletes it first, --keep keeps it.`,
		Example: "  signet user set-password ada@example.com --password-stdin < password.txt",
		Args:    cli.ExactArgs(EmailOrSubject),
	}
	password := passwordFlags(c)
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		typed, err := password.read(p.Stdin)
		if err == nil && typed == "" {
			err = errors.New("the password is missing: --password-stdin or --password-file FILE")
		}
		if err != nil {
			return cli.UsageError(c, err)
		}
		unproven, err := attached.read()
		if err != nil {
			return cli.UsageError(c, err)
		}
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		evicted, err := p.Directory(settings, db).ResetPassword(ctx, directory.NewPassword{
			User: u, Password: typed, Reason: cli.ByAdministrator, Unproven: unproven,
		}, cli.Origin())
		if errors.Is(err, credential.ErrWeak) || errors.Is(err, credential.ErrBusy) {
			return err
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unproven(u, err, *asJSON)
		}
		if err == nil {
			u, err = db.User(ctx, u.ID)
		}
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		p.Say("%s has a new password and is signed out everywhere", DisplayName(u))
		return p.showChanged(u, evicted, *asJSON)
	})
	return c
}

// passwordSource is where a command reads a password: never its arguments, which
// others on the machine can see.
type passwordSource struct {
	stdin *bool
	file  *string
}

func passwordFlags(c *cobra.Command) passwordSource {
	return passwordSource{
		stdin: c.Flags().Bool("password-stdin", false, "read the password from standard input"),
		file:  c.Flags().String("password-file", "", "read the password from this file"),
	}
}

// maxPasswordBytes is far beyond what a password may have: reading stops there.
const maxPasswordBytes = 64 << 10

// read gives one line, from where the flags say; "" when no flag was given.
func (s passwordSource) read(stdin io.Reader) (string, error) {
	from, name := stdin, "standard input"
	switch {
	case *s.stdin && *s.file != "":
		return "", errors.New("--password-stdin and --password-file exclude each other")
	case *s.file != "":
		opened, err := os.Open(*s.file)
		if err != nil {
			return "", fmt.Errorf("--password-file %s: %s", *s.file, exit.WithoutPath(err))
		}
		defer opened.Close()
		from, name = opened, *s.file
	case !*s.stdin:
		return "", nil
	}
	content, err := io.ReadAll(io.LimitReader(from, maxPasswordBytes))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("%s must hold the password as its only line", name)
	}
	return password, nil
}
