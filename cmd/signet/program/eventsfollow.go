package program

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

const (
	followEvery = time.Second
	// maxDelay is the longest time between the time of an event and its commit. A transaction may
	// take five seconds, and the clocks of nodes differ a little.
	maxDelay = 10 * time.Second
)

// eventFollower prints new events, each once.
type eventFollower struct {
	db      *storage.DB
	filter  storage.EventFilter
	print   func(storage.Event) error
	polled  time.Time            // time of the last poll
	printed map[string]time.Time // time of each event that was printed recently, by id
}

// followEvents prints the last matching events, oldest first, and then each new event until ctx
// ends.
func (p *program) followEvents(ctx context.Context, db *storage.DB, f storage.EventFilter, limit int, asLines bool) error {
	clock := node.NewClock(p.Now)
	if err := clock.Measure(ctx, db); err != nil {
		return err
	}
	w := &eventFollower{db: db, filter: f, print: p.eventPrinter(asLines), polled: clock.Now(), printed: map[string]time.Time{}}
	err := w.printLast(ctx, limit)
	if err == nil {
		for range node.Every(ctx, followEvery) {
			if err = w.poll(ctx, clock.Now()); err != nil {
				break
			}
		}
	}
	if ctx.Err() != nil { // interrupted, perhaps during a poll
		return nil
	}
	return err
}

func (p *program) eventPrinter(asLines bool) func(storage.Event) error {
	if asLines {
		out := json.NewEncoder(p.Stdout)
		out.SetEscapeHTML(false)
		return func(e storage.Event) error { return out.Encode(directory.DescribeEvent(e)) }
	}
	return func(e storage.Event) error {
		row := eventRow(e)
		_, err := fmt.Fprintf(p.Stdout, "%-20s  %-24s  %-7s  %s\n", row[0], row[1], row[2], joinFields(row[3:]))
		return err
	}
}

// joinFields returns the non-empty fields with their names. The widths of the values are unknown,
// so they cannot be aligned in columns.
func joinFields(values []string) string {
	text := ""
	for i, name := range []string{"reason", "actor", "user", "client", "address", "times", "changes"} {
		if values[i] != "" {
			text += name + "=" + values[i] + "  "
		}
	}
	return text
}

// printLast prints the last events, up to limit. It marks all other recent events as printed.
func (w *eventFollower) printLast(ctx context.Context, limit int) error {
	recent, err := w.recent(ctx)
	if err != nil {
		return err
	}
	first, err := w.db.Events(ctx, w.filter, limit)
	if err != nil {
		return err
	}
	if err := w.write(first); err != nil {
		return err
	}
	for _, e := range recent {
		w.printed[e.ID] = e.At.Time()
	}
	return nil
}

// poll prints the events since the last poll, including those that were committed late.
func (w *eventFollower) poll(ctx context.Context, now time.Time) error {
	fresh, err := w.recent(ctx)
	if err != nil {
		return err
	}
	for id, at := range w.printed {
		if at.Before(w.polled.Add(-maxDelay)) {
			delete(w.printed, id)
		}
	}
	w.polled = now
	return w.write(fresh)
}

// recent returns the matching events since maxDelay before the last poll, newest first.
func (w *eventFollower) recent(ctx context.Context) (list []storage.Event, err error) {
	f := w.filter
	if since := w.polled.Add(-maxDelay); since.After(f.Since) {
		f.Since = since
	}
	err = eachEvent(ctx, w.db, f, func(e storage.Event) error {
		list = append(list, e)
		return nil
	})
	return list, err
}

// write prints the events of a list that were not printed yet, oldest first. The list has the
// newest event first.
func (w *eventFollower) write(list []storage.Event) error {
	for _, e := range slices.Backward(list) {
		if _, done := w.printed[e.ID]; done {
			continue
		}
		w.printed[e.ID] = e.At.Time()
		if err := w.print(e); err != nil {
			return err
		}
	}
	return nil
}
