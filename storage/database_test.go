package storage_test

import (
	"testing"

	"signet/storage"
)

func TestOpen_KeepsExistingData(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.redemption("request", "code", noon)
		g := w.redeem(t, r, noon)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		again := &world{DB: w.backend.Open(t), backend: w.backend}
		again.wantAlive(t, g.ID, noon)
		_, err := again.RedeemCode(t.Context(), r, noon)
		wantError(t, "the code after a restart", err, storage.ErrReplayed)
	})
}
