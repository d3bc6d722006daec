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

func (p *program) eventsResendCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "resend EVENT_ID…",
		Short: "Send events to the webhook again",
		Long: `Send events to the webhook of the settings (events.webhook.url) again, whether or not it has
them. The servers send them within a second, with the same webhook-id as before. The ids are
those that signet events --json and --jsonl print.`,
		Example: `  signet events resend evt_…`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.UsageError(c, errors.New("signet events resend needs EVENT_ID"))
			}
			return nil
		},
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if !settings.Webhook.IsSet() {
			return exit.New(exit.Config, errNoWebhook, "set events.webhook.url and events.webhook.secret")
		}
		err := p.Directory(settings, db).ResendEvents(ctx, args, cli.Origin())
		if errors.Is(err, storage.ErrNotFound) {
			return exit.New(exit.NotFound, fmt.Errorf("one of these events does not exist: %w", err), "list the ids with: signet events --jsonl")
		}
		if err != nil {
			return err
		}
		p.Say("events that are sent again: %d", len(args))
		if *asJSON {
			return p.WriteJSON(map[string]any{"resent": len(args)})
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
