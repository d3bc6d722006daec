package storage_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/engine"
	"signet/storage/storagetest"
)

// What a statement costs past gorm and through it: the measure of the rule in doc.go.
func BenchmarkStatement_WithAndWithoutGorm(b *testing.B) {
	ways := []struct {
		name string
		run  func(tx *gorm.DB, id string) error
	}{
		{"read past gorm", func(tx *gorm.DB, id string) error {
			var g storage.Grant
			return engine.RequireRow(grantByID.QueryRow(tx, engine.Destinations(&g), id))
		}},
		{"read through gorm", func(tx *gorm.DB, id string) error {
			var g storage.Grant
			return tx.Where("id = ?", id).Take(&g).Error
		}},
		{"write past gorm", func(tx *gorm.DB, id string) error {
			_, err := seenGrant.Exec(tx, 1, id)
			return err
		}},
		{"write through gorm", func(tx *gorm.DB, id string) error {
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
					// In one transaction: what a commit costs is the same for both.
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
	grantByID = engine.NewStatement(`SELECT ` + engine.ColumnNames(&storage.Grant{}) + ` FROM grants WHERE id = ?`)
	seenGrant = engine.NewStatement(`UPDATE grants SET rotated_at = ? WHERE id = ?`)
)
