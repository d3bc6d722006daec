package interaction

import (
	"reflect"
	"testing"
)

// flagsOf are the facts of an arrivalFacts by name. A field that stands in none of the
// tests below would be one that they do not turn, so they are read from the type.
func flagsOf(a *arrivalFacts) map[string]*bool {
	flags := map[string]*bool{}
	v := reflect.ValueOf(a).Elem()
	for i := range v.NumField() {
		flags[v.Type().Field(i).Name] = (*bool)(v.Field(i).Addr().UnsafePointer())
	}
	return flags
}

// arrivals calls f with every combination there is, and gives their number.
func arrivals(f func(arrivalFacts)) int {
	var names []string
	for name := range flagsOf(&arrivalFacts{}) {
		names = append(names, name)
	}
	for bits := range 1 << len(names) {
		var a arrivalFacts
		for i, name := range names {
			*flagsOf(&a)[name] = bits>>i&1 == 1
		}
		f(a)
	}
	return 1 << len(names)
}

// rule is one sentence about arrivals: to whom it applies, and what then becomes
// of them.
type rule struct {
	says    string
	applies func(arrivalFacts) bool
	outcome outcome
}

// rules are the table of linking, written for a reader: exactly one applies to
// each arrivalFacts.
var rules = []rule{
	{"a linked user signs in, whatever the address says now",
		func(a arrivalFacts) bool { return a.Known && !a.Disabled }, signIn},
	{"a linked user who is switched off does not",
		func(a arrivalFacts) bool { return a.Known && a.Disabled }, switchedOff},
	{"a stranger for whose address nobody vouches gets an account without an address",
		func(a arrivalFacts) bool { return !a.Known && !a.Vouched && a.SignUp }, makeBare},
	{"or, where the connector makes no accounts, is told to sign in another way first",
		func(a arrivalFacts) bool { return !a.Known && !a.Vouched && !a.SignUp }, connectFirst},
	{"a new address makes an account where the connector may make some",
		func(a arrivalFacts) bool { return stranger(a) && !a.Local && a.SignUp }, makeUser},
	{"and none where it may not",
		func(a arrivalFacts) bool { return stranger(a) && !a.Local && !a.SignUp }, closed},
	{"an administrator's account is opened by its own proof alone",
		func(a arrivalFacts) bool { return meets(a) && a.Admin }, proveFirst},
	{"a proven account needs its own proof unless the operator lets this connector link",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && !a.AutoLink }, proveFirst},
	{"and is signed in to if the operator does",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && a.AutoLink && !a.Disabled }, linkUser},
	{"but not if it is switched off",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && a.AutoLink && a.Disabled }, switchedOff},
	{"an account that nobody proved is its address's owner's",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && !a.Proven && !a.Disabled }, evictAndOwn},
	{"but not one that is switched off",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && !a.Proven && a.Disabled }, switchedOff},
}

func stranger(a arrivalFacts) bool { return !a.Known && a.Vouched }

func meets(a arrivalFacts) bool { return stranger(a) && a.Local }

func TestDecideArrival_WholeTable(t *testing.T) {
	used := map[string]int{}
	n := arrivals(func(a arrivalFacts) {
		var found []rule
		for _, r := range rules {
			if r.applies(a) {
				found = append(found, r)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%d rules for %+v, want one", len(found), a)
		}
		used[found[0].says]++
		if got := decideArrival(a); got != found[0].outcome {
			t.Errorf("%+v: got %s, want %s: %s", a, got, found[0].outcome, found[0].says)
		}
	})
	if n != 256 || len(used) != len(rules) {
		t.Errorf("%d arrivals met %d of %d rules", n, len(used), len(rules))
	}
}

// What must hold however the table is written.
func TestDecideArrival_Invariants(t *testing.T) {
	enters := func(f outcome) bool {
		return f == signIn || f == makeUser || f == makeBare || f == linkUser || f == evictAndOwn
	}
	arrivals(func(a arrivalFacts) {
		got := decideArrival(a)
		for what, broken := range map[string]bool{
			"uses an address that nobody vouches for":       !a.Known && !a.Vouched && got != makeBare && got != connectFirst,
			"links by address, not allowed to":              got == linkUser && !a.AutoLink,
			"enters an account by address that is unproven": got == linkUser && !a.Proven,
			"evicts a proven account":                       got == evictAndOwn && a.Proven,
			"opens an administrator's account":              (got == linkUser || got == evictAndOwn) && a.Admin,
			"lets in who is switched off":                   (got == signIn || got == linkUser || got == evictAndOwn) && a.Disabled,
			"makes a second account for an address":         got == makeUser && a.Local,
			"makes an account, not allowed to":              (got == makeUser || got == makeBare) && !a.SignUp,
			"ignores the link":                              a.Known && got != signIn && got != switchedOff,
			"asks for a proof of no account":                got == proveFirst && !a.Local,
			"lets in by nothing":                            enters(got) && !a.Known && !a.Vouched && !a.SignUp,
		} {
			if broken {
				t.Errorf("%s: %+v", what, a)
			}
		}
	})
}

// TestDecideArrival_AccountShowsOnlyToItsOwner: what stands here decides only where
// the address is vouched for, or the identity is linked: nobody else learns whether
// there is an account, and what it is like.
func TestDecideArrival_AccountShowsOnlyToItsOwner(t *testing.T) {
	arrivals(func(a arrivalFacts) {
		if a.Known || a.Vouched {
			return
		}
		want := decideArrival(a)
		for _, name := range []string{"Local", "Proven", "Admin", "Disabled", "AutoLink"} {
			other := a
			*flagsOf(&other)[name] = !*flagsOf(&other)[name]
			if got := decideArrival(other); got != want {
				t.Errorf("%s turns %s into %s: %+v", name, want, got, a)
			}
		}
	})
}

// A fact that decides nothing has no business in the table.
func TestDecideArrival_EveryFactMatters(t *testing.T) {
	matters := map[string]bool{}
	arrivals(func(a arrivalFacts) {
		for name := range flagsOf(&a) {
			other := a
			*flagsOf(&other)[name] = !*flagsOf(&other)[name]
			matters[name] = matters[name] || decideArrival(other) != decideArrival(a)
		}
	})
	for name := range flagsOf(&arrivalFacts{}) {
		if !matters[name] {
			t.Errorf("%s decides nothing", name)
		}
	}
}
