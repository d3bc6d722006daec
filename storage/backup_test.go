package storage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// A backup that is taken while others write contains only whole transactions: each user
// in it has a password and an event.
func TestBackup_IsConsistentWhileOthersWrite(t *testing.T) {
	w := newWorld(t, storagetest.SQLite(t))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				u := storage.User{Email: fmt.Sprintf("u%d-%d@example.com", n, i)}
				if _, err := w.CreateUser(t.Context(), u, "hash", storage.By{At: noon}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "signet.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := storage.Backup(t.Context(), w.backend.Config(), file)
	close(stop)
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.ReadBackup(t.Context(), file)
	if err != nil || len(s.Pending) != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	copied, err := storage.Open(t.Context(), storage.Config{DataDir: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var counts struct{ Users, Passwords, Events int }
	err = copied.Read(t.Context(), func(q *gorm.DB) error {
		return q.Raw(`SELECT (SELECT COUNT(*) FROM users) AS users, (SELECT COUNT(*) FROM credentials) AS passwords,
			(SELECT COUNT(*) FROM events WHERE type = 'user.created') AS events`).Scan(&counts).Error
	})
	if err != nil || counts.Users == 0 || counts.Users != counts.Passwords || counts.Users != counts.Events {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestBackup_RefusesPostgresAndEmptyFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	err := storage.Backup(t.Context(), storage.Config{Database: "postgres://db.example.com/signet"}, file)
	wantError(t, "PostgreSQL", err, storage.ErrUsePostgresTools)
	err = storage.Backup(t.Context(), storage.Config{DataDir: t.TempDir()}, file)
	wantError(t, "an empty folder", err, storage.ErrNotFound)
}

func TestReadBackup_RefusesOtherAndDamagedFiles(t *testing.T) {
	w := newWorld(t, storagetest.SQLite(t))
	for i := range 50 {
		w.createUser(t, fmt.Sprintf("u%d@example.com", i))
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := storage.Backup(t.Context(), w.backend.Config(), whole); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(content)
	for i := len(flipped) / 2; i < len(flipped)/2+4096; i++ {
		flipped[i] ^= 0xff
	}
	for name, bytes := range map[string][]byte{
		"empty": {}, "text": []byte("-- PostgreSQL database dump\n"), "cut short": content[:len(content)/2], "flipped": flipped,
	} {
		file := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(file, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := storage.ReadBackup(t.Context(), file); !errors.Is(err, storage.ErrNotBackup) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := storage.ReadBackup(t.Context(), whole+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := storage.ReadBackup(t.Context(), whole); err != nil {
		t.Errorf("the undamaged backup: %v", err)
	}
}

func TestReplaceDatabase_RefusesADatabaseInUse(t *testing.T) {
	backend := storagetest.SQLite(t)
	folder := backend.Config().DataDir
	w := newWorld(t, backend)
	fresh := storagetest.SQLite(t).Config().DataDir
	wantError(t, "check a database in use", storage.CheckUnused(folder), storage.ErrInUse)
	wantError(t, "replace a database in use", storage.ReplaceDatabase(folder, fresh, "old"), storage.ErrInUse)
	w.createUser(t, "still@example.com")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "replace without a name for the old database", storage.ReplaceDatabase(folder, fresh, ""), storage.ErrConflict)
	if err := storage.ReplaceDatabase(folder, fresh, "old"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := backend.Open(t).UserByEmail(t.Context(), "still@example.com"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the old database is still in place: %v", err)
	}
	old := storagetest.SQLite(t).Config().DataDir
	if err := os.Rename(filepath.Join(folder, "old"), filepath.Join(old, "signet.db")); err != nil {
		t.Fatal(err)
	}
	kept, err := storage.Open(t.Context(), storage.Config{DataDir: old})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if _, _, err := kept.UserByEmail(t.Context(), "still@example.com"); err != nil {
		t.Errorf("read the old database that was moved aside: %v", err)
	}
}

// A damaged database can be replaced too: this is the usual reason for a restore.
func TestReplaceDatabase_MovesADamagedDatabaseAside(t *testing.T) {
	folder, fresh := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"signet.db": strings.Repeat("no database\n", 2000), "signet.db-wal": "nor its log"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if db, err := storage.Open(t.Context(), storage.Config{DataDir: fresh}); err != nil {
		t.Fatal(err)
	} else if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := storage.ReplaceDatabase(folder, fresh, "old"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "old")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "signet.db-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the write-ahead log of the damaged database was left beside the new one: %v", err)
	}
	db, err := storage.Open(t.Context(), storage.Config{DataDir: folder})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// ReplaceDatabase moves the log of the new database into its file first. If this fails, it
// replaces nothing.
func TestReplaceDatabase_RefusesADamagedReplacement(t *testing.T) {
	folder, broken := t.TempDir(), t.TempDir()
	for _, at := range []string{folder, broken} {
		if err := os.WriteFile(filepath.Join(at, "signet.db"), []byte(strings.Repeat("of "+at, 2000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := storage.ReplaceDatabase(folder, broken, "old"); err == nil || errors.Is(err, storage.ErrInUse) {
		t.Errorf("replace with a damaged database: got %v, want an error that is not ErrInUse", err)
	}
	if content, err := os.ReadFile(filepath.Join(folder, "signet.db")); err != nil || !strings.HasPrefix(string(content), "of "+folder) {
		t.Errorf("the database in use was replaced: %v", err)
	}
}

// ST-12, RT-13: a restored backup revives no session, grant, code, setup link or
// token of a service.
func TestMarkRestored_EndsAllEarlierSessionsAndTokens(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		online := w.redeem(t, w.redemption("r1", "c1", noon), noon)
		offline := w.offlineGrant(t, "r2", noon)
		ahead := w.signIn(t, w.createUser(t, "ahead@example.com").ID, "ahead", "", noon.AddDate(1, 0, 0))
		restored := noon.Add(time.Hour + 400*time.Millisecond)
		service := storage.At(restored.Truncate(time.Second)) // its iat is in whole seconds
		if revoked, err := w.IsTokenRevoked(t.Context(), "jti", service); err != nil || revoked {
			t.Fatalf("before: the token of a service is revoked: %v, %v", revoked, err)
		}
		openSetup(t, w.DB, "link", noon.Add(50*time.Minute))

		until, err := w.MarkRestored(t.Context(), storage.By{From: storage.Origin{Actor: "cli"}, At: restored})
		if err != nil || until != storage.At(restored.Truncate(time.Second).Add(time.Second)) {
			t.Fatalf("everything before %v ends, %v", until.Time(), err)
		}
		after := restored.Add(time.Second)
		w.wantDead(t, online.ID, after)
		w.wantDead(t, offline.ID, after)
		for _, handle := range []string{"handle of alice", "ahead"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, after)
			wantError(t, "session "+handle, err, storage.ErrNotFound)
		}
		_, _, err = w.SessionByHandle(t.Context(), "ahead", noon.AddDate(1, 0, 1)) // also at the time when it was created
		wantError(t, "session "+ahead.ID, err, storage.ErrNotFound)
		if revoked, err := w.IsTokenRevoked(t.Context(), "jti", service); err != nil || !revoked {
			t.Errorf("afterwards: the earlier token of a service is revoked: %v, %v", revoked, err)
		}
		if setupIsOpen(t, w.DB, "link", after) {
			t.Error("a setup link is still valid")
		}
		_, err = w.RedeemCode(t.Context(), w.redemption("r3", "c3", after), after)
		wantError(t, "a code of an earlier session", err, storage.ErrRevoked)

		// New sessions, their grants and new tokens of services are valid.
		w.session = w.signIn(t, w.user.ID, "anew", "", after)
		w.wantAlive(t, w.redeem(t, w.redemption("r4", "c4", after), after).ID, after)
		if revoked, err := w.IsTokenRevoked(t.Context(), "jti", storage.At(after)); err != nil || revoked {
			t.Errorf("the new token of a service is revoked: %v, %v", revoked, err)
		}
		if events := w.events(t); !slices.Contains(events, storage.InstanceRestored) {
			t.Errorf("events: %v", events)
		}
	})
}
