package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// DeviceCode is a device authorization (RFC 8628): a device polls with its device code, and a
// user enters the user code on a page and decides. It is pending until a user has decided or it
// expires. Its row stays for a day after its expiry, so that a replay still ends the grant.
type DeviceCode struct {
	ID        string // SecretHash of the device code
	UserCode  string // keyed hash of the user code; unique
	ClientID  string
	Scopes    []string     `gorm:"serializer:signet_json"` // requested; once approved, the approved ones
	Resources []string     `gorm:"serializer:signet_json"` // likewise
	UserID    string       // the user who decided; "" while it is pending
	SessionID string       // of that user
	GrantID   string       // the grant that it opened; "": none
	Detail    DeviceSignIn `gorm:"serializer:signet_json"`
	Address   string       // of the device

	PollInterval time.Duration `gorm:"serializer:signet_millis"` // shortest time between two polls
	PolledAt     Millis
	ApprovedAt   Millis
	DeniedAt     Millis
	RedeemedAt   Millis
	CreatedAt    Millis `gorm:"autoCreateTime:false"`
	ExpiresAt    Millis
}

// DeviceSignIn holds facts of the approving session at the time of the approval, for the grant.
type DeviceSignIn struct {
	AuthTime Millis   `json:"t,omitempty"` // see Grant
	StatedAt Millis   `json:"h,omitempty"`
	ACR      string   `json:"a,omitempty"`
	AMR      []string `json:"m,omitempty"`
}

// IsExpired reports whether the code has expired.
func (d DeviceCode) IsExpired(at time.Time) bool { return d.ExpiresAt <= At(at) }

// IsPending reports whether a user can still decide.
func (d DeviceCode) IsPending(at time.Time) bool {
	return d.ApprovedAt == 0 && d.DeniedAt == 0 && !d.IsExpired(at)
}

// How often a device may poll (RFC 8628, section 3.5).
const (
	PollInterval = 5 * time.Second // at first
	pollPenalty  = 5 * time.Second // is added for each poll that comes too early
	maxPoll      = time.Minute     // the interval does not grow beyond it
	// pollTolerance is how much earlier a poll may arrive: clients poll by a ticker, and requests
	// take different times.
	pollTolerance = time.Second
)

// pollsTooEarly reports whether a poll at this moment comes too early. A poll in the future was
// stored by a node with a wrong clock, and does not count.
func (d DeviceCode) pollsTooEarly(at time.Time) bool {
	next := d.PolledAt.Add(d.PollInterval - pollTolerance)
	return d.PolledAt != 0 && At(at) < next && d.PolledAt <= At(at).Add(MaxClockSkew)
}

// OpenDeviceCode stores a new device code if all limits allow it.
//
// *ThrottledError: a limit is exceeded; nothing is written then. ErrConflict: the user code is
// taken. ErrRevoked: the client is disabled or deleted.
func (db *DB) OpenDeviceCode(ctx context.Context, d DeviceCode, limits []Limit, at time.Time) error {
	if err := refuseImpossible(d.ID, d.UserCode, d.ClientID); err != nil {
		return fmt.Errorf("open device code: %w", err)
	}
	if err := db.CheckAttempts(ctx, limits, at); err != nil {
		return err
	}
	d.PollInterval, d.CreatedAt = PollInterval, At(at)
	d.Address = cleanText(d.Address, longestName)
	return db.write(ctx, "open device code", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, clientRow, d.ClientID, forShare); err != nil {
			return err
		}
		var enabled int64
		if err := tx.Raw(`SELECT COUNT(*) FROM clients WHERE id = ? AND disabled_at = 0`, d.ClientID).Scan(&enabled).Error; err != nil {
			return err
		}
		if enabled == 0 {
			return &RevokedError{"client_disabled"}
		}
		if _, err := countAttempts(tx, limits, at); err != nil {
			return err
		}
		row := d
		return tx.Create(&row).Error
	})
}

// DeviceCode reads the device code with that ID, whatever its state. ErrNotFound.
func (db *DB) DeviceCode(ctx context.Context, id string) (DeviceCode, error) {
	if err := refuseImpossible(id); err != nil {
		return DeviceCode{}, fmt.Errorf("read device code: %w", err)
	}
	var d DeviceCode
	err := db.read(ctx, "read device code", func(q *gorm.DB) error { return q.Where("id = ?", id).Take(&d).Error })
	return d, err
}

