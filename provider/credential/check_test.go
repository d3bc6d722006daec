package credential_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/provider/keys"
	"signet/storage"
	"signet/storage/storagetest"
)

var noon = time.Unix(1_800_000_000, 0).UTC()

// cheap are the lowest costs of argon2id.
var cheap = credential.Params{Memory: 8, Time: 1, Threads: 1}

const right = "correct horse battery"

// checker checks passwords and counts the computed hashes.
type checker struct {
	*credential.Passwords
	db     *storage.DB
	at     time.Time
	hashes atomic.Int64
	memory atomic.Uint32 // highest memory of a hash, KiB
}

func newChecker(t *testing.T, db *storage.DB, c credential.Config) *checker {
	t.Helper()
	d := &checker{db: db, at: noon}
	c.DB = db
	c.Now = func() time.Time { return d.at }
	if c.Bucket == nil { // the same on all nodes
		c.Bucket = func(name string) (string, error) { return keys.BucketUnder([]byte("shared"), name), nil }
	}
	if c.Params == (credential.Params{}) {
		c.Params = cheap
	}
	d.Passwords = credential.New(c)
	credential.BeforeHash(d.Passwords, func(memory uint32) {
		d.hashes.Add(1)
		d.memory.Store(max(memory, d.memory.Load()))
	})
	return d
}

// user creates a user with the password "right", or with the given hash.
func (d *checker) user(t *testing.T, email string, hash ...string) storage.User {
	t.Helper()
	stored := append(hash, "")[0]
	if len(hash) == 0 {
		var err error
		if stored, err = d.Hash(t.Context(), right, storage.User{Email: email}); err != nil {
			t.Fatal(err)
		}
	}
	user, err := d.db.CreateUser(t.Context(), storage.User{Email: email}, stored, storage.By{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	d.hashes.Store(0)
	return user
}

func (d *checker) check(t *testing.T, username, password string) (credential.Checked, error) {
	t.Helper()
	return d.Check(t.Context(), credential.Attempt{Username: username, Password: password, Address: "192.0.2.7"},
		storage.Origin{RequestID: "req-1", Address: "192.0.2.7"})
}

func (d *checker) failures(t *testing.T) []storage.Event {
	t.Helper()
	events, err := d.db.Events(t.Context(), storage.EventFilter{}, 500)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(events, func(e storage.Event) bool { return e.Type != storage.UserSignInFailed })
}

func TestCheck_CorrectPassword(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		d := newChecker(t, b.Open(t), credential.Config{Limits: credential.Limits{Account: 3}})
		user := d.user(t, "Alice@Example.com")
		for range 5 { // a successful attempt is given back and never throttled
			got, err := d.check(t, "alice@example.com", right)
			if err != nil || got.User.ID != user.ID {
				t.Fatalf("got %+v, %v", got.User, err)
			}
			if got.OldHash != "" || got.NewHash != "" {
				t.Errorf("a hash with the current costs is renewed")
			}
			if err := d.db.GiveBack(t.Context(), got.Reserved, noon); err != nil {
				t.Fatal(err)
			}
		}
		if n := d.hashes.Load(); n != 5 {
			t.Errorf("%d hashes, want 5", n)
		}
		if events := d.failures(t); len(events) != 0 {
			t.Errorf("events %v", events)
		}
	})
}

