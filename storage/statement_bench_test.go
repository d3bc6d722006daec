package storage_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/engine"
	"signet/storage/storagetest"
)

// BenchmarkStatement_WithAndWithoutGorm compares the cost of a statement that bypasses gorm
// with one through gorm. doc.go quotes the results.
func BenchmarkStatement_WithAndWithoutGorm(b *testing.B) {
	ways := []struct {
		name string
		run  func(tx *gorm.DB, id string) error
	}{
		{"read without gorm", func(tx *gorm.DB, id string) error {
			var g storage.Grant
			return engine.RequireRow(selectGrant.QueryRow(tx, engine.Destinations(&g), id))
		}},
		{"read with gorm", func(tx *gorm.DB, id string) error {
			var g storage.Grant
			return tx.Where("id = ?", id).Take(&g).Error
		}},
		{"write without gorm", func(tx *gorm.DB, id string) error {
			_, err := updateGrant.Exec(tx, 1, id)
			return err
		}},
		{"write with gorm", func(tx *gorm.DB, id string) error {
			return tx.Exec(`UPDATE grants SET rotated_at = ? WHERE id = ?`, 1, id).Error
		}},
	}
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, backend(b))
			g := w.redeem(b, w.redemption("request", "code", noon), noon)
			for _, way := range ways {
				b.Run(way.name, func(b *testing.B) {
					b.ReportAllocs()
					// All runs are one transaction, because a commit costs the same in both cases.
					err := w.Write(context.Background(), func(tx *gorm.DB) error {
						for b.Loop() {
							if err := way.run(tx, g.ID); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				})
			}
		})
	}
}

var (
	selectGrant = engine.NewStatement(`SELECT ` + engine.ColumnNames(&storage.Grant{}) + ` FROM grants WHERE id = ?`)
	updateGrant = engine.NewStatement(`UPDATE grants SET rotated_at = ? WHERE id = ?`)
)
