package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
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
	SessionsEnded, IdentityLinked, IdentityUnlinked, LogoutDelivered,
}

// isMerged reports whether equal events of one minute become one row that counts
// them, so that strangers cannot fill the table. So do sign-ins to one session, and
// all of a user who has very many. What an operator does is always a
// row of its own.
func (e Event) isMerged() bool {
	if e.From.Actor != "" && e.From.Actor != e.UserID {
		return false
	}
	return e.Outcome == Refused || e.repeated || slices.Contains(repeatable, e.Type)
}

// merge writes the first event of its kind in this minute, or counts one more.
// Events are of one kind if type, outcome, reason, user, client, grant and
// connector are equal and, of a success, the detail. The row keeps what the first
// one said, and tells of the last where that came from.
func merge(tx *gorm.DB, e Event, at time.Time) error {
	minute := at.Truncate(mergeWithin)
	kind := []string{string(e.Type), string(e.Outcome), e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector}
	if e.Outcome != Refused {
		detail, err := jsonText(e.Detail)
		if err != nil {
			return fmt.Errorf("event detail: %w", err)
		}
		kind = append(kind, detail)
	}
	sum := sha256.Sum256([]byte(strings.Join(kind, "\x00")))
	key := fmt.Sprintf("%x-%s", minute.UnixMilli(), hex.EncodeToString(sum[:16]))

	from := e.From.clean()
	latest, err := jsonText(Repetition{
		At: At(at), Address: from.Address, Agent: from.Agent, RequestID: from.RequestID,
		SessionID: cleanText(e.SessionID, longestName), Detail: e.Detail,
	})
	if err != nil {
		return fmt.Errorf("event detail: %w", err)
	}
	return insertEvent(tx, key, ` ON CONFLICT (merge_key) WHERE merge_key <> '' DO UPDATE SET times = events.times + excluded.times, latest = ?`, e, at, latest)
}
