package storage

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"signet/federation/foreign"
)

// UserFilter tells which users are listed; its zero value lists all.
type UserFilter struct {
	Email    string // what the canonical e-mail begins with
	Username string // preferred_username that theirs looks like
	Clashing bool   // users whose preferred_username another user holds; see UsernameUnique
	Admins   bool   // administrators alone
	Disabled bool   // disabled users alone
	After    string // User.ListPosition of the user behind whom the list goes on
}

// ListPosition is where a user stands in the list of users: the canonical e-mail, or, behind
// all who have one, the id.
func (u User) ListPosition() string {
	if u.EmailCanonical != "" {
		return u.EmailCanonical
	}
	return u.ID
}

// Users lists users by canonical e-mail, at most limit (1 to 500). Users without an
// e-mail follow, by id.
func (db *DB) Users(ctx context.Context, f UserFilter, limit int) ([]User, error) {
	if !foreign.IsStorable(f.After) || !foreign.IsStorable(f.Email) {
		return nil, fmt.Errorf("list users: %w", ErrNotFound)
	}
	limit = min(max(limit, 1), 500)
	var list []User
	err := db.read(ctx, "list users", func(q *gorm.DB) error {
		if list = nil; !strings.HasPrefix(f.After, UserPrefix) || strings.Contains(f.After, "@") {
			if err := f.withEmail(f.only(q)).Limit(limit).Find(&list).Error; err != nil {
				return err
			}
		}
		if f.Email != "" || len(list) == limit {
			return nil
		}
		var more []User
		err := f.withoutEmail(f.only(q)).Limit(limit - len(list)).Find(&more).Error
		list = append(list, more...)
		return err
	})
	return list, err
}

// only narrows a query to the users that the filter asks for.
func (f UserFilter) only(q *gorm.DB) *gorm.DB {
	q = q.Session(&gorm.Session{})
	if f.Admins {
		q = q.Where("admin")
	}
	if f.Disabled {
		q = q.Where("disabled_at <> 0")
	}
	if f.Username != "" {
		q = q.Where("username_folded = ? AND username_folded <> ''", FoldUsername(f.Username))
	}
	if f.Clashing {
		q = q.Where("preferred_username <> '' AND username_folded = ''")
	}
	return q
}

// withEmail names the empty e-mails for the index, which leaves them out. No letter
// comes after U+10FFFF.
func (f UserFilter) withEmail(q *gorm.DB) *gorm.DB {
	begin := strings.ToLower(f.Email)
	return q.Where("email_canonical > ? AND email_canonical >= ? AND email_canonical < ? AND email_canonical <> ''",
		strings.ToLower(f.After), begin, begin+"\U0010FFFF").Order("email_canonical")
}

func (f UserFilter) withoutEmail(q *gorm.DB) *gorm.DB {
	after := f.After
	if !strings.HasPrefix(after, UserPrefix) {
		after = ""
	}
	return q.Where("email_canonical = '' AND id > ?", after).Order("id")
}
