package accountstates_test

import (
	"slices"
	"sync"
	"testing"
)

// eachState runs f for every state that accounts reach, with mails and without.
func eachState(f func(a account)) {
	for _, mails := range []bool{false, true} {
		for _, a := range reachable(mails) {
			f(a)
		}
	}
}

// things lists everything with which the owner of the account proves an identity.
func (a account) things() []string {
	list := append(a.waysIn(), a.factors()...)
	list = append(list, present{{trusted, a.Trusted}, {mailbox, a.Mails && !a.NoAddress}}.names()...)
	slices.Sort(list)
	return slices.Compact(list)
}

// needs returns the things that a person needs for a step; alone is false if the operator must help.
func (a account) needs(s step) (things set, alone bool) {
	switch s.Act {
	case operatorsLink, passkeyLink, resetFactors:
		return 0, false
	case forgotPassword:
		return setOf(mailbox), true
	case changePassword: // the form asks for the present one
		things = setOf(password)
	case proveAddress:
		things = setOf(mailbox)
	}
	if a.do(s).Link {
		things |= setOf(mailbox)
	}
	things |= setOf(s.Way)
	if s.Second != none {
		things |= setOf(s.Second)
	}
	return things, true
}

// can reports whether a person with these things can take the step alone.
func (a account) can(s step, things []string) bool {
	needs, alone := a.needs(s)
	return alone && needs&^setOf(things...) == 0
}

// gains returns the things that a person has after a step.
func gains(s step, after account) set {
	switch s.Act {
	case forgotPassword:
		return setOf(password)
	case addApp:
		return setOf(app, code)
	case addKey:
		return setOf(key, code)
	case replaceCodes, alwaysAsk:
		return setOf(code)
	case trustBrowser:
		return setOf(trusted)
	case connect:
		return setOf(upstream)
	case addPasskey:
		if after.Strong > 0 {
			return setOf(weak, strong, code)
		}
		return setOf(weak)
	}
	return 0
}

// No act of a person leads to a state without a way in. Only the reset of
// factors by an operator does so; then the operator is the way in.
func TestModel_NoActLeadsToAStateWithoutAWayIn(t *testing.T) {
	eachState(func(a account) {
		for _, s := range a.steps() {
			if after := a.do(s).After; after.countWays() == 0 && s.Act != resetFactors {
				if a.countWays() > 0 {
					t.Errorf("%s: %s leads to %s", a, s, after)
				}
			}
		}
	})
}

// helpOf names the page that tells a person with only these things of an account to ask the operator;
// "" if the person gets in. See TestPages_NameTheOperator for the pages.
func (a account) helpOf(things []string) string {
	help := signInPage
	for _, s := range a.steps() {
		o := a.do(s)
		switch {
		case !a.can(s, things):
		case s.Act == onlySignIn && o.Result == done:
			return ""
		case s.Act == forgotPassword && o.Result == noPassword:
			help = noPasswordMail
		case s.Act == forgotPassword && o.After.asks() && !o.After.hasAny(things), o.Result == factorAsked:
			help = factorPage
		case s.Act == forgotPassword:
			return ""
		}
	}
	if help == signInPage && a.Mails {
		return resetPage
	}
	return help
}

// hasAny reports whether one of the things is a second factor of the account.
func (a account) hasAny(things []string) bool {
	return slices.ContainsFunc(a.factors(), func(f string) bool { return slices.Contains(things, f) })
}

// The pages and the mail that name the operator as the way in.
const (
	signInPage     = "sign-in page without mails"
	resetPage      = "page after asking for a link"
	noPasswordMail = "mail without a link"
	factorPage     = "page that asks for a recovery code"
)

