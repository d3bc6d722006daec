package engine_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"signet/storage/storagetest"
)

// ST-16: logs of statements contain no parameters.
func TestLog_ContainsNoParameters(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		var log bytes.Buffer
		c := connectionConfig(b)
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		db := openConfig(t, c)
		for range 2 { // the second is a conflict, which is an answer, not a failure
			_ = db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "canary") })
		}
		if log.Len() != 0 {
			t.Errorf("a refusal was logged as a failure: %s", &log)
		}
		_ = db.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(`INSERT INTO nowhere VALUES (?)`, "canary").Error
		})
		_ = db.Write(t.Context(), func(tx *gorm.DB) error {
			var n int
			return tx.Raw(`SELECT 1 FROM nobody WHERE a = ?`, "canary").Scan(&n).Error
		})
		for _, statement := range []string{"INSERT INTO nowhere", "FROM nobody"} {
			if !strings.Contains(log.String(), statement) {
				t.Errorf("the failure of %q was not logged: %s", statement, &log)
			}
		}
		if strings.Contains(log.String(), "canary") {
			t.Errorf("the log contains a parameter: %s", &log)
		}
	})
}
