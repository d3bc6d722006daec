package user

import (
	"cmp"
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
		Short:   "Set a new password for a user, and sign the user out everywhere",
		Long: `Set a new password for a user. All sessions and tokens of the user end in the same step,
including those for offline access. A user who had only passkeys is asked for one, or for a
recovery code, after the new password. If the user lost those too, run "signet user
reset-factors".

If the email address is unproven and the account has an identity or a session, the
command stops and lists them, because another person may have set them up. --evict
deletes them first, --keep keeps them.`,
		Example: "  signet user set-password ada@example.com --password-stdin < password.txt",
		Args:    cli.ExactArgs(EmailOrSubject),
	}
	password := passwordFlags(c)
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if !*password.stdin && *password.file == "" {
			return errors.New("the password is missing: pass --password-stdin or --password-file FILE")
		}
		return cmp.Or(password.check(), attached.check())
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		typed, err := password.read(p.Stdin)
		if err != nil {
			return cli.UsageError(c, err)
		}
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		evicted, err := p.Directory(settings, db).ResetPassword(ctx, directory.PasswordReset{
			User: u, Password: typed, Reason: cli.ByAdministrator, Unproven: attached.policy(), Connectors: connectorIDs(settings),
		}, cli.Origin())
		if errors.Is(err, credential.ErrWeak) || errors.Is(err, credential.ErrBusy) {
			return err
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unprovenError(u, err, *asJSON)
		}
		if err == nil {
			u, err = db.User(ctx, u.ID)
		}
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		p.Say("%s has a new password and is signed out everywhere", DisplayName(u))
		if u.AlwaysAskAt != 0 {
			p.Say("every sign-in with it also asks for a passkey or a recovery code; if the user lost those: signet user reset-factors %s", DisplayName(u))
		}
		return p.showChanged(u, evicted, *asJSON)
	})
	return c
}

// passwordSource is the source of a password: standard input or a file. A password is never an
// argument, because other users of the machine can read the arguments of a process.
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

// maxPasswordBytes is the limit for reading a password. It is far above the longest password.
const maxPasswordBytes = 64 << 10

// check returns an error if the flags name two sources, or a file that cannot be read.
func (s passwordSource) check() error {
	if *s.file == "" {
		return nil
	}
	if *s.stdin {
		return errors.New("--password-stdin and --password-file cannot be used together")
	}
	opened, err := s.open()
	if err != nil {
		return err
	}
	return opened.Close()
}

func (s passwordSource) open() (*os.File, error) {
	opened, err := os.Open(*s.file)
	if err != nil {
		return nil, fmt.Errorf("--password-file %s: %s", *s.file, exit.WithoutPath(err))
	}
	return opened, nil
}

// read returns the password from the source of the flags; "" if no flag was passed.
func (s passwordSource) read(stdin io.Reader) (string, error) {
	from, name := stdin, "standard input"
	switch {
	case *s.file != "":
		opened, err := s.open()
		if err != nil {
			return "", err
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
		return "", fmt.Errorf("%s must contain exactly one line with the password", name)
	}
	return password, nil
}
