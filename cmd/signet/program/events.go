package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/user"
	"signet/provider/directory"
	"signet/provider/spelling"
	"signet/storage"
)

// eventsPage is the number of events that one query reads.
const eventsPage = 500

func (p *program) eventsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "events",
		Short: "Read the audit events",
		Long: `Read the audit events, newest first. --limit sets the number of events. --jsonl prints
one JSON object per line; without --follow it prints all matching events. --follow
prints the last events, oldest first, and then each new event until you interrupt the
command.`,
		Args: cli.ExactArgs(),
	}
	var chosen eventFlags
	flags := c.Flags()
	flags.StringVar(&chosen.kind, "type", "", "only events of this type, such as user.signed_in")
	flags.StringVar(&chosen.user, "user", "", "only events of this user: email address or subject (sub)")
	flags.StringVar(&chosen.client, "client", "", "only events of this client_id")
	flags.StringVar(&chosen.outcome, "outcome", "", "only events with this outcome: success or refused")
	flags.StringVar(&chosen.since, "since", "", "only events since this time, such as 24h (ago) or 2026-01-31T12:00:00Z")
	limit := flags.Int("limit", 50, "maximum number of events, 1 to 1000; --jsonl without --follow prints all")
	asLines := flags.Bool("jsonl", false, "print all matching events, one JSON object per line")
	follow := flags.BoolP("follow", "f", false, "also print each new event, until interrupted")
	asJSON := cli.JSONFlag(c)
	c.MarkFlagsMutuallyExclusive("json", "jsonl")
	cli.CheckUsage(c, func() error {
		switch {
		case *limit < 1 || *limit > 1000:
			return fmt.Errorf("--limit is %d: use 1 to 1000, or --jsonl for all events", *limit)
		case *follow && *asJSON:
			return errors.New("--follow cannot print a JSON document, because it has no end: use --jsonl")
		}
		_, err := chosen.filter(p.Now())
		return err
	})
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		f, err := p.eventFilter(ctx, db, chosen)
		if err != nil {
			return err
		}
		switch {
		case *follow:
			return p.followEvents(ctx, db, f, *limit, *asLines)
		case *asLines:
			return eachEvent(ctx, db, f, p.eventPrinter(true))
		}
		list, err := db.Events(ctx, f, *limit)
		if err != nil {
			return err
		}
		if *asJSON {
			described := []directory.EventDocument{} // never null
			for _, e := range list {
				described = append(described, directory.DescribeEvent(e))
			}
			return p.WriteJSON(map[string]any{"events": described})
		}
		return p.tableOfEvents(list)
	})
	return c
}

type eventFlags struct{ kind, user, client, outcome, since string }

// filter returns the filter that the flags describe, with the user as it was passed. The error is
// a mistake in the command line.
func (chosen eventFlags) filter(now time.Time) (storage.EventFilter, error) {
	f := storage.EventFilter{
		Type: storage.EventType(chosen.kind), ClientID: chosen.client, Outcome: storage.Outcome(chosen.outcome), UserID: chosen.user,
	}
	if f.Type != "" && !slices.Contains(storage.EventTypes, f.Type) {
		return f, fmt.Errorf("--type is %q, which is not an event type%s", chosen.kind, suggestType(chosen.kind))
	}
	if f.Outcome != "" && f.Outcome != storage.Succeeded && f.Outcome != storage.Refused {
		return f, fmt.Errorf("--outcome is %q: use success or refused", chosen.outcome)
	}
	if chosen.since != "" {
		since, err := parseSince(chosen.since, now)
		if err != nil {
			return f, fmt.Errorf("--since is %q: %w", chosen.since, err)
		}
		f.Since = since
	}
	return f, nil
}

func (p *program) eventFilter(ctx context.Context, db *storage.DB, chosen eventFlags) (storage.EventFilter, error) {
	f, err := chosen.filter(p.Now())
	if err != nil {
		return f, err
	}
	if strings.Contains(chosen.user, "@") { // a subject is used as it is, so that the events of a deleted user can be found
		u, err := user.Find(ctx, db, chosen.user)
		if err != nil {
			return f, err
		}
		f.UserID = u.ID
	}
	return f, nil
}

// suggestType returns the most similar event type for an error message, or all types.
func suggestType(word string) string {
	var types []string
	for _, t := range storage.EventTypes {
		types = append(types, string(t))
	}
	if suggestion := spelling.DidYouMean(word, types); suggestion != "" {
		return suggestion
	}
	slices.Sort(types)
	return "; the types are " + strings.Join(types, ", ")
}

// parseSince parses a time, or a duration before now.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errors.New("use a duration before now, such as 24h, or a time, such as 2026-01-31T12:00:00Z")
	}
	return at, nil
}

// eachEvent calls do for all matching events, newest first, page by page.
func eachEvent(ctx context.Context, db *storage.DB, f storage.EventFilter, do func(storage.Event) error) error {
	for {
		page, err := db.Events(ctx, f, eventsPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := do(e); err != nil {
				return err
			}
		}
		if len(page) < eventsPage {
			return nil
		}
		f.Before = page[len(page)-1]
	}
}

func (p *program) tableOfEvents(list []storage.Event) error {
	if len(list) == 0 {
		p.Say("no event matches")
		return nil
	}
	rows := [][]string{eventColumns}
	for _, e := range list {
		rows = append(rows, eventRow(e))
	}
	return p.WriteTable(rows)
}

var eventColumns = []string{"AT", "TYPE", "OUTCOME", "REASON", "ACTOR", "USER", "CLIENT", "ADDRESS", "TIMES", "CHANGES"}

func eventRow(e storage.Event) []string {
	times := ""
	if e.Times > 1 {
		times = strconv.FormatInt(e.Times, 10)
	}
	return []string{
		e.At.Time().Format(time.RFC3339), string(e.Type), string(e.Outcome), e.Reason, e.From.Actor, e.UserID, e.ClientID, e.From.Address, times, changesLine(e),
	}
}

// longestChange is the longest value of a changed field in a line for people, in characters.
const longestChange = 60

// changesLine returns the changed fields of an event in one line, such as `name: "Ada" -> "Ada King"`. A
// field that was not set is "-".
func changesLine(e storage.Event) string {
	changes, err := storage.ChangesIn(e.Detail)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		parts = append(parts, name+": "+valueText(changes[name].Before)+" -> "+valueText(changes[name].After))
	}
	return strings.Join(parts, "; ")
}

func valueText(value any) string {
	if value == nil {
		return "-"
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "unreadable"
	}
	short := []rune(strings.TrimSpace(text.String()))
	if len(short) > longestChange {
		short = append(short[:longestChange], '…')
	}
	return string(short)
}
