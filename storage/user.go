package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// User is a person who can sign in. Its ID is "usr_" and random characters, never reused, never
// an email address.
type User struct {
	ID string
	// ChosenSubject replaces the ID as the subject of the user, see PublicSubject. "": none was
	// chosen. It never changes.
	ChosenSubject string `gorm:"column:subject"`

	Email          string // as entered; mails go to this form
	EmailCanonical string // the unique form, see CanonicalEmail
	EmailVerified  bool

	// The standard claims of OIDC Core, section 5.1. Empty means absent.
	Name, GivenName, FamilyName, MiddleName, Nickname, PreferredUsername string
	Profile, Picture, Website, Gender, Birthdate, Zoneinfo, Locale       string
	PhoneNumber                                                          string
	PhoneNumberVerified                                                  bool
	Address                                                              Address `gorm:"serializer:signet_json"`
	UsernameFolded                                                       string  // the form of PreferredUsername that is compared; "": it is not unique

	Roles, Groups  []string       `gorm:"serializer:signet_json"` // given by an operator
	UpstreamGroups []string       `gorm:"serializer:signet_json"` // given by the upstreams of the identities, see AssertedGroups
	Custom         map[string]any `gorm:"serializer:signet_json"` // custom attributes, released only for a configured scope

	Admin       bool      // the role Administrator, see AdminRole
	LesserRole  AdminRole // another role of administration; without effect for an administrator
	DisabledAt  Millis
	AlwaysAskAt Millis // the user chose to be asked for a passkey at each sign-in, see DB.SetAlwaysAsk; 0: no
	NotBefore   Millis // sessions and grants must be created after this moment
	CreatedAt   Millis `gorm:"autoCreateTime:false"`
	UpdatedAt   Millis `gorm:"autoUpdateTime:false"`
}

// Address is the address claim (OIDC Core, section 5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Enabled reports whether the user may sign in and use existing sessions.
func (u User) Enabled() bool { return u.DisabledAt == 0 }

// UserPrefix is the beginning of every ID of a user. The ID of a client and a chosen subject must
// not begin with it.
const UserPrefix = "usr_"

// CreateUser stores a new user with an optional password hash ("": no password). If u.ID is
// empty, CreateUser sets one. It sets the canonical email address from u.Email. It records the event
// user.created. The checks see the open invitation of the address, if there is one: it cannot be used
// after that.
//
// ErrConflict: the canonical email address is taken. *AddressReservedError: another user can still
// restore it. ErrUsernameTaken: another user has this preferred_username, or one that looks like it.
// ErrSubjectTaken. The error of a check.
func (db *DB) CreateUser(ctx context.Context, u User, passwordHash string, by By, checks ...InvitationCheck) (User, error) {
	u, err := newUser(u, by.At)
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	err = db.write(ctx, "create user", func(tx *gorm.DB) error {
		if err := db.checkNewAddress(tx, u.EmailCanonical, checks, by.At); err != nil {
			return err
		}
		if err := db.insertUser(tx, u, passwordHash, "", by); err != nil {
			return err
		}
		return settleAdminRole(tx, u.AdminRole(), by.At)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// newUser sets the fields of a new user that storage derives.
func newUser(u User, at time.Time) (User, error) {
	u.Email = TrimEmail(u.Email)
	canonical, err := CanonicalEmail(u.Email)
	if err != nil {
		return User{}, err
	}
	if u.ID == "" {
		u.ID = NewID(UserPrefix)
	}
	if u.UsernameFolded = FoldUsername(u.PreferredUsername); u.UsernameFolded == "" && u.PreferredUsername != "" {
		return User{}, errUsername
	}
	u.EmailCanonical, u.CreatedAt, u.UpdatedAt = canonical, At(at), At(at)
	return u, refuseImpossible(u.ID)
}

// insertUser stores a new user. The reason is that of the event user.created; "": an operator
// creates the user. ErrUsernameTaken, ErrSubjectTaken, or an error for which engine.IsUnique is
// true: the email address is taken.
func (db *DB) insertUser(tx *gorm.DB, u User, passwordHash, reason string, by By) error {
	if err := db.checkSubject(tx, u.ChosenSubject); err != nil {
		return err
	}
	if err := insertUserRow(tx, u, by.At); err != nil {
		return err
	}
	if passwordHash != "" {
		if err := setPassword(tx, u.ID, passwordHash, by.At); err != nil {
			return err
		}
	}
	e := Event{Type: UserCreated, Outcome: Succeeded, Reason: reason, UserID: u.ID, From: by.From, Detail: changesOf(nil, u.recordedFields())}
	if role := u.AdminRole(); role.IsAny() {
		e.Detail["admin_role"] = role
	}
	return record(tx, e, by.At)
}

// insertUserRow inserts the row of a new user. Every use case that creates a user does it here.
// ErrUsernameTaken, *AddressReservedError; another unique value that is taken is ErrConflict.
func insertUserRow(tx *gorm.DB, u User, at time.Time) error {
	if err := tx.Create(&u).Error; err != nil {
		return asUsernameTaken(err)
	}
	return settleAddress(tx, u.ID, u.EmailCanonical, at)
}

// User reads one user, whether or not it is enabled. ErrNotFound.
func (db *DB) User(ctx context.Context, id string) (User, error) {
	if err := refuseImpossible(id); err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	var u User
	err := db.read(ctx, "read user", func(q *gorm.DB) error {
		return q.Where("id = ? AND "+isUser, id).Take(&u).Error
	})
	return u, err
}

// UserByEmail reads the user with an email address, whether or not it is enabled, and the
// password hash ("": the user has no password). It brings the address into its canonical form.
//
// ErrNotFound: no user has the address, or it is not a valid address.
func (db *DB) UserByEmail(ctx context.Context, email string) (User, string, error) {
	canonical, err := CanonicalEmail(email)
	if err != nil {
		return User{}, "", fmt.Errorf("read user by email: %w", ErrNotFound)
	}
	var u User
	var secret []byte
	err = db.read(ctx, "read user by email", func(q *gorm.DB) error {
		return engine.RequireRow(selectUserByEmail().QueryRow(q, append(engine.Destinations(&u), &secret), canonical))
	})
	return u, string(secret), err
}

var selectUserByEmail = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&User{}, "u") + `, c.secret
		FROM users u LEFT JOIN credentials c ON c.user_id = u.id AND c.kind = 'password'
		WHERE u.email_canonical = ? AND u.email_canonical <> ''`)
})

