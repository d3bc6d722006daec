package storage

import (
	"context"
	"time"
)

// User is a person who can sign in. Its ID is the subject (sub) that clients
// see: "usr_" and 128 random bits, never reused, never an e-mail.
type User struct {
	ID string

	Email          string // as typed, and as mailed to
	EmailCanonical string // what is unique: see CanonicalEmail
	EmailVerified  bool

	// The standard claims of OIDC Core, section 5.1. Empty means absent.
	Name, GivenName, FamilyName, MiddleName, Nickname, PreferredUsername string
	Profile, Picture, Website, Gender, Birthdate, Zoneinfo, Locale       string
	PhoneNumber                                                          string
	PhoneNumberVerified                                                  bool
	Address                                                              Address

	Roles, Groups []string
	Custom        map[string]any // custom attributes, released only through a configured scope

	Admin      bool
	DisabledAt Millis
	NotBefore  Millis // sessions and grants must be made after this
	CreatedAt  Millis
	UpdatedAt  Millis
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

// Enabled reports whether the user may sign in and keep what it has.
func (u User) Enabled() bool { return u.DisabledAt == 0 }

// CreateUser stores a new user with an optional password hash ("" for none).
// u.ID may be empty: one is made. Event user.created.
//
// ErrConflict: the canonical e-mail is taken.
func (db *DB) CreateUser(ctx context.Context, u User, passwordHash string, from Origin, at time.Time) (User, error) {
	panic("to build")
}

// User reads one user, disabled or not. ErrNotFound.
func (db *DB) User(ctx context.Context, id string) (User, error) { panic("to build") }

// UserByEmail reads the user of an address, disabled or not, and the password
// hash ("" if the user has no password). The address is canonicalised here; one
// that cannot be is ErrNotFound.
func (db *DB) UserByEmail(ctx context.Context, email string) (User, string, error) {
	panic("to build")
}

// Users lists users by canonical e-mail from after (exclusive, "" for the
// start), at most limit (1 to 500).
func (db *DB) Users(ctx context.Context, after string, limit int) ([]User, error) { panic("to build") }

// ReplacePassword sets a user's password hash, and gives the user one if there
// was none. It ends nothing: see DESIGN, "what ends what", for the use case that does.
func (db *DB) ReplacePassword(ctx context.Context, userID, hash string, from Origin, at time.Time) error {
	panic("to build")
}
