//go:build cgo && pkcs11

package pkcs11_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	token "signet/provider/keys/pkcs11"
	"signet/provider/keys/vault"
	"signet/storage"
	"signet/storage/storagetest"
)

var (
	noon       = time.Unix(1_800_000_000, 0).UTC()
	master     = [32]byte([]byte("the master key, all 32 of bytes."))
	algorithms = []string{"ES256", "RS256", "EdDSA", "PS256"}
	quick      = []string{"ES256", "EdDSA"} // without RSA, since RSA keys take long to make
)

// testNode is a node that has the private halves of its published lines in the token.
type testNode struct {
	*keystest.Node
	hsm *counted
}

// counted is a token that records the URIs of new keys and counts calls of Signer.
type counted struct {
	*token.Token
	made    []string
	signers atomic.Int64
}

func (c *counted) Generate(alg string) (crypto.PublicKey, string, error) {
	public, uri, err := c.Token.Generate(alg)
	c.made = append(c.made, uri)
	return public, uri, err
}

func (c *counted) Signer(uri string, public crypto.PublicKey) (crypto.Signer, error) {
	c.signers.Add(1)
	return c.Token.Signer(uri, public)
}

func openRows(t *testing.T, db *storage.DB, change func(*keystest.Config)) *testNode {
	t.Helper()
	hsm := &counted{Token: open(t, "signet", pin)}
	c := keystest.Config{
		DB: db, Issuer: keystest.Issuer, Now: func() time.Time { return noon }, Algorithms: algorithms,
		Vault: vault.Config{Master: master, Module: hsm, ModuleAlgorithms: algorithms},
	}
	change(&c)
	started, err := keystest.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return &testNode{started, hsm}
}

func asItIs(*keystest.Config) {}

func inES256(c *keystest.Config) { c.Algorithms, c.Vault.ModuleAlgorithms = quick[:1], quick[:1] }

// openAgain opens another ring on the same database, as after a restart.
func (h *testNode) openAgain(t *testing.T, change func(*keystest.Config)) (*keystest.Node, error) {
	t.Helper()
	return h.OpenAgain(t, func(c *keystest.Config) {
		c.Vault.Module = open(t, "signet", pin)
		change(c)
	})
}

// externalRows counts the rows that have their private half in the token.
func (h *testNode) externalRows(t *testing.T) (n int) {
	t.Helper()
	for _, row := range h.Rows(t) {
		if row.IsExternal() {
			n++
		}
	}
	return n
}

func access() keys.AccessToken {
	return keys.AccessToken{
		Subject: "sub", Audience: []string{"api"}, ClientID: "app", ID: "jti",
		IssuedAt: noon.Unix(), Expires: noon.Add(15 * time.Minute).Unix(),
	}
}

