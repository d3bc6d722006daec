package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Repetition describes the last event that was merged into an earlier one: its origin and the
// fields that may differ from the first event.
type Repetition struct {
	At        Millis         `json:"at,omitempty"`
	Address   string         `json:"address,omitempty"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
}

// mergeWithin is the period in which equal events become one row.
const mergeWithin = time.Minute

// repeatable are the types of successful events that the holder of one token or one session can
// cause any number of times. All refusals are repeatable.
var repeatable = []EventType{
	GrantRetried, GrantRevoked, TokenRevoked, ConsentGiven, ConsentWithdrawn, UserUpdated, PasswordChanged,
	SessionsEnded, IdentityLinked, IdentityUnlinked, LogoutDelivered, UserGroupsChanged,
}

// chosenDetail are the types of events whose detail a person can choose: the groups at an upstream, and
// the values of the own profile.
var chosenDetail = []EventType{UserGroupsChanged, UserUpdated}

// isMerged reports whether equal events of one minute become one row with a count, so that
// strangers cannot fill the table. Sign-ins that continue one session are merged too, as are all
// sign-ins of a user with very many sessions. Each act of an operator gets its own row.
func (e Event) isMerged() bool {
	if e.From.Actor != "" && e.From.Actor != e.UserID {
		return false
	}
	return e.Outcome == Refused || e.repeated || slices.Contains(repeatable, e.Type)
}

// mergeEvent writes the first event of its kind in this minute, or increases the count of the
// existing row. Events are of one kind if type, outcome, reason, user, client, grant and
// connector are equal. For successful events of types that are not in chosenDetail, the detail must be
// equal too. The row keeps the values of the first event; Latest describes the last one.
func mergeEvent(tx *gorm.DB, e Event, at time.Time) error {
	key, err := e.mergeKey(at)
	if err != nil {
		return err
	}
	from := e.From.clean()
	latest, err := engine.JSONText(Repetition{
		At: At(at), Address: from.Address, Agent: from.Agent, RequestID: from.RequestID,
		SessionID: cleanText(e.SessionID, longestName), Detail: e.Detail,
	})
	if err != nil {
		return fmt.Errorf("event detail: %w", err)
	}
	return insertEvent(tx, e, at, mergeRule{key, latest})
}

// mergeKey returns the same key for all events of one kind and minute.
func (e Event) mergeKey(at time.Time) (string, error) {
	kind := []string{string(e.Type), string(e.Outcome), e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector}
	if e.Outcome != Refused && !slices.Contains(chosenDetail, e.Type) {
		detail, err := engine.JSONText(e.Detail)
		if err != nil {
			return "", fmt.Errorf("event detail: %w", err)
		}
		kind = append(kind, detail)
	}
	sum := sha256.Sum256([]byte(strings.Join(kind, "\x00")))
	return fmt.Sprintf("%x-%s", at.Truncate(mergeWithin).UnixMilli(), hex.EncodeToString(sum[:16])), nil
}

// sortByMergeKey sorts the events of one transaction by the rows into which they are merged. Two
// nodes that write events of the same kinds then cannot deadlock. Events of one kind keep their
// order.
func sortByMergeKey(list []Event) ([]Event, error) {
	type keyed struct {
		Event
		key string
	}
	var sorted []keyed
	for _, e := range list {
		key, err := e.mergeKey(e.At.Time())
		if err != nil {
			return nil, err
		}
		sorted = append(sorted, keyed{e, key})
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	ordered := make([]Event, 0, len(sorted))
	for _, one := range sorted {
		ordered = append(ordered, one.Event)
	}
	return ordered, nil
}