// PW-01: Unknown user, wrong password and disabled user get the same answer until the password is right.
// PW-02: Refusals for known and unknown users also cost the same work.
func TestCheck_EveryRefusalHasSameErrorAndWork(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		d := newChecker(t, b.Open(t), credential.Config{})
		d.user(t, "known@example.com")
		d.user(t, "no-password@example.com", "")
		d.user(t, "imported@example.com", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
		disabled := d.user(t, "disabled@example.com")
		if err := d.db.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, attempt := range []struct{ name, username, password, reason string }{
			{"wrong", "known@example.com", "wrong password", "invalid_credentials"},
			{"empty", "known@example.com", "", "invalid_credentials"},
			{"no password", "no-password@example.com", "", "no_password"},
			{"foreign hash", "imported@example.com", right, "unreadable_hash"},
			{"disabled, wrong", "disabled@example.com", "wrong password", "user_disabled"},
			{"disabled, right", "disabled@example.com", right, "user_disabled"},
			{"unknown", "unknown@example.com", right, ""},
			{"no address", "'; DROP TABLE users; --", right, ""},
			{"NUL in the name", "known@example.com\x00", right, ""},
			{"not UTF-8", "\xff@example.com", right, ""},
			{"no name", "", right, ""},
		} {
			d.hashes.Store(0)
			d.at = d.at.Add(time.Minute) // equal refusals within a minute are one event
			before := len(d.failures(t))
			got, err := d.check(t, attempt.username, attempt.password)
			if !errors.Is(err, credential.ErrWrong) || err.Error() != credential.ErrWrong.Error() {
				t.Errorf("%s: got %v, want ErrWrong", attempt.name, err)
			}
			if got.User.ID != "" || got.Reserved.Keys != nil {
				t.Errorf("%s: got %+v with the error, want the zero value", attempt.name, got)
			}
			if n := d.hashes.Load(); n != 1 {
				t.Errorf("%s: %d hashes, want 1", attempt.name, n)
			}
			events := d.failures(t)
			if attempt.reason == "" {
				if len(events) != before {
					t.Errorf("%s: recorded %+v", attempt.name, events[0])
				}
				continue
			}
			if len(events) != before+1 || events[0].Reason != attempt.reason || events[0].UserID == "" ||
				events[0].Outcome != storage.Refused || events[0].From.RequestID != "req-1" {
				t.Errorf("%s: recorded %+v", attempt.name, events)
			}
		}
	})
}

// PW-21: A password in the name field does not end in the log.
func TestCheck_TypedNameIsNotRecorded(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		d := newChecker(t, b.Open(t), credential.Config{})
		d.user(t, "alice@example.com")
		const secret = "hunter2hunter2"
		for _, typed := range [][2]string{{secret, ""}, {"alice@example.com", secret}, {secret + "@example.com", secret}} {
			if _, err := d.check(t, typed[0], typed[1]); !errors.Is(err, credential.ErrWrong) {
				t.Fatal(err)
			}
		}
		if events := fmt.Sprintf("%+v", d.failures(t)); strings.Contains(events, secret) {
			t.Errorf("recorded: %s", events)
		}
	})
}

func TestCheck_UnusablePasswordIsNotHashed(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Limits: credential.Limits{Account: 1}})
	d.user(t, "alice@example.com")
	for name, password := range map[string]string{
		"too long":      strings.Repeat("a", 1025),
		"10 MB":         strings.Repeat("a", 10<<20),
		"NUL":           right + "\x00",
		"invalid UTF-8": right + "\xff",
	} {
		for _, username := range []string{"alice@example.com", "unknown@example.com"} {
			if _, err := d.check(t, username, password); !errors.Is(err, credential.ErrWrong) {
				t.Errorf("%s: got %v, want ErrWrong", name, err)
			}
		}
	}
	if n := d.hashes.Load(); n != 0 {
		t.Errorf("%d hashes", n)
	}
}

// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
// PW-22: A limited account gives the same answer for right and wrong passwords.
func TestCheck_ThrottlesAfterTwentyWrongPasswords(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		d := newChecker(t, b.Open(t), credential.Config{})
		d.user(t, "alice@example.com")
		d.user(t, "bob@example.com")
		for i := range 20 {
			if _, err := d.check(t, "alice@example.com", "wrong password"); !errors.Is(err, credential.ErrWrong) {
				t.Fatalf("attempt %d: got %v, want ErrWrong", i+1, err)
			}
		}
		for _, password := range []string{"wrong password", right} {
			_, err := d.check(t, "alice@example.com", password)
			throttled, ok := errors.AsType[*storage.ThrottledError](err)
			if !ok || throttled.RetryAfter <= 0 || throttled.RetryAfter > 15*time.Minute {
				t.Errorf("got %v, want ThrottledError", err)
			}
		}
		if n := d.hashes.Load(); n != 20 {
			t.Errorf("%d hashes, want 20", n)
		}
		if e := d.failures(t); len(e) != 1 || e[0].Times != 20 {
			t.Errorf("events %+v, want one with count 20", e)
		}
		if _, err := d.check(t, "bob@example.com", right); err != nil {
			t.Errorf("another account: %v", err)
		}
		d.at = noon.Add(15*time.Minute + time.Second)
		if _, err := d.check(t, "alice@example.com", right); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestCheck_UnknownNamesAreThrottledToo(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Limits: credential.Limits{Account: 2}})
	for range 2 {
		if _, err := d.check(t, "unknown@example.com", right); !errors.Is(err, credential.ErrWrong) {
			t.Fatal(err)
		}
	}
	_, err := d.check(t, "Unknown@EXAMPLE.com ", right)
	if _, ok := errors.AsType[*storage.ThrottledError](err); !ok {
		t.Errorf("got %v, want ThrottledError", err)
	}
}

