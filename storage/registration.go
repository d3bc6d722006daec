package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Registration describes how a client registered itself (RFC 7591). It is zero for a client
// that an administrator made.
type Registration struct {
	TokenHash    string `gorm:"column:registration"` // of the registration access token (RFC 7592)
	RegisteredAt Millis // the last registration, if several installations share the client
	// RegisteredWith is the ID of the initial access token, "" for open registration.
	RegisteredWith string
	// MetadataDigest identifies equal registrations of public clients, see RegisterClient. "": the
	// client is never shared.
	MetadataDigest string
	Registrations  int64 // number of installations that share the client
	// ApprovedAt is when an administrator approved the client. An initial access token comes from
	// an administrator, so it approves the client at once.
	ApprovedAt Millis
}

// IsSelfRegistered reports whether the client registered itself. The URLs of such a client
// come from a stranger, even after an administrator has approved it.
func (r Registration) IsSelfRegistered() bool { return r.RegisteredAt != 0 }

// IsUnapproved reports whether the client registered itself and no administrator has approved
// it.
func (r Registration) IsUnapproved() bool { return r.RegisteredAt != 0 && r.ApprovedAt == 0 }

// IsShared reports whether several installations share the client. None of them may change or
// delete it.
func (r Registration) IsShared() bool { return r.Registrations > 1 }

// ErrRegistrationsFull: there are as many unapproved clients as the limit allows.
var ErrRegistrationsFull = engine.NewVerdict("too many unapproved clients")

// ErrShared: several installations share the client, so none of them may change or delete it.
var ErrShared = engine.NewVerdict("the client is shared by several installations")

// ClientRegistration is the input of RegisterClient. Client.Registration holds the hash of the
// registration access token and the digest; RegisterClient sets its other fields.
type ClientRegistration struct {
	Client        Client
	InitialToken  string // hash of the initial access token, "" for open registration
	MaxUnapproved int64  // limit of all unapproved clients of the instance, see MaxUnapprovedClients
}

// RegisterClient stores a client that registers itself. If an enabled client with the same
// digest was registered with the same initial access token, or both without one, it returns
// that client and stores no new one. Such an answer uses up no initial access token, so that a
// client whose answer was lost can try again. RegisterClient increments the change counter. It
// records the event client.registered.
//
// ErrNotFound: the initial access token is unknown, expired or used up. ErrRegistrationsFull.
// ErrConflict: the ID is taken. ErrSubjectTaken: it is the chosen subject of a user.
func (db *DB) RegisterClient(ctx context.Context, r ClientRegistration, by By) (registered Client, isNew bool, err error) {
	if err := refuseImpossible(r.Client.ID, r.Client.TokenHash); err != nil {
		return Client{}, false, fmt.Errorf("register client: %w", err)
	}
	err = db.write(ctx, "register client", func(tx *gorm.DB) error {
		// Two registrations at once wait for each other here, so that the count of the clients is
		// exact and equal registrations get one client.
		if err := incrementChangeCounter(tx); err != nil {
			return err
		}
		c, by := r.Client, by.orClient(r.Client.ID)
		if err := findInitialToken(tx, r.InitialToken, &c, by.At); err != nil {
			return err
		}
		shared, found, err := shareClient(tx, c, by.At)
		if found || err != nil {
			registered, isNew = shared, false
			return err
		}
		if err := admitClient(tx, r, c); err != nil {
			return err
		}
		c.CreatedAt, c.UpdatedAt, c.RegisteredAt, c.Registrations = At(by.At), At(by.At), At(by.At), 1
		registered, isNew = c, true
		if err := checkClientID(tx, c.ID); err != nil {
			return err
		}
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
		if err := requireClientProgram(tx, c); err != nil {
			return err
		}
		detail := changesOf(nil, c.recordedFields())
		detail["registration_token"] = c.RegisteredWith
		return record(tx, Event{Type: ClientRegistered, Outcome: Succeeded, ClientID: c.ID, From: by.From, Detail: detail}, by.At)
	})
	return registered, isNew, err
}

