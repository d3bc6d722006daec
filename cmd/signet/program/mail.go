package program

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/provider/mail"
	"signet/provider/notice"
	"signet/storage"
)

func (p *program) mailCommand() *cobra.Command {
	c := &cobra.Command{Use: "mail", Short: "Test the mail server, list mails and send failed ones again"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.mailTestCommand(), p.mailListCommand(), p.mailRetryCommand())
	return c
}

func (p *program) mailListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List mails and what became of them",
		Long: `List the mails of the last days, the newest first: to whom, of which kind, and what became
of them. A mail is waiting, retrying (it failed and is sent again later), delivered (the
mail server accepted it) or given_up. The list shows no text and no link, because the
database has none.`,
		Example: `  signet mail list --failed
  signet mail list --limit 500 --json`,
		Args: cli.ExactArgs(),
	}
	failed := c.Flags().Bool("failed", false, "only mails that were given up, or whose last try failed")
	limit := c.Flags().Int("limit", 50, "largest number of mails, 1 to 10000")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *limit < 1 || *limit > 10_000 {
			return errors.New("--limit must be 1 to 10000")
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		mails, err := db.Mails(ctx, storage.MailFilter{Failed: *failed}, *limit)
		if err != nil {
			return err
		}
		if !settings.SendsMails() {
			p.Say("the setting smtp.host is missing: no mails are sent")
		}
		if *asJSON {
			list := []directory.MailDocument{} // never null
			for _, m := range mails {
				list = append(list, directory.DescribeMail(m))
			}
			return p.WriteJSON(map[string]any{"mails": list})
		}
		if len(mails) == 0 {
			p.Say("there are no such mails")
			return nil
		}
		rows := [][]string{{"ID", "WRITTEN", "KIND", "RECIPIENT", "STATE", "TRIES", "ERROR"}}
		for _, m := range mails {
			rows = append(rows, []string{m.ID, cli.FormatTime(m.CreatedAt.Time()), string(m.Message.Kind), m.Recipient, string(m.State()), fmt.Sprint(m.Tries), m.LastError})
		}
		return p.WriteTable(rows)
	})
	return c
}

func (p *program) mailRetryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "retry [MAIL_ID…]",
		Short: "Send mails again that failed",
		Long: `Send mails again at once that were given up, or that wait for another try. Without an id,
all mails that were given up are sent again. The servers send them within a second. A
mail whose one-time link has expired or was replaced is not sent.`,
		Example: `  signet mail retry
  signet mail retry mail_…`,
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		total, err := p.Directory(settings, db).RetryMails(ctx, args, cli.Origin())
		if unknown, is := errors.AsType[*directory.UnknownMailError](err); is {
			return exit.New(exit.NotFound, fmt.Errorf("there is no mail %q", unknown.ID), "list the mails with: signet mail list")
		}
		if err != nil {
			return err
		}
		if !settings.SendsMails() {
			p.Say("the setting smtp.host is missing: no mails are sent")
		}
		p.Say("mails that are sent again: %d", total)
		if *asJSON {
			return p.WriteJSON(map[string]any{"retried": total})
		}
		return nil
	})
	return c
}

// completeMails completes the mails that can be sent again.
func completeMails(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	mails, err := db.Mails(ctx, storage.MailFilter{Failed: true}, maxCompletions)
	return completions(mails, func(m storage.Mail) (string, string) { return m.ID, string(m.Message.Kind) + " to " + m.Recipient }), err
}

// mailTestPatience limits each step of a test mail.
const mailTestPatience = 30 * time.Second

func (p *program) mailTestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a test mail with these settings",
		Long: `Send a test mail to an address, with the settings smtp.* and mail.from. The command waits
for the answer of the mail server and prints it, so it finds wrong settings. A mail that
the server has accepted can still be lost or filtered later: check that it arrives.`,
		Example: `  signet mail test ada@example.com`,
		Args:    cli.ExactArgs("the address"),
	}
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "issuer")
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		if !settings.Mail.IsSet() {
			return exit.New(exit.Config, errors.New("the setting smtp.host is missing: there is no mail server"), "set smtp.host and mail.from; see: signet config explain smtp.host")
		}
		if err := p.sendTestMail(c.Context(), settings, args[0]); err != nil {
			return err
		}
		p.Say("the mail server %s accepted a mail to %s", settings.Mail, args[0])
		if *asJSON {
			return p.WriteJSON(map[string]any{"recipient": args[0], "server": settings.Mail.String()})
		}
		return nil
	}
	return c
}

func (p *program) sendTestMail(ctx context.Context, settings config.Config, address string) error {
	issuer, err := url.Parse(settings.Issuer)
	if err != nil {
		return fmt.Errorf("read issuer: %w", err)
	}
	texts, err := notice.TestMail(issuer)
	if err != nil {
		return err
	}
	server := settings.Mail
	server.Roots, server.Name = settings.Outbound.Roots, issuer.Hostname()
	sender := mail.NewServer(server, mailTestPatience)
	defer sender.Close()
	err = sender.Send(ctx, []mail.Message{{
		ID: storage.NewID("test_"), To: address, Subject: texts.Subject, Text: texts.Text, HTML: texts.HTML, At: p.Now(),
	}})[0]
	failed, is := errors.AsType[*mail.Failure](err)
	switch {
	case !is:
		return err
	case failed.Code == "recipient_invalid":
		return exit.New(exit.Usage, fmt.Errorf("%q is not an address that can receive mail", address), "use an address such as ada@example.com, with ASCII letters before the @")
	case failed.Final:
		return exit.New(exit.Denied, fmt.Errorf("the mail server %s refuses the mail: %w", settings.Mail, failed), "check the address, and whether the server may send mails from mail.from")
	}
	return exit.New(exit.Unreachable, fmt.Errorf("the mail server %s cannot be used: %w", settings.Mail, failed), "check smtp.host, smtp.port, smtp.tls, smtp.username and smtp.password, and that this machine may connect to the server")
}