func (h *testNode) sign(t *testing.T, alg string) string {
	t.Helper()
	signed, err := h.SignAccess(alg, access())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (h *testNode) hint(t *testing.T, alg string) string {
	t.Helper()
	signed, err := h.SignID(alg, keys.IDToken{Subject: "sub", Audience: "app", IssuedAt: noon.Unix(), Expires: noon.Add(15 * time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (h *testNode) wantVerified(t *testing.T, alg, compact string) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(set); err != nil {
		t.Errorf("%s: another library: %v", alg, err)
	}
	if _, err := h.VerifyAccess(compact, noon); err != nil {
		t.Errorf("%s: %v", alg, err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Keys are made in the token, sign there, are found again after a restart, rotate, and are
// destroyed there after their last token has expired.
func TestRing_LifeOfKeysInToken(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		algorithms := algorithms
		if b.Config().Database != "" {
			algorithms = quick
		}
		inToken := func(c *keystest.Config) { c.Algorithms, c.Vault.ModuleAlgorithms = algorithms, algorithms }
		before, keysOf := open(t, "signet", pin).Objects(t, ""), 2*len(algorithms)
		h := openRows(t, b.Open(t), inToken)
		if got := h.hsm.Objects(t, "") - before; got != keysOf || h.externalRows(t) != keysOf {
			t.Fatalf("%d keys in the token, %d rows say so, want %d", got, h.externalRows(t), keysOf)
		}
		if h.Key(t, storage.InternalLine, storage.KeyActive).IsExternal() {
			t.Error("the internal secret is said to be in the token")
		}
		signed := map[string]string{}
		made := h.hsm.signers.Load()
		for _, alg := range algorithms {
			for range 5 {
				signed[alg] = h.sign(t, alg)
			}
			h.wantVerified(t, alg, signed[alg])
		}
		if got := h.hsm.signers.Load() - made; got != 0 || made != int64(keysOf) {
			t.Errorf("%d signers for %d keys, and %d for their tokens", made, keysOf, got)
		}

		first, hint := h.Key(t, "ES256", storage.KeyActive), h.hint(t, "ES256")
		h.Node = must[*keystest.Node](t)(h.openAgain(t, inToken))
		h.wantVerified(t, "ES256", signed["ES256"])
		if got := len(h.Rows(t)); got != keysOf+2 {
			t.Errorf("after a restart: %d keys, want %d", got, keysOf+2)
		}
		must[[]keeper.Rotated](t)(h.Rotate(t.Context(), nil, 0, storage.By{At: noon}))
		must[any](t)(nil, h.ReloadOnce(t.Context(), noon))
		if fresh := h.sign(t, "ES256"); fresh == signed["ES256"] || h.Key(t, "ES256", storage.KeyRetired).ID != first.ID {
			t.Error("it did not rotate")
		} else {
			h.wantVerified(t, "ES256", fresh)
		}
		h.wantVerified(t, "ES256", signed["ES256"])

		at := noon.Add(21 * time.Minute)
		for range 2 { // ended, then destroyed
			must[any](t)(nil, h.RotateOnce(t.Context(), at))
		}
		if got := h.hsm.Objects(t, "") - before; got != keysOf || h.externalRows(t) != keysOf {
			t.Errorf("after the first keys are gone: %d in the token, %d rows, want %d", got, h.externalRows(t), keysOf)
		}
		if gone := h.Key(t, "ES256", storage.KeyGone); gone.ID != first.ID || len(gone.Sealed) != 0 {
			t.Errorf("the first key is %s, sealed %x", gone.State, gone.Sealed)
		}
		if _, err := h.VerifyIDTokenHint(hint, at); err != nil {
			t.Errorf("its ID token as a hint: %v", err)
		}
		if _, err := h.VerifyAccess(signed["ES256"], noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("its access token: %v", err)
		}
	})
}

// A revocation destroys the private half in the token at once. If the token does not answer,
// the key is refused all the same, and destroyed when the token answers again.
func TestRing_RevokeDestroysInTheToken(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		h := openRows(t, b.Open(t), inES256)
		before := h.hsm.Objects(t, "")
		active, next, signed := h.Key(t, "ES256", storage.KeyActive), h.Key(t, "ES256", storage.KeyNext), h.sign(t, "ES256")
		done := must[keeper.Revoked](t)(h.Revoke(t.Context(), active.ID, "leaked", storage.By{At: noon}))
		if done.DestroyError != nil || done.MakeError != nil || done.Successor.ID != next.ID || len(done.Made) != 1 {
			t.Errorf("%+v", done)
		}
		if got := h.hsm.Objects(t, ""); got != before || h.externalRows(t) != 2 {
			t.Errorf("%d keys in the token, want %d; %d rows", got, before, h.externalRows(t))
		}
		h.wantVerified(t, "ES256", h.sign(t, "ES256")) // this node has not reloaded yet and finds its key destroyed
		if _, err := h.VerifyAccess(signed, noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("what it signed: %v", err)
		}

		c := h.Config
		c.Vault.Module = open(t, "pulled out", pin)
		cut := keystest.Keeper(t, h.DB, c.Vault)
		signed = h.sign(t, "ES256")
		done = must[keeper.Revoked](t)(cut.Revoke(t.Context(), next.ID, "leaked too", storage.By{At: noon}))
		if !errors.Is(done.DestroyError, vault.ErrModule) || !errors.Is(done.MakeError, vault.ErrModule) || done.Successor != nil {
			t.Errorf("without the token: %+v", done)
		}
		must[any](t)(nil, h.ReloadOnce(t.Context(), noon))
		if _, err := h.VerifyAccess(signed, noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("what the second one signed: %v", err)
		}
		if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("with nothing that signs: %v", err)
		}
		at := noon.Add(time.Second) // no key signs, so the third key does at once
		for range 2 {
			must[any](t)(nil, h.RotateOnce(t.Context(), at))
		}
		if got := h.hsm.Objects(t, ""); got != before || h.externalRows(t) != 2 || h.Ready() != nil {
			t.Errorf("%d keys in the token, want %d; %d rows; %v", got, before, h.externalRows(t), h.Ready())
		}
		h.wantVerified(t, "ES256", h.sign(t, "ES256"))
	})
}

// The end of everything makes new keys in the token and destroys the old ones there. Without the
// token the old keys are refused all the same. When it answers again, the schedule makes the new
// keys and destroys the old ones.
func TestRing_EndEverythingReplacesKeysInTheToken(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		h := openRows(t, b.Open(t), inES256)
		before, old, signed, hint := h.hsm.Objects(t, ""), h.Rows(t), h.sign(t, "ES256"), h.hint(t, "ES256")
		wantEnded := func() {
			t.Helper()
			if _, err := h.VerifyAccess(signed, noon); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("an access token from before: %v", err)
			}
			if _, err := h.VerifyIDTokenHint(hint, noon); !errors.Is(err, keys.ErrInvalid) {
				t.Errorf("an ID token from before as a hint: %v", err)
			}
		}
		done := must[keeper.Replaced](t)(h.EndEverything(t.Context(), storage.Ending{Reason: "stolen"}, storage.By{At: noon}))
		if done.MakeError != nil || done.DestroyError != nil || len(done.Revoked) != len(old) || len(done.Made) != len(old) {
			t.Fatalf("%+v", done)
		}
		if got := h.hsm.Objects(t, ""); got != before || h.externalRows(t) != 2 {
			t.Errorf("%d keys in the token, want %d; %d rows", got, before, h.externalRows(t))
		}
		must[any](t)(nil, h.ReloadOnce(t.Context(), noon))
		wantEnded()
		h.wantVerified(t, "ES256", h.sign(t, "ES256"))

		c := h.Config
		c.Vault.Module = open(t, "pulled out", pin)
		cut := keystest.Keeper(t, h.DB, c.Vault)
		signed, hint = h.sign(t, "ES256"), h.hint(t, "ES256")
		done = must[keeper.Replaced](t)(cut.EndEverything(t.Context(), storage.Ending{Reason: "stolen too"}, storage.By{At: noon}))
		if !errors.Is(done.MakeError, vault.ErrModule) || !errors.Is(done.DestroyError, vault.ErrModule) || len(done.Revoked) != len(old) {
			t.Errorf("without the token: %+v", done)
		}
		must[any](t)(nil, h.ReloadOnce(t.Context(), noon))
		wantEnded()
		if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("with nothing that signs: %v", err)
		}
		for range 2 {
			must[any](t)(nil, h.RotateOnce(t.Context(), noon.Add(time.Second)))
		}
		if got := h.hsm.Objects(t, ""); got != before || h.externalRows(t) != 2 || h.Ready() != nil {
			t.Errorf("%d keys in the token, want %d; %d rows; %v", got, before, h.externalRows(t), h.Ready())
		}
		wantEnded()
		h.wantVerified(t, "ES256", h.sign(t, "ES256"))
	})
}

