package storage_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

var update = flag.Bool("update", false, "rewrite the schema dumps in testdata")

// newest returns the number of the last migration. The names of its dumps and its seed in
// testdata begin with this number.
func newest(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	return fmt.Sprintf("%04d", len(files))
}

// schemaQueries list the schema, one object in a line.
var schemaQueries = map[string]string{
	"sqlite": `SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name`,
	"postgres": `SELECT line FROM (
		SELECT 1 AS part, table_name AS o1, ordinal_position AS o2, concat_ws(' ', 'column', table_name || '.' || column_name, data_type,
			'collate ' || collation_name, CASE is_nullable WHEN 'NO' THEN 'not null' END, 'default ' || column_default) AS line
		FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT 2, indexname, 0, indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT 3, conrelid::regclass::text || conname, 0, concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
	) AS lines ORDER BY part, o1, o2`,
}

// dataQueries list the rows that the migrations insert.
var dataQueries = []string{
	`SELECT 'instance: id ' || id || ', not_before ' || not_before || ', changes ' || changes || ', oldest_program ' || oldest_program FROM instance`,
	`SELECT 'migration: ' || number || ' ' || name FROM migrations ORDER BY number`,
}

// A released migration never changes. The test fails if a migration has changed, and if the
// dump of a new migration is missing.
func TestMigrations_SchemaEqualsItsDump(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		var lines []string
		for _, query := range append([]string{schemaQueries[b.Name]}, dataQueries...) {
			var part []string
			if err := db.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(query).Scan(&part).Error }); err != nil {
				t.Fatal(err)
			}
			if len(part) == 0 {
				t.Fatalf("no rows from %s", query)
			}
			lines = append(lines, part...)
		}
		got := strings.Join(lines, "\n") + "\n"
		file := filepath.Join("testdata", newest(t)+"."+b.Name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: run the test with -update", err)
		}
		if got != string(want) {
			t.Errorf("the schema differs from %s:\n%s", file, got)
		}
	})
}

func TestMigrations_SeedIsReadByTheUseCases(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		seed, err := os.ReadFile(filepath.Join("testdata", newest(t)+".seed.sql"))
		if err != nil {
			t.Fatal(err)
		}
		db := b.Open(t)
		err = db.Write(t.Context(), func(tx *gorm.DB) error {
			return storage.RunScript(tx, string(seed))
		})
		if err != nil {
			t.Fatal(err)
		}
		var tables, seeded []string
		err = db.Read(t.Context(), func(q *gorm.DB) error {
			return q.Raw(map[string]string{
				"sqlite":   `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
				"postgres": `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`,
			}[b.Name]).Scan(&tables).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			var n int
			if err := db.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT COUNT(*) FROM ` + table).Scan(&n).Error }); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				seeded = append(seeded, table)
			}
		}
		if len(tables) != 32 || len(seeded) != len(tables) {
			t.Errorf("%d of %d tables contain a row, want 32 of 32: %v", len(seeded), len(tables), tables)
		}
		g, u, err := db.LiveGrant(t.Context(), "gid_seed", "", noon.Add(1))
		if err != nil || g.Generation != 3 || u.Name != "Seed" {
			t.Errorf("grant %+v, user %+v, %v", g, u, err)
		}
		if _, hash, err := db.UserByEmail(t.Context(), "seed@example.com"); err != nil || hash != "hash" {
			t.Errorf("hash %q, %v", hash, err)
		}
		if _, _, err := db.SessionByHandle(t.Context(), "handle", noon); err != nil {
			t.Error(err)
		}
		if c, err := db.Client(t.Context(), "seed"); err != nil || c.RefreshGrace != -1 || len(c.Metadata.RedirectURIs) != 1 || len(c.Federations) != 1 {
			t.Errorf("client %+v, %v", c, err)
		}
		if has, err := db.SecondFactorsOf(t.Context(), "usr_seed"); err != nil || len(has.Keys) != 1 || has.Keys[0].Counter != 4 || len(has.Keys[0].Detail.Transports) != 1 {
			t.Errorf("second factors %+v, %v", has, err)
		}
		if c, err := db.Consent(t.Context(), "usr_seed", "seed", noon); err != nil || !c.Covers([]string{"openid"}, nil, nil) {
			t.Errorf("consent %+v, %v", c, err)
		}
	})
}

