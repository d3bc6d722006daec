package storage

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"signet/federation/foreign"
)

// UserFilter selects users. Its zero value selects all.
type UserFilter struct {
	Email    string // prefix of the canonical email address
	Username string // selects users whose preferred_username looks like this one
	Clashing bool   // only users whose preferred_username belongs to another user, see UsernameUnique
	Admins   bool   // only users with a role of administration
	Disabled bool   // only disabled users
	After    string // User.ListPosition of the last user of the previous page
}

// ListPosition is the position of the user in the list of users: the canonical email address, or
// the ID for users without an address. They follow at the end.
func (u User) ListPosition() string {
	if u.EmailCanonical != "" {
		return u.EmailCanonical
	}
	return u.ID
}

// Users lists users by canonical email address, at most limit (1 to 500). Users without an
// address follow, by ID.
func (db *DB) Users(ctx context.Context, f UserFilter, limit int) ([]User, error) {
	if !foreign.IsStorable(f.After) || !foreign.IsStorable(f.Email) {
		return nil, fmt.Errorf("list users: %w", ErrNotFound)
	}
	limit = min(max(limit, 1), 500)
	var list []User
	err := db.read(ctx, "list users", func(q *gorm.DB) error {
		if list = nil; !strings.HasPrefix(f.After, UserPrefix) || strings.Contains(f.After, "@") {
			if err := f.withEmail(f.narrow(q)).Limit(limit).Find(&list).Error; err != nil {
				return err
			}
		}
		if f.Email != "" || len(list) == limit {
			return nil
		}
		var more []User
		err := f.withoutEmail(f.narrow(q)).Limit(limit - len(list)).Find(&more).Error
		list = append(list, more...)
		return err
	})
	return list, err
}

// narrow adds the conditions of the filter to a query.
func (f UserFilter) narrow(q *gorm.DB) *gorm.DB {
	q = q.Where(isUser).Session(&gorm.Session{})
	if f.Admins {
		q = q.Where("(admin OR lesser_role <> '')")
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

// withEmail selects users with an address. It excludes empty addresses explicitly, because the
// index does not contain them. U+10FFFF is the highest character.
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