// A start without the token that holds the keys fails and makes no other keys.
func TestRing_StartWithoutTheTokenIsRefused(t *testing.T) {
	h := openRows(t, storagetest.SQLite(t).Open(t), func(c *keystest.Config) { c.Algorithms, c.Vault.ModuleAlgorithms = quick, quick })
	rows := h.Rows(t)
	for name, change := range map[string]func(*keystest.Config){
		"none configured": func(c *keystest.Config) { c.Vault.Module, c.Vault.ModuleAlgorithms = nil, nil },
		"no such token":   func(c *keystest.Config) { c.Vault.Module = open(t, "pulled out", pin) },
		"another token":   func(c *keystest.Config) { c.Vault.Module = open(t, "another token", pin) },
	} {
		if _, err := h.openAgain(t, change); !errors.Is(err, vault.ErrModule) {
			t.Errorf("%s: got %v, want ErrModule", name, err)
		}
		if got := h.Rows(t); len(got) != len(rows) {
			t.Errorf("%s: %d keys, want %d", name, len(got), len(rows))
		}
	}
}

// Keys in the database go on signing until they rotate. New next keys are made in the token.
// Moving lines back to the database works the same way.
func TestRing_LinesMoveIntoTheTokenAndBack(t *testing.T) {
	h := openRows(t, storagetest.SQLite(t).Open(t), func(c *keystest.Config) { c.Algorithms, c.Vault.Module, c.Vault.ModuleAlgorithms = quick, nil, nil })
	before := open(t, "signet", pin).Objects(t, "")
	at := noon
	step := func(name string, inModule []string, want int) {
		t.Helper()
		h.Node = must[*keystest.Node](t)(h.openAgain(t, func(c *keystest.Config) { c.Vault.ModuleAlgorithms = inModule }))
		for range 2 {
			for _, alg := range quick {
				h.wantVerified(t, alg, h.sign(t, alg))
			}
			must[[]keeper.Rotated](t)(h.Rotate(t.Context(), nil, 0, storage.By{At: at}))
			must[any](t)(nil, h.ReloadOnce(t.Context(), at))
		}
		at = at.Add(30 * time.Minute)
		for range 2 {
			must[any](t)(nil, h.RotateOnce(t.Context(), at))
		}
		if got := h.hsm.Objects(t, "") - before; got != want || h.externalRows(t) != want {
			t.Errorf("%s: %d keys in the token, %d rows, want %d", name, got, h.externalRows(t), want)
		}
	}
	step("into it", quick, 4)
	step("one line alone", []string{"ES256"}, 2)
	step("and back", nil, 0)
	if _, err := h.openAgain(t, func(c *keystest.Config) { c.Vault.Module, c.Vault.ModuleAlgorithms = nil, nil }); err != nil {
		t.Errorf("without a module: %v", err)
	}
}