// setPassword stores the password hash of a user, whether or not the user had one.
func setPassword(tx *gorm.DB, userID, hash string, at time.Time) error {
	return tx.Exec(`INSERT INTO credentials (id, user_id, kind, secret, created_at, updated_at)
		VALUES (?, ?, 'password', ?, ?, ?)
		ON CONFLICT (user_id) WHERE kind = 'password'
		DO UPDATE SET secret = excluded.secret, updated_at = excluded.updated_at`,
		NewID("crd_"), userID, []byte(hash), At(at), At(at)).Error
}

// SetUserEnabled enables or disables a user. Disabling also ends all sessions and grants of the
// user, by moving not_before. If the user already is in the wanted state, nothing changes.
// It records the events user.enabled, user.disabled. ErrNotFound, ErrLastAdmin.
func (db *DB) SetUserEnabled(ctx context.Context, userID string, enabled bool, by By) error {
	name := "disable user"
	if enabled {
		name = "enable user"
	}
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return db.write(ctx, name, func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		return db.setUserEnabled(tx, userID, enabled, by)
	})
}

// setUserEnabled is SetUserEnabled in a transaction that holds the lock of the user.
func (db *DB) setUserEnabled(tx *gorm.DB, userID string, enabled bool, by By) error {
	event, mail, disabledAt := UserEnabled, MailAccountEnabled, Millis(0)
	if !enabled {
		event, mail, disabledAt = UserDisabled, MailAccountDisabled, At(by.At)
		if err := db.checkNotLastAdmin(tx, userID); err != nil {
			return err
		}
	}
	switched, err := changeOne(tx, `UPDATE users SET disabled_at = ?, updated_at = ? WHERE id = ? AND (disabled_at = 0) <> ? AND `+isUser,
		disabledAt, At(by.At), userID, enabled)
	if err != nil {
		return err
	}
	if !switched {
		return checkExists(tx, &User{}, isUser, userID)
	}
	if !enabled {
		if err := endAllOfUser(tx, userID, by.At); err != nil {
			return err
		}
	}
	if err := db.notify(tx, MailDraft{Kind: mail, UserID: userID}, by); err != nil {
		return err
	}
	return record(tx, Event{Type: event, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
}

// DeleteUser deletes a user and all its data. Its ID is never given to another user. The
// clients of its sessions get logout notices. The events keep the ID only: values of
// claims are deleted from them. It records the event user.deleted.
// ErrNotFound, ErrLastAdmin, the error of a check.
//
// One transaction decides it: from then on, all tokens of the user are invalid, no read finds
// the user, and the address and names are free. A user with many grants is deleted in portions,
// so that other writes do not wait (see Portion).
func (db *DB) DeleteUser(ctx context.Context, userID string, by By, checks ...UserCheck) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	w, finished := unfinished{Kind: userDeletion, UserID: userID, At: At(by.At)}, false
	err := db.write(ctx, "delete user", func(tx *gorm.DB) error {
		if err := db.checkUser(tx, userID, checks); err != nil {
			return err
		}
		if err := db.checkNotLastAdmin(tx, userID); err != nil {
			return err
		}
		err := endAllOfUser(tx, userID, by.At) // for the logout notices
		if err != nil {
			return err
		}
		if err := deleteMails(tx, userID); err != nil {
			return err
		}
		if err := forgetAnswers(tx, userID); err != nil {
			return err
		}
		if _, finished, err = w.begin(tx); err != nil {
			return err
		}
		if !finished {
			if err := clearUser(tx, userID, by.At); err != nil {
				return err
			}
		}
		return record(tx, Event{Type: UserDeleted, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}

// clearUser disables a user that is being deleted, and deletes the credentials, identities and
// claims.
func clearUser(tx *gorm.DB, userID string, at time.Time) error {
	for _, statement := range append([]string{
		`UPDATE users SET email = '', email_canonical = '', email_verified = FALSE, admin = FALSE, lesser_role = '', roles = '', groups = '', custom = '', subject = '' WHERE id = ?`,
		`DELETE FROM address_changes WHERE user_id = ?`,
	}, clearPerson...) {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return err
		}
	}
	return tx.Exec(`UPDATE users SET disabled_at = ?, updated_at = ? WHERE id = ?`, At(at), At(at), userID).Error
}

// clearPerson are the statements that delete the name and the claims of a user, and the ways to
// sign in.
var clearPerson = []string{
	`UPDATE users SET name = '', given_name = '', middle_name = '', family_name = '', nickname = '', preferred_username = '',
		username_folded = '', profile = '', picture = '', website = '', gender = '', birthdate = '', zoneinfo = '', locale = '',
		phone_number = '', phone_number_verified = FALSE, address = '', upstream_groups = '', always_ask_at = 0 WHERE id = ?`,
	`DELETE FROM credentials WHERE user_id = ?`, `DELETE FROM identities WHERE user_id = ?`,
}

// deleteMails deletes the mails of a user, which contain the address, and the links.
func deleteMails(tx *gorm.DB, userID string) error {
	if err := tx.Exec(`DELETE FROM outbox WHERE kind = 'mail' AND user_id = ? AND user_id <> ''`, userID).Error; err != nil {
		return err
	}
	if err := endNewAccountLinks(tx, userID); err != nil {
		return err
	}
	return endLinks(tx, userID)
}

// lockUser reads a user under the lock of its row.
func (db *DB) lockUser(tx *gorm.DB, id string) (User, error) {
	if err := db.lockRow(tx, userRow, id, forUpdate); err != nil {
		return User{}, err
	}
	var u User
	return u, tx.Where("id = ? AND "+isUser, id).Take(&u).Error
}

// endAllOfUser moves not_before of a user past all its sessions, grants and links, including those that
// a fast clock dated in the future. The clients of all sessions that were not ended before get
// logout notices. This includes expired sessions, because an application's own session does not
// end with them. The caller holds the lock of the user's row.
func endAllOfUser(tx *gorm.DB, userID string, at time.Time) error {
	err := queueLogout(tx, at, `s.user_id = ? AND s.ended_at = 0 AND s.created_at > (SELECT not_before FROM users WHERE id = ?)`, userID, userID)
	if err != nil {
		return err
	}
	var latest Millis
	err = tx.Raw(`SELECT MAX(made) FROM (
		SELECT not_before AS made FROM users WHERE id = ?
		UNION ALL SELECT COALESCE(MAX(created_at), 0) FROM sessions WHERE user_id = ?
		UNION ALL SELECT COALESCE(MAX(created_at), 0) FROM grants WHERE user_id = ?
		UNION ALL SELECT COALESCE(MAX(created_at), 0) FROM mail_links WHERE user_id = ? AND user_id <> '' AND kind <> 'undo') AS dates`,
		userID, userID, userID, userID).Scan(&latest).Error
	if err != nil {
		return err
	}
	if err := endTrusts(tx, userID); err != nil {
		return err
	}
	return tx.Exec(`UPDATE users SET not_before = ? WHERE id = ?`, max(latest, At(at)), userID).Error
}
