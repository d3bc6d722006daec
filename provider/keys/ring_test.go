package keys_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/storage"
	"signet/storage/storagetest"
)

const (
	issuer = keystest.Issuer
	day    = 24 * time.Hour
)

var (
	noon        = keystest.Noon
	promoteNext = keystest.PromoteNext
)

// testNode is a ring with its keeper.
type testNode struct{ *keystest.Node }

func open(t testing.TB, algorithms ...string) *testNode {
	t.Helper()
	return &testNode{keystest.Open(t, algorithms...)}
}

func openRows(t testing.TB, algorithms []string, rows []storage.Key) *testNode {
	t.Helper()
	return &testNode{keystest.OpenRows(t, algorithms, rows)}
}

func (h *testNode) openAltered(t testing.TB, change func(*storage.Key)) *testNode {
	t.Helper()
	return &testNode{h.OpenAltered(t, change)}
}

func (h *testNode) openAgain(t testing.TB, change func(*keystest.Config)) (*testNode, error) {
	t.Helper()
	other, err := h.OpenAgain(t, change)
	return &testNode{other}, err
}

func TestOpen_TwoProcessesStartTogetherOneMakesTheKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		nodes := make([]*testNode, 2)
		var start sync.WaitGroup
		for i := range nodes {
			db := b.Open(t)
			start.Go(func() {
				started, err := keystest.Start(t.Context(), keystest.Config{
					DB: db, Vault: vault.Config{Master: keystest.Master}, Issuer: issuer, Now: func() time.Time { return noon },
				})
				if err != nil {
					t.Error(err)
				}
				nodes[i] = &testNode{started}
			})
		}
		start.Wait()
		if t.Failed() {
			return
		}
		first, second := nodes[0], nodes[1]
		if got, want := second.JWKS(), first.JWKS(); got.ETag != want.ETag || len(second.Published(t)) != 4 {
			t.Errorf("two sets of keys: %s and %s", want.Body, got.Body)
		}
		for _, made := range kinds {
			if err := made.open(second, made.make(t, first)); err != nil {
				t.Errorf("%s, made by one, opened by the other: %v", made.name, err)
			}
		}
	})
}

