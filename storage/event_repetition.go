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

// Repetition tells of the last event that was merged into an earlier one: where it
// came from, and what else may differ from the first.
type Repetition struct {
	At        Millis         `json:"at,omitempty"`
	Address   string         `json:"address,omitempty"`
	Agent     string         `json:"agent,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
}

// mergeWithin is the stretch of time in which equal events are one row.
const mergeWithin = time.Minute

// repeatable are the events of success that the holder of one token or one session
// can cause as often as they like. Refusals are all repeatable.
var repeatable = []EventType{
	GrantRetried, GrantRevoked, TokenRevoked, ConsentGiven, ConsentWithdrawn, UserUpdated, PasswordChanged,
	SessionsEnded, IdentityLinked, IdentityUnlinked, LogoutDelivered, UserGroupsChanged,
}

// isMerged reports whether equal events of one minute become one row that counts
// them, so that strangers cannot fill the table. Sign-ins to one session are merged too,
// and all sign-ins of a user who has very many. Each act of an operator is a row of its
// own.
func (e Event) isMerged() bool {
	if e.From.Actor != "" && e.From.Actor != e.UserID {
		return false
	}
	return e.Outcome == Refused || e.repeated || slices.Contains(repeatable, e.Type)
}

// merge writes the first event of its kind in this minute, or counts one more.
// Events are of one kind if type, outcome, reason, user, client, grant and
// connector are equal and, of a success, the detail (but for user.groups_changed). The row keeps what the first
// one said, and tells of the last where that came from.
func merge(tx *gorm.DB, e Event, at time.Time) error {
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
	return insertEvent(tx, e, at, merging{
		key:        key,
		onConflict: ` ON CONFLICT (merge_key) WHERE merge_key <> '' DO UPDATE SET times = events.times + excluded.times, latest = ?`,
		args:       []any{latest},
	})
}

// mergeKey is the same for events of one kind and minute.
func (e Event) mergeKey(at time.Time) (string, error) {
	kind := []string{string(e.Type), string(e.Outcome), e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector}
	if e.Outcome != Refused && e.Type != UserGroupsChanged { // whose detail a person may choose at the upstream
		detail, err := engine.JSONText(e.Detail)
		if err != nil {
			return "", fmt.Errorf("event detail: %w", err)
		}
		kind = append(kind, detail)
	}
	sum := sha256.Sum256([]byte(strings.Join(kind, "\x00")))
	return fmt.Sprintf("%x-%s", at.Truncate(mergeWithin).UnixMilli(), hex.EncodeToString(sum[:16])), nil
}

// inLockOrder sorts events that one transaction writes by the rows that they are merged
// into, so that two nodes that write events of the same kinds do not deadlock. Events of
// one kind keep their order.
func inLockOrder(list []Event) ([]Event, error) {
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
