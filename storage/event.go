package storage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Origin tells where an act came from, for the audit events.
//
// Actor says who acted: a subject, "cli" or "system". The writer of an event leaves it
// empty if that was the event's own user. A reader finds that user's id then, and "" only
// in an event that names no user.
type Origin struct {
	RequestID string
	Address   string
	Agent     string
	Actor     string
}

// By tells where an act came from and when it happens: a use case gets both in one value.
type By struct {
	From Origin
	At   time.Time
}

// EventType is a noun and what happened to it.
type EventType string

// Outcome tells how it ended.
type Outcome string

// The outcomes of an event.
const (
	Succeeded Outcome = "success"
	Refused   Outcome = "refused"
)

// The events there are. An operator's filter names them, so they never change.
const (
	UserCreated          EventType = "user.created"
	UserDisabled         EventType = "user.disabled"
	UserEnabled          EventType = "user.enabled"
	UserEvicted          EventType = "user.evicted"   // unproven credentials gave way to the address's owner
	AddressProven        EventType = "address.proven" // an e-mail address; the reason says on whose word
	UserDeleted          EventType = "user.deleted"
	UserPromoted         EventType = "user.promoted" // may administer the server from now on
	UserDemoted          EventType = "user.demoted"
	UserUpdated          EventType = "user.updated"
	UserGroupsChanged    EventType = "user.groups_changed" // those that upstreams give; the detail says which
	UserSignedIn         EventType = "user.signed_in"
	UserSignInFailed     EventType = "user.sign_in_failed"
	UserRefused          EventType = "user.refused" // something else that a signed-in user asked for
	PasswordChanged      EventType = "password.changed"
	ClientCreated        EventType = "client.created"
	ClientUpdated        EventType = "client.updated"
	ClientDisabled       EventType = "client.disabled"
	ClientDeleted        EventType = "client.deleted"
	ClientEnabled        EventType = "client.enabled"
	ClientSecretReplaced EventType = "client.secret_replaced"
	ClientRefused        EventType = "client.refused" // it did not authenticate itself, or asked for what it may not
	SessionEnded         EventType = "session.ended"
	SessionsEnded        EventType = "session.ended_all"
	LogoutDelivered      EventType = "logout.delivered" // a client was told that a session ended
	LogoutFailed         EventType = "logout.failed"    // and could not be, for good
	ConsentGiven         EventType = "consent.given"
	ConsentDenied        EventType = "consent.denied"
	ConsentWithdrawn     EventType = "consent.withdrawn"
	GrantReplayed        EventType = "grant.replayed"
	GrantRevoked         EventType = "grant.revoked"
	GrantRetried         EventType = "grant.retried"
	GrantRefused         EventType = "grant.refused" // a code or token of it was not accepted
	TokenRevoked         EventType = "token.revoked"
	IdentityLinked       EventType = "identity.linked"
	IdentityUnlinked     EventType = "identity.unlinked"
	UpstreamTokenRead    EventType = "identity.token_read" // an operator read what an upstream gave
	InstanceRestored     EventType = "instance.restored"   // a database from a backup was taken into use
	SetupOpened          EventType = "setup.opened"        // a link for the first administrator was made
	SetupCompleted       EventType = "setup.completed"
	KeyCreated           EventType = "key.created"
	KeyRotated           EventType = "key.rotated"
	KeyRevokedEvent      EventType = "key.revoked"
	KeyEnded             EventType = "key.gone"
	KeyLineRetired       EventType = "key.retired"
	KeysRewrapped        EventType = "key.rewrapped"
	KeyAlarm             EventType = "key.alarm" // a clock that jumped, a rotation that cannot happen
)