// A rewrap seals the references under the new master key. The keys stay in the token.
func TestRing_RewrapSealsTheReferences(t *testing.T) {
	target := [32]byte([]byte("another master key of 32 bytes.."))
	masters := [][32]byte{master}
	h := openRows(t, storagetest.SQLite(t).Open(t), func(c *keystest.Config) {
		c.Algorithms, c.Vault.ModuleAlgorithms = quick, quick
		c.Vault.Masters = func() ([][32]byte, error) { return masters, nil }
	})
	signed := h.sign(t, "ES256")
	masters = append(masters, target)
	command := keystest.Keeper(t, h.DB, h.Config.Vault)
	done, unopened, err := command.Rewrap(t.Context(), storage.By{At: noon})
	if err != nil || done != 6 || len(unopened) != 0 {
		t.Fatalf("%d sealed anew, not %v, %v", done, unopened, err)
	}
	h.Node = must[*keystest.Node](t)(h.openAgain(t, func(c *keystest.Config) { c.Vault.Master, c.Vault.Masters = target, nil }))
	h.wantVerified(t, "ES256", signed)
	h.wantVerified(t, "EdDSA", h.sign(t, "EdDSA"))
	if _, err := h.openAgain(t, func(c *keystest.Config) { c.Vault.Master = master }); !errors.Is(err, vault.ErrMasterKey) {
		t.Errorf("with the former master key: %v", err)
	}
}

