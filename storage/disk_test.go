//go:build linux

package storage_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signet/storage"
	"signet/storage/storagetest"
)

// smallDisk returns a folder whose file system can be filled and emptied: a tmpfs if this
// process may mount one. Otherwise it limits the size of files, so writes fail in the same
// place with another error number.
func smallDisk(t *testing.T) (folder string, fill, empty func()) {
	t.Helper()
	folder = t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Logf("no tmpfs (%v): limiting the size of files", err)
		fill, empty = limitFiles(t, folder)
		return folder, fill, empty
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	ballast := filepath.Join(folder, "ballast")
	fill = func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
	}
	empty = func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return folder, fill, empty
}

// limitFiles returns functions that stop the write-ahead log from growing, and that allow it
// again.
func limitFiles(t *testing.T, folder string) (fill, empty func()) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(unix.SIGXFSZ) })
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	set := func(limit uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(before.Cur) })
	fill = func() {
		wal, err := os.Stat(filepath.Join(folder, "signet.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		set(uint64(wal.Size()))
	}
	return fill, func() { set(before.Cur) }
}

// ST-09: while the disk is full, writing gives ErrUnavailable and reading goes on.
// Afterwards the same codes can be redeemed without a restart.
func TestRedeemCode_FullDiskLeavesNothingHalfDone(t *testing.T) {
	folder, fill, empty := smallDisk(t)
	db, err := storage.Open(t.Context(), storage.Config{DataDir: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w := &world{DB: db}
	w.user, w.client = w.createUser(t, "alice@example.com"), w.createClient(t, "web")
	w.session = w.signIn(t, w.user.ID, "handle of alice", "", noon)

	fill()
	var failed []storage.CodeRedemption
	for i := 0; len(failed) < 3 && i < 5000; i++ {
		r := w.redemption(fmt.Sprint(i), "code", noon)
		g, err := w.RedeemCode(t.Context(), r, noon)
		if err == nil { // the last page had room
			w.wantAlive(t, g.ID, noon)
			continue
		}
		wantError(t, "redeem on a full disk", err, storage.ErrUnavailable)
		w.wantDead(t, r.Grant.ID, noon)
		failed = append(failed, r)
	}
	if len(failed) < 3 {
		t.Fatal("the disk was never full")
	}
	_, err = w.SignIn(t.Context(), storage.SignIn{UserID: w.user.ID, HandleHash: "new", IdleFor: time.Hour, AbsoluteFor: time.Hour}, noon)
	wantError(t, "sign in on a full disk", err, storage.ErrUnavailable)
	if _, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon); err != nil {
		t.Errorf("read on a full disk: %v", err)
	}
	_, _, err = w.SessionByHandle(t.Context(), "new", noon)
	wantError(t, "the session of the failed sign-in", err, storage.ErrNotFound)

	empty()
	for _, r := range failed { // no code was spent, and no restart is needed
		w.wantAlive(t, w.redeem(t, r, noon).ID, noon)
	}
	w.signIn(t, w.user.ID, "new", "", noon)
}

// ST-09: the same when a limit on the size of files fails the write.
func TestRedeemCode_FileSizeLimitLeavesNothingHalfDone(t *testing.T) {
	b := storagetest.SQLite(t)
	w := newWorld(t, b)
	fill, empty := limitFiles(t, b.Config().DataDir)
	fill()
	var r storage.CodeRedemption
	for i := 0; ; i++ {
		r = w.redemption(fmt.Sprint(i), "code", noon)
		if _, err := w.RedeemCode(t.Context(), r, noon); err != nil {
			wantError(t, "redeem at the limit", err, storage.ErrUnavailable)
			break
		}
	}
	w.wantDead(t, r.Grant.ID, noon)
	empty()
	w.wantAlive(t, w.redeem(t, r, noon).ID, noon)
}
