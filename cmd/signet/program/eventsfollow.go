package program

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signet/cmd/signet/node"
	"signet/storage"
)

const (
	followEvery = time.Second
	// lateEvents is how much later than its time an event may be there to read: a
	// transaction has five seconds, and the clocks of nodes differ by a little.
	lateEvents = 10 * time.Second
)

// eventFollower prints events as they come, each once.
type eventFollower struct {
	db      *storage.DB
	filter  storage.EventFilter
	print   func(storage.Event) error
	looked  time.Time            // the last time
	printed map[string]time.Time // when each of the last seconds was
}

// followEvents prints the newest that match, the oldest of them first, and then each
// new one, until ctx ends.
func (p *program) followEvents(ctx context.Context, db *storage.DB, f storage.EventFilter, limit int, asLines bool) error {
	clock := node.NewClock(p.Now)
	if err := clock.Measure(ctx, db); err != nil {
		return err
	}
	w := &eventFollower{db: db, filter: f, print: p.eventPrinter(asLines), looked: clock.Now(), printed: map[string]time.Time{}}
	err := w.begin(ctx, limit)
	if err == nil {
		for range node.Every(ctx, followEvery) {
			if err = w.poll(ctx, clock.Now()); err != nil {
				break
			}
		}
	}
	if ctx.Err() != nil { // interrupted, perhaps in the middle of a look
		return nil
	}
	return err
}

func (p *program) eventPrinter(asLines bool) func(storage.Event) error {
	if asLines {
		out := json.NewEncoder(p.Stdout)
		out.SetEscapeHTML(false)
		return func(e storage.Event) error { return out.Encode(describeEvent(e)) }
	}
	return func(e storage.Event) error {
		row := eventRow(e)
		_, err := fmt.Fprintf(p.Stdout, "%-20s  %-24s  %-7s  %s\n", row[0], row[1], row[2], joinFields(row[3:]))
		return err
	}
}

// joinFields names what there is, since columns of unknown width do not line up.
func joinFields(values []string) string {
	text := ""
	for i, name := range []string{"reason", "actor", "user", "client", "address", "times"} {
		if values[i] != "" {
			text += name + "=" + values[i] + "  "
		}
	}
	return text
}

// begin prints the newest, as many as limit says. Others of the last seconds are old
// news too.
func (w *eventFollower) begin(ctx context.Context, limit int) error {
	old, err := w.recent(ctx)
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
	for _, e := range old {
		w.printed[e.ID] = e.At.Time()
	}
	return nil
}

// poll prints what has come since the last look, late ones included.
func (w *eventFollower) poll(ctx context.Context, now time.Time) error {
	fresh, err := w.recent(ctx)
	if err != nil {
		return err
	}
	for id, at := range w.printed {
		if at.Before(w.looked.Add(-lateEvents)) {
			delete(w.printed, id)
		}
	}
	w.looked = now
	return w.write(fresh)
}

// recent lists what matches since shortly before the last look.
func (w *eventFollower) recent(ctx context.Context) (list []storage.Event, err error) {
	f := w.filter
	if since := w.looked.Add(-lateEvents); since.After(f.Since) {
		f.Since = since
	}
	err = eachEvent(ctx, w.db, f, func(e storage.Event) error {
		list = append(list, e)
		return nil
	})
	return list, err
}

// write prints those of a list, the newest first, that have not been, the oldest first.
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
