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

// Origin is the source of an act, for the audit events.
//
// Actor is the ID of a user or client, ActorCLI or ActorSystem. The writer of an event leaves it empty
// if the event's own user acted. Storage then fills in the ID of that user. When an event is read,
// Actor is "" only if the event has no user.
type Origin struct {
	RequestID string
	Address   string
	Agent     string
	Actor     string
	Attempt   CallAttempt `gorm:"-"` // is marked in the transaction of the act; no part of the event
}

// Actors that are neither users nor clients. No client may have one of them as its id.
const (
	ActorCLI    = "cli"    // a command on the server
	ActorSystem = "system" // the server itself
)

// By is the origin and the time of an act. Use cases take both in one value.
type By struct {
	From Origin
	At   time.Time
}

// EventType names an object and the change to it.
type EventType string

// Outcome is the result of the act.
type Outcome string

// The outcomes of an event.
const (
	Succeeded Outcome = "success"
	Refused   Outcome = "refused"
)

// The types of events. Operators filter by them, so they never change.
const (
	UserCreated              EventType = "user.created"
	SignUpRequested          EventType = "signup.requested" // somebody asked for a mail to create an account; the reason is the kind of the mail
	UserDisabled             EventType = "user.disabled"
	UserEnabled              EventType = "user.enabled"
	UserEvicted              EventType = "user.evicted"             // the owner of the address proved it, so earlier credentials were deleted
	AddressProven            EventType = "address.proven"           // an email address; the reason is the kind of proof
	AddressProofRequested    EventType = "address.proof_requested"  // a user asked for a mail that proves the address
	AddressChangeRequested   EventType = "address.change_requested" // a user asked for a mail to a new address
	AddressChanged           EventType = "address.changed"          // by its user
	AddressChangeUndone      EventType = "address.change_undone"    // by the former address; the detail counts what could not be restored
	UserDeleted              EventType = "user.deleted"
	UserPromoted             EventType = "user.promoted" // got a role of administration
	UserDemoted              EventType = "user.demoted"
	AdminTokenIssued         EventType = "admin.token_issued" // a person got an access token for the administration API
	UserUpdated              EventType = "user.updated"
	UserGroupsChanged        EventType = "user.groups_changed" // groups from upstreams; the detail lists them
	UserSignedIn             EventType = "user.signed_in"
	UserSignInFailed         EventType = "user.sign_in_failed"
	UserRefused              EventType = "user.refused" // another request of a signed-in user was refused
	PasswordChanged          EventType = "password.changed"
	PasswordResetRequested   EventType = "password.reset_requested" // somebody asked for a mail with a new password, then the reason is the kind of the mail, or no_mail if nobody gets one; or an operator made a link
	PasskeyRequested         EventType = "passkey.requested"        // an operator made a link with which the user adds a passkey
	PasskeyAdded             EventType = "passkey.added"
	PasskeyRenamed           EventType = "passkey.renamed"
	PasskeyRemoved           EventType = "passkey.removed"
	PasskeyConfirmed         EventType = "passkey.confirmed"         // used together with a second factor; from then on a sign-in with it has two
	PasskeyCounterDecreased  EventType = "passkey.counter_decreased" // its signature counter did not grow: a copy of its key may exist
	InvitationCreated        EventType = "invitation.created"
	InvitationUsed           EventType = "invitation.used" // it created the user
	InvitationRevoked        EventType = "invitation.revoked"
	EnrolmentRequested       EventType = "enrolment.requested"       // a user asked for the mail that comes before the first factor
	EnrolmentConfirmed       EventType = "enrolment.confirmed"       // the user opened its link
	FactorAdded              EventType = "factor.added"              // a second factor; the reason is its kind
	FactorRenamed            EventType = "factor.renamed"            // a security key; the reason is its kind
	FactorRemoved            EventType = "factor.removed"            // by the user; the reason is its kind
	FactorsReset             EventType = "factor.reset"              // an operator removed all factors except the password
	AlwaysAskChanged         EventType = "factor.always_ask_changed" // the detail says whether it is on
	RecoveryCodesReplaced    EventType = "recovery_codes.replaced"   // by the user
	RecoveryCodeUsed         EventType = "recovery_codes.used"       // at a sign-in; the detail has the number of codes that are left
	BrowserTrusted           EventType = "browser.trusted"           // the user is not asked for the second factor in it; the detail has the end
	BrowserTrustEnded        EventType = "browser.trust_ended"       // by the user
	ClientCreated            EventType = "client.created"
	ClientUpdated            EventType = "client.updated"
	ClientDisabled           EventType = "client.disabled"
	ClientDeleted            EventType = "client.deleted"
	ClientEnabled            EventType = "client.enabled"
	ClientSecretReplaced     EventType = "client.secret_replaced"
	ClientSecretDeleted      EventType = "client.secret_deleted"
	ClientRegistered         EventType = "client.registered" // it registered itself
	ClientApproved           EventType = "client.approved"   // an administrator approved a client that registered itself
	ClientRefused            EventType = "client.refused"    // it did not authenticate, or is not allowed to make the request
	SessionEnded             EventType = "session.ended"
	SessionsEnded            EventType = "session.ended_all"
	LogoutDelivered          EventType = "logout.delivered" // a client got the notice that a session ended
	LogoutFailed             EventType = "logout.failed"    // delivery was given up
	MailFailed               EventType = "mail.failed"      // a mail was given up; the reason is the last error
	MailRetried              EventType = "mail.retried"     // an operator has mails sent again that had failed
	ConsentGiven             EventType = "consent.given"
	ConsentDenied            EventType = "consent.denied"
	ConsentWithdrawn         EventType = "consent.withdrawn"
	DeviceApproved           EventType = "device.approved" // a user let a device sign in with a device code
	DeviceDenied             EventType = "device.denied"
	GrantReplayed            EventType = "grant.replayed"
	GrantRevoked             EventType = "grant.revoked"
	GrantRetried             EventType = "grant.retried"
	GrantRefused             EventType = "grant.refused" // a code or a token of the grant was refused
	TokenRevoked             EventType = "token.revoked"
	IdentityLinked           EventType = "identity.linked"
	IdentityUnlinked         EventType = "identity.unlinked"
	UpstreamTokenRead        EventType = "identity.token_read"       // an operator read the token of an upstream
	InstanceRestored         EventType = "instance.restored"         // a database was restored from a backup
	InstanceRPIDChanged      EventType = "instance.rp_id_changed"    // passkeys of the former RP ID can no longer be used
	EverythingEnded          EventType = "instance.everything_ended" // all sessions, grants and keys of the instance; the detail has the reason
	SetupOpened              EventType = "setup.opened"              // a link for the first administrator was created
	SetupCompleted           EventType = "setup.completed"
	BreakGlassOpened         EventType = "setup.break_glass_opened" // a link for an administrator who has lost access was created
	BreakGlassUsed           EventType = "setup.break_glass_used"
	RegistrationTokenCreated EventType = "registration_token.created" // an initial access token; the detail has its id
	RegistrationTokenRevoked EventType = "registration_token.revoked"
	KeyCreated               EventType = "key.created"
	KeyRotated               EventType = "key.rotated"
	KeyRevokedEvent          EventType = "key.revoked"
	KeyEnded                 EventType = "key.gone"
	KeyLineRetired           EventType = "key.retired"
	KeysRewrapped            EventType = "key.rewrapped"
	KeyAlarm                 EventType = "key.alarm"         // a clock jumped, or a rotation is impossible
	WebhookFailed            EventType = "webhook.failed"    // events were given up that the webhook did not accept; the detail has their ids
	WebhookResent            EventType = "webhook.resent"    // an operator has events sent to the webhook again
	KeyEngineFailed          EventType = "key.engine_failed" // OpenSSL does not make the RSA signatures of a node, although its settings say so
)