// created matches the tables, columns and indexes that a migration creates.
var created = regexp.MustCompile(`(?m)^(?:CREATE (TABLE|(?:UNIQUE )?INDEX) (\w+)|ALTER TABLE (\w+) ADD COLUMN (\w+))`)

// undoMigrationsAfter returns statements that undo all migrations after the given one.
func undoMigrationsAfter(t *testing.T, number int) (statements []string) {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) <= number {
		t.Fatalf("%d migrations, want more than %d: %v", len(files), number, err)
	}
	for _, file := range files[number:] {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range created.FindAllStringSubmatch(string(script), -1) {
			statement := "ALTER TABLE " + m[3] + " DROP COLUMN " + m[4]
			if m[1] != "" {
				statement = "DROP " + strings.TrimPrefix(m[1], "UNIQUE ") + " " + m[2]
			}
			statements = append([]string{statement}, statements...) // indexes before their columns
		}
	}
	return append(statements, fmt.Sprintf(`DELETE FROM migrations WHERE number > %d`, number))
}

// TestMigrations_RowsOf0006KeepWorking migrates a database of an earlier release, with
// clients of each type. Its rows keep their meaning. Basic was the default method of that
// release, so a client with Basic counts as one without a chosen method. All clients still
// receive unverified email addresses.
func TestMigrations_RowsOf0006KeepWorking(t *testing.T) {
	seed, err := os.ReadFile("testdata/0006.seed.sql")
	if err != nil {
		t.Fatal(err)
	}
	const redirects = `"redirect_uris":["https://app.example.com/cb"]`
	clients := []struct{ id, kind, metadata, method string }{
		{"basic", "web", `{` + redirects + `,"token_endpoint_auth_method":"client_secret_basic","grant_types":["authorization_code"]}`, ""},
		{"basic-last", "web", `{` + redirects + `,"token_endpoint_auth_method":"client_secret_basic"}`, ""},
		{"service", "service", `{"token_endpoint_auth_method":"client_secret_basic","grant_types":["client_credentials"]}`, ""},
		{"post", "web", `{` + redirects + `,"token_endpoint_auth_method":"client_secret_post","grant_types":["authorization_code"]}`, "client_secret_post"},
		{"spa", "spa", `{` + redirects + `,"token_endpoint_auth_method":"none","grant_types":["authorization_code"]}`, "none"},
		{"quoting", "web", `{"contacts":["\"token_endpoint_auth_method\":\"client_secret_basic\","],"token_endpoint_auth_method":"client_secret_post"}`, "client_secret_post"},
	}
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		err := b.Open(t).Write(t.Context(), func(tx *gorm.DB) error {
			for _, statement := range undoMigrationsAfter(t, 6) {
				if err := tx.Exec(statement).Error; err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
			if err := storage.RunScript(tx, string(seed)); err != nil {
				return err
			}
			for _, c := range clients {
				if err := tx.Exec(`INSERT INTO clients (id, name, type, metadata) VALUES (?, ?, ?, ?)`, c.id, c.id, c.kind, c.metadata).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		db := b.Open(t)
		for _, want := range clients {
			c, err := db.Client(t.Context(), want.id)
			if err != nil || c.Metadata.TokenEndpointAuthMethod != want.method || !c.UnverifiedEmail || c.PromptLogin != "" {
				t.Errorf("%s: %+v, %v", want.id, c, err)
			}
			if want.id == "quoting" && (len(c.Metadata.Contacts) != 1 || c.Metadata.Contacts[0] != `"token_endpoint_auth_method":"client_secret_basic",`) {
				t.Errorf("contacts %q", c.Metadata.Contacts)
			}
		}
		if g, u, err := db.LiveGrant(t.Context(), "gid_seed", "", noon.Add(1)); err != nil || g.Generation != 3 || g.Connector != "" || u.Name != "Seed" {
			t.Errorf("grant %+v, user %+v, %v", g, u, err)
		}
		if _, hash, err := db.UserByEmail(t.Context(), "seed@example.com"); err != nil || hash != "hash" {
			t.Errorf("hash %q, %v", hash, err)
		}
		if s, _, err := db.SessionByHandle(t.Context(), "handle", noon); err != nil || s.AuthTime == 0 || s.ArrivedAt != s.AuthTime {
			t.Errorf("session %+v, %v", s, err)
		}
		if list, err := db.IdentitiesOf(t.Context(), "usr_seed"); err != nil || len(list) != 1 {
			t.Errorf("identities %+v, %v", list, err)
		}
		if readers, err := db.JWKSReaders(t.Context()); err != nil || len(readers) != 1 || readers[0].Fetches != 7 {
			t.Errorf("readers %+v, %v", readers, err)
		}
	})
}

// MN-11: a program opens a newer schema, unless the schema requires a newer program.
func TestOpen_RefusesASchemaThatNeedsANewerProgram(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		set := func(sql string) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err != nil {
				t.Fatal(err)
			}
		}
		set(`INSERT INTO migrations (number, name) VALUES (999, '0999_of_a_newer_program.sql')`)
		b.Open(t) // the newer schema permits this program
		set(`UPDATE instance SET oldest_program = 999`)
		if db, err := storage.Open(t.Context(), b.Config()); err == nil {
			db.Close()
			t.Error("opened a database that needs a newer program")
		} else if !strings.Contains(err.Error(), "start a newer release") {
			t.Errorf("the error does not contain the next step: %v", err)
		}
	})
}