// findInitialToken sets RegisteredWith and ApprovedAt of a client that registers with an
// initial access token. ErrNotFound: the token is unknown or expired.
func findInitialToken(tx *gorm.DB, hash string, c *Client, at time.Time) error {
	if hash == "" {
		return nil
	}
	var token RegistrationToken
	if err := tx.Where("hash = ? AND expires_at > ?", hash, At(at)).Take(&token).Error; err != nil {
		return err
	}
	c.RegisteredWith, c.ApprovedAt = token.ID, At(at)
	return nil
}

// shareClient counts one more installation for the client that an equal registration has
// made. SweepUnusedClients keeps the client as long as a new one. It returns false if there is
// none.
func shareClient(tx *gorm.DB, c Client, at time.Time) (Client, bool, error) {
	if c.MetadataDigest == "" {
		return Client{}, false, nil
	}
	var equal []Client
	err := tx.Where("metadata_digest = ? AND registered_with = ? AND disabled_at = 0 AND "+isClient, c.MetadataDigest, c.RegisteredWith).
		Order("id").Limit(1).Find(&equal).Error
	if err != nil || len(equal) == 0 {
		return Client{}, false, err
	}
	equal[0].Registrations, equal[0].RegisteredAt = equal[0].Registrations+1, At(at)
	return equal[0], true, tx.Exec(`UPDATE clients SET registrations = registrations + 1, registered_at = ? WHERE id = ?`, At(at), equal[0].ID).Error
}

// admitClient uses up the initial access token, or counts the unapproved clients.
func admitClient(tx *gorm.DB, r ClientRegistration, c Client) error {
	if r.InitialToken != "" {
		used, err := changeOne(tx, `UPDATE registration_tokens SET uses_left = uses_left - 1 WHERE id = ? AND uses_left > 0`, c.RegisteredWith)
		if err == nil && !used {
			return ErrNotFound
		}
		return err
	}
	unapproved, err := countUnapproved(tx)
	if err == nil && unapproved >= r.MaxUnapproved {
		return ErrRegistrationsFull
	}
	return err
}

func countUnapproved(q *gorm.DB) (unapproved int64, err error) {
	err = q.Raw(`SELECT COUNT(*) FROM clients WHERE registered_at <> 0 AND approved_at = 0`).Scan(&unapproved).Error
	return unapproved, err
}

// ReviseRegisteredClient is ReviseClient for a client that changes itself with its registration
// access token (RFC 7592, section 2.2). If open registration made the client, the approval of an
// administrator ends, because it was for the former metadata.
//
// ErrNotFound: no such client has this token. ErrShared.
func (db *DB) ReviseRegisteredClient(ctx context.Context, id, tokenHash string, revise func(*Client) error, by By) (Client, error) {
	if err := refuseImpossible(id, tokenHash); err != nil {
		return Client{}, fmt.Errorf("revise registered client: %w", err)
	}
	by = by.orClient(id)
	var revised Client
	err := db.write(ctx, "revise registered client", func(tx *gorm.DB) error {
		var err error
		revised, err = db.reviseClient(tx, id, keepsState, func(c *Client) error {
			if c.TokenHash != tokenHash || !c.Enabled() {
				return ErrNotFound
			}
			if c.IsShared() {
				return ErrShared
			}
			return revise(c)
		}, by)
		if err != nil {
			return err
		}
		if revised.RegisteredWith == "" {
			revised.ApprovedAt = 0
		}
		return tx.Exec(`UPDATE clients SET approved_at = ? WHERE id = ?`, revised.ApprovedAt, id).Error
	})
	if err != nil {
		return Client{}, err
	}
	return revised, nil
}

// DeleteRegisteredClient is DeleteClient for a client that deletes itself with its registration
// access token (RFC 7592, section 2.3).
//
// ErrNotFound: no such client has this token. ErrShared.
func (db *DB) DeleteRegisteredClient(ctx context.Context, id, tokenHash string, by By) error {
	if err := refuseImpossible(id, tokenHash); err != nil {
		return fmt.Errorf("delete registered client: %w", err)
	}
	return db.deleteClient(ctx, id, "", func(tx *gorm.DB) error {
		var c Client
		if err := tx.Where("id = ? AND registration = ? AND disabled_at = 0 AND "+isClient, id, tokenHash).Take(&c).Error; err != nil {
			return err
		}
		if c.IsShared() {
			return ErrShared
		}
		return nil
	}, by.orClient(id))
}