// EventTypes lists all types of events. These events name no user: those of keys, those of
// clients except client.refused, those of the instance, those of registration
// tokens, those of the webhook, token.revoked, mail.retried, invitation.created, invitation.revoked and setup.opened. All
// others can name one.
var EventTypes = []EventType{
	UserCreated, SignUpRequested, UserDisabled, UserEnabled, UserEvicted, AddressProven, AddressProofRequested, AddressChangeRequested, AddressChanged, AddressChangeUndone, UserDeleted, UserPromoted, UserDemoted, AdminTokenIssued, UserUpdated,
	UserGroupsChanged,
	UserSignedIn, UserSignInFailed, UserRefused, PasswordChanged, PasswordResetRequested, PasskeyRequested, PasskeyAdded, PasskeyRenamed, PasskeyRemoved, PasskeyConfirmed, PasskeyCounterDecreased, InvitationCreated, InvitationUsed, InvitationRevoked,
	EnrolmentRequested, EnrolmentConfirmed, FactorAdded, FactorRenamed, FactorRemoved, FactorsReset, AlwaysAskChanged, RecoveryCodesReplaced, RecoveryCodeUsed, BrowserTrusted, BrowserTrustEnded, ClientCreated, ClientUpdated, ClientDisabled, ClientDeleted,
	ClientEnabled, ClientSecretReplaced, ClientSecretDeleted, ClientRegistered, ClientApproved, ClientRefused, SessionEnded, SessionsEnded, LogoutDelivered, LogoutFailed, MailFailed, MailRetried,
	ConsentGiven, ConsentDenied, ConsentWithdrawn, DeviceApproved, DeviceDenied, GrantReplayed, GrantRevoked, GrantRetried, GrantRefused, TokenRevoked,
	IdentityLinked, IdentityUnlinked, UpstreamTokenRead, InstanceRestored, InstanceRPIDChanged, EverythingEnded, SetupOpened, SetupCompleted,
	BreakGlassOpened, BreakGlassUsed, RegistrationTokenCreated, RegistrationTokenRevoked, KeyCreated,
	KeyRotated, KeyRevokedEvent, KeyEnded, KeyLineRetired, KeysRewrapped, KeyAlarm, WebhookFailed, WebhookResent, KeyEngineFailed,
}

