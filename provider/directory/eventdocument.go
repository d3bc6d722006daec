package directory

import (
	"context"
	"time"

	"signet/storage"
)

// EventDocument is the JSON form of an audit event, for the command line and the administration
// API. If equal events of one minute were merged, the members are those of the first, except times
// and latest.
type EventDocument struct {
	ID        string         `json:"id"`
	At        time.Time      `json:"at"`
	Type      string         `json:"type"`
	Outcome   string         `json:"outcome" doc:"success or refused"`
	Reason    string         `json:"reason,omitempty" doc:"a stable code"`
	Actor     string         `json:"actor,omitempty" doc:"id of the user or client that acted, cli or system"`
	UserID    string         `json:"sub,omitempty" doc:"id of the user whom the event is about"`
	ClientID  string         `json:"client_id,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	GrantID   string         `json:"gid,omitempty"`
	Connector string         `json:"connector,omitempty"`
	Address   string         `json:"address,omitempty" doc:"network address of the act"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`

	Times  int64                `json:"times" doc:"number of equal events within a minute"`
	Latest *LatestEventDocument `json:"latest,omitempty" doc:"the last of them, if there are several"`
}

// LatestEventDocument is the JSON form of the last of several merged events.
type LatestEventDocument struct {
	At        time.Time      `json:"at"`
	SessionID string         `json:"sid,omitempty"`
	Address   string         `json:"address,omitempty"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
}

// DescribeEvent returns the JSON form of an event.
func DescribeEvent(e storage.Event) EventDocument {
	d := EventDocument{
		ID: e.ID, At: e.At.Time(), Type: string(e.Type), Outcome: string(e.Outcome), Reason: e.Reason, Actor: e.From.Actor,
		UserID: e.UserID, ClientID: e.ClientID, SessionID: e.SessionID, GrantID: e.GrantID, Connector: e.Connector,
		Address: e.From.Address, Agent: e.From.Agent, RequestID: e.From.RequestID, Detail: e.Detail, Times: e.Times,
	}
	if l := e.Latest; l.At != 0 { // deleted with the user
		d.Latest = &LatestEventDocument{l.At.Time(), l.SessionID, l.Address, l.Agent, l.RequestID, l.Detail}
	}
	return d
}

// ResendEvents queues events for the webhook of the settings again, whether or not it has them. Event
// webhook.resent. storage.ErrNotFound: one of them does not exist; then nothing is queued.
func (d *Directory) ResendEvents(ctx context.Context, ids []string, from storage.Origin) error {
	return d.db.ResendEvents(ctx, ids, d.by(from))
}
