package interaction

import (
	"reflect"
	"testing"
)

// flagsOf returns the fields of an arrivalFacts by name. It reads them from the type, so that
// the tests below vary every field.
func flagsOf(a *arrivalFacts) map[string]*bool {
	flags := map[string]*bool{}
	v := reflect.ValueOf(a).Elem()
	for i := range v.NumField() {
		flags[v.Type().Field(i).Name] = (*bool)(v.Field(i).Addr().UnsafePointer())
	}
	return flags
}

// arrivals calls f with every combination of facts, and returns their number.
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

// rule is one sentence about arrivals: the facts that it applies to, and the outcome.
type rule struct {
	says    string
	applies func(arrivalFacts) bool
	outcome outcome
}

// rules are the table of linking in a readable form. Exactly one rule applies to each
// arrivalFacts.
var rules = []rule{
	{"a linked user signs in, with any address",
		func(a arrivalFacts) bool { return a.Known && !a.Disabled }, signIn},
	{"a linked user that is switched off does not sign in",
		func(a arrivalFacts) bool { return a.Known && a.Disabled }, switchedOff},
	{"a stranger with an address that the upstream does not vouch for gets an account without an address",
		func(a arrivalFacts) bool { return !a.Known && !a.Vouched && a.SignUp }, makeUserWithoutEmail},
	{"if the connector may not make accounts, such a stranger must sign in another way first",
		func(a arrivalFacts) bool { return !a.Known && !a.Vouched && !a.SignUp }, connectFirst},
	{"a new address makes an account if the connector may make accounts",
		func(a arrivalFacts) bool { return stranger(a) && !a.Local && a.SignUp }, makeUser},
	{"a new address makes no account if the connector may not",
		func(a arrivalFacts) bool { return stranger(a) && !a.Local && !a.SignUp }, signUpClosed},
	{"only a proof of the account itself opens an administrator's account",
		func(a arrivalFacts) bool { return meets(a) && a.Admin }, proveFirst},
	{"a proven account needs its own proof unless the operator lets this connector link",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && !a.AutoLink }, proveFirst},
	{"a proven account is signed in to if the operator lets this connector link",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && a.AutoLink && !a.Disabled }, linkUser},
	{"a proven account that is switched off is not signed in to",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && a.Proven && a.AutoLink && a.Disabled }, switchedOff},
	{"an account with an unproven address is taken over by the owner of the address",
		func(a arrivalFacts) bool { return meets(a) && !a.Admin && !a.Proven && !a.Disabled }, evictAndOwn},
	{"an unproven account that is switched off is not taken over",
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
			t.Fatalf("%d rules apply to %+v, want one", len(found), a)
		}
		used[found[0].says]++
		if got := decideArrival(a); got != found[0].outcome {
			t.Errorf("%+v: got %s, want %s: %s", a, got, found[0].outcome, found[0].says)
		}
	})
	if n != 256 || len(used) != len(rules) {
		t.Errorf("%d arrivals used %d of %d rules, want 256 and all", n, len(used), len(rules))
	}
}

// Invariants that hold for any version of the table.
func TestDecideArrival_Invariants(t *testing.T) {
	enters := func(f outcome) bool {
		return f == signIn || f == makeUser || f == makeUserWithoutEmail || f == linkUser || f == evictAndOwn
	}
	arrivals(func(a arrivalFacts) {
		got := decideArrival(a)
		for what, broken := range map[string]bool{
			"uses an address without a voucher":             !a.Known && !a.Vouched && got != makeUserWithoutEmail && got != connectFirst,
			"links by address, not allowed to":              got == linkUser && !a.AutoLink,
			"enters an account by address that is unproven": got == linkUser && !a.Proven,
			"evicts a proven account":                       got == evictAndOwn && a.Proven,
			"opens an administrator's account":              (got == linkUser || got == evictAndOwn) && a.Admin,
			"signs in a user that is switched off":          (got == signIn || got == linkUser || got == evictAndOwn) && a.Disabled,
			"makes a second account for an address":         got == makeUser && a.Local,
			"makes an account, not allowed to":              (got == makeUser || got == makeUserWithoutEmail) && !a.SignUp,
			"ignores the link":                              a.Known && got != signIn && got != switchedOff,
			"asks for a proof without an account":           got == proveFirst && !a.Local,
			"signs in without any reason":                   enters(got) && !a.Known && !a.Vouched && !a.SignUp,
		} {
			if broken {
				t.Errorf("%s: %+v", what, a)
			}
		}
	})
}

// The facts of a local account matter only if the upstream vouches for the address or the
// identity is linked. So strangers cannot learn whether an account exists.
func TestDecideArrival_HidesAccountsFromStrangers(t *testing.T) {
	arrivals(func(a arrivalFacts) {
		if a.Known || a.Vouched {
			return
		}
		want := decideArrival(a)
		for _, name := range []string{"Local", "Proven", "Admin", "Disabled", "AutoLink"} {
			other := a
			*flagsOf(&other)[name] = !*flagsOf(&other)[name]
			if got := decideArrival(other); got != want {
				t.Errorf("%s changes %s to %s: %+v", name, want, got, a)
			}
		}
	})
}

// Every fact changes the outcome of at least one combination.
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
			t.Errorf("%s never changes the outcome", name)
		}
	}
}
