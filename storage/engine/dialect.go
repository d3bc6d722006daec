package engine

import "gorm.io/gorm"

// dialect holds the words of a migration that differ between the two databases.
type dialect map[string]string

var (
	sqliteDialect = dialect{
		"{{text}}": "TEXT", "{{bytes}}": "BLOB", "{{clustered}}": "WITHOUT ROWID",
	}
	// The collation "C" compares bytes, as SQLite does, so uniqueness and order are the same
	// on both.
	postgresDialect = dialect{
		"{{text}}": `TEXT COLLATE "C"`, "{{bytes}}": "BYTEA", "{{clustered}}": "",
	}
)

func dialectOf(tx *gorm.DB) dialect {
	if isPostgres(tx) {
		return postgresDialect
	}
	return sqliteDialect
}

func isPostgres(tx *gorm.DB) bool { return tx.Name() == "postgres" }
