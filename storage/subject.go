package storage

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrSubjectTaken: the subject is that of another user, or the ID of a user or a client.
var ErrSubjectTaken = engine.NewVerdict("the subject is taken")

// PublicSubject returns the subject (sub) of the user at clients without pairwise subjects (OIDC
// Core, section 8): the chosen subject, or the ID. Package subject decides what a client sees.
func (u User) PublicSubject() string { return cmp.Or(u.ChosenSubject, u.ID) }

// PublicSubject is that of the user of the grant.
func (g Grant) PublicSubject() string { return cmp.Or(g.ChosenSubject, g.UserID) }

// PublicSubject is that of the user of the notice.
func (n Notice) PublicSubject() string { return cmp.Or(n.ChosenSubject, n.UserID) }

// programWithSubjects is the number of the migration that added pairwise and chosen subjects.
const programWithSubjects = 14

// requireSubjects keeps programs that do not know pairwise and chosen subjects from opening the
// database: they would send the ID of each user to every client. It locks the instance row.
func requireSubjects(tx *gorm.DB) error {
	return requireProgram(tx, programWithSubjects)
}

// programWithRequiredACR is the number of the migration that came with the acr that a client requires.
const programWithRequiredACR = 18

// requireClientProgram keeps programs from opening the database that would give the client more than
// it may get: public subjects, or sign-ins that are too weak.
func requireClientProgram(tx *gorm.DB, c Client) error {
	if c.RequireACR != "" {
		if err := requireProgram(tx, programWithRequiredACR); err != nil {
			return err
		}
	}
	if c.Metadata.SubjectType != SubjectPairwise {
		return nil
	}
	return requireSubjects(tx)
}

// UserIDIn returns the subject of a token if it is the ID of a user, and "" for a chosen or a
// pairwise subject.
func UserIDIn(subject string) string {
	if strings.HasPrefix(subject, UserPrefix) {
		return subject
	}
	return ""
}

// UserBySubject reads the user with this ID or chosen subject, whether or not it is enabled.
// ErrNotFound.
func (db *DB) UserBySubject(ctx context.Context, subject string) (User, error) {
	if err := refuseImpossible(subject); err != nil {
		return User{}, fmt.Errorf("read user by subject: %w", err)
	}
	column := "id"
	if UserIDIn(subject) == "" {
		column = "subject"
	}
	var u User
	err := db.read(ctx, "read user by subject", func(q *gorm.DB) error {
		return q.Where(column+" = ? AND "+column+" <> '' AND "+isUser, subject).Take(&u).Error
	})
	return u, err
}

// checkSubject checks that the chosen subject of a new user is free, and calls requireSubjects. It locks the instance row:
// the change counter is in it, so that a client with this ID is not created at the same time.
// ErrSubjectTaken.
func (db *DB) checkSubject(tx *gorm.DB, subject string) error {
	if subject == "" {
		return nil
	}
	if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
		return err
	}
	var taken int64
	err := tx.Raw(`SELECT (SELECT COUNT(*) FROM users WHERE subject = ? AND subject <> '') + (SELECT COUNT(*) FROM users WHERE id = ?) +
		(SELECT COUNT(*) FROM clients WHERE id = ?)`, subject, subject, subject).Scan(&taken).Error
	switch {
	case err != nil:
		return err
	case taken > 0:
		return ErrSubjectTaken
	}
	return requireSubjects(tx)
}

// checkClientID checks that the ID of a new client is no subject of a user. ErrSubjectTaken.
func checkClientID(tx *gorm.DB, id string) error {
	var taken int64
	err := tx.Raw(`SELECT COUNT(*) FROM users WHERE subject = ? AND subject <> ''`, id).Scan(&taken).Error
	if err == nil && taken > 0 {
		err = ErrSubjectTaken
	}
	return err
}

// SubjectSecret reads the sealed secret from which pairwise subjects are made. ErrNotFound: the
// database has none yet.
func (db *DB) SubjectSecret(ctx context.Context) ([]byte, error) {
	var list [][]byte
	err := db.read(ctx, "read subject secret", func(q *gorm.DB) error {
		return q.Raw(`SELECT sealed FROM subject_secret`).Scan(&list).Error
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("read subject secret: %w", ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// StartSubjectSecret stores the sealed secret of pairwise subjects. If there is one, it does
// nothing: the secret never changes.
func (db *DB) StartSubjectSecret(ctx context.Context, sealed []byte) error {
	return db.write(ctx, "start subject secret", func(tx *gorm.DB) error {
		return tx.Exec(`INSERT INTO subject_secret (id, sealed) VALUES (1, ?) ON CONFLICT (id) DO NOTHING`, sealed).Error
	})
}

// RewrapSubjectSecret seals the secret of pairwise subjects again. seal returns the new sealed
// secret, or nil to keep the old one; it may be called twice.
func (db *DB) RewrapSubjectSecret(ctx context.Context, seal func([]byte) ([]byte, error)) error {
	return db.writeKeys(ctx, "rewrap subject secret", func(tx *gorm.DB) error {
		var list [][]byte
		if err := tx.Raw(`SELECT sealed FROM subject_secret`).Scan(&list).Error; err != nil || len(list) == 0 {
			return err
		}
		sealed, err := seal(list[0])
		if err != nil {
			return fmt.Errorf("%w: %w", errCheckFailed, err)
		}
		if sealed == nil {
			return nil
		}
		return tx.Exec(`UPDATE subject_secret SET sealed = ?`, sealed).Error
	})
}
