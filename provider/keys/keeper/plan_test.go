package keeper

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

var dawn = time.Unix(1_800_000_000, 0).UTC()

// rowIn returns an ES256 row in a state, with the times of the default schedule at dawn. The
// kid is the name of the state.
func rowIn(state storage.KeyState) storage.Key {
	k := storage.Key{
		ID: string(state), Line: "ES256", State: state, CreatedAt: storage.At(dawn.Add(-40 * day)),
		Sealed: []byte{1}, LongestLife: 15 * time.Minute,
	}
	switch state {
	case storage.KeyNext:
		k.CreatedAt, k.LongestLife = storage.At(dawn), 0
	case storage.KeyActive:
		k.ActivatedAt = storage.At(dawn)
	case storage.KeyRetired:
		k.ActivatedAt, k.RetiredAt, k.GoneAt = storage.At(dawn.Add(-30*day)), storage.At(dawn), storage.At(dawn.Add(20*time.Minute))
	case storage.KeyGone:
		k.ActivatedAt, k.RetiredAt, k.GoneAt, k.Sealed = storage.At(dawn.Add(-30*day)), storage.At(dawn), storage.At(dawn), []byte{}
	case storage.KeyRevoked:
		k.RevokedAt, k.Sealed = storage.At(dawn), []byte{}
	}
	return k
}

func rowsIn(states ...storage.KeyState) []storage.Key {
	var rows []storage.Key
	for _, state := range states {
		rows = append(rows, rowIn(state))
	}
	return rows
}

// whole has the states of the keys in a normal line.
var whole = []storage.KeyState{storage.KeyActive, storage.KeyNext, storage.KeyRetired}

var (
	rotates    = action{act: rotateLine, line: "ES256"}
	getsNext   = action{act: makeNext, line: "ES256"}
	ends       = action{act: endKeys}
	settles    = action{act: settleTimes}
	distrusts  = action{act: distrustClock}
	notesLife  = action{act: raiseLife, line: "ES256", kid: "active"}
	stuck      = action{act: raiseAlarm, line: "ES256", reason: noUsableNext}
	stranded   = action{act: raiseAlarm, line: "ES256", reason: leftInModule}
	forgetsRow = func(state storage.KeyState) action {
		return action{act: destroyPrivate, line: "ES256", kid: string(state)}
	}
)

