package accountstates_test

import (
	"fmt"
	"slices"
	"strings"
)

// account is the state of an account.
type account struct {
	Mails    bool // the instance sends mails
	Proven   bool // the address of the account is proven
	Password bool
	Weak     int // passkeys that were added in a session with one factor
	Strong   int // passkeys that are known to be the owner's
	App      bool
	Codes    bool // recovery codes are left
	Upstream bool // an identity is connected
}

// String names the value of each part.
func (a account) String() string {
	return strings.Join(a.parts(), " ")
}

// parts names the value of each part of the state.
func (a account) parts() []string {
	return []string{
		named(a.Mails, "mails", "no-mails"), named(a.Proven, "proven", "claimed"), named(a.Password, "password", "no-password"),
		fmt.Sprint("weak-", a.Weak), fmt.Sprint("strong-", a.Strong), named(a.App, "app", "no-app"),
		named(a.Codes, "codes", "no-codes"), named(a.Upstream, "upstream", "no-upstream"),
	}
}

func named(yes bool, name, otherwise string) string {
	if yes {
		return name
	}
	return otherwise
}

// The things with which a person proves an identity. The first four are ways in.
const (
	password = "password"
	weak     = "weak passkey"
	strong   = "strong passkey"
	upstream = "upstream"
	app      = "app"
	code     = "recovery code"
	mailbox  = "mailbox"
)

// waysIn lists the ways with which a sign-in to the account begins.
func (a account) waysIn() (list []string) {
	for _, w := range []struct {
		name string
		has  bool
	}{{password, a.Password}, {weak, a.Weak > 0}, {strong, a.Strong > 0}, {upstream, a.Upstream}} {
		if w.has {
			list = append(list, w.name)
		}
	}
	return list
}

// countWays counts the ways in.
func (a account) countWays() int {
	n := a.Weak + a.Strong
	for _, has := range []bool{a.Password, a.Upstream} {
		if has {
			n++
		}
	}
	return n
}

// hasFactor reports whether the account can reach more than one factor.
func (a account) hasFactor() bool { return a.App || a.Strong > 0 }

// The levels of a sign-in, and the values of acr.
const (
	none       = ""
	oneFactor  = "urn:signet:1fa"
	twoFactors = "urn:signet:2fa"
	resistant  = "phr"
)

var levels = []string{none, oneFactor, twoFactors, resistant}

func reaches(level, wanted string) bool {
	return slices.Index(levels, level) >= slices.Index(levels, wanted)
}

// The acts. The first group needs a session, the second none.
const (
	onlySignIn     = "only sign in"
	addApp         = "add app"
	addPasskey     = "add passkey"
	connect        = "connect upstream"
	removeApp      = "remove app"
	removeWeak     = "remove weak passkey"
	removeStrong   = "remove strong passkey"
	disconnect     = "disconnect upstream"
	replaceCodes   = "replace codes"
	changePassword = "change password"
	proveAddress   = "prove address"

	forgotPassword = "forgot password"
	operatorsLink  = "operator's link"
	resetFactors   = "reset factors"
)

// step is a sign-in and an act in its session. An act without a session has no way.
type step struct {
	Way    string // the first proof
	Second string // app, code, or none
	Act    string
}

// String names the step.
func (s step) String() string {
	return strings.Join([]string{s.Way, s.Second, s.Act}, "/")
}

// The results of a step. The others are codes of the pages that refuse.
const (
	done        = "done"
	factorAsked = "asked for a second factor" // there is no session
	tooWeak     = "stronger_sign_in"
	lastWay     = "last_way_in"
	unverified  = "unverified_email"
	noPassword  = "no link, but a mail that names the upstream"
)

// The sessions and grants that an act ends.
const (
	nobody   = ""
	everyone = "everyone" // except the browser of the act
)

// outcome is the effect of a step.
type outcome struct {
	Level   string   // acr of the session
	Methods []string // amr of the session, sorted
	Result  string
	After   account
	Notices []string // about factors and ways in; only to a proven address, and if mails are sent
	Ends    string   // everyone, nobody, or the way that opened the sessions and grants that end
	Link    bool     // the act begins with a link that is mailed to the address
}

// steps lists the steps in this state. Adding a second passkey of one kind is left out, so that the
// number of states is finite.
func (a account) steps() (list []step) {
	for _, way := range a.waysIn() {
		seconds := []string{none}
		if a.App && way != strong {
			seconds = append(seconds, app)
			if a.Codes {
				seconds = append(seconds, code)
			}
		}
		for _, second := range seconds {
			s := step{way, second, onlySignIn}
			list = append(list, s)
			if a.signIn(s).Result == factorAsked {
				continue
			}
			for _, act := range a.after(s).acts() {
				list = append(list, step{way, second, act})
			}
		}
	}
	if a.Mails {
		list = append(list, step{Act: forgotPassword})
	}
	return append(list, step{Act: operatorsLink}, step{Act: resetFactors})
}

// after returns the account after the sign-in of a step.
func (a account) after(s step) account {
	return a.signIn(s).After
}

// acts lists the acts of a signed-in person.
func (a account) acts() []string {
	list := []string{changePassword, addApp, addPasskey, connect, removeApp, removeWeak, removeStrong, disconnect, replaceCodes, proveAddress}
	return slices.DeleteFunc(list, func(act string) bool {
		switch act {
		case changePassword:
			return !a.Password
		case addApp:
			return a.App
		case addPasskey:
			return a.Weak+a.Strong > 1
		case connect:
			return a.Upstream
		case removeApp:
			return !a.App
		case removeWeak:
			return a.Weak == 0
		case removeStrong:
			return a.Strong == 0
		case disconnect:
			return !a.Upstream
		case replaceCodes:
			return !a.App && a.Strong == 0
		}
		return !a.Mails || a.Proven
	})
}