// DeviceCodeOf reads the pending device code with one of these hashes of a user code.
//
// ErrNotFound: there is none, or it has expired or a user has decided.
func (db *DB) DeviceCodeOf(ctx context.Context, userCodes []string, at time.Time) (DeviceCode, error) {
	if err := refuseImpossible(userCodes...); err != nil {
		return DeviceCode{}, fmt.Errorf("read user code: %w", err)
	}
	var d DeviceCode
	err := db.read(ctx, "read user code", func(q *gorm.DB) error {
		return q.Where("user_code IN ? AND approved_at = 0 AND denied_at = 0 AND expires_at > ?", userCodes, At(at)).Limit(1).Take(&d).Error
	})
	return d, err
}

// DeviceAnswer is the input of DB.ApproveDevice and DB.DenyDevice.
type DeviceAnswer struct {
	ID        string // of the device code
	ClientID  string
	UserID    string
	SessionID string
	Scopes    []string // approved, or denied
	Resources []string
	SignIn    DeviceSignIn
	From      Origin
}

// ApproveDevice lets the device code open a grant of this session. It records the event
// device.approved, with the address of the device in the detail device_address.
//
// ErrNotFound: the code has expired or does not exist. ErrConflict: a user has decided already.
// ErrRevoked: the session, the user or the client has ended.
func (db *DB) ApproveDevice(ctx context.Context, a DeviceAnswer, at time.Time) error {
	return db.answerDevice(ctx, "approve device", a, "approved_at", DeviceApproved, at)
}

// DenyDevice refuses the device code. It records the event device.denied. The errors are those of
// ApproveDevice.
func (db *DB) DenyDevice(ctx context.Context, a DeviceAnswer, at time.Time) error {
	return db.answerDevice(ctx, "deny device", a, "denied_at", DeviceDenied, at)
}

func (db *DB) answerDevice(ctx context.Context, name string, a DeviceAnswer, column string, event EventType, at time.Time) error {
	if err := refuseImpossible(a.ID, a.ClientID, a.UserID, a.SessionID); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return db.write(ctx, name, func(tx *gorm.DB) error {
		scopes, err := engine.JSONText(a.Scopes)
		if err != nil {
			return err
		}
		resources, err := engine.JSONText(a.Resources)
		if err != nil {
			return err
		}
		detail, err := engine.JSONText(a.SignIn)
		if err != nil {
			return err
		}
		if err := db.lockRow(tx, userRow, a.UserID, forShare); err != nil {
			return err
		}
		if _, err := touchSession(tx, a.UserID, a.SessionID, a.ClientID, at); err != nil {
			return err
		}
		decided, err := changeOne(tx, `UPDATE device_codes SET user_id = ?, session_id = ?, scopes = ?, resources = ?, detail = ?, `+column+` = ?
			WHERE id = ? AND client_id = ? AND approved_at = 0 AND denied_at = 0 AND expires_at > ?`,
			a.UserID, a.SessionID, scopes, resources, detail, At(at), a.ID, a.ClientID, At(at))
		if err != nil {
			return err
		}
		if !decided {
			return refuseAnswer(tx, a.ID)
		}
		var address string // of the device; From is that of the browser
		if err := tx.Raw(`SELECT address FROM device_codes WHERE id = ?`, a.ID).Scan(&address).Error; err != nil {
			return err
		}
		return record(tx, Event{
			Type: event, Outcome: Succeeded, UserID: a.UserID, ClientID: a.ClientID, SessionID: a.SessionID, From: a.From,
			Detail: map[string]any{"scopes": a.Scopes, "resources": a.Resources, "device_address": address},
		}, at)
	})
}

// refuseAnswer returns the error for a device code on which nobody can decide.
func refuseAnswer(tx *gorm.DB, id string) error {
	var answered int64
	err := tx.Raw(`SELECT COUNT(*) FROM device_codes WHERE id = ? AND (approved_at <> 0 OR denied_at <> 0)`, id).Scan(&answered).Error
	switch {
	case err != nil:
		return err
	case answered > 0:
		return ErrConflict
	}
	return ErrNotFound
}

// CountPoll counts a poll of a pending device code. It reports whether the poll came too early:
// then the interval is longer from now on (RFC 8628, section 3.5). Polls that come too early at
// the longest interval write nothing, so that they do not keep the writer busy.
func (db *DB) CountPoll(ctx context.Context, d DeviceCode, at time.Time) (tooEarly bool, err error) {
	if err := refuseImpossible(d.ID); err != nil {
		return false, fmt.Errorf("count poll: %w", err)
	}
	if d.pollsTooEarly(at) && d.PollInterval >= maxPoll {
		return true, nil
	}
	err = db.write(ctx, "count poll", func(tx *gorm.DB) error {
		const pending = ` AND approved_at = 0 AND denied_at = 0`
		inTime, err := changeOne(tx, `UPDATE device_codes SET polled_at = ? WHERE id = ?`+pending+`
			AND (polled_at = 0 OR polled_at + poll_interval <= ? OR polled_at > ?)`,
			At(at), d.ID, At(at.Add(pollTolerance)), At(at).Add(MaxClockSkew))
		if tooEarly = !inTime; err != nil || inTime {
			return err
		}
		return tx.Exec(`UPDATE device_codes SET polled_at = ?, poll_interval = poll_interval + ? WHERE id = ?`+pending+` AND poll_interval < ?`,
			At(at), pollPenalty.Milliseconds(), d.ID, maxPoll.Milliseconds()).Error
	})
	return tooEarly && err == nil, err
}