// ST-19: the database itself refuses rows that break the model. When a user is
// deleted, it deletes the rows of the user except the events.
func TestMigrations_ConstraintsAreChecked(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, sql := range map[string]string{
			"second instance":           `INSERT INTO instance (id) VALUES (2)`,
			"second password":           `INSERT INTO credentials (id, user_id, kind, secret) SELECT 'x', user_id, kind, secret FROM credentials`,
			"second authenticator app":  `INSERT INTO credentials (id, user_id, kind, secret) SELECT n.id, c.user_id, 'totp', c.secret FROM credentials c, (SELECT 'x' AS id UNION SELECT 'y') n`,
			"unknown credential":        `INSERT INTO credentials (id, user_id, kind, secret) SELECT 'x', user_id, 'key', secret FROM credentials`,
			"credential without a user": `INSERT INTO credentials (id, user_id, kind, secret) VALUES ('x', 'usr_nobody', 'totp', 'x')`,
			"user with an empty id":     `INSERT INTO users (id) VALUES ('')`,
			"session without a handle":  `UPDATE sessions SET handle_hash = ''`,
			"grant without a client":    `INSERT INTO grants (id, user_id, client_id, session_id) SELECT 'x', id, 'none', 's' FROM users`,
			"unknown key state":         `INSERT INTO keys (id, line, state, sealed) VALUES ('x', 'ES256', 'both', 'x')`,
			"NULL for an unset time":    `UPDATE users SET disabled_at = NULL`,
		} {
			if err := w.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err == nil {
				t.Errorf("%s was accepted", name)
			}
		}
		err := w.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(`DELETE FROM users`).Error })
		if err != nil {
			t.Fatal(err)
		}
		var left int
		err = w.Read(t.Context(), func(q *gorm.DB) error {
			return q.Raw(`SELECT (SELECT COUNT(*) FROM credentials) + (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM grants)`).Scan(&left).Error
		})
		if err != nil || left != 0 {
			t.Errorf("%d rows of the deleted users are left, %v", left, err)
		}
		if len(w.events(t)) == 0 {
			t.Error("the events of the deleted users are gone")
		}
	})
}