// PW-05: One password tried on many accounts is limited for each network.
func TestPasswords_SprayingIsCountedByNetwork(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Limits: credential.Limits{Network: 5}})
	try := func(i int, address string) error {
		_, err := d.Check(t.Context(), credential.Attempt{
			Username: fmt.Sprintf("user%d@example.com", i), Password: "Summer-of-42", Address: address,
		}, storage.Origin{})
		return err
	}
	for i := range 5 {
		if err := try(i, fmt.Sprintf("2001:db8:1:2::%d", i+1)); !errors.Is(err, credential.ErrWrong) {
			t.Fatal(err)
		}
	}
	if _, ok := errors.AsType[*storage.ThrottledError](try(6, "2001:db8:1:2:ffff::1")); !ok {
		t.Error("another address of the same /64 is not throttled")
	}
	if err := try(7, "2001:db8:1:3::1"); !errors.Is(err, credential.ErrWrong) {
		t.Errorf("another /64: %v", err)
	}
}

// PW-05: One password tried on many accounts is limited for each network.
func TestPasswords_Networks(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"":                     "unknown",
		"192.0.2.7:443":        "unknown",
		"example.com":          "unknown",
	} {
		if got := storage.Network(address); got != want {
			t.Errorf("%q: got %s, want %s", address, got, want)
		}
	}
}

// PW-06: Parallel guesses are counted before they are hashed.
// PW-09: The count is shared by all nodes and survives a restart.
func TestCheck_ParallelGuessesOnTwoNodes(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		nodes := make([]*checker, 2)
		for i := range nodes {
			nodes[i] = newChecker(t, b.Open(t), credential.Config{Queue: 200})
		}
		nodes[0].user(t, "alice@example.com")
		var throttled atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 100 {
			all.Go(func() {
				<-start
				_, err := nodes[i%2].check(t, "alice@example.com", fmt.Sprintf("guess number %d", i))
				if _, ok := errors.AsType[*storage.ThrottledError](err); ok {
					throttled.Add(1)
				} else if !errors.Is(err, credential.ErrWrong) {
					t.Errorf("guess %d: %v", i, err)
				}
			})
		}
		close(start)
		all.Wait()
		if n := nodes[0].hashes.Load() + nodes[1].hashes.Load(); n != 20 || throttled.Load() != 80 {
			t.Errorf("%d hashed and %d throttled, want 20 and 80", n, throttled.Load())
		}
	})
}

// PW-07: Other spellings of a name do not get around the count.
func TestCheck_AllSpellingsOfAddressShareOneCount(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Limits: credential.Limits{Account: 4}})
	d.user(t, "alice@example.com")
	for _, username := range []string{"alice@example.com", "ALICE@example.com", " alice@example.com\t", "alice@EXAMPLE.com"} {
		if _, err := d.check(t, username, "wrong password"); !errors.Is(err, credential.ErrWrong) {
			t.Fatal(err)
		}
	}
	for _, username := range []string{"Alice@Example.COM", "alice@ｅxample.com"} {
		_, err := d.check(t, username, "wrong password")
		if _, ok := errors.AsType[*storage.ThrottledError](err); !ok {
			t.Errorf("%q: got %v, want ThrottledError", username, err)
		}
	}
}