// After the loss of any one or two things, the owner gets in with the rest, or is on a page that names the
// operator. It is no dead end: the operator's link and the reset of factors let every owner in.
func TestModel_EveryOwnerGetsBackIn(t *testing.T) {
	helped := map[string]int{}
	eachState(func(a account) {
		for _, first := range a.things() {
			for _, second := range a.things() {
				left := slices.DeleteFunc(a.things(), func(thing string) bool { return thing == first || thing == second })
				helped[a.helpOf(left)]++
			}
		}
		for _, link := range []string{operatorsLink, passkeyLink} {
			if link == operatorsLink && a.NoAddress { // a password needs one
				continue
			}
			after := a.do(step{Act: resetFactors}).After.do(step{Act: link}).After
			way := after.waysIn()[0]
			if in := after.signIn(step{way, none, onlySignIn}); in.Result != done {
				t.Errorf("%s: the operator cannot help by the %s: %+v", a, link, in)
			}
		}
	})
	for _, page := range []string{"", signInPage, resetPage, noPasswordMail, factorPage} {
		if helped[page] == 0 {
			t.Errorf("nobody gets help by %q", page)
		}
	}
}

// set is a set of things.
type set uint16

// all are the things of a set, in the order of their bits.
var all = []string{password, weak, strong, upstream, app, key, code, trusted, mailbox}

func setOf(things ...string) (s set) {
	for _, thing := range things {
		s |= 1 << slices.Index(all, thing)
	}
	return s
}

func (s set) things() (list []string) {
	for i, thing := range all {
		if s&(1<<i) != 0 {
			list = append(list, thing)
		}
	}
	return list
}

// move is a step that a person can take alone.
type move struct {
	needs set // the things that it needs
	gives set // the things that the person has after it besides
	level string
	done  bool
	after account
}

// moves are the steps in each state, with mails and without.
var moves = sync.OnceValue(func() map[account][]move {
	list := map[account][]move{}
	eachState(func(a account) {
		for _, s := range a.steps() {
			needs, alone := a.needs(s)
			if o := a.do(s); alone {
				list[a] = append(list[a], move{needs, gains(s, o.After), o.Level, o.Result == done, o.After})
			}
		}
	})
	return list
})

// robber is a thief at one point of a robbery: the state of the account and the things of the thief.
type robber struct {
	account account
	things  set
}

// rob follows every step that the stolen things allow. It returns the strongest level that a sign-in
// reaches, and all things that the thief gets.
func rob(a account, stolen ...string) (level string, things []string) {
	start := robber{a, setOf(stolen...)}
	level, list, seen, got := none, []robber{start}, map[robber]bool{start: true}, start.things
	for i := 0; i < len(list); i++ {
		r := list[i]
		got |= r.things
		for _, m := range moves()[r.account] {
			if m.needs&^r.things != 0 {
				continue
			}
			if reaches(m.level, level) {
				level = m.level
			}
			if next := (robber{m.after, r.things | m.gives}); m.done && !seen[next] {
				seen[next] = true
				list = append(list, next)
			}
		}
	}
	return level, got.things()
}

// A thief of exactly one thing gets no further than with that thing: into an account with a
// factor at one factor at most, unless it is the strong passkey. Nothing can be added to such an
// account, and nothing made stronger.
//
// An account without a factor has nothing better than the stolen thing, so there the thief is as good
// as the owner. The notices and the recovery by mail help against that.
func TestModel_ThiefOfOneThingGetsNoFurther(t *testing.T) {
	eachState(func(a account) {
		if !a.hasFactor() {
			return
		}
		for _, stolen := range append(a.things(), mailbox) {
			level, things := rob(a, stolen)
			allowed := []string{stolen}
			want := oneFactor
			switch {
			case stolen == strong:
				continue // it is the strongest thing there is
			case stolen == mailbox && a.Mails:
				allowed = append(allowed, password)
			}
			if a.asks() {
				want = none
			}
			if reaches(level, want) && level != want {
				t.Errorf("%s: with the %s a thief reaches %s, want %s at most", a, stolen, level, want)
			}
			for _, thing := range things {
				if !slices.Contains(allowed, thing) {
					t.Errorf("%s: with the %s a thief gets: %s", a, stolen, thing)
				}
			}
		}
	})
}

// With mails, a password or an upstream account alone adds no factor to an account with an address: the
// first one needs the mailbox.
func TestModel_FirstFactorNeedsTheMailbox(t *testing.T) {
	eachState(func(a account) {
		if !a.Mails || a.NoAddress || a.hasFactor() {
			return
		}
		for _, stolen := range a.waysIn() {
			if level, things := rob(a, stolen); reaches(level, twoFactors) {
				t.Errorf("%s: with the %s a thief reaches %s and gets %q", a, stolen, level, things)
			}
		}
	})
}
