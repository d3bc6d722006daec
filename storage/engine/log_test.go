package engine_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestST16_LogHoldsNoParameters(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		var log bytes.Buffer
		c := b.Config()
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		db, err := storage.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for range 2 { // the second is a conflict, which is an answer and no fault
			_, _ = db.CreateUser(t.Context(), storage.User{Email: "canary@example.com"}, "canary", storage.By{At: noon})
		}
		if log.Len() != 0 {
			t.Errorf("logged what is no fault: %s", &log)
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
				t.Errorf("the fault of %q was not logged: %s", statement, &log)
			}
		}
		if strings.Contains(log.String(), "canary") {
			t.Errorf("the log tells a parameter: %s", &log)
		}
	})
}

func TestOrigin_ActorIsTheUserUnlessSaid(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{From: storage.Origin{Actor: "cli"}, At: noon}); err != nil {
			t.Fatal(err)
		}
		list, err := w.Events(t.Context(), storage.EventFilter{}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if list[0].From.Actor != "cli" || list[1].From.Actor != w.user.ID {
			t.Errorf("actors %q and %q, want cli and the user", list[0].From.Actor, list[1].From.Actor)
		}
	})
}