// PW-11: Too many sign-ins at once get 503; memory stays bounded.
func TestCheck_FullQueueIsBusyAndCountsNothing(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Workers: 1, Queue: 1, Limits: credential.Limits{Account: 2}})
	d.user(t, "alice@example.com")
	hashing, release := make(chan struct{}, 10), make(chan struct{})
	credential.BeforeHash(d.Passwords, func(uint32) { hashing <- struct{}{}; <-release })

	var others sync.WaitGroup
	others.Go(func() {
		if _, err := d.check(t, "alice@example.com", "wrong password"); !errors.Is(err, credential.ErrWrong) {
			t.Errorf("the hashing attempt: %v", err)
		}
	})
	<-hashing
	ctx, leave := context.WithCancel(t.Context())
	others.Go(func() {
		_, err := d.Check(ctx, credential.Attempt{Username: "alice@example.com", Password: right}, storage.Origin{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the waiting attempt with the canceled context: %v", err)
		}
	})
	for credential.Waiting(d.Passwords) == 0 && !t.Failed() {
		runtime.Gosched()
	}
	if _, err := d.check(t, "unknown@example.com", right); !errors.Is(err, credential.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if _, err := d.Hash(t.Context(), right, storage.User{}); !errors.Is(err, credential.ErrBusy) {
		t.Errorf("hash: got %v, want ErrBusy", err)
	}
	leave()
	close(release)
	others.Wait()
	// One of two attempts is used up. Attempts that were not compared do not count.
	if _, err := d.check(t, "alice@example.com", right); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for range 2 {
		if _, err := d.check(t, "unknown@example.com", right); !errors.Is(err, credential.ErrWrong) {
			t.Errorf("the busy attempt was counted: %v", err)
		}
	}
}

// Of 500 attempts at once, as many are hashed at a time as there are workers. Some of the
// others wait in the queue, and the rest is refused immediately.
// PW-11: Too many sign-ins at once get 503; memory stays bounded.
func TestCheck_LimitsParallelHashes(t *testing.T) {
	const workers, queue, callers = 2, 64, 500
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Workers: workers, Queue: queue, Limits: credential.Limits{Account: callers, Network: callers}})
	release := make(chan struct{})
	var started, running atomic.Int64
	credential.AroundHash(d.Passwords, func(hash func()) {
		if n := running.Add(1); n > workers {
			t.Errorf("%d hashes at the same time, want at most %d", n, workers)
		}
		defer running.Add(-1)
		started.Add(1)
		<-release
		hash()
	})
	var busy, wrong atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			_, err := d.check(t, fmt.Sprintf("user%d@example.com", i), "wrong password")
			switch {
			case errors.Is(err, credential.ErrBusy):
				busy.Add(1)
			case errors.Is(err, credential.ErrWrong):
				wrong.Add(1)
			default:
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	for (busy.Load() < callers-workers-queue || started.Load() < workers) && !t.Failed() {
		runtime.Gosched()
	}
	if n := started.Load(); n != workers || credential.Waiting(d.Passwords) != queue {
		t.Errorf("%d are hashed and %d wait, want %d and %d", n, credential.Waiting(d.Passwords), workers, queue)
	}
	close(release)
	all.Wait()
	if wrong.Load() != workers+queue || busy.Load() != callers-workers-queue {
		t.Errorf("%d compared, %d refused as busy", wrong.Load(), busy.Load())
	}
}

// PW-13: Passwords are not cut at 72 bytes.
func TestPasswords_EveryByteCounts(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{})
	long := strings.Repeat("12345678, ", 9) + "many trees"
	hash, err := d.Hash(t.Context(), long, storage.User{})
	if err != nil {
		t.Fatal(err)
	}
	d.user(t, "alice@example.com", hash)
	for _, password := range []string{long[:72], long[:99], long + "0", long[:99] + "x"} {
		if _, err := d.check(t, "alice@example.com", password); !errors.Is(err, credential.ErrWrong) {
			t.Errorf("%d characters: %v", len(password), err)
		}
	}
	if _, err := d.check(t, "alice@example.com", long); err != nil {
		t.Error(err)
	}
}

// PW-14: Passwords are normalized to NFC and nothing else.
func TestCheck_NormalizesOnlyToNFC(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{})
	const composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
	for email, set := range map[string]string{"nfc@example.com": composed, "nfd@example.com": decomposed} {
		hash, err := d.Hash(t.Context(), set, storage.User{})
		if err != nil {
			t.Fatal(err)
		}
		d.user(t, email, hash)
		for _, typed := range []string{composed, decomposed} {
			if _, err := d.check(t, email, typed); err != nil {
				t.Errorf("set %q, typed %q: %v", set, typed, err)
			}
		}
		for _, typed := range []string{
			composed + "\u200b", "\u200d" + composed, "ｃafé au lait", "Café au lait", "cafe au lait", composed + " ",
		} {
			if _, err := d.check(t, email, typed); !errors.Is(err, credential.ErrWrong) {
				t.Errorf("set %q, typed %q: got %v, want ErrWrong", set, typed, err)
			}
		}
	}
}

