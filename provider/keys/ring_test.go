package keys_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/storage"
	"signet/storage/storagetest"
)

const issuer = "https://id.example.com"

var noon = time.Unix(1_800_000_000, 0).UTC()

var master = sha256.Sum256([]byte("the master key"))

// house is a ring with the database it stands on.
type house struct {
	*keys.Ring
	db     *storage.DB
	dir    string
	config keys.Config
	log    *bytes.Buffer
}

// open makes a house with its first keys on SQLite.
func open(t testing.TB, algorithms ...string) *house {
	t.Helper()
	return enter(t, algorithms, nil)
}

// enter opens a house on a new database that holds the given rows.
func enter(t testing.TB, algorithms []string, rows []storage.Key) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), log: &bytes.Buffer{}}
	var err error
	if h.db, err = storage.Open(t.Context(), storage.Config{DataDir: h.dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	if _, err := h.db.StartLines(t.Context(), rows, storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	h.config = keys.Config{
		DB: h.db, Master: master, Issuer: issuer, Algorithms: algorithms,
		Now: func() time.Time { return noon },
		Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if h.Ring, err = keys.Open(t.Context(), h.config); err != nil {
		t.Fatal(err)
	}
	return h
}

// altered opens the same house after somebody has been at the rows.
func (h *house) altered(t testing.TB, change func(*storage.Key)) *house {
	t.Helper()
	return enter(t, h.config.Algorithms, h.changed(t, change))
}

func (h *house) changed(t testing.TB, change func(*storage.Key)) []storage.Key {
	t.Helper()
	rows := h.rows(t)
	for i := range rows {
		change(&rows[i])
	}
	return rows
}

// rotated promotes every next key, as a rotation does.
func rotated(k *storage.Key) {
	switch k.State {
	case storage.KeyActive:
		k.State, k.RetiredAt = storage.KeyRetired, storage.At(noon)
	case storage.KeyNext:
		k.State, k.ActivatedAt = storage.KeyActive, storage.At(noon)
	}
}

// again opens another ring on the same database.
func (h *house) again(t testing.TB, change func(*keys.Config)) (*keys.Ring, error) {
	t.Helper()
	c := h.config
	change(&c)
	return keys.Open(t.Context(), c)
}

func (h *house) rows(t testing.TB) []storage.Key {
	t.Helper()
	rows, err := h.db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// kid gives the id of the key of a line in a state.
func (h *house) kid(t testing.TB, line string, state storage.KeyState) string {
	t.Helper()
	for _, row := range h.rows(t) {
		if row.Line == line && row.State == state {
			return row.ID
		}
	}
	t.Fatalf("no %s key on line %s", state, line)
	return ""
}

func (h *house) published(t testing.TB) []string {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

func TestOpen_FirstStartGivesEachLineAnActiveAndANextKey(t *testing.T) {
	h := open(t)
	states := map[string][]storage.KeyState{}
	for _, row := range h.rows(t) {
		states[row.Line] = append(states[row.Line], row.State)
		if (row.State == storage.KeyActive) != (row.ActivatedAt == storage.At(noon)) || row.CreatedAt != storage.At(noon) {
			t.Errorf("%s key: created %d, activated %d", row.State, row.CreatedAt, row.ActivatedAt)
		}
		if (row.Public == "") != (row.Line == storage.InternalLine) {
			t.Errorf("line %s: public half %q", row.Line, row.Public)
		}
	}
	for _, line := range []string{"ES256", "RS256", storage.InternalLine} {
		slices.Sort(states[line])
		if want := []storage.KeyState{storage.KeyActive, storage.KeyNext}; !slices.Equal(states[line], want) {
			t.Errorf("line %s: got %v, want %v", line, states[line], want)
		}
	}
	if got, want := h.Algorithms(), []string{"ES256", "RS256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
}

func TestOpen_OfTwoProcessesThatStartTogetherOneMakesTheKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		rings := make([]*keys.Ring, 2)
		var start sync.WaitGroup
		for i := range rings {
			db := b.Open(t)
			start.Go(func() {
				var err error
				rings[i], err = keys.Open(t.Context(), keys.Config{
					DB: db, Master: master, Issuer: issuer, Now: func() time.Time { return noon },
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		start.Wait()
		if t.Failed() {
			return
		}
		first, second := &house{Ring: rings[0]}, &house{Ring: rings[1]}
		if got, want := second.JWKS(), first.JWKS(); got.ETag != want.ETag || len(second.published(t)) != 4 {
			t.Errorf("two sets of keys: %s and %s", want.Body, got.Body)
		}
		for _, made := range kinds {
			if err := made.open(second, made.make(t, first)); err != nil {
				t.Errorf("%s, made by one, opened by the other: %v", made.name, err)
			}
		}
	})
}

func TestOpen_LaterStartMakesNoKeys(t *testing.T) {
	h := open(t, "ES256")
	before := h.JWKS()
	again, err := h.again(t, func(*keys.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.JWKS(); got.ETag != before.ETag || !bytes.Equal(got.Body, before.Body) {
		t.Errorf("the JWKS changed: %s, then %s", before.Body, got.Body)
	}
	if n := len(h.rows(t)); n != 4 {
		t.Errorf("%d keys, want 4", n)
	}
}

func TestOpen_LineConfiguredLaterGetsItsKeys(t *testing.T) {
	h := open(t, "ES256")
	token := h.accessToken(t, "ES256")
	later, err := h.again(t, func(c *keys.Config) { c.Algorithms = []string{"RS256", "ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := later.Algorithms(), []string{"RS256", "ES256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if _, err := later.VerifyAccess(token, noon); err != nil {
		t.Errorf("the line that was there: %v", err)
	}
	if n := len(h.rows(t)); n != 6 {
		t.Errorf("%d keys, want 6", n)
	}
}

func TestOpen_LineNoLongerConfiguredVerifiesButDoesNotSign(t *testing.T) {
	h := open(t, "ES256", "RS256")
	token := h.accessToken(t, "RS256")
	later, err := h.again(t, func(c *keys.Config) { c.Algorithms = []string{"ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.VerifyAccess(token, noon); err != nil {
		t.Errorf("a token that may still live: %v", err)
	}
	if _, err := later.SignAccess("RS256", access()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("signing: got %v, want ErrNoKey", err)
	}
}

func TestOpen_RefusesWrongConfig(t *testing.T) {
	h := open(t, "ES256")
	for name, change := range map[string]func(*keys.Config){
		"unknown algorithm": func(c *keys.Config) { c.Algorithms = []string{"HS256"} },
		"algorithm twice":   func(c *keys.Config) { c.Algorithms = []string{"ES256", "ES256"} },
		"no issuer":         func(c *keys.Config) { c.Issuer = "" },
		"no master key":     func(c *keys.Config) { c.Master = [32]byte{} },
	} {
		if _, err := h.again(t, change); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestKY08_WrongMasterKeyStopsTheStartAndChangesNothing(t *testing.T) {
	h := open(t, "ES256")
	before := h.rows(t)
	_, err := h.again(t, func(c *keys.Config) {
		c.Master = [32]byte{8}
		c.Algorithms = []string{"ES256", "RS256"} // not even for a line that has no key yet
	})
	if !errors.Is(err, keys.ErrMasterKey) {
		t.Fatalf("got %v, want ErrMasterKey", err)
	}
	for _, word := range []string{"master_key", "nothing was changed"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	after := h.rows(t)
	if len(after) != len(before) {
		t.Fatalf("%d keys, before %d", len(after), len(before))
	}
	for i := range after {
		if after[i].ID != before[i].ID || !bytes.Equal(after[i].Sealed, before[i].Sealed) {
			t.Errorf("key %s changed", before[i].ID)
		}
	}
}

func TestKY10_CorruptRowIsSkippedAndReportedOnce(t *testing.T) {
	good := open(t, "ES256")
	next := good.kid(t, "ES256", storage.KeyNext)
	h := good.altered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(h.log.String(), next); n != 1 {
		t.Errorf("reported %d times, want once:\n%s", n, h.log)
	}
	if slices.Contains(h.published(t), next) {
		t.Error("a key that does not open is published")
	}
	if _, err := h.VerifyAccess(h.accessToken(t, "ES256"), noon); err != nil {
		t.Errorf("the good key: %v", err)
	}
}

func TestKY10_LineWithoutUsableKeySignsNothing(t *testing.T) {
	h := open(t, "ES256", "RS256").altered(t, func(k *storage.Key) {
		if k.Line == "ES256" {
			k.Sealed = []byte{1, 2}
		}
	})
	if _, err := h.SignAccess("ES256", access()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got %v, want ErrNoKey", err)
	}
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) || !strings.Contains(err.Error(), "ES256") {
		t.Errorf("ready: %v", err)
	}
	if got, want := h.Algorithms(), []string{"RS256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if n := len(h.rows(t)); n != 6 {
		t.Errorf("%d keys: a line with unusable keys was made anew", n)
	}
}

func TestKY10_InternalLineWithoutUsableKeySealsNothing(t *testing.T) {
	h := open(t, "ES256").altered(t, func(k *storage.Key) {
		if k.Line == storage.InternalLine {
			k.Sealed = []byte{1, 2}
		}
	})
	if _, err := h.Seal("request", nil, noon); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("seal: got %v, want ErrNoKey", err)
	}
	if _, err := h.SignRefresh(refresh()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("refresh token: got %v, want ErrNoKey", err)
	}
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("ready: %v", err)
	}
}

func TestOpen_KeyOfANewerProgramIsLeftAlone(t *testing.T) {
	good := open(t, "ES256")
	rows := append(good.rows(t), storage.Key{
		ID: "of-tomorrow", Line: "ML-DSA-44", State: storage.KeyActive, Public: "{}", Sealed: []byte{9},
	})
	h := enter(t, []string{"ES256"}, rows)
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(h.log.String(), "of-tomorrow") {
		t.Errorf("not reported: %s", h.log)
	}
}

func TestOpen_SealedHalfIsBoundToItsRow(t *testing.T) {
	good := open(t, "ES256")
	var next storage.Key
	for _, row := range good.rows(t) {
		if row.ID == good.kid(t, "ES256", storage.KeyNext) {
			next = row
		}
	}
	h := good.altered(t, func(k *storage.Key) {
		if k.Line == "ES256" && k.State == storage.KeyActive {
			k.Sealed = next.Sealed
		}
	})
	if _, err := h.SignAccess("ES256", access()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("signed with another row's key: %v", err)
	}
}

func TestOpen_RowWrittenWithoutTheMasterKeyBringsInNoKey(t *testing.T) {
	good, foreign := open(t, "ES256"), open(t, "ES256")
	theirs := foreign.kid(t, "ES256", storage.KeyActive)
	token := foreign.accessToken(t, "ES256")
	for _, row := range foreign.rows(t) {
		if row.ID != theirs {
			continue
		}
		h := good.altered(t, func(k *storage.Key) {
			if k.Line == "ES256" && k.State == storage.KeyNext {
				k.ID, k.Public = row.ID, row.Public
			}
		})
		if _, err := h.VerifyAccess(token, noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
		if slices.Contains(h.published(t), theirs) {
			t.Error("it is published")
		}
	}
}

func TestReloadOnce_KeepsWhatIsGood(t *testing.T) {
	h := open(t, "ES256")
	before := h.JWKS()
	broken := h.changed(t, func(k *storage.Key) { k.Sealed = []byte{1, 2} })
	if err := keys.Take(h.Ring, broken); !errors.Is(err, keys.ErrMasterKey) {
		t.Errorf("nothing opens: got %v, want ErrMasterKey", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.ReloadOnce(gone, noon); err == nil {
		t.Error("the read fails: no error")
	}
	if _, err := h.VerifyAccess(h.accessToken(t, "ES256"), noon); err != nil {
		t.Error(err)
	}
	if h.JWKS().ETag != before.ETag {
		t.Error("the JWKS changed")
	}
}

func TestReloadOnce_BesideSigning(t *testing.T) {
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
		if _, err := h.VerifyAccess(h.accessToken(t, "ES256"), noon); err != nil {
			t.Error(err)
		}
	}
	cancel()
	reloads.Wait()
}