// plan is called for each state of a line, just before and at each relevant time.
func TestPlan_StatesAndTimes(t *testing.T) {
	const month = 30 * day
	for name, c := range map[string]struct {
		states []storage.KeyState
		after  time.Duration // since dawn
		want   []action
	}{
		"no line is there":                    {nil, 0, nil},
		"nothing is due":                      {whole, 0, nil},
		"a second before the rotation":        {whole[:2], month - time.Second, nil},
		"the rotation":                        {whole[:2], month, []action{rotates}},
		"a rotation that is late":             {whole[:2], 2 * month, []action{rotates}},
		"a rotation later than the clock may": {whole[:2], 2*month + time.Second, []action{distrusts, rotates}},
		"a second before a retired key ends":  {whole, 20*time.Minute - time.Second, nil},
		"a retired key ends":                  {whole, 20 * time.Minute, []action{ends}},
		"both":                                {whole, month, []action{rotates, ends}},
		"so late that no key is ended":        {whole, 3 * month, []action{distrusts, rotates}},

		"no next key":                      {whole[:1], 0, []action{getsNext}},
		"no next key when it should sign":  {whole[:1], 2 * month, []action{getsNext}},
		"nothing signs: next does at once": {whole[1:2], 0, []action{rotates}},
		"nothing signs: retired ones stay": {whole[1:], time.Hour, []action{rotates}},
		"only a revoked key":               {[]storage.KeyState{storage.KeyRevoked}, 0, []action{getsNext}},

		"the line was retired":             {whole[2:], 20*time.Minute - time.Second, nil},
		"the line was retired, and ends":   {whole[2:], 20 * time.Minute, []action{ends}},
		"gone for less than HintLife":      {[]storage.KeyState{storage.KeyGone}, keys.HintLife - time.Second, nil},
		"gone for HintLife":                {[]storage.KeyState{storage.KeyGone}, keys.HintLife, []action{ends}},
		"revoked for as long":              {[]storage.KeyState{storage.KeyRevoked}, keys.HintLife, []action{getsNext, ends}},
		"a clock within what nodes differ": {whole, -storage.MaxClockSkew, nil},
		"times lie ahead":                  {whole, -storage.MaxClockSkew - time.Second, []action{settles}},
		"times of a gone key lie ahead":    {[]storage.KeyState{storage.KeyGone}, -time.Hour, []action{settles}},
		"times of a revoked key lie ahead": {[]storage.KeyState{storage.KeyRevoked}, -time.Hour, []action{settles}},
	} {
		s := situation{Inventory: vault.Inventory{Rows: rowsIn(c.states...)}, lines: []string{"ES256"}, trustedClock: true}
		if got := plan(s, defaults(), dawn.Add(c.after)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestPlan_ProblemsModuleAndConfiguration(t *testing.T) {
	inModule := func(states ...storage.KeyState) []storage.Key {
		rows := rowsIn(states...)
		for i := range rows {
			rows[i].Sealed = []byte{storage.ExternalKeyMarker}
		}
		return rows
	}
	longer := func(l *Life) { l.Tokens = time.Hour }
	for name, c := range map[string]struct {
		rows   []storage.Key
		after  time.Duration
		change func(*situation)
		life   func(*Life)
		want   []action
	}{
		"the next key does not open, not due":  {rowsIn(whole[:2]...), 0, unusable(errors.New("altered")), nil, nil},
		"the next key does not open, due":      {rowsIn(whole[:2]...), 30 * day, unusable(errors.New("altered")), nil, []action{stuck}},
		"its module is away, long overdue":     {rowsIn(whole[:2]...), 90 * day, unusable(vault.ErrModule), nil, []action{stuck}},
		"the clock is not trusted":             {rowsIn(whole...), 30 * day, func(s *situation) { s.trustedClock = false }, nil, []action{rotates}},
		"tokens live longer than noted":        {rowsIn(whole...), 0, nil, longer, []action{notesLife}},
		"the same with a rotation":             {rowsIn(whole[:2]...), 30 * day, nil, longer, []action{notesLife, rotates}},
		"the same with times ahead":            {rowsIn(whole[:2]...), -time.Hour, nil, longer, []action{notesLife, settles}},
		"a line that is not configured":        {rowsIn(whole[:1]...), 90 * day, func(s *situation) { s.lines = nil }, longer, nil},
		"in the module while it signs":         {inModule(whole...), 0, withModule, nil, nil},
		"gone and revoked, left in the module": {inModule(storage.KeyActive, storage.KeyNext, storage.KeyGone, storage.KeyRevoked), 0, withModule, nil, []action{forgetsRow(storage.KeyGone), forgetsRow(storage.KeyRevoked)}},
		"left there, and no module configured": {inModule(storage.KeyActive, storage.KeyNext, storage.KeyGone), 0, nil, nil, []action{stranded}},
	} {
		s := situation{Inventory: vault.Inventory{Rows: c.rows}, lines: []string{"ES256"}, trustedClock: true}
		if c.change != nil {
			c.change(&s)
		}
		life := defaults()
		if c.life != nil {
			c.life(&life)
		}
		if got := plan(s, life, dawn.Add(c.after)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func unusable(why error) func(*situation) {
	return func(s *situation) {
		s.Unusable = []vault.Unusable{{Row: *s.Find("ES256", storage.KeyNext), Err: why}}
	}
}

func withModule(s *situation) { s.hasModule = true }

// A problem of one line does not delay another, and all rotations come before new next keys.
func TestPlan_LinesAreIndependent(t *testing.T) {
	rows := rowsIn(whole[:2]...)
	for _, k := range rowsIn(storage.KeyActive) {
		k.Line, k.ID = "RS256", "alone"
		rows = append(rows, k)
	}
	secret := rowIn(storage.KeyNext)
	secret.Line, secret.ID = storage.InternalLine, "secret"
	rows = append(rows, secret)
	s := situation{Inventory: vault.Inventory{Rows: rows}, lines: []string{storage.InternalLine, "RS256", "ES256", "EdDSA"}, trustedClock: true}
	want := []action{{act: rotateLine, line: storage.InternalLine}, rotates, {act: makeNext, line: "RS256"}}
	if got := plan(s, defaults(), dawn.Add(30*day)); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// plan is a pure function: it returns the same actions again and does not change the rows.
func TestPlan_DoesNotChangeRows(t *testing.T) {
	rows := rowsIn(whole...)
	s := situation{Inventory: vault.Inventory{Rows: slices.Clone(rows)}, lines: []string{"ES256"}, trustedClock: true}
	first := plan(s, defaults(), dawn.Add(90*day))
	if second := plan(s, defaults(), dawn.Add(90*day)); !slices.Equal(first, second) || !s.trustedClock {
		t.Errorf("%+v, then %+v", first, second)
	}
	for i, k := range s.Rows {
		if k.ID != rows[i].ID || k.State != rows[i].State || k.GoneAt != rows[i].GoneAt {
			t.Errorf("row %s became %+v", rows[i].ID, k)
		}
	}
}

func defaults() Life {
	var l Life
	l.setDefaults()
	return l
}