// signIn is the sign-in of a step.
func (a account) signIn(s step) outcome {
	o := outcome{Result: done, Level: oneFactor, After: a}
	switch s.Way {
	case password:
		o.Methods = []string{"pwd"}
	case upstream:
		o.Methods = []string{"fed"}
	case weak:
		o.Methods = []string{"pop", "swk", "user"}
	case strong:
		o.Level, o.Methods = resistant, []string{"mfa", "pop", "swk", "user"}
		return o
	}
	if !a.App {
		return o
	}
	if s.Second == none {
		return outcome{Result: factorAsked, After: a}
	}
	o.Level, o.Methods = twoFactors, append(o.Methods, "mfa")
	if s.Second == app {
		o.Methods = append(o.Methods, "otp")
	} else {
		o.Notices = []string{"A recovery code was used"}
	}
	slices.Sort(o.Methods)
	if s.Way == weak { // the second factor shows that the passkey is the owner's
		o.After.Weak--
		o.After.Strong++
	}
	return o
}

// do returns the outcome of a step.
func (a account) do(s step) outcome {
	switch s.Act {
	case forgotPassword:
		return a.forgotPassword()
	case operatorsLink: // for a claimed address, the operator vouches for everything that is there
		o := a.withNewPassword(outcome{Result: done, Notices: []string{"Your password was changed"}})
		if !a.Proven {
			o.After.Weak = a.Weak
		}
		return o
	case resetFactors:
		o := outcome{Result: done, After: a}
		if a.App || a.Codes || a.Weak+a.Strong > 0 {
			o.After.App, o.After.Codes, o.After.Weak, o.After.Strong = false, false, 0, 0
			o.Notices, o.Ends = []string{"Your second factors were removed"}, everyone
		}
		return o.quiet(a)
	}
	o := a.signIn(s)
	if o.Result == done && s.Act != onlySignIn {
		o = o.After.act(s.Act, o)
	}
	return o.quiet(a)
}

// quiet drops the notices where nobody gets them.
func (o outcome) quiet(before account) outcome {
	if !before.Mails || !o.After.Proven {
		o.Notices = nil
	}
	return o
}

func (a account) forgotPassword() outcome {
	if a.Proven && !a.Password && a.Upstream {
		return outcome{Result: noPassword, After: a}
	}
	if !a.Proven { // the first proof deletes everything that was set up before
		a = account{Mails: a.Mails, Proven: true}
	}
	return a.withNewPassword(outcome{Result: done, Notices: []string{"Your password was changed"}})
}

// withNewPassword sets a password without the old one. Unproven passkeys are removed, because a person
// with the old one could have added them.
func (a account) withNewPassword(o outcome) outcome {
	o.After, o.Ends = a, everyone
	o.After.Password, o.After.Weak = true, 0
	return o.quiet(a)
}

// act is an act in the session of a sign-in. a is the account after the sign-in.
func (a account) act(name string, o outcome) outcome {
	o.After = a
	refuse := func(result string) outcome {
		o.Result = result
		return o
	}
	if name != proveAddress && a.hasFactor() && !reaches(o.Level, twoFactors) {
		return refuse(tooWeak)
	}
	notice := ""
	switch name {
	case changePassword:
		notice, o.Ends = "Your password was changed", everyone
	case proveAddress:
		o.After.Proven = true
	case addApp, addPasskey:
		if a.Mails && !a.Proven {
			return refuse(unverified)
		}
		o.Link = a.Mails && !a.hasFactor()
		o.Ends = everyone
		switch {
		case name == addApp:
			o.After.App, o.After.Codes = true, true
			notice = "A second factor was added"
		case reaches(o.Level, twoFactors) || o.Link:
			o.After.Strong++
			o.After.Codes = true
			notice = "A passkey was added"
		default:
			o.After.Weak++
			notice = "A passkey was added"
		}
	case connect:
		o.After.Upstream = true
		notice = "A Elsewhere account was connected"
	case removeApp:
		o.After.App = false
		notice, o.Ends = "A second factor was removed", everyone
	case replaceCodes:
		o.After.Codes = true
		notice, o.Ends = "Your recovery codes were replaced", everyone
	case removeWeak, removeStrong, disconnect:
		if a.countWays() == 1 {
			return refuse(lastWay)
		}
		notice = "A passkey was removed"
		switch name {
		case removeWeak:
			o.After.Weak--
			if !a.App { // a session that it opened with a second factor would have made it a strong one
				o.Ends = weak
			}
		case removeStrong:
			o.After.Strong--
			o.Ends = strong
		default:
			o.After.Upstream = false
			notice, o.Ends = "A Elsewhere account was disconnected", upstream
		}
	}
	if !o.After.hasFactor() {
		o.After.Codes = false
	}
	if notice != "" {
		o.Notices = append(o.Notices, notice)
	}
	return o
}

// births are the states in which accounts begin: an operator creates a user, with or without
// vouching for the address, or a person signs in through an upstream that vouches for it.
func births(mails bool) []account {
	return []account{
		{Mails: mails, Proven: true, Password: true},
		{Mails: mails, Password: true},
		{Mails: mails, Proven: true, Upstream: true},
	}
}

// reachable lists all states that accounts reach, in the order of the number of steps.
func reachable(mails bool) []account {
	list := births(mails)
	for i := 0; i < len(list); i++ {
		for _, s := range list[i].steps() {
			if after := list[i].do(s).After; !slices.Contains(list, after) {
				list = append(list, after)
			}
		}
	}
	return list
}
