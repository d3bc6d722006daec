package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signet/storage"
)

// EndedSessions names what a person has just ended, for the page that says who was told.
type EndedSessions struct {
	UserID    string    `json:"u"`
	SessionID string    `json:"s,omitempty"` // "": all sessions of the user
	At        time.Time `json:"t"`
}

const (
	endedPurpose = "ended"
	// endedLife bounds how long the address of the page shows it: whoever comes to
	// the browser afterwards need not know which applications were in use.
	endedLife = time.Minute
)

// Seal makes what the browser carries to the page, good for a minute.
func (o *Outbox) Seal(e EndedSessions) (string, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode what ended: %w", err)
	}
	return o.Ring.Seal(endedPurpose, payload, e.At.Add(endedLife))
}

// Open reads it. What is too old, or not of our making, names nothing.
func (o *Outbox) Open(sealed string) (e EndedSessions) {
	payload, err := o.Ring.Unseal(endedPurpose, sealed, o.Now())
	if err != nil || json.Unmarshal(payload, &e) != nil {
		return EndedSessions{}
	}
	return e
}

// StartDelivery starts to tell the clients at once, and does not wait for them; it reports
// whether there are any. Whatever keeps it from that, the next DeliverOnce does it.
func (o *Outbox) StartDelivery(ctx context.Context, e EndedSessions) (any bool) {
	notices, err := o.DB.LogoutNotices(ctx, e.UserID, e.SessionID, e.At)
	if err != nil || len(notices) == 0 {
		return false
	}
	select {
	case o.rounds <- struct{}{}:
	default:
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxRoundTime)
	o.running.Go(func() {
		defer func() { cancel(); <-o.rounds }()
		err := o.deliver(ctx, storage.NoticeClaim{UserID: e.UserID, SessionID: e.SessionID}, o.Now())
		if err != nil {
			o.Log.Warn("sign-outs are told later", "error", err)
		}
	})
	return true
}

// State is how far a client has been told.
type State int

// In the order in which the worst of several counts.
const (
	Delivered State = iota
	Pending         // nothing has come back yet
	Retrying        // it did not answer as it should; it is told again later
	GivenUp         // it will not be told
)

// Report is what one client has heard.
type Report struct {
	ClientID string
	Name     string
	State    State
}

const (
	minPollPause = 10 * time.Millisecond
	maxPollPause = 200 * time.Millisecond
)

// Report says which clients have been told of what ended. It waits, at most for
// patience, until each has answered or has not.
func (o *Outbox) Report(ctx context.Context, e EndedSessions, patience time.Duration) ([]Report, error) {
	if e.UserID == "" {
		return nil, nil
	}
	enough := time.After(patience)
	for pause := minPollPause; ; pause = min(2*pause, maxPollPause) {
		notices, err := o.DB.LogoutNotices(ctx, e.UserID, e.SessionID, e.At)
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		reports, pending := summarize(notices)
		if !pending {
			return o.withNames(ctx, reports)
		}
		select {
		case <-time.After(pause):
		case <-enough:
			return o.withNames(ctx, reports)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// summarize makes one report of all notices of a client.
func summarize(notices []storage.Notice) (reports []Report, pending bool) {
	for _, n := range notices {
		state := stateOf(n)
		pending = pending || state == Pending
		if last := len(reports) - 1; last >= 0 && reports[last].ClientID == n.ClientID {
			reports[last].State = max(reports[last].State, state)
			continue
		}
		reports = append(reports, Report{ClientID: n.ClientID, State: state})
	}
	return reports, pending
}

func stateOf(n storage.Notice) State {
	switch {
	case n.DeliveredAt != 0:
		return Delivered
	case n.GivenUpAt != 0:
		return GivenUp
	case n.LastError != "":
		return Retrying
	}
	return Pending
}

func (o *Outbox) withNames(ctx context.Context, reports []Report) ([]Report, error) {
	for i, r := range reports {
		client, err := o.DB.Client(ctx, r.ClientID)
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		reports[i].Name = client.Name
	}
	return reports, nil
}