// PW-18: A stored hash with absurd costs is refused.
func TestCheck_HashesAboveLimitsAreNotComputed(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Limits: credential.Limits{Network: 1000}})
	good, err := d.Hash(t.Context(), right, storage.User{})
	if err != nil {
		t.Fatal(err)
	}
	swap := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	salt := strings.Split(good, "$")[4]
	for i, stored := range []string{
		swap("m=8,", "m=4194304,"), swap("m=8,", "m=262145,"), swap("m=8,", "m=7,"), swap("m=8,", "m=-8,"), swap("m=8,", "m=,"),
		swap("t=1,", "t=1000000000,"), swap("t=1,", "t=17,"), swap("t=1,", "t=0,"), swap("m=8,", "m=99999999999,"),
		swap("p=1$", "p=17$"), swap("p=1$", "p=0$"), swap("p=1$", "p=257$"), swap("p=1$", "p=1,x=1$"), swap("m=8,t=1", "t=1,m=8"),
		swap("v=19", "v=16"), swap("argon2id", "argon2i"), swap(salt, "AAAA"), swap(salt, strings.Repeat("A", 100)),
		good + "$", good + "=", good[:len(good)-20], good[1:], "plain", "$", "$$$$$",
	} {
		d.hashes.Store(0)
		d.memory.Store(0)
		email := fmt.Sprintf("user%d@example.com", i)
		d.user(t, email, stored)
		if _, err := d.check(t, email, right); !errors.Is(err, credential.ErrWrong) {
			t.Errorf("%s: got %v, want ErrWrong", stored, err)
		}
		if n, memory := d.hashes.Load(), d.memory.Load(); n != 1 || memory != cheap.Memory {
			t.Errorf("%s: %d hashes of %d KiB", stored, n, memory)
		}
	}
}

func TestCheck_RenewsHashWithLowerCosts(t *testing.T) {
	db := storagetest.SQLite(t).Open(t)
	old := newChecker(t, db, credential.Config{})
	user := old.user(t, "alice@example.com")
	for name, grown := range map[string]credential.Params{
		"memory": {Memory: 16, Time: 1, Threads: 1},
		"time":   {Memory: 8, Time: 2, Threads: 1},
	} {
		d := newChecker(t, db, credential.Config{Params: grown})
		if _, err := d.check(t, "alice@example.com", "wrong password"); !errors.Is(err, credential.ErrWrong) {
			t.Fatal(err)
		}
		if n := d.hashes.Load(); n != 1 {
			t.Errorf("%s: %d hashes for a wrong password", name, n)
		}
		got, err := d.check(t, "alice@example.com", right)
		if err != nil {
			t.Fatal(err)
		}
		_, stored, err := db.UserByEmail(t.Context(), "alice@example.com")
		if err != nil || got.OldHash != stored || !strings.Contains(got.NewHash, fmt.Sprintf("m=%d,t=%d,", grown.Memory, grown.Time)) {
			t.Errorf("%s: old %q, new %q (%v)", name, got.OldHash, got.NewHash, err)
		}
		if _, err := db.ResetPassword(t.Context(), storage.PasswordReset{UserID: user.ID, Hash: got.NewHash, Reason: "test"}, noon); err != nil {
			t.Fatal(err)
		}
		if again, err := d.check(t, "alice@example.com", right); err != nil || again.NewHash != "" {
			t.Errorf("%s: renewed again: %q (%v)", name, again.NewHash, err)
		}
		if _, err := db.ResetPassword(t.Context(), storage.PasswordReset{UserID: user.ID, Hash: got.OldHash, Reason: "test"}, noon); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := old.check(t, "alice@example.com", right); err != nil || got.NewHash != "" {
		t.Errorf("the costs are the same, but the hash is renewed: %q (%v)", got.NewHash, err)
	}
}

func TestCheck_UnavailableDatabaseIsNotWrongPassword(t *testing.T) {
	d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{})
	d.user(t, "alice@example.com")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Check(ctx, credential.Attempt{Username: "alice@example.com", Password: right}, storage.Origin{})
	if err == nil || errors.Is(err, credential.ErrWrong) {
		t.Errorf("got %v", err)
	}
}
