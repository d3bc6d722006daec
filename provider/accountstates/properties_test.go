package accountstates_test

import (
	"fmt"
	"slices"
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
	list := a.waysIn()
	for _, t := range []struct {
		name string
		has  bool
	}{{app, a.App}, {code, a.Codes}, {mailbox, a.Mails}} {
		if t.has {
			list = append(list, t.name)
		}
	}
	return list
}

// can reports whether a person with these things can take the step alone.
func (a account) can(s step, things []string) bool {
	switch {
	case s.Act == operatorsLink || s.Act == resetFactors:
		return false
	case s.Act == forgotPassword:
		return slices.Contains(things, mailbox)
	case s.Act == changePassword && !slices.Contains(things, password): // the form asks for the present one
		return false
	case s.Act == proveAddress || a.do(s).Link:
		if !slices.Contains(things, mailbox) {
			return false
		}
	}
	return slices.Contains(things, s.Way) && (s.Second == none || slices.Contains(things, s.Second))
}

// gains returns the things of a person after a step.
func gains(things []string, s step, after account) []string {
	list := slices.Clone(things)
	switch s.Act {
	case forgotPassword:
		list = append(list, password)
	case addApp:
		list = append(list, app, code)
	case replaceCodes:
		list = append(list, code)
	case addPasskey:
		list = append(list, weak)
		if after.Strong > 0 {
			list = append(list, strong, code)
		}
	case connect:
		list = append(list, upstream)
	}
	slices.Sort(list)
	return slices.Compact(list)
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
		case s.Act == forgotPassword && o.After.App && !slices.Contains(things, app) && !slices.Contains(things, code), o.Result == factorAsked:
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
		after := a.do(step{Act: resetFactors}).After.do(step{Act: operatorsLink}).After
		if in := after.signIn(step{password, none, onlySignIn}); in.Result != done {
			t.Errorf("%s: the operator cannot help: %+v", a, in)
		}
	})
	for _, page := range []string{"", signInPage, resetPage, noPasswordMail, factorPage} {
		if helped[page] == 0 {
			t.Errorf("nobody gets help by %q", page)
		}
	}
}

// robber is a thief at one point of a robbery: the state of the account and the things of the thief.
type robber struct {
	account account
	things  string
}

// rob follows every step that the stolen things allow. It returns the strongest level that a sign-in
// reaches, and all things that the thief gets.
func rob(a account, stolen ...string) (level string, things []string) {
	seen := map[robber]bool{}
	level = none
	var follow func(a account, has []string)
	follow = func(a account, has []string) {
		here := robber{a, fmt.Sprint(has)}
		if seen[here] {
			return
		}
		seen[here] = true
		things = append(things, has...)
		for _, s := range a.steps() {
			if !a.can(s, has) {
				continue
			}
			o := a.do(s)
			if reaches(o.Level, level) {
				level = o.Level
			}
			if o.Result == done {
				follow(o.After, gains(has, s, o.After))
			}
		}
	}
	follow(a, stolen)
	slices.Sort(things)
	return level, slices.Compact(things)
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
			if a.App {
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

// With mails, a password or an upstream account alone adds no factor: the first one needs the mailbox.
func TestModel_FirstFactorNeedsTheMailbox(t *testing.T) {
	eachState(func(a account) {
		if !a.Mails || a.hasFactor() {
			return
		}
		for _, stolen := range a.waysIn() {
			if level, things := rob(a, stolen); reaches(level, twoFactors) {
				t.Errorf("%s: with the %s a thief reaches %s and gets %q", a, stolen, level, things)
			}
		}
	})
}