func TestOpen_LineNoLongerConfiguredVerifiesButDoesNotSign(t *testing.T) {
	h := open(t, "ES256", "RS256")
	token := h.AccessToken(t, "RS256")
	later, err := h.openAgain(t, func(c *keystest.Config) { c.Algorithms = []string{"ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.VerifyAccess(token, noon); err != nil {
		t.Errorf("a token that may still live: %v", err)
	}
	if _, err := later.SignAccess("RS256", keystest.AccessContent()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("signing: got %v, want ErrNoKey", err)
	}
}

func TestOpen_RefusesWrongConfig(t *testing.T) {
	h := open(t, "ES256")
	for name, change := range map[string]func(*keystest.Config){
		"unknown algorithm": func(c *keystest.Config) { c.Algorithms = []string{"HS256"} },
		"algorithm twice":   func(c *keystest.Config) { c.Algorithms = []string{"ES256", "ES256"} },
		"no issuer":         func(c *keystest.Config) { c.Issuer = "" },
		"no master key":     func(c *keystest.Config) { c.Vault.Master = [32]byte{} },
	} {
		if _, err := h.openAgain(t, change); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// KY-08: Private keys are encrypted at rest; a wrong or missing master key stops the start.
func TestOpen_WrongMasterKeyStopsStartAndChangesNothing(t *testing.T) {
	h := open(t, "ES256")
	before := h.Rows(t)
	_, err := h.openAgain(t, func(c *keystest.Config) {
		c.Vault.Master = [32]byte{8}
		c.Algorithms = []string{"ES256", "RS256"} // not even for a line that has no key yet
	})
	if !errors.Is(err, vault.ErrMasterKey) {
		t.Fatalf("got %v, want ErrMasterKey", err)
	}
	for _, word := range []string{"master_key", "nothing was changed"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	after := h.Rows(t)
	if len(after) != len(before) {
		t.Fatalf("%d keys, before %d", len(after), len(before))
	}
	for i := range after {
		if after[i].ID != before[i].ID || !bytes.Equal(after[i].Sealed, before[i].Sealed) {
			t.Errorf("key %s changed", before[i].ID)
		}
	}
}

// KY-10: One corrupt key is skipped and reported; without any usable key nothing is signed.
func TestReloadOnce_CorruptRowIsSkippedAndLoggedOnce(t *testing.T) {
	good := open(t, "ES256")
	next := good.Kid(t, "ES256", storage.KeyNext)
	h := good.openAltered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(h.Log.String(), next); n != 1 {
		t.Errorf("reported %d times, want once:\n%s", n, h.Log)
	}
	if slices.Contains(h.Published(t), next) {
		t.Error("a key that does not open is published")
	}
	if _, err := h.VerifyAccess(h.AccessToken(t, "ES256"), noon); err != nil {
		t.Errorf("the good key: %v", err)
	}
}

// KY-10: One corrupt key is skipped and reported; without any usable key nothing is signed.
func TestSign_LineWithoutUsableKey(t *testing.T) {
	h := open(t, "ES256", "RS256").openAltered(t, func(k *storage.Key) {
		if k.Line == "ES256" {
			k.Sealed = []byte{1, 2}
		}
	})
	if _, err := h.SignAccess("ES256", keystest.AccessContent()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got %v, want ErrNoKey", err)
	}
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) || !strings.Contains(err.Error(), "ES256") {
		t.Errorf("ready: %v", err)
	}
	if got, want := h.Algorithms(), []string{"RS256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if n := len(h.Rows(t)); n != 6 {
		t.Errorf("%d keys: new keys were made for a line with unusable keys", n)
	}
}

// KY-10: One corrupt key is skipped and reported; without any usable key nothing is signed.
func TestSeal_InternalLineWithoutUsableKey(t *testing.T) {
	h := open(t, "ES256").openAltered(t, func(k *storage.Key) {
		if k.Line == storage.InternalLine {
			k.Sealed = []byte{1, 2}
		}
	})
	if _, err := h.Seal("request", nil, noon); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("seal: got %v, want ErrNoKey", err)
	}
	if _, err := h.SignRefresh(keystest.RefreshContent()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("refresh token: got %v, want ErrNoKey", err)
	}
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("ready: %v", err)
	}
}

func TestOpen_KeyOfANewerProgramIsLeftAlone(t *testing.T) {
	good := open(t, "ES256")
	rows := append(good.Rows(t), storage.Key{
		ID: "of-tomorrow", Line: "ML-DSA-44", State: storage.KeyActive, Public: "{}", Sealed: []byte{9},
	})
	h := openRows(t, []string{"ES256"}, rows)
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(h.Log.String(), "of-tomorrow") {
		t.Errorf("not reported: %s", h.Log)
	}
}

func TestOpen_SealedHalfIsBoundToItsRow(t *testing.T) {
	good := open(t, "ES256")
	var next storage.Key
	for _, row := range good.Rows(t) {
		if row.ID == good.Kid(t, "ES256", storage.KeyNext) {
			next = row
		}
	}
	h := good.openAltered(t, func(k *storage.Key) {
		if k.Line == "ES256" && k.State == storage.KeyActive {
			k.Sealed = next.Sealed
		}
	})
	if _, err := h.SignAccess("ES256", keystest.AccessContent()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("signed with another row's key: %v", err)
	}
}

func TestOpen_RowWrittenWithoutMasterKeyAddsNoKey(t *testing.T) {
	good, foreign := open(t, "ES256"), open(t, "ES256")
	theirs := foreign.Kid(t, "ES256", storage.KeyActive)
	token := foreign.AccessToken(t, "ES256")
	for _, row := range foreign.Rows(t) {
		if row.ID != theirs {
			continue
		}
		h := good.openAltered(t, func(k *storage.Key) {
			if k.Line == "ES256" && k.State == storage.KeyNext {
				k.ID, k.Public = row.ID, row.Public
			}
		})
		if _, err := h.VerifyAccess(token, noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
		if slices.Contains(h.Published(t), theirs) {
			t.Error("it is published")
		}
	}
}

func TestReloadOnce_FailureKeepsKeysInUse(t *testing.T) {
	h := open(t, "ES256")
	before := h.JWKS()
	broken := h.AlteredRows(t, func(k *storage.Key) { k.Sealed = []byte{1, 2} })
	if err := keys.Use(h.Ring, broken); !errors.Is(err, vault.ErrMasterKey) {
		t.Errorf("nothing opens: got %v, want ErrMasterKey", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.ReloadOnce(gone, noon); err == nil {
		t.Error("the read fails: no error")
	}
	if _, err := h.VerifyAccess(h.AccessToken(t, "ES256"), noon); err != nil {
		t.Error(err)
	}
	if h.JWKS().ETag != before.ETag {
		t.Error("the JWKS changed")
	}
}

func TestReloadOnce_WhileSigning(t *testing.T) {
	h := open(t, "ES256")
	ctx, cancel := context.WithCancel(t.Context())
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for ctx.Err() == nil {
			if err := h.ReloadOnce(t.Context(), noon); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		if _, err := h.VerifyAccess(h.AccessToken(t, "ES256"), noon); err != nil {
			t.Error(err)
		}
	}
	cancel()
	reloads.Wait()
}
