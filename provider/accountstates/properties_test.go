package accountstates_test

import (
	"slices"
	"sync"
	"testing"
)

// states are all that accounts reach, with mails and without.
var states = sync.OnceValue(func() []account { return append(reachable(false), reachable(true)...) })

// eachState runs f for every state.
func eachState(f func(a account)) {
	for _, a := range states() {
		f(a)
	}
}

// things lists everything with which the owner of the account proves an identity.
func (a account) things() []string {
	list := append(a.waysIn(), a.factors()...)
	list = append(list, present{{trusted, a.Trusted}, {mailbox, a.Mails && !a.NoAddress}, {oldMailbox, a.Former.Pending}}.names()...)
	slices.Sort(list)
	return slices.Compact(list)
}

// needs returns the things that a person needs for a step; alone is false if the operator must help.
func (a account) needs(s step) (things set, alone bool) {
	switch s.Act {
	case operatorsLink, passkeyLink, resetFactors:
		return 0, false
	case waitForWeek:
		return 0, true
	case undoChange:
		return setOf(oldMailbox), true
	case forgotPassword:
		return setOf(mailbox), true
	case changePassword: // the form asks for the present one
		things = setOf(password)
	case proveAddress:
		things = setOf(mailbox)
	}
	switch {
	case !a.do(s).Link:
	case a.Former.Pending: // the link goes to the former address
		things |= setOf(oldMailbox)
	default:
		things |= setOf(mailbox)
	}
	things |= setOf(s.Way)
	if s.Second != none {
		things |= setOf(s.Second)
	}
	return things, true
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
func (a account) helpOf(things set) string {
	help := signInPage
	for _, m := range moves()[numbers()[a]] {
		switch {
		case m.needs&^things != 0:
		case m.act == onlySignIn && m.result == done:
			return ""
		case m.act == forgotPassword && m.result == noPassword:
			help = noPasswordMail
		case m.act == forgotPassword && states()[m.after].asks() && !states()[m.after].hasAny(things), m.result == factorAsked:
			help = factorPage
		case m.act == forgotPassword:
			return ""
		}
	}
	if help == signInPage && a.Mails {
		return resetPage
	}
	return help
}

// hasAny reports whether one of the things is a second factor of the account.
func (a account) hasAny(things set) bool { return setOf(a.factors()...)&things != 0 }

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
				helped[a.helpOf(setOf(a.things()...)&^setOf(first, second))]++
			}
		}
		for _, link := range []string{operatorsLink, passkeyLink} {
			if link == operatorsLink && a.NoAddress { // a password needs one
				continue
			}
			after := a.do(step{Act: resetFactors}).After.do(step{Act: link}).After
			way := after.waysIn()[0]
			if in := after.signIn(step{Way: way, Act: onlySignIn}); in.Result != done {
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
var all = []string{password, weak, strong, upstream, app, key, code, trusted, mailbox, oldMailbox}

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
	act    string
	needs  set // the things that it needs
	gives  set // the things that the person has after it besides
	level  string
	result string
	after  int // the number of the state
}

// numbers are the numbers of the states.
var numbers = sync.OnceValue(func() map[account]int {
	list := map[account]int{}
	for i, a := range states() {
		list[a] = i
	}
	return list
})

// moves are the steps in each state that need no operator.
var moves = sync.OnceValue(func() [][]move {
	list := make([][]move, len(states()))
	for i, a := range states() {
		for _, s := range a.steps() {
			needs, alone := a.needs(s)
			if o := a.do(s); alone && !s.Old {
				list[i] = append(list[i], move{s.Act, needs, gains(s, o.After), o.Level, o.Result, numbers()[o.After]})
			}
		}
	}
	return list
})

// with returns the things that a person has after a step. A new address brings a new mailbox, and the undo
// the former one.
func (m move) with(things set) set {
	switch m.act {
	case changeAddress:
		if things&ownMailbox != 0 {
			return things | formerMailbox
		}
		return things | ownMailbox
	case giveAddress, changeForGood:
		return things | ownMailbox
	case undoChange:
		return things&^formerMailbox | ownMailbox
	}
	return things | m.gives
}

var ownMailbox, formerMailbox = setOf(mailbox), setOf(oldMailbox)

// robber is a thief at one point of a robbery: the state of the account and the things of the thief.
type robber struct {
	state  int
	things set
}

// robberies lists every point that a thief reaches with the stolen things.
func robberies(a account, stolen set) []robber {
	start := robber{numbers()[a], stolen}
	list, seen := []robber{start}, map[robber]bool{start: true}
	for i := 0; i < len(list); i++ {
		r := list[i]
		for _, m := range moves()[r.state] {
			if m.needs&^r.things != 0 || m.act == waitForWeek { // the owner reads the mails within a week
				continue
			}
			if next := (robber{m.after, m.with(r.things)}); m.result == done && next != r && !seen[next] {
				seen[next] = true
				list = append(list, next)
			}
		}
	}
	return list
}

// rob returns the strongest level that a sign-in with the stolen things reaches, and all things that the
// thief gets.
func rob(a account, stolen ...string) (level string, things []string) {
	level, got := none, set(0)
	for _, r := range robberies(a, setOf(stolen...)) {
		got |= r.things
		for _, m := range moves()[r.state] {
			if m.needs&^r.things == 0 && reaches(m.level, level) {
				level = m.level
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
		if !a.hasFactor() || a.Former.Acted {
			return
		}
		for _, stolen := range append(a.things(), mailbox) {
			level, things := rob(a, stolen)
			allowed := []string{stolen}
			want := oneFactor
			switch {
			case stolen == strong:
				continue // it is the strongest thing there is
			case stolen == oldMailbox:
				continue // for a week, it is worth what it was worth before the change
			case stolen == mailbox && a.Mails:
				allowed = append(allowed, password)
			}
			if a.asks() || stolen == mailbox && !a.Password {
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

// A person with the cookie of a session whose sign-in was some time ago adds nothing to the account, and
// takes nothing away but the trust in a browser.
func TestModel_HijackedSessionChangesNothing(t *testing.T) {
	eachState(func(a account) {
		for _, s := range a.steps() {
			if !s.Old {
				continue
			}
			want := a.after(s)
			if s.Act == endTrust {
				want.Trusted = false
			}
			got := a.do(s).After
			got.Former.Acted = want.Former.Acted
			if got != want {
				t.Errorf("%s: %s leads to %s", a, s, got)
			}
		}
	})
}

// A person who steals a way in to an account without a factor, and changes its address too, is thrown out
// by the owner who reads the mails to the former address within a week: after the undo and a new password,
// the thief is left with upstream accounts only. The owner sees them on the page of the account.
//
// An owner without a password gets no new one, but comes through the upstream and removes the passkey.
func TestModel_OwnerThrowsTheThiefOut(t *testing.T) {
	eachState(func(a account) {
		if !a.Mails || !a.Proven || !a.Password || a.Former.Pending {
			return
		}
		for _, stolen := range a.waysIn() {
			if stolen == strong {
				continue
			}
			for _, r := range robberies(a, setOf(stolen)) {
				after, things := states()[r.state], r.things
				if after.Former.Pending {
					after = after.do(step{Act: undoChange}).After
				}
				after, things = after.do(step{Act: forgotPassword}).After, things&^setOf(password)
				for _, m := range moves()[numbers()[after]] {
					if m.needs&^things == 0 && m.act == onlySignIn && m.result == done && m.needs&setOf(upstream) == 0 {
						t.Errorf("%s: the thief of the %s got to %s with %q, and still signs in to %s with %q",
							a, stolen, states()[r.state], r.things.things(), after, m.needs.things())
					}
				}
			}
		}
	})
}

// gainsFactor reports whether an account has a factor that it had not before, or a passkey that was not
// strong before.
func (a account) gainsFactor(after account) bool {
	return after.App && !a.App || after.Key && !a.Key || after.Strong > a.Strong || after.Codes && !a.Codes
}

// An act adds a factor, or makes a passkey a strong one, only after a proof: two factors where the account
// can reach them, else the mailed link where the address gets mails. Codes and keys stand for the owner in
// a link of the operator, and the former mailbox in an undo. A trusted browser proves nothing.
func TestModel_NoFactorWithoutAProof(t *testing.T) {
	eachState(func(a account) {
		for _, s := range a.steps() {
			o := a.do(s)
			proven := s.Act == undoChange
			switch {
			case s.Act == passkeyLink:
				proven = !a.hasFactor() || s.Second != none
			case a.hasFactor():
				proven = proven || reaches(o.Level, twoFactors)
			default:
				proven = proven || o.Link || !a.Mails || a.NoAddress
			}
			if a.gainsFactor(o.After) && !proven {
				t.Errorf("%s: %s leads to %s without a proof", a, s, o.After)
			}
			if s.Second == trusted && a.gainsFactor(o.After) {
				t.Errorf("%s: %s adds a factor in a trusted browser", a, s)
			}
		}
	})
}