// orClient makes the client the actor, unless the caller names another.
func (b By) orClient(id string) By {
	b.From.Actor = cmp.Or(b.From.Actor, id)
	return b
}

// ApproveClient approves a client that registered itself. It increments the change counter. It
// records the event client.approved. If the client needs no approval, nothing changes.
// ErrNotFound.
func (db *DB) ApproveClient(ctx context.Context, id string, by By, checks ...ClientCheck) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("approve client: %w", err)
	}
	return db.write(ctx, "approve client", func(tx *gorm.DB) error {
		if _, err := db.checkedClient(tx, id, checks); err != nil {
			return err
		}
		approved, err := changeOne(tx, `UPDATE clients SET approved_at = ?, updated_at = ? WHERE id = ? AND registered_at <> 0 AND approved_at = 0 AND `+isClient,
			At(by.At), At(by.At), id)
		if err != nil {
			return err
		}
		if !approved {
			return nil
		}
		return recordClientChange(tx, ClientApproved, id, by)
	})
}

// MaxUnapprovedClients is the limit of the clients that registered themselves without an initial
// access token and that no administrator has approved. All nodes keep all clients in memory.
const MaxUnapprovedClients = 1000

// UnusedClientLife is how long an unapproved client may go unused before it is deleted, while less
// than half of the places for unapproved clients are taken.
const UnusedClientLife = 30 * sweepDay

// unusedLife returns how long an unapproved client may go unused, and how many clients may be
// deleted for it. A real client is used soon after its registration. While many clients are
// registered and not used, the oldest of them make room for others, so that nobody can close open
// registration for long.
func unusedLife(unapproved, most int64) (life time.Duration, batch int64) {
	switch half, threeQuarters := (most+1)/2, (3*most+3)/4; {
	case unapproved >= threeQuarters:
		return time.Hour, min(unapproved-threeQuarters+1, unusedBatch)
	case unapproved >= half:
		return sweepDay, min(unapproved-half+1, unusedBatch)
	}
	return UnusedClientLife, unusedBatch
}

// unusedBatch is the largest number of clients that one call of SweepUnusedClients deletes.
const unusedBatch = 20

// unusedClient is the condition that a client has no grant, registered itself before a moment,
// and was not approved. Grants are kept 30 days after they end, see SweepRules.
const unusedClient = `registered_at <> 0 AND approved_at = 0 AND registered_at < ? AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = clients.id)`

// SweepUnusedClients deletes unapproved clients to which nobody had signed in for a time at until:
// UnusedClientLife, or a day while half of the most places for them are taken, or an hour while
// three quarters are. It returns whether there may be more. Event client.deleted with the reason
// "unused".
func (db *DB) SweepUnusedClients(ctx context.Context, most int64, until time.Time, by By) (full bool, err error) {
	var before Millis
	var batch int64
	var ids []string
	err = db.read(ctx, "look for unused clients", func(q *gorm.DB) error {
		unapproved, err := countUnapproved(q)
		if err != nil {
			return err
		}
		var life time.Duration
		life, batch = unusedLife(unapproved, most)
		before = At(until.Add(-life))
		return q.Raw(`SELECT id FROM clients WHERE `+unusedClient+` AND `+isClient+` ORDER BY registered_at LIMIT ?`, before, batch).Scan(&ids).Error
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		err = db.deleteClient(ctx, id, "unused", func(tx *gorm.DB) error {
			return checkExists(tx.Where(unusedClient, before), &Client{}, isClient, id)
		}, by)
		if errors.Is(err, ErrNotFound) {
			err = nil // used or approved in the meantime, or deleted by another node
		}
	}
	return int64(len(ids)) == batch && err == nil, err
}
