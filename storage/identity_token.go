package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ReadUpstreamToken returns the most recently used identity of a user at a connector that has a
// stored token. The token, in Identity.Detail, is sealed. It records the event identity.token_read.
//
// ErrNotFound: no token is stored for this user and connector.
func (db *DB) ReadUpstreamToken(ctx context.Context, userID, connector string, by By) (Identity, error) {
	if err := refuseImpossible(userID, connector); err != nil {
		return Identity{}, fmt.Errorf("read upstream token: %w", err)
	}
	var found Identity
	err := db.write(ctx, "read upstream token", func(tx *gorm.DB) error {
		var list []Identity
		if err := tx.Where("user_id = ? AND connector = ?", userID, connector).Order("used_at DESC").Find(&list).Error; err != nil {
			return err
		}
		for _, i := range list {
			if len(i.Detail.Token) > 0 {
				found = i
				return record(tx, Event{Type: UpstreamTokenRead, Outcome: Succeeded, UserID: userID, Connector: connector, From: by.From}, by.At)
			}
		}
		return ErrNotFound
	})
	return found, err
}

// tokensAtOnce is how many identities RewrapTokens reads in one transaction.
const tokensAtOnce = 500

// RewrapTokens seals the stored tokens of upstreams again, some hundred in one transaction, and
// returns the number of changed tokens. seal returns the new sealed token, or nil to keep the
// old one; it may be called twice for a token. After an error, RewrapTokens can be called again.
func (db *DB) RewrapTokens(ctx context.Context, seal func(Identity) ([]byte, error)) (int, error) {
	query := `SELECT * FROM identities WHERE (connector, issuer, subject) > (?, ?, ?) AND detail LIKE '%"token":%'
		ORDER BY connector, issuer, subject LIMIT ?`
	if db.engine.HasRowLocks() {
		query += " " + forUpdate // a sign-in that replaces the token waits
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
					return fmt.Errorf("%w: %w", errCheckFailed, err)
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