// EventTypes lists them all. No user is named by the events of keys, by those of clients
// but client.refused, and by token.revoked, instance.restored and setup.opened. Each other
// can name one.
var EventTypes = []EventType{
	UserCreated, UserDisabled, UserEnabled, UserEvicted, AddressProven, UserDeleted, UserPromoted, UserDemoted, UserUpdated,
	UserGroupsChanged,
	UserSignedIn, UserSignInFailed, UserRefused, PasswordChanged, ClientCreated, ClientUpdated, ClientDisabled, ClientDeleted,
	ClientEnabled, ClientSecretReplaced, ClientRefused, SessionEnded, SessionsEnded, LogoutDelivered, LogoutFailed,
	ConsentGiven, ConsentDenied, ConsentWithdrawn, GrantReplayed, GrantRevoked, GrantRetried, GrantRefused, TokenRevoked,
	IdentityLinked, IdentityUnlinked, UpstreamTokenRead, InstanceRestored, SetupOpened, SetupCompleted, KeyCreated,
	KeyRotated, KeyRevokedEvent, KeyEnded, KeyLineRetired, KeysRewrapped, KeyAlarm,
}

// Event is one line of the audit log. It never holds a secret.
type Event struct {
	ID        string
	At        Millis
	Type      EventType
	Outcome   Outcome
	Reason    string // a stable code
	UserID    string
	ClientID  string
	SessionID string
	GrantID   string
	Connector string
	From      Origin         `gorm:"embedded"`
	Detail    map[string]any `gorm:"serializer:signet_json"`
	Times     int64          // how often it happened within the minute that begins at At
	Latest    Repetition     `gorm:"serializer:signet_json"` // the last of them; zero for the first

	repeated bool // merged, though its type is not repeatable
}

// RecordEvent appends one event that no use case writes by itself, such as a
// refused sign-in of a known user. ID and time are made here. Times is how often
// it happened; 0 counts as 1.
func (db *DB) RecordEvent(ctx context.Context, e Event, at time.Time) error {
	e.At = At(at)
	return db.RecordEvents(ctx, []Event{e})
}

// RecordEvents appends several at once, each at its time At.
func (db *DB) RecordEvents(ctx context.Context, list []Event) error {
	for _, e := range list {
		if e.Type == "" {
			return errors.New("record event: it has no type")
		}
	}
	list, err := inLockOrder(list)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return db.write(ctx, "record event", func(tx *gorm.DB) error {
		for _, e := range list {
			if err := record(tx, e, e.At.Time()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Bounds of what a request may put into an event or a session.
const (
	longestAgent = 512
	longestName  = 256
)

// clean makes what came from headers storable.
func (o Origin) clean() Origin {
	return Origin{
		RequestID: cleanText(o.RequestID, longestName),
		Address:   cleanText(o.Address, longestName),
		Agent:     cleanText(o.Agent, longestAgent),
		Actor:     cleanText(o.Actor, longestName),
	}
}

// record writes an event in the transaction of what it tells of: there is no act
// without its event and no event without its act.
func record(tx *gorm.DB, e Event, at time.Time) error {
	if e.isMerged() {
		return merge(tx, e, at)
	}
	return insertEvent(tx, e, at, merging{})
}

// merging says what happens if an event with this key is there. The zero value is for an
// event that has a row of its own.
type merging struct {
	key        string
	onConflict string // SQL, whose parameters are args
	args       []any
}

func insertEvent(tx *gorm.DB, e Event, at time.Time, m merging) error {
	detail, err := engine.JSONText(e.Detail)
	if err != nil {
		return fmt.Errorf("event detail: %w", err)
	}
	from := e.From.clean()
	if from.Actor == "" {
		from.Actor = cleanText(e.UserID, longestName)
	}
	args := []any{
		eventID(at), At(at), e.Type, e.Outcome, cleanText(e.Reason, longestName), from.Actor,
		cleanText(e.UserID, longestName), cleanText(e.ClientID, longestName), cleanText(e.SessionID, longestName),
		cleanText(e.GrantID, longestName), cleanText(e.Connector, longestName),
		from.Address, from.Agent, from.RequestID, detail, max(e.Times, 1), m.key,
	}
	return tx.Exec(`INSERT INTO events (id, at, type, outcome, reason, actor, user_id, client_id, session_id, grant_id,
			connector, address, agent, request_id, detail, times, merge_key)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+m.onConflict, append(args, m.args...)...).Error
}

// eventOrder counts this process's events.
var eventOrder atomic.Uint32

// eventID sorts by time and, within a millisecond of one process, by order. The
// rest is random: nodes make them side by side.
func eventID(at time.Time) string {
	return fmt.Sprintf("evt_%012x%08x%s", at.UnixMilli(), eventOrder.Add(1), NewID("")[:16])
}