// Event is one row of the audit log. It never contains a secret.
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
	Times     int64          // number of occurrences within the minute that begins at At
	Latest    Repetition     `gorm:"serializer:signet_json"` // the last occurrence; zero if there was only one

	repeated bool // is merged although its type is not in repeatable
}

// RecordEvent appends one event that no use case records by itself, such as a refused sign-in of
// a known user. It sets the ID and the time. Times is the number of occurrences; 0 counts as 1.
func (db *DB) RecordEvent(ctx context.Context, e Event, at time.Time) error {
	e.At = At(at)
	return db.RecordEvents(ctx, []Event{e})
}

// RecordEvents appends several events in one transaction, each with its own time At.
func (db *DB) RecordEvents(ctx context.Context, list []Event) error {
	for _, e := range list {
		if e.Type == "" {
			return errors.New("record event: the event has no type")
		}
	}
	list, err := sortByMergeKey(list)
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

// The longest texts, in bytes, that a request can write into an event or a session.
const (
	longestAgent = 512
	longestName  = 256
)

// clean makes values from headers storable.
func (o Origin) clean() Origin {
	return Origin{
		RequestID: cleanText(o.RequestID, longestName),
		Address:   cleanText(o.Address, longestName),
		Agent:     cleanText(o.Agent, longestAgent),
		Actor:     cleanText(o.Actor, longestName),
	}
}

// record writes an event in the transaction of the act that it describes. So there is no act
// without its event and no event without its act.
func record(tx *gorm.DB, e Event, at time.Time) error {
	if e.Outcome == Succeeded {
		if err := e.From.Attempt.markActed(tx, at); err != nil {
			return err
		}
	}
	if e.isMerged() {
		return mergeEvent(tx, e, at)
	}
	return insertEvent(tx, e, at, mergeRule{})
}

// mergeRule is for an event that is merged into an existing one with the same key. The zero value is
// for an event that always gets its own row.
type mergeRule struct {
	key    string
	latest string // Repetition as JSON, for the existing row
}

func insertEvent(tx *gorm.DB, e Event, at time.Time, m mergeRule) error {
	detail, err := engine.JSONText(e.Detail)
	if err != nil {
		return fmt.Errorf("event detail: %w", err)
	}
	from := e.From.clean()
	if from.Actor == "" {
		from.Actor = cleanText(e.UserID, longestName)
	}
	id := eventID(at)
	args := []any{
		id, At(at), e.Type, e.Outcome, cleanText(e.Reason, longestName), from.Actor,
		cleanText(e.UserID, longestName), cleanText(e.ClientID, longestName), cleanText(e.SessionID, longestName),
		cleanText(e.GrantID, longestName), cleanText(e.Connector, longestName),
		from.Address, from.Agent, from.RequestID, detail, max(e.Times, 1), m.key,
	}
	if m.key == "" {
		_, err = insertOneEvent.Exec(tx, args...)
	} else {
		_, err = insertMergedEvent.Exec(tx, append(args, m.latest)...)
	}
	if err != nil {
		return err
	}
	return forward(tx, id, e.Type, at)
}

const insertEventText = `INSERT INTO events (id, at, type, outcome, reason, actor, user_id, client_id, session_id, grant_id,
		connector, address, agent, request_id, detail, times, merge_key)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

var (
	insertOneEvent    = engine.NewStatement(insertEventText)
	insertMergedEvent = engine.NewStatement(insertEventText + ` ON CONFLICT (merge_key) WHERE merge_key <> '' DO UPDATE SET times = events.times + excluded.times, latest = ?`)
)

// eventOrder counts the events of this process.
var eventOrder atomic.Uint32

// eventID returns an ID that sorts by time and, within one millisecond of one process, by order.
// The rest is random, because several nodes create IDs at the same time.
func eventID(at time.Time) string {
	return fmt.Sprintf("evt_%012x%08x%s", at.UnixMilli(), eventOrder.Add(1), NewID("")[:16])
}