// An attacker with write access to the database and the token, but without the master key,
// cannot add a key.
func TestRing_ReferenceIsBoundToItsRow(t *testing.T) {
	h := openRows(t, storagetest.SQLite(t).Open(t), inES256)
	active, next := h.Key(t, "ES256", storage.KeyActive), h.Key(t, "ES256", storage.KeyNext)
	for name, change := range map[string]func(*storage.Key){
		"the other's reference":       func(k *storage.Key) { k.Sealed = next.Sealed },
		"the other's public half":     func(k *storage.Key) { k.Public = next.Public },
		"another's row":               func(k *storage.Key) { k.ID, k.Public = next.ID[:40]+"abc", next.Public },
		"marked as sealed in the row": func(k *storage.Key) { k.Sealed = append([]byte{1}, k.Sealed[1:]...) },
	} {
		rows := h.Rows(t)
		for i := range rows {
			if rows[i].ID == active.ID {
				change(&rows[i])
			}
		}
		db := storagetest.SQLite(t).Open(t)
		must[int](t)(db.StartKeyLines(t.Context(), rows, storage.By{At: noon}))
		forged := openRows(t, db, inES256)
		if err := forged.Ready(); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("%s: ready: %v", name, err)
		}
		if got := strings.Count(string(forged.JWKS().Body), `"kid"`); got != 1 {
			t.Errorf("%s: %d keys are published, want the good one alone", name, got)
		}
	}

	// Another key replaces the active key in the token, under the same id.
	h.hsm.Exchange(t, h.hsm.made[len(h.hsm.made)-2], "ES256") // the active one was made before the next
	ring := must[*keystest.Node](t)(h.openAgain(t, asItIs))
	if _, err := ring.SignAccess("ES256", access()); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("a key that does not fit signs: %v", err)
	}
	if err := ring.Ready(); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("ready: %v", err)
	}
}

// If several nodes start or rotate at the same time, one wins. The others leave no key in the
// token.
func TestRing_ConflictLeavesNoKeyInToken(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		before := open(t, "signet", pin).Objects(t, "")
		nodes := make([]*testNode, 3)
		var all sync.WaitGroup
		for i := range nodes {
			db := b.Open(t)
			all.Go(func() {
				nodes[i] = openRows(t, db, inES256)
			})
		}
		all.Wait()
		h := nodes[0]
		if got := h.hsm.Objects(t, "") - before; got != 2 {
			t.Errorf("three starts made %d keys, want 2", got)
		}
		won := 0
		var mu sync.Mutex
		for _, h := range nodes {
			all.Go(func() {
				_, err := h.Rotate(t.Context(), nil, 0, storage.By{At: noon})
				if err != nil && !errors.Is(err, storage.ErrConflict) {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				}
			})
		}
		all.Wait()
		if got := h.hsm.Objects(t, "") - before; got != 2+won || h.externalRows(t) != 2+won || won == 0 {
			t.Errorf("after %d rotations: %d keys in the token, %d rows, want %d", won, got, h.externalRows(t), 2+won)
		}
	})
}

// If the settings of the token are removed too early, an alarm names the lines whose private
// halves are left in it. They are destroyed after the settings are back.
func TestRing_AlarmForKeysLeftInToken(t *testing.T) {
	h := openRows(t, storagetest.SQLite(t).Open(t), inES256)
	before := h.hsm.Objects(t, "")
	out := func(c *keystest.Config) { c.Vault.ModuleAlgorithms = nil }
	h.Node = must[*keystest.Node](t)(h.openAgain(t, out))
	for range 2 {
		must[[]keeper.Rotated](t)(h.Rotate(t.Context(), nil, 0, storage.By{At: noon}))
	}
	without := must[*keystest.Node](t)(h.openAgain(t, func(c *keystest.Config) { c.Vault.Module, c.Vault.ModuleAlgorithms = nil, nil }))
	at := noon.Add(30 * time.Minute)
	for range 3 {
		must[any](t)(nil, without.RotateOnce(t.Context(), at))
	}
	events, err := h.DB.Events(t.Context(), storage.EventFilter{}, 100)
	alarms := 0
	for _, e := range events {
		if e.Type == storage.KeyAlarm && e.Reason == "private_key_left_in_module" {
			alarms++
		}
	}
	if got := h.hsm.Objects(t, ""); err != nil || alarms != 1 || got != before || h.externalRows(t) != 2 {
		t.Errorf("%d alarms, want 1; %d keys in the token, want %d; %d rows, want 2; %v", alarms, got, before, h.externalRows(t), err)
	}
	h.Node = must[*keystest.Node](t)(h.openAgain(t, out))
	must[any](t)(nil, h.RotateOnce(t.Context(), at))
	if got := h.hsm.Objects(t, ""); got != before-2 || h.externalRows(t) != 0 {
		t.Errorf("with the token again: %d keys there, want %d; %d rows", got, before-2, h.externalRows(t))
	}
}