// DeviceRedemption is the input of DB.RedeemDeviceCode.
type DeviceRedemption struct {
	ID   string // of the device code
	From Origin
	// Grant returns the grant to open for the code as it is now, with ID, IdleFor and ExpiresAt.
	// Its error ends the redemption; the code stays usable.
	Grant func(DeviceCode) (Grant, error)
}

// RedeemDeviceCode uses up an approved device code and opens its grant, in one transaction. It
// checks that the approving session is live, and marks it as seen. The caller has checked the
// client.
//
// ErrReplayed: the code was redeemed before. Its grant and all tokens of the grant are revoked;
// this is committed. It records the event grant.replayed. ErrExpired. ErrRevoked: the user, the
// client or the session has ended, or the consent was withdrawn after the approval.
// ErrNotFound: the code does not exist or is not approved.
func (db *DB) RedeemDeviceCode(ctx context.Context, r DeviceRedemption, at time.Time) (Grant, error) {
	if err := refuseImpossible(r.ID); err != nil {
		return Grant{}, fmt.Errorf("redeem device code: %w", err)
	}
	by := By{From: r.From, At: at}
	var g Grant
	err := db.write(ctx, "redeem device code", func(tx *gorm.DB) error {
		var d DeviceCode
		if err := tx.Where("id = ?", r.ID).Take(&d).Error; err != nil {
			return err
		}
		switch {
		case d.RedeemedAt != 0:
			return refuseReplayedDevice(tx, d, by)
		case d.ApprovedAt == 0:
			return ErrNotFound
		case d.IsExpired(at):
			return ErrExpired
		}
		var err error
		if g, err = r.Grant(d); err != nil {
			return fmt.Errorf("%w: %w", errCheckFailed, err)
		}
		g.UserID, g.ClientID, g.SessionID = d.UserID, d.ClientID, d.SessionID
		g.AuthTime, g.StatedAt, g.ACR, g.AMR = d.Detail.AuthTime, d.Detail.StatedAt, d.Detail.ACR, d.Detail.AMR
		if err := refuseImpossible(g.ID, g.UserID, g.SessionID); err != nil {
			return err
		}
		return db.openDeviceGrant(tx, d, &g, by)
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// openDeviceGrant uses up the code and stores its grant, if no other poll was faster.
func (db *DB) openDeviceGrant(tx *gorm.DB, d DeviceCode, g *Grant, by By) error {
	if err := db.lockRow(tx, userRow, g.UserID, forShare); err != nil {
		return err
	}
	session, err := touchSession(tx, g.UserID, g.SessionID, g.ClientID, by.At)
	if errors.Is(err, ErrRevoked) {
		return explainDeadSession(tx, g.UserID, g.SessionID, g.ClientID, by.At)
	}
	if err != nil {
		return err
	}
	withdrawn, err := withdrawnSince(tx, g.UserID, g.ClientID, d.ApprovedAt)
	if err != nil {
		return err
	}
	if withdrawn {
		return &RevokedError{"consent_withdrawn"}
	}
	first, err := changeOne(tx, `UPDATE device_codes SET redeemed_at = ?, grant_id = ?
		WHERE id = ? AND redeemed_at = 0 AND approved_at <> 0`, At(by.At), g.ID, d.ID)
	if err != nil {
		return err
	}
	if !first { // another poll was faster; its transaction is committed
		if err := tx.Where("id = ?", d.ID).Take(&d).Error; err != nil {
			return err
		}
		return refuseReplayedDevice(tx, d, by)
	}
	g.CreatedAt = max(At(by.At), session.createdAt) // as in RedeemCode
	if err := openGrant(tx, g, session, by.At); err != nil {
		return err
	}
	return trimGrants(tx, *g, by)
}

// refuseReplayedDevice revokes the grant of a device code that was redeemed before.
func refuseReplayedDevice(tx *gorm.DB, d DeviceCode, by By) error {
	if err := revokeReplayed(tx, d.GrantID, "device_code_replayed", by); err != nil {
		return err
	}
	return engine.Committed(ErrReplayed)
}
