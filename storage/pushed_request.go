package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// PushedRequest is an authorization request that a client has sent in advance (RFC 9126).
type PushedRequest struct {
	ID        string `gorm:"primaryKey"` // hash of the reference that the client received
	ClientID  string
	Message   string // the sealed request
	UsedAt    Millis // when the request was answered; zero: it was not
	CreatedAt Millis `gorm:"autoCreateTime:false"`
	ExpiresAt Millis
}

// PushRequest stores a pushed request.
func (db *DB) PushRequest(ctx context.Context, p PushedRequest) error {
	if err := refuseImpossible(p.ID, p.ClientID); err != nil {
		return fmt.Errorf("push request: %w", err)
	}
	return db.write(ctx, "push request", func(tx *gorm.DB) error { return tx.Create(&p).Error })
}

// OpenPushedRequest returns the pushed request of a client when a browser arrives with its
// reference, and makes it valid until the given time. It may be opened several times, until it is
// used.
//
// ErrNotFound: there is none for this client. ErrExpired. ErrReplayed: it was used.
func (db *DB) OpenPushedRequest(ctx context.Context, id, clientID string, until Millis, at time.Time) (PushedRequest, error) {
	if err := refuseImpossible(id, clientID); err != nil {
		return PushedRequest{}, fmt.Errorf("open pushed request: %w", err)
	}
	p, err := db.PushedRequest(ctx, id, clientID, at)
	if err != nil {
		return p, err // without a write, because everyone can send a reference
	}
	opened := false
	err = db.write(ctx, "open pushed request", func(tx *gorm.DB) (err error) {
		opened, err = changeOne(tx, `UPDATE pushed_requests SET expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END
			WHERE id = ? AND client_id = ? AND used_at = 0 AND expires_at > ?`, until, until, id, clientID, At(at))
		return err
	})
	if err != nil || opened {
		p.ExpiresAt = max(p.ExpiresAt, until)
		return p, err
	}
	if p, err = db.PushedRequest(ctx, id, clientID, at); err == nil {
		err = fmt.Errorf("open pushed request: %w", ErrExpired)
	}
	return p, err // used or deleted since the first read
}

// PushedRequest returns an opened request of a client. Errors are those of OpenPushedRequest.
func (db *DB) PushedRequest(ctx context.Context, id, clientID string, at time.Time) (PushedRequest, error) {
	if err := refuseImpossible(id, clientID); err != nil {
		return PushedRequest{}, fmt.Errorf("read pushed request: %w", err)
	}
	var p PushedRequest
	err := db.read(ctx, "read pushed request", func(q *gorm.DB) error {
		return q.Where("id = ? AND client_id = ?", id, clientID).Take(&p).Error
	})
	switch {
	case err != nil:
		return PushedRequest{}, err
	case p.UsedAt != 0:
		return p, fmt.Errorf("read pushed request: %w", ErrReplayed)
	case p.ExpiresAt <= At(at):
		return p, fmt.Errorf("read pushed request: %w", ErrExpired)
	}
	return p, nil
}

// UsePushedRequest marks a pushed request as used. It reports false if the request was used before,
// has expired, or was deleted.
func (db *DB) UsePushedRequest(ctx context.Context, id string, at time.Time) (first bool, err error) {
	if err := refuseImpossible(id); err != nil {
		return false, fmt.Errorf("use pushed request: %w", err)
	}
	err = db.write(ctx, "use pushed request", func(tx *gorm.DB) error {
		first, err = changeOne(tx, `UPDATE pushed_requests SET used_at = ? WHERE id = ? AND used_at = 0 AND expires_at > ?`, At(at), id, At(at))
		return err
	})
	return first && err == nil, err
}
