package vault

import (
	"errors"
	"strings"
	"testing"

	"signet/storage"
)

var (
	first  = [32]byte{1}
	second = [32]byte{2}
)

// newRow makes a key of a line, sealed under a master key.
func newRow(t *testing.T, master [32]byte, line string) storage.Key {
	t.Helper()
	v, err := New(Config{Master: master})
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	row, err := v.Make(set, line)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// openRow is called with valid rows in each state and with altered rows.
func TestOpenRow_StatesAndDamage(t *testing.T) {
	key, secret := newRow(t, second, "ES256"), newRow(t, second, storage.InternalLine)
	other := newRow(t, second, "ES256")
	masters := [][32]byte{first, second}
	for name, c := range map[string]struct {
		row     storage.Key
		change  func(*storage.Key)
		masters [][32]byte
		wrong   string // "": it opens
		cause   error
	}{
		"next":                             {key, inState(storage.KeyNext), masters, "", nil},
		"active":                           {key, inState(storage.KeyActive), masters, "", nil},
		"retired":                          {key, inState(storage.KeyRetired), masters, "", nil},
		"gone, with the public half alone": {key, func(k *storage.Key) { k.State, k.Sealed = storage.KeyGone, nil }, masters, "", nil},
		"secret":                           {secret, inState(storage.KeyActive), masters, "", nil},

		"state of a newer program":     {key, inState("frozen"), masters, `the state "frozen"`, nil},
		"secret in a gone state":       {secret, inState(storage.KeyGone), masters, `the state "gone"`, nil},
		"algorithm of a newer program": {key, func(k *storage.Key) { k.Line = "ML-DSA-44" }, masters, "the algorithm", errUnknownLine},
		"another master key":           {key, inState(storage.KeyActive), masters[:1], "another master_key", ErrNotOpened},
		"altered":                      {key, func(k *storage.Key) { k.Sealed = append([]byte{1}, make([]byte, 60)...) }, masters, "altered", ErrNotOpened},
		"another row's private half":   {key, func(k *storage.Key) { k.Sealed = other.Sealed }, masters, "altered", ErrNotOpened},
		"marked as in a module":        {key, func(k *storage.Key) { k.Sealed = append([]byte{sealedReference}, k.Sealed[1:]...) }, masters, "altered", ErrNotOpened},
		"version of a newer program":   {key, func(k *storage.Key) { k.Sealed = []byte{9, 9} }, masters, "a format that", nil},
		"nothing sealed":               {key, func(k *storage.Key) { k.Sealed = nil }, masters, "a format that", nil},
		"gone, another's public half":  {key, func(k *storage.Key) { k.State, k.Public = storage.KeyGone, other.Public }, masters, "thumbprint", nil},
		"gone, no public half":         {key, func(k *storage.Key) { k.State, k.Public = storage.KeyGone, "" }, masters, "not a JWK", nil},
		"secret with another kid":      {secret, func(k *storage.Key) { k.ID = "short" }, masters, "not the id of a secret", nil},
	} {
		row := c.row
		row.State = storage.KeyActive
		c.change(&row)
		got, err := openRow(c.masters, row)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || c.cause != nil && !errors.Is(err, c.cause)):
			t.Errorf("%s: got %v, want %q", name, err, c.wrong)
		case c.wrong != "" && (got.key != nil || got.secret != nil):
			t.Errorf("%s: gives %+v beside its error", name, got)
		case c.wrong == "" && (got.key != nil) == (got.secret != nil):
			t.Errorf("%s: gives %+v", name, got)
		case c.wrong == "" && row.State != storage.KeyGone && got.under != 1:
			t.Errorf("%s: under master key %d, want 1", name, got.under)
		case got.key != nil && (got.key.Signer == nil) != (row.State == storage.KeyGone):
			t.Errorf("%s: signer %v", name, got.key.Signer)
		}
	}
}

func inState(state storage.KeyState) func(*storage.Key) {
	return func(k *storage.Key) { k.State = state }
}

// Open sorts the rows by their use. The set seals new rows under the last master key with
// which a row opened.
func TestOpen_SortsRows(t *testing.T) {
	rows := []storage.Key{newRow(t, first, "ES256"), newRow(t, first, "EdDSA"), newRow(t, second, storage.InternalLine), newRow(t, first, "ES256"), newRow(t, first, "ES256")}
	for i, state := range []storage.KeyState{storage.KeyActive, storage.KeyGone, storage.KeyActive, storage.KeyRevoked, storage.KeyNext} {
		rows[i].State = state
	}
	rows[4].Sealed = []byte{9}
	v, err := New(Config{Master: first, Masters: func() ([][32]byte, error) { return [][32]byte{first, second}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.Open(rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 || len(set.Published()) != 1 || len(set.Secrets) != 1 || set.sealing != second {
		t.Errorf("%d keys, %d published, %d secrets, sealing under %v", len(set.Keys), len(set.Published()), len(set.Secrets), set.sealing[:1])
	}
	if len(set.Unusable) != 1 || set.IsUsable(rows[4].ID) || !set.IsUsable(rows[0].ID) || set.AwaitsModule() {
		t.Errorf("unusable: %+v", set.Unusable)
	}
	fresh, err := v.Make(set, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	fresh.State = storage.KeyNext
	if got, err := openRow([][32]byte{second}, fresh); err != nil || got.key == nil {
		t.Errorf("a new row under the next master key: %v", err)
	}
	if _, err := v.Open(rows[4:]); !errors.Is(err, ErrMasterKey) {
		t.Errorf("none opens: got %v, want ErrMasterKey", err)
	}
}
