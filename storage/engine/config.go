package engine

import (
	"log/slog"

	"gorm.io/gorm"
)

// Config says where the data is, and which schema it has.
type Config struct {
	DataDir    string       // folder of signet.db, made 0700 if missing; used when Database is empty
	Database   string       // "" for SQLite in DataDir, or postgres://…
	Log        *slog.Logger // nil: nothing is logged
	Migrations Migrations
	Faults     Faults // for tests alone; nil: nothing fails on purpose
}

// UseCase is the body of one: pure in its transaction and what it closes over,
// since it may run twice.
type UseCase = func(tx *gorm.DB) error
