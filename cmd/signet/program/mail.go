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
	"signet/provider/mail"
	"signet/provider/notice"
	"signet/storage"
)

func (p *program) mailCommand() *cobra.Command {
	c := &cobra.Command{Use: "mail", Short: "Test the mail server"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.mailTestCommand())
	return c
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
