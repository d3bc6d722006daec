package storage

import (
	"context"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Write runs a use case of a test: one that fails, panics or waits.
func (db *DB) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return db.write(ctx, "run test's use case", run)
}

// Read runs a query of a test.
func (db *DB) Read(ctx context.Context, run func(q *gorm.DB) error) error {
	return db.read(ctx, "run test's read", run)
}

// RunScript runs the statements of a script in the format of the migrations.
func RunScript(tx *gorm.DB, script string) error { return engine.RunScript(tx, script) }

// SpendLink uses up a link, like an act that does nothing else.
func (db *DB) SpendLink(ctx context.Context, r LinkRef, at time.Time) (l MailLink, err error) {
	err = db.write(ctx, "spend link", func(tx *gorm.DB) error {
		l, err = spendLink(tx, r, at)
		return err
	})
	return l, err
}

// CopiedTable is a table of ways to sign in, with the table of its copies and the columns that are
// copied.
type CopiedTable struct{ Table, Copies, Columns string }

// Ways lists the tables of ways to sign in.
func Ways() (all []CopiedTable) {
	for _, w := range ways {
		all = append(all, CopiedTable{w.table, w.copies, w.columns})
	}
	return all
}

// ChangesOf, RecordedFieldsOfClient and RecordedFieldsOfUser are for the walk over all fields.
func ChangesOf(before, after map[string]any) map[string]FieldChange {
	changed, _ := changesOf(before, after)[changesMember].(map[string]FieldChange)
	return changed
}

func RecordedFieldsOfClient(c Client) map[string]any { return c.recordedFields() }

func RecordedFieldsOfUser(u User) map[string]any { return u.recordedFields() }
