package interaction

import (
	"testing"

	"signet/federation"
)

// arrivals calls f with every combination there is.
func arrivals(f func(arrival)) {
	flags := []func(*arrival) *bool{
		func(a *arrival) *bool { return &a.Known }, func(a *arrival) *bool { return &a.Disabled },
		func(a *arrival) *bool { return &a.Address }, func(a *arrival) *bool { return &a.Verified },
		func(a *arrival) *bool { return &a.Local }, func(a *arrival) *bool { return &a.Proven },
		func(a *arrival) *bool { return &a.Admin }, func(a *arrival) *bool { return &a.AutoLink },
		func(a *arrival) *bool { return &a.SignUp },
	}
	for trust := federation.Unknown; trust <= federation.Authoritative; trust++ {
		for bits := range 1 << len(flags) {
			a := arrival{Trust: trust}
			for i, flag := range flags {
				*flag(&a) = bits>>i&1 == 1
			}
			f(a)
		}
	}
}

// rule is one sentence about arrivals: to whom it applies, and what then becomes
// of them.
type rule struct {
	says    string
	applies func(arrival) bool
	fate    fate
}

// rules are the table of linking, written for a reader: exactly one applies to
// each arrival.
var rules = []rule{
	{"a linked user signs in, whatever the address says now",
		func(a arrival) bool { return a.Known && !a.Disabled }, signIn},
	{"a linked user who is switched off does not",
		func(a arrival) bool { return a.Known && a.Disabled }, switchedOff},
	{"a stranger without an address gets nothing",
		func(a arrival) bool { return !a.Known && !a.Address }, noAddress},
	{"an address that nobody verified needs the account's own proof, and whether there is an account does not show",
		func(a arrival) bool { return stranger(a) && !a.Verified }, proveFirst},
	{"a new address makes an account where the connector may make some",
		func(a arrival) bool { return stranger(a) && a.Verified && !a.Local && a.SignUp }, makeUser},
	{"and none where it may not",
		func(a arrival) bool { return stranger(a) && a.Verified && !a.Local && !a.SignUp }, closed},
	{"the word of an upstream that checks nothing needs the account's own proof",
		func(a arrival) bool { return meets(a) && a.Trust == federation.Unknown }, proveFirst},
	{"a proven account needs its own proof unless the operator lets this connector link",
		func(a arrival) bool { return meets(a) && a.Trust != federation.Unknown && a.Proven && !a.AutoLink }, proveFirst},
	{"and is signed in to if he does",
		func(a arrival) bool {
			return meets(a) && a.Trust != federation.Unknown && a.Proven && a.AutoLink && !a.Disabled
		}, linkUser},
	{"but not if it is switched off",
		func(a arrival) bool {
			return meets(a) && a.Trust != federation.Unknown && a.Proven && a.AutoLink && a.Disabled
		}, switchedOff},
	{"an account that nobody proved is its address's owner's",
		func(a arrival) bool {
			return meets(a) && a.Trust != federation.Unknown && !a.Proven && !a.Disabled && !a.Admin
		}, evictAndOwn},
	{"but not an administrator's, who proves it by the password",
		func(a arrival) bool {
			return meets(a) && a.Trust != federation.Unknown && !a.Proven && !a.Disabled && a.Admin
		}, proveFirst},
	{"nor one that is switched off",
		func(a arrival) bool {
			return meets(a) && a.Trust != federation.Unknown && !a.Proven && a.Disabled
		}, switchedOff},
}

func stranger(a arrival) bool { return !a.Known && a.Address }

func meets(a arrival) bool { return stranger(a) && a.Verified && a.Local }

func TestDecideArrival_WholeTable(t *testing.T) {
	used := map[string]int{}
	n := 0
	arrivals(func(a arrival) {
		n++
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
		if got := decideArrival(a); got != found[0].fate {
			t.Errorf("%+v: got %s, want %s: %s", a, got, found[0].fate, found[0].says)
		}
	})
	if n != 3*512 || len(used) != len(rules) {
		t.Errorf("%d arrivals met %d of %d rules", n, len(used), len(rules))
	}
}

// What must hold however the table is written.
func TestDecideArrival_Invariants(t *testing.T) {
	enters := func(f fate) bool { return f == signIn || f == makeUser || f == linkUser || f == evictAndOwn }
	arrivals(func(a arrival) {
		got := decideArrival(a)
		for what, broken := range map[string]bool{
			"signs in by an unverified address":                enters(got) && !a.Known && !a.Verified,
			"signs in without an address":                      enters(got) && !a.Known && !a.Address,
			"enters an account by an upstream's unproven word": (got == linkUser || got == evictAndOwn) && a.Trust == federation.Unknown,
			"links by address, not allowed to":                 got == linkUser && !a.AutoLink,
			"enters an account by address that is unproven":    got == linkUser && !a.Proven,
			"evicts a proven account":                          got == evictAndOwn && a.Proven,
			"evicts an administrator":                          got == evictAndOwn && a.Admin,
			"lets in who is switched off":                      enters(got) && a.Disabled && (a.Known || a.Local),
			"makes a second account for an address":            got == makeUser && a.Local,
			"makes an account, not allowed to":                 got == makeUser && !a.SignUp,
			"ignores the link":                                 a.Known && got != signIn && got != switchedOff,
		} {
			if broken {
				t.Errorf("%s: %+v", what, a)
			}
		}
		// Who has not shown that the address is theirs learns nothing of the account.
		if !a.Known && a.Address && !a.Verified {
			other := a
			other.Local, other.Proven, other.Admin, other.Disabled = !a.Local, !a.Proven, !a.Admin, !a.Disabled
			if decideArrival(other) != got {
				t.Errorf("an unverified address tells whether there is an account: %+v", a)
			}
		}
	})
}

// A field that the table does not know would be one that this test does not turn.
func TestDecideArrival_EveryFieldMatters(t *testing.T) {
	matters := map[string]bool{}
	arrivals(func(a arrival) {
		for name, change := range map[string]func(*arrival){
			"Known": func(a *arrival) { a.Known = !a.Known }, "Disabled": func(a *arrival) { a.Disabled = !a.Disabled },
			"Address": func(a *arrival) { a.Address = !a.Address }, "Verified": func(a *arrival) { a.Verified = !a.Verified },
			"Local": func(a *arrival) { a.Local = !a.Local }, "Proven": func(a *arrival) { a.Proven = !a.Proven },
			"Admin": func(a *arrival) { a.Admin = !a.Admin }, "AutoLink": func(a *arrival) { a.AutoLink = !a.AutoLink },
			"SignUp": func(a *arrival) { a.SignUp = !a.SignUp }, "Trust": func(a *arrival) { a.Trust = (a.Trust + 1) % 3 },
		} {
			other := a
			change(&other)
			matters[name] = matters[name] || decideArrival(other) != decideArrival(a)
		}
	})
	if len(matters) != 10 {
		t.Fatalf("%d fields were turned", len(matters))
	}
	for name, does := range matters {
		if !does {
			t.Errorf("%s changes nothing", name)
		}
	}
}
