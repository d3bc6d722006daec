package engine

import (
	"log/slog"

	"gorm.io/gorm"
)

// Config describes the place of the database and its schema.
type Config struct {
	DataDir  string // folder of signet.db, created with mode 0700 if missing; used if Database is empty
	Database string // "" for SQLite in DataDir, or postgres://…
	Password string // of PostgreSQL; "" if it is in the URL, in PGPASSWORD or in a password file
	// PasswordFile is the file that Password was read from, or "". Each new connection reads it again.
	PasswordFile string
	Log          *slog.Logger // nil: nothing is logged
	Migrations   Migrations
	Faults       Faults // for tests only; nil: no call fails on purpose
}

// UseCase is the body of a use case. It may run twice, so it must change nothing except its
// transaction and the variables that it sets again on each run.
type UseCase = func(tx *gorm.DB) error
