package directory

import (
	"time"

	"signet/provider/credential"
	"signet/storage"
)

// Deps are what a Directory needs.
type Deps struct {
	DB        *storage.DB
	Passwords *credential.Passwords // hashes the passwords that it sets
	// Algorithms are the configured signing algorithms: the first start of a server makes
	// keys for them, so that clients may ask for them before.
	Algorithms []string
	Now        func() time.Time
}

// Directory creates and changes clients and users. It is safe for concurrent use.
type Directory struct {
	db         *storage.DB
	passwords  *credential.Passwords
	algorithms []string
	now        func() time.Time
}

// New gives a Directory that works on the database of d.
func New(d Deps) *Directory {
	return &Directory{db: d.DB, passwords: d.Passwords, algorithms: d.Algorithms, now: d.Now}
}

// by says where an act comes from, and that it is done now.
func (d *Directory) by(from storage.Origin) storage.By { return storage.By{From: from, At: d.now()} }
