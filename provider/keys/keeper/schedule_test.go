package keeper_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/storage"
	"signet/storage/storagetest"
)

const (
	month = 30 * 24 * time.Hour
	day   = 24 * time.Hour
)

// run runs the schedule once.
func run(t testing.TB, r *keystest.Node, at time.Time) {
	t.Helper()
	if err := r.RotateOnce(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

// live runs the schedule every half hour from one time until another, so that no run looks
// like a jump of the clock. A server runs it more often.
func live(t testing.TB, r *keystest.Node, from, until time.Time) {
	t.Helper()
	for at := from; at.Before(until); at = at.Add(30 * time.Minute) {
		run(t, r, at)
	}
	run(t, r, until)
}

func count(t testing.TB, h *keystest.Node, kind storage.EventType) (n int) {
	t.Helper()
	events, err := h.DB.Events(t.Context(), storage.EventFilter{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func TestRotateOnce_LifeOfAKeyByTheDefaults(t *testing.T) {
	h := keystest.Open(t, "ES256")
	first, second := h.Kid(t, "ES256", storage.KeyActive), h.Kid(t, "ES256", storage.KeyNext)
	hint, jwks := h.IDToken(t, "ES256"), h.JWKS().ETag
	due := keystest.Noon.Add(month)

	live(t, h, keystest.Noon, due.Add(-time.Second))
	if got := h.Kid(t, "ES256", storage.KeyActive); got != first || h.JWKS().ETag != jwks {
		t.Fatalf("before it was due, %s signs and the JWKS is %s", got, h.JWKS().Body)
	}
	run(t, h, due)
	third := h.Kid(t, "ES256", storage.KeyNext)
	if got := h.Kid(t, "ES256", storage.KeyActive); got != second || h.Kid(t, "ES256", storage.KeyRetired) != first {
		t.Fatalf("%s signs, want the one that was next", got)
	}
	if got, want := h.Published(t), []string{first, second, third}; !sameSet(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
	// 15 minutes until the last token expires, plus 5.
	live(t, h, due, due.Add(20*time.Minute-time.Second))
	if got := h.Kid(t, "ES256", storage.KeyRetired); got != first {
		t.Error("the retired key ended too early")
	}
	run(t, h, due.Add(20*time.Minute))
	if got := h.Kid(t, "ES256", storage.KeyGone); got != first || slices.Contains(h.Published(t), first) {
		t.Error("the retired key did not end")
	}
	for _, k := range h.Rows(t) {
		if k.ID == first && (len(k.Sealed) != 0 || k.Public == "") {
			t.Errorf("the gone key: sealed %d bytes, public %q", len(k.Sealed), k.Public)
		}
	}
	if _, err := h.VerifyIDTokenHint(hint, due.Add(time.Hour)); err != nil {
		t.Errorf("its ID token as a hint: %v", err)
	}
	if n := count(t, h, storage.KeyAlarm); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// A retired secret opens its messages for the longest idle lifetime of a refresh token.
func TestKeys_RetiredSecretOpensForTheIdleLifeOfRefreshTokens(t *testing.T) {
	h := keystest.Open(t, "ES256")
	message := h.SealedMessage(t, "request")
	due := keystest.Noon.Add(month)
	live(t, h, keystest.Noon, due)
	if h.SealedMessage(t, "request")[:20] == message[:20] {
		t.Fatal("the same secret seals")
	}
	retired := h.Kid(t, storage.InternalLine, storage.KeyRetired)
	live(t, h, due, due.Add(month+5*time.Minute-time.Second))
	if _, err := h.Unseal("request", message, keystest.Noon); err != nil {
		t.Errorf("while a refresh token of it may live: %v", err)
	}
	run(t, h, due.Add(month+5*time.Minute))
	if _, err := h.Unseal("request", message, keystest.Noon); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("afterwards: got %v, want ErrInvalid", err)
	}
	if got := h.States(t, storage.InternalLine); got[storage.KeyGone] != 1 {
		t.Errorf("%s is not gone: %v", retired, got)
	}
}

// If token lifetimes were longer in the past, the keys that signed then still count them.
func TestRotateOnce_LongestLifetimeWhileAKeySignedCounts(t *testing.T) {
	h := keystest.Open(t, "ES256")
	long, err := h.OpenAgain(t, func(c *keystest.Config) { c.Life.Tokens = 6 * time.Hour })
	if err != nil {
		t.Fatal(err)
	}
	run(t, long, keystest.Noon)
	if _, err := h.Rotate(t.Context(), nil, 0, storage.By{At: keystest.Noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, k := range h.Rows(t) {
		if want := storage.At(keystest.Noon.Add(7*time.Hour + 5*time.Minute)); k.State == storage.KeyRetired && k.GoneAt != want {
			t.Errorf("the retired key goes at %s, want %s", k.GoneAt.Time(), want.Time())
		}
	}
}

func TestRotateOnce_NothingDueDoesNotUseDatabase(t *testing.T) {
	h := keystest.Open(t, "ES256")
	run(t, h, keystest.Noon)
	reads, writes := h.DB.Calls()
	live(t, h, keystest.Noon, keystest.Noon.Add(2*time.Hour))
	if r, w := h.DB.Calls(); r != reads || w != writes {
		t.Errorf("%d reads, %d writes", r-reads, w-writes)
	}
}

func TestRotateOnce_ManyNodesTogetherRotateOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		nodes := make([]*keystest.Node, 6)
		for i := range nodes {
			var err error
			nodes[i], err = keystest.Start(t.Context(), keystest.Config{
				DB: b.Open(t), Vault: vault.Config{Master: keystest.Master}, Issuer: keystest.Issuer, Algorithms: []string{"ES256"}, Now: func() time.Time { return keystest.Noon },
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for round := 1; round <= 5; round++ {
			at := keystest.Noon.Add(time.Duration(round) * month)
			var all sync.WaitGroup
			for _, r := range nodes {
				all.Go(func() {
					if err := r.RotateOnce(t.Context(), at); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			h := &keystest.Node{DB: b.Open(t)}
			if n := count(t, h, storage.KeyRotated); n != 2*round { // ES256 and the internal line
				t.Fatalf("round %d: %d rotations, want %d", round, n, 2*round)
			}
			for _, r := range nodes {
				if err := r.ReloadOnce(t.Context(), at); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// The clock jumps ahead by a year, so that everything is due at once: the line rotates once,
// no key ends, and an alarm is recorded. Then the clock is set right.
func TestKeys_ClockJumpsAheadAndBack(t *testing.T) {
	h := keystest.Open(t, "ES256")
	run(t, h, keystest.Noon)
	if _, err := h.Rotate(t.Context(), nil, 0, storage.By{At: keystest.Noon}); err != nil {
		t.Fatal(err)
	}
	if err := h.ReloadOnce(t.Context(), keystest.Noon); err != nil {
		t.Fatal(err)
	}
	signed := h.AccessToken(t, "ES256")
	ahead := keystest.Noon.Add(365 * day)
	for second := range 3 {
		run(t, h, ahead.Add(time.Duration(second)*time.Second))
	}
	if got := h.States(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRetired] != 2 || got[storage.KeyGone] != 0 {
		t.Errorf("after the jump: %v, want one rotation and nothing gone", got)
	}
	if n := count(t, h, storage.KeyAlarm); n < 1 {
		t.Error("no alarm")
	}

	// After the clock is set right, no time of a key is in the future.
	back := keystest.Noon.Add(time.Minute)
	run(t, h, back)
	if _, err := h.VerifyAccess(signed, back); err != nil {
		t.Errorf("a token from before the jump: %v", err)
	}
	for _, k := range h.Rows(t) {
		if k.State != storage.KeyRevoked && max(k.CreatedAt, k.ActivatedAt, k.RetiredAt) > storage.At(back) {
			t.Errorf("%s key of %s lies in the future", k.State, k.Line)
		}
	}
	live(t, h, back, back.Add(month-time.Second))
	before := h.Kid(t, "ES256", storage.KeyActive)
	run(t, h, back.Add(month))
	if h.Kid(t, "ES256", storage.KeyActive) == before {
		t.Error("the line does not rotate when it is due")
	}
}

// The clock was ahead for a day. Keys ended and were revoked during that time.
func TestKeys_ClockSetBackAfterADayAhead(t *testing.T) {
	h := keystest.Open(t, "ES256")
	ahead := keystest.Noon.Add(2 * 365 * day)
	run(t, h, keystest.Noon)
	live(t, h, ahead, ahead.Add(day))
	if _, err := h.Revoke(t.Context(), h.Kid(t, "ES256", storage.KeyActive), "", storage.By{At: ahead.Add(day)}); err != nil {
		t.Fatal(err)
	}
	if got := h.States(t, "ES256"); got[storage.KeyGone] != 1 || got[storage.KeyRevoked] != 1 {
		t.Fatalf("%v, want one gone and one revoked", got)
	}
	if err := h.ReloadOnce(t.Context(), ahead); err != nil {
		t.Fatal(err)
	}
	run(t, h, keystest.Noon.Add(time.Hour))
	alarms := count(t, h, storage.KeyAlarm)
	_, writes := h.DB.Calls()
	for minute := range 30 {
		run(t, h, keystest.Noon.Add(time.Hour+time.Duration(minute)*time.Minute))
	}
	if _, w := h.DB.Calls(); w != writes || count(t, h, storage.KeyAlarm) != alarms {
		t.Errorf("%d writes and %d alarms more, although the times were settled", w-writes, count(t, h, storage.KeyAlarm)-alarms)
	}
}

// The machine was off for a year, or its clock is wrong from the start.
func TestKeys_FirstRunLongAfterAllIsDue(t *testing.T) {
	h := keystest.Open(t, "ES256")
	at := keystest.Noon.Add(365 * day)
	for second := range 3 {
		run(t, h, at.Add(time.Duration(second)*time.Second))
	}
	if got := h.States(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRetired] != 1 {
		t.Errorf("%v, want one rotation", got)
	}
	if n := count(t, h, storage.KeyAlarm); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
}

func TestRotateOnce_NextKeyThatDoesNotOpenNeverSigns(t *testing.T) {
	good := keystest.Open(t, "ES256")
	next := good.Kid(t, "ES256", storage.KeyNext)
	h := good.OpenAltered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	live(t, h, keystest.Noon, keystest.Noon.Add(month+2*time.Hour))
	if got := h.Kid(t, "ES256", storage.KeyNext); got != next {
		t.Error("it was promoted")
	}
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
	if n := count(t, h, storage.KeyAlarm); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
	// After its revocation a key that opens takes its place.
	if _, err := h.Revoke(t.Context(), next, "", storage.By{At: keystest.Noon.Add(month + 3*time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := h.ReloadOnce(t.Context(), keystest.Noon); err != nil {
		t.Fatal(err)
	}
	live(t, h, keystest.Noon.Add(month+3*time.Hour), keystest.Noon.Add(month+28*time.Hour))
	if err := h.Ready(); err != nil || count(t, h, storage.KeyRotated) < 2 {
		t.Errorf("it rotates no more: %v", err)
	}
}

func TestRotateOnce_LineWithoutNextKeyGetsOne(t *testing.T) {
	h := keystest.Open(t, "ES256").OpenAltered(t, func(k *storage.Key) {
		if k.State == storage.KeyNext {
			k.State = storage.KeyRevoked
		}
	})
	run(t, h, keystest.Noon)
	if got := h.States(t, "ES256"); got[storage.KeyNext] != 1 {
		t.Errorf("%v, want a next key", got)
	}
	if len(h.Published(t)) != 2 {
		t.Errorf("published: %v", h.Published(t))
	}
}

func TestRotate_NextKeyMustHaveBeenPublished(t *testing.T) {
	h := keystest.Open(t, "ES256", "RS256")
	var early *keeper.NextKeyTooNewError
	for _, step := range []struct {
		what  string
		lines []string
		wait  time.Duration
		at    time.Time
		want  time.Time // of the error; zero: it rotates
	}{
		{"too early by a second", nil, day, keystest.Noon.Add(day - time.Second), keystest.Noon.Add(day)},
		{"ten minutes are enough when asked for", []string{"ES256"}, 10 * time.Minute, keystest.Noon.Add(10 * time.Minute), time.Time{}},
		{"one next key is too new: no line rotates", nil, 10 * time.Minute, keystest.Noon.Add(11 * time.Minute), keystest.Noon.Add(20 * time.Minute)},
		{"by force", nil, 0, keystest.Noon.Add(12 * time.Minute), time.Time{}},
		{"a secret needs its minute even by force", []string{storage.InternalLine}, 0, keystest.Noon.Add(59 * time.Second), keystest.Noon.Add(time.Minute)},
		{"after it", []string{storage.InternalLine}, 0, keystest.Noon.Add(time.Minute), time.Time{}},
	} {
		before := len(h.Rows(t))
		done, err := h.Rotate(t.Context(), step.lines, step.wait, storage.By{At: step.at})
		if step.want.IsZero() {
			if err != nil || len(h.Rows(t)) != before+len(done) || len(done) == 0 {
				t.Errorf("%s: %v, %v", step.what, done, err)
			}
			continue
		}
		if !errors.As(err, &early) || !early.MaySignFrom.Equal(step.want) || len(h.Rows(t)) != before {
			t.Errorf("%s: got %v (%+v), want that it may sign from %s", step.what, err, early, step.want)
		}
	}
}

func TestRevoke_OfEachState(t *testing.T) {
	h := keystest.Open(t, "ES256")
	if _, err := h.Rotate(t.Context(), nil, 0, storage.By{At: keystest.Noon}); err != nil {
		t.Fatal(err)
	}
	for _, state := range []storage.KeyState{storage.KeyRetired, storage.KeyNext, storage.KeyActive} {
		kid, next := h.Kid(t, "ES256", state), h.Kid(t, "ES256", storage.KeyNext)
		done, err := h.Revoke(t.Context(), kid, "leaked", storage.By{From: storage.Origin{Actor: "cli"}, At: keystest.Noon})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ReloadOnce(t.Context(), keystest.Noon); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(h.Published(t), kid) || len(h.Published(t)) > 3 {
			t.Errorf("%s: published %v", state, h.Published(t))
		}
		if state == storage.KeyActive && (done.Successor == nil || done.Successor.ID != next || h.Kid(t, "ES256", storage.KeyActive) != next) {
			t.Errorf("the active key was replaced by %+v, want the published next %s", done.Successor, next)
		}
		if err := h.Ready(); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if _, err := h.Revoke(t.Context(), kid, "", storage.By{At: keystest.Noon}); !errors.Is(err, keeper.ErrAlreadyRevoked) {
			t.Errorf("%s again: %v", state, err)
		}
	}
	if got := h.States(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRevoked] != 3 {
		t.Errorf("%v", got)
	}
	if _, err := h.Revoke(t.Context(), "nobody", "", storage.By{At: keystest.Noon}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestRewrap_RunningRingFollowsToTheNewMasterKey(t *testing.T) {
	h := keystest.Open(t, "ES256")
	old, target := keystest.Master, [32]byte{7, 7, 7}
	current := [][32]byte{old}
	with := func(c *keystest.Config) { c.Vault.Masters = func() ([][32]byte, error) { return current, nil } }
	running, err := h.OpenAgain(t, with)
	if err != nil {
		t.Fatal(err)
	}
	signed, message := h.AccessToken(t, "ES256"), h.SealedMessage(t, "request")
	if _, _, err := running.Rewrap(t.Context(), storage.By{At: keystest.Noon}); !errors.Is(err, keeper.ErrNoNewMasterKey) {
		t.Errorf("with one master key: got %v, want ErrNoNewMasterKey", err)
	}
	current = [][32]byte{old, target}
	command := keystest.Keeper(t, h.DB, vault.Config{Master: old, Masters: func() ([][32]byte, error) { return current, nil }})
	for _, want := range []int{4, 0} { // the second time nothing is left to do
		n, unopened, err := command.Rewrap(t.Context(), storage.By{At: keystest.Noon})
		if err != nil || n != want || len(unopened) != 0 {
			t.Errorf("%d keys, %v, %v; want %d", n, unopened, err, want)
		}
	}
	// The running node reads the new master key itself and seals new keys under it.
	if err := running.ReloadOnce(t.Context(), keystest.Noon); err != nil {
		t.Fatal(err)
	}
	if _, err := running.Rotate(t.Context(), nil, 0, storage.By{At: keystest.Noon}); err != nil {
		t.Fatal(err)
	}
	fresh, err := h.OpenAgain(t, func(c *keystest.Config) { c.Vault.Master = target })
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Ready(); err != nil || len(fresh.Published(t)) != 3 {
		t.Errorf("with only the new master key: %v, %s", err, fresh.JWKS().Body)
	}
	if _, err := fresh.VerifyAccess(signed, keystest.Noon); err != nil {
		t.Error(err)
	}
	if _, err := fresh.Unseal("request", message, keystest.Noon); err != nil {
		t.Error(err)
	}
	if _, err := h.OpenAgain(t, func(*keystest.Config) {}); !errors.Is(err, vault.ErrMasterKey) {
		t.Errorf("with the old master key: got %v, want ErrMasterKey", err)
	}
}

func TestRewrap_RowThatDoesNotOpenStays(t *testing.T) {
	good := keystest.Open(t, "ES256")
	next := good.Kid(t, "ES256", storage.KeyNext)
	h := good.OpenAltered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	before := h.Rows(t)
	command := keystest.Keeper(t, h.DB, vault.Config{Master: keystest.Master, Masters: func() ([][32]byte, error) {
		return [][32]byte{keystest.Master, {9}}, nil
	}})
	n, unopened, err := command.Rewrap(t.Context(), storage.By{At: keystest.Noon})
	if err != nil || n != 3 || !slices.Equal(unopened, []string{next}) {
		t.Errorf("%d, %v, %v; want 3 and %s", n, unopened, err, next)
	}
	for i, k := range h.Rows(t) {
		if (k.ID == next) != bytes.Equal(k.Sealed, before[i].Sealed) {
			t.Errorf("%s key %s: sealed anew, or not", k.State, k.ID)
		}
	}
}

// A line of keys may have no active key, for example after a revocation during which no key could be
// made. Then its next key signs at once and need not be published for a day first.
func TestRotateOnce_LineWithoutActiveKeyGetsOneAtOnce(t *testing.T) {
	h := keystest.Open(t, "ES256").OpenAltered(t, func(k *storage.Key) {
		if k.Line == "ES256" && k.State == storage.KeyActive {
			k.State, k.RevokedAt, k.Sealed = storage.KeyRevoked, storage.At(keystest.Noon), []byte{}
		}
	})
	next := h.Kid(t, "ES256", storage.KeyNext)
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
		t.Fatalf("ready: %v", err)
	}
	run(t, h, keystest.Noon)
	if got := h.Kid(t, "ES256", storage.KeyActive); got != next || h.Ready() != nil {
		t.Errorf("%s signs, want %s; %v", got, next, h.Ready())
	}
}
