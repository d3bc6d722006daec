package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signet/storage"
)

// EndedSessions identifies the sessions that a person has just ended. The page after a sign-out
// uses it to show which applications were notified.
type EndedSessions struct {
	UserID    string    `json:"u"`
	SessionID string    `json:"s,omitempty"` // "": every session of the user
	Browser   string    `json:"b,omitempty"` // the session of this browser, if SessionID is ""
	At        time.Time `json:"t"`
}

const (
	endedPurpose = "ended"
	// endedLife is how long the page's URL shows the applications. The next person at this
	// browser must not learn which applications were used.
	endedLife = time.Minute
)

// Seal returns a value for the URL of the page. It is valid for one minute.
func (o *Outbox) Seal(e EndedSessions) (string, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode ended sessions: %w", err)
	}
	return o.Ring.Seal(endedPurpose, payload, e.At.Add(endedLife))
}

// Open returns the value that Seal sealed; the zero value if it is too old or not valid.
func (o *Outbox) Open(sealed string) (e EndedSessions) {
	payload, err := o.Ring.Unseal(endedPurpose, sealed, o.Now())
	if err != nil || json.Unmarshal(payload, &e) != nil {
		return EndedSessions{}
	}
	return e
}

// StartDelivery starts to notify the clients at once, and does not wait for them. It reports
// whether there are notices. If it cannot start, the next DeliverOnce delivers them.
func (o *Outbox) StartDelivery(ctx context.Context, e EndedSessions) (hasNotices bool) {
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
			o.Log.Warn("cannot deliver back-channel logout notices now; they are sent later", "error", err)
		}
	})
	return true
}

// State is the state of the notices to a client.
type State int

// The states from best to worst. Of several notices to a client, the worst state counts.
const (
	Delivered State = iota
	Pending         // no answer yet
	Retrying        // the last try failed; the notice is sent again later
	GivenUp         // the notice is not sent any more
)

// Report is the state of the notices to one client.
type Report struct {
	ClientID string
	Name     string
	State    State
}

const (
	minPollPause = 10 * time.Millisecond
	maxPollPause = 200 * time.Millisecond
)

// Report returns the state of the notices to each client. It waits until no notice is pending,
// but at most for patience.
func (o *Outbox) Report(ctx context.Context, e EndedSessions, patience time.Duration) ([]Report, error) {
	if e.UserID == "" {
		return nil, nil
	}
	deadline := time.After(patience)
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
		case <-deadline:
			return o.withNames(ctx, reports)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// summarize combines the notices of each client into one report.
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
