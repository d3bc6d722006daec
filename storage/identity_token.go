package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ReadUpstreamToken gives the identity of a user at a connector whose token was
// kept last; the token, in its Detail, is sealed. Event identity.token_read.
//
// ErrNotFound: no token is kept for this user and connector.
func (db *DB) ReadUpstreamToken(ctx context.Context, userID, connector string, by By) (Identity, error) {
	if err := refuseImpossible(userID, connector); err != nil {
		return Identity{}, fmt.Errorf("read upstream token: %w", err)
	}
	var kept Identity
	err := db.write(ctx, "read upstream token", func(tx *gorm.DB) error {
		var list []Identity
		if err := tx.Where("user_id = ? AND connector = ?", userID, connector).Order("used_at DESC").Find(&list).Error; err != nil {
			return err
		}
		for _, i := range list {
			if len(i.Detail.Token) > 0 {
				kept = i
				return record(tx, Event{Type: UpstreamTokenRead, Outcome: Succeeded, UserID: userID, Connector: connector, From: by.From}, by.At)
			}
		}
		return ErrNotFound
	})
	return kept, err
}

// tokensAtOnce bounds what one transaction seals anew.
const tokensAtOnce = 500

// RewrapTokens seals the kept tokens of upstreams anew, some hundreds in one
// transaction; gives the number. seal gives the new seal, or nil for one that stays
// as it is; it may be called twice for a token. It can be run again after an error.
func (db *DB) RewrapTokens(ctx context.Context, seal func(Identity) ([]byte, error)) (int, error) {
	query := `SELECT * FROM identities WHERE (connector, issuer, subject) > (?, ?, ?) AND detail LIKE '%"token":%'
		ORDER BY connector, issuer, subject LIMIT ?`
	if db.engine.HasRowLocks() {
		query += " " + forUpdate // a sign-in that puts another token there comes before or after
	}
	total := 0
	var after Identity
	for {
		done, read, last := 0, 0, after
		err := db.write(ctx, "rewrap tokens", func(tx *gorm.DB) error {
			done, last = 0, after
			var list []Identity
			if err := tx.Raw(query, after.Connector, after.Issuer, after.Subject, tokensAtOnce).Scan(&list).Error; err != nil {
				return err
			}
			read = len(list)
			for _, i := range list {
				last = i
				sealed, err := seal(i)
				if err != nil {
					return fmt.Errorf("%w: %w", errChecked, err)
				}
				if sealed == nil {
					continue
				}
				i.Detail.Token = sealed
				if err := setDetail(tx, i, i.Detail); err != nil {
					return err
				}
				done++
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total, after = total+done, last
		if read < tokensAtOnce {
			return total, nil
		}
	}
}
