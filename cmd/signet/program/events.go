package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/user"
	"signet/provider/spelling"
	"signet/storage"
)

// eventsPage is how many events are read at once.
const eventsPage = 500

func (p *program) eventsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "events",
		Short: "Read the audit events",
		Long: `Read the audit events, the newest first. Without --jsonl, as many as --limit says;
with it, all that match, one JSON object a line. With --follow, as many as --limit
says, the oldest first, and then each that is recorded, until it is interrupted.`,
		Args: cli.ExactArgs(),
	}
	var chosen eventFlags
	flags := c.Flags()
	flags.StringVar(&chosen.kind, "type", "", "only this type, such as user.signed_in")
	flags.StringVar(&chosen.user, "user", "", "only those of this user: e-mail or subject (sub)")
	flags.StringVar(&chosen.client, "client", "", "only those of this client_id")
	flags.StringVar(&chosen.outcome, "outcome", "", "only these: success or refused")
	flags.StringVar(&chosen.since, "since", "", "only from then on: 24h ago, or 2026-01-31T12:00:00Z")
	limit := flags.Int("limit", 50, "at most so many (1 to 1000), without --jsonl")
	asLines := flags.Bool("jsonl", false, "print all that match, one JSON object a line")
	follow := flags.BoolP("follow", "f", false, "go on with each event that is recorded, until interrupted")
	asJSON := cli.JSONFlag(c)
	c.MarkFlagsMutuallyExclusive("json", "jsonl")
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		f, err := p.eventFilter(ctx, c, db, chosen)
		if err != nil {
			return err
		}
		if *limit < 1 || *limit > 1000 {
			return cli.UsageError(c, fmt.Errorf("--limit %d: want 1 to 1000; --jsonl prints all", *limit))
		}
		switch {
		case *follow && *asJSON:
			return cli.UsageError(c, errors.New("--follow has no end, as a JSON document has: use --jsonl"))
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
			described := []describedEvent{} // never null
			for _, e := range list {
				described = append(described, describeEvent(e))
			}
			return p.WriteJSON(map[string]any{"events": described})
		}
		return p.tableOfEvents(list)
	})
	return c
}

type eventFlags struct{ kind, user, client, outcome, since string }

func (p *program) eventFilter(ctx context.Context, c *cobra.Command, db *storage.DB, chosen eventFlags) (storage.EventFilter, error) {
	f := storage.EventFilter{
		Type: storage.EventType(chosen.kind), ClientID: chosen.client, Outcome: storage.Outcome(chosen.outcome), UserID: chosen.user,
	}
	if f.Type != "" && !slices.Contains(storage.EventTypes, f.Type) {
		return f, cli.UsageError(c, fmt.Errorf("--type %q is no type of event%s", chosen.kind, meantType(chosen.kind)))
	}
	if f.Outcome != "" && f.Outcome != storage.Succeeded && f.Outcome != storage.Refused {
		return f, cli.UsageError(c, fmt.Errorf("--outcome %q: want success or refused", chosen.outcome))
	}
	if chosen.since != "" {
		since, err := sinceWhen(chosen.since, p.Now())
		if err != nil {
			return f, cli.UsageError(c, fmt.Errorf("--since %q: %w", chosen.since, err))
		}
		f.Since = since
	}
	if strings.Contains(chosen.user, "@") { // a deleted user's events keep the bare subject
		u, err := user.Find(ctx, db, chosen.user)
		if err != nil {
			return f, err
		}
		f.UserID = u.ID
	}
	return f, nil
}

// meantType is what to say of a type that there is not.
func meantType(word string) string {
	var types []string
	for _, t := range storage.EventTypes {
		types = append(types, string(t))
	}
	if meant := spelling.DidYouMean(word, types); meant != "" {
		return meant
	}
	slices.Sort(types)
	return "; there are " + strings.Join(types, ", ")
}

// sinceWhen reads a time, or a duration as that long before now.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errors.New("want how long ago, such as 24h, or a time, such as 2026-01-31T12:00:00Z")
	}
	return at, nil
}

// eachEvent goes through all that match, the newest first, page by page.
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

// describedEvent is an event as --json and --jsonl show it.
type describedEvent struct {
	ID        string         `json:"id"`
	At        time.Time      `json:"at"`
	Type      string         `json:"type"`
	Outcome   string         `json:"outcome"`
	Reason    string         `json:"reason,omitempty"`
	Actor     string         `json:"actor,omitempty"`
	Subject   string         `json:"sub,omitempty"`
	ClientID  string         `json:"client_id,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	GrantID   string         `json:"gid,omitempty"`
	Connector string         `json:"connector,omitempty"`
	Address   string         `json:"address,omitempty"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`

	Times  int64            `json:"times"`            // within a minute; the members above are of the first
	Latest *describedLatest `json:"latest,omitempty"` // of more than one
}

type describedLatest struct {
	At        time.Time      `json:"at"`
	SessionID string         `json:"sid,omitempty"`
	Address   string         `json:"address,omitempty"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
}

func describeEvent(e storage.Event) describedEvent {
	described := describedEvent{
		ID: e.ID, At: e.At.Time(), Type: string(e.Type), Outcome: string(e.Outcome), Reason: e.Reason, Actor: e.From.Actor,
		Subject: e.UserID, ClientID: e.ClientID, SessionID: e.SessionID, GrantID: e.GrantID, Connector: e.Connector,
		Address: e.From.Address, Agent: e.From.Agent, RequestID: e.From.RequestID, Detail: e.Detail, Times: e.Times,
	}
	if e.Times > 1 {
		l := e.Latest
		described.Latest = &describedLatest{l.At.Time(), l.SessionID, l.Address, l.Agent, l.RequestID, l.Detail}
	}
	return described
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

var eventColumns = []string{"AT", "TYPE", "OUTCOME", "REASON", "ACTOR", "USER", "CLIENT", "ADDRESS", "TIMES"}

func eventRow(e storage.Event) []string {
	times := ""
	if e.Times > 1 {
		times = strconv.FormatInt(e.Times, 10)
	}
	return []string{
		e.At.Time().Format(time.RFC3339), string(e.Type), string(e.Outcome), e.Reason, e.From.Actor, e.UserID, e.ClientID, e.From.Address, times,
	}
}
