package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/storage"
)

var errNoWebhook = errors.New("there is no webhook: events.webhook.url is not set")

func (p *program) webhookCommand() *cobra.Command {
	c := &cobra.Command{Use: "webhook", Short: "Send events to the webhook again"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.webhookResendCommand())
	return c
}

func (p *program) webhookResendCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "resend EVENT_ID",
		Short: "Send an event to the webhook again",
		Long: `Send an event to the webhook of the settings (events.webhook.url) again, whether or not it
has it. A server sends it within a second, with the same webhook-id as before. The id is one
of those that signet events --json and --jsonl print.`,
		Example: `  signet webhook resend evt_…`,
		Args:    cli.ExactArgs("EVENT_ID"),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if !settings.Webhook.IsSet() {
			return exit.New(exit.Config, errNoWebhook, "set events.webhook.url and events.webhook.secret")
		}
		err := p.Directory(settings, db).ResendEvents(ctx, args, cli.Origin())
		if errors.Is(err, storage.ErrNotFound) {
			return exit.New(exit.NotFound, fmt.Errorf("the event %s does not exist: %w", args[0], err), "list the ids with: signet events --jsonl")
		}
		if err != nil {
			return err
		}
		p.Say("event %s is sent again", args[0])
		if *asJSON {
			return p.WriteJSON(map[string]any{"resent": args[0]})
		}
		return nil
	})
	return c
}

// completeEvents completes the newest events.
func completeEvents(ctx context.Context, db *storage.DB, _ string) ([]cobra.Completion, error) {
	events, err := db.Events(ctx, storage.EventFilter{}, maxCompletions)
	return completions(events, func(e storage.Event) (string, string) { return e.ID, string(e.Type) }), err
}
