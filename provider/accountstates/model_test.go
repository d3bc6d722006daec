package accountstates_test

import (
	"fmt"
	"slices"
	"strings"
)

// account is the state of an account.
type account struct {
	Mails     bool // the instance sends mails
	NoAddress bool
	Proven    bool // the address of the account is proven
	Password  bool
	Weak      int // passkeys that were added in a session with one factor
	Strong    int // passkeys that are known to be the owner's
	App       bool
	Key       bool // a security key
	Codes     bool // recovery codes are left
	Upstream  bool // an identity is connected
	Always    bool // the person is asked for a strong passkey at each sign-in
	Trusted   bool // a browser of the person is trusted
	Former    former
}

// former is an address that the account had before, with the ways in and the factors of that time. For
// a week, a link that was mailed to it brings them back.
type former struct {
	Pending  bool // the change can be undone
	Acted    bool // the account has changed since
	Password bool
	Weak     int
	Strong   int
	App      bool
	Key      bool
	Codes    bool
	Upstream bool
	Always   bool
}

// keep returns what the undo of a change of the address brings back.
func (a account) keep() former {
	return former{true, false, a.Password, a.Weak, a.Strong, a.App, a.Key, a.Codes, a.Upstream, a.Always}
}

// restored is the account after the undo of the change.
func (a account) restored() account {
	f := a.Former
	return account{
		Mails: a.Mails, Proven: true, Password: f.Password, Weak: f.Weak, Strong: f.Strong, App: f.App, Key: f.Key, Codes: f.Codes,
		Upstream: f.Upstream, Always: f.Always,
	}
}

// String names the value of each part.
func (a account) String() string {
	return strings.Join(a.parts(), " ")
}

// parts names the value of each part of the state.
func (a account) parts() []string {
	address := named(a.Proven, "proven", "claimed")
	if a.NoAddress {
		address = "no-address"
	}
	return []string{
		named(a.Mails, "mails", "no-mails"), address, named(a.Password, "password", "no-password"),
		fmt.Sprint("weak-", a.Weak), fmt.Sprint("strong-", a.Strong), named(a.App, "app", "no-app"), named(a.Key, "key", "no-key"),
		named(a.Codes, "codes", "no-codes"), named(a.Upstream, "upstream", "no-upstream"), named(a.Always, "always-asked", "not-always-asked"),
		named(a.Trusted, "trusted-browser", "no-trusted-browser"), named(a.Former.Pending, "changed-address", "settled-address"),
	}
}

func named(yes bool, name, otherwise string) string {
	if yes {
		return name
	}
	return otherwise
}

// The things with which a person proves an identity. The first four are ways in. A strong passkey is a
// second factor, too. The browser that the person trusts stands for one.
const (
	password = "password"
	weak     = "weak passkey"
	strong   = "strong passkey"
	upstream = "upstream"
	app      = "app"
	key      = "security key"
	code     = "recovery code"
	trusted  = "trusted browser"
	mailbox  = "mailbox"

	oldMailbox = "mailbox of the former address"
)

// present are the names of the things that an account has.
type present []struct {
	name string
	has  bool
}

func (p present) names() (list []string) {
	for _, thing := range p {
		if thing.has {
			list = append(list, thing.name)
		}
	}
	return list
}

// waysIn lists the ways with which a sign-in to the account begins.
func (a account) waysIn() []string {
	return present{{password, a.Password}, {weak, a.Weak > 0}, {strong, a.Strong > 0}, {upstream, a.Upstream}}.names()
}

// factors lists the second factors of the account.
func (a account) factors() []string {
	return present{{app, a.App}, {key, a.Key}, {strong, a.Strong > 0}, {code, a.Codes}}.names()
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
func (a account) hasFactor() bool { return a.App || a.Key || a.Strong > 0 }

// asks reports whether a sign-in with one factor leads to the page for the second one.
func (a account) asks() bool { return a.App || a.Key || a.Always }

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

// The acts. The first group needs a session, trustBrowser is part of a sign-in, and the last group needs
// no session.
const (
	onlySignIn     = "only sign in"
	addApp         = "add app"
	addKey         = "add security key"
	addPasskey     = "add passkey"
	connect        = "connect upstream"
	removeApp      = "remove app"
	removeKey      = "remove security key"
	removeWeak     = "remove weak passkey"
	removeStrong   = "remove strong passkey"
	disconnect     = "disconnect upstream"
	replaceCodes   = "replace codes"
	changePassword = "change password"
	proveAddress   = "prove address"
	giveAddress    = "give address"
	changeAddress  = "change address"
	changeForGood  = "change address for good"
	alwaysAsk      = "always ask"
	askLess        = "do not always ask"
	endTrust       = "end trust"

	trustBrowser = "trust browser"

	forgotPassword = "forgot password"
	operatorsLink  = "operator's link"
	passkeyLink    = "operator's link for a passkey"
	resetFactors   = "reset factors"
	undoChange     = "undo change of address"
	waitForWeek    = "wait for a week"
)

// step is a sign-in and an act in its session. An act without a session has no way.
type step struct {
	Way    string // the first proof
	Second string // one of the second factors, a trusted browser, or none
	Act    string
	Old    bool // the sign-in was some time ago when the act begins, as in a session that was hijacked
}

// String names the step.
func (s step) String() string {
	return strings.Join([]string{s.Way, s.Second, s.Act}, "/") + named(s.Old, "/old session", "")
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

// The sessions and grants that an act ends. With a passkey, all sessions end that were opened with it,
// and all others in which a key or passkey was the second factor.
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
	Ends    string   // everyone, nobody, or the thing that opened the sessions and grants that end
	Link    bool     // the act begins with a link that is mailed to the address
}

// steps lists the steps in this state. Adding a third passkey is left out, and so is everything that
// changes the account for a second time while the change of its address can be undone. So the number of
// states is finite.
func (a account) steps() []step {
	list := a.everyStep()
	if a.Former.Pending {
		list = append(list, step{Act: undoChange}, step{Act: waitForWeek})
	}
	return slices.DeleteFunc(list, func(s step) bool {
		return a.Former.Acted && s.Act != undoChange && s.Act != waitForWeek && a.do(s).After != a
	})
}

func (a account) everyStep() (list []step) {
	for _, way := range a.waysIn() {
		for _, second := range a.seconds(way) {
			s := step{Way: way, Second: second, Act: onlySignIn}
			list = append(list, s)
			if a.signIn(s).Result == factorAsked {
				continue
			}
			if second != none && second != trusted && !a.Trusted && !a.Always {
				list = append(list, step{Way: way, Second: second, Act: trustBrowser})
			}
			for _, act := range a.after(s).acts() {
				list = append(list, step{Way: way, Second: second, Act: act})
				if second == none || second == a.factors()[0] {
					list = append(list, step{Way: way, Second: second, Act: act, Old: true})
				}
			}
		}
	}
	if a.Mails && !a.NoAddress {
		list = append(list, step{Act: forgotPassword})
	}
	if !a.NoAddress {
		list = append(list, step{Act: operatorsLink})
	}
	if a.Weak+a.Strong <= 1 {
		list = append(list, step{Act: passkeyLink})
		for _, second := range a.factors() {
			list = append(list, step{Second: second, Act: passkeyLink})
		}
	}
	return append(list, step{Act: resetFactors})
}

// seconds lists the second proofs that can follow a way in.
func (a account) seconds(way string) []string {
	list := []string{none}
	if way == strong || !a.asks() {
		return list
	}
	list = append(list, a.factors()...)
	if a.Trusted {
		list = append(list, trusted)
	}
	return list
}

// after returns the account after the sign-in of a step.
func (a account) after(s step) account {
	return a.signIn(s).After
}

// acts lists the acts of a signed-in person.
func (a account) acts() []string {
	return present{
		{changePassword, a.Password}, {addApp, !a.App}, {addKey, !a.Key}, {addPasskey, a.Weak+a.Strong <= 1}, {connect, !a.Upstream},
		{removeApp, a.App}, {removeKey, a.Key}, {removeWeak, a.Weak > 0}, {removeStrong, a.Strong > 0}, {disconnect, a.Upstream},
		{replaceCodes, a.hasFactor()}, {proveAddress, a.Mails && !a.Proven && !a.NoAddress}, {giveAddress, a.Mails && a.NoAddress},
		{changeAddress, a.Mails && a.Proven && !a.Former.Pending}, {changeForGood, a.Mails && a.Proven && a.hasFactor() && !a.Former.Pending},
		{alwaysAsk, a.Strong > 0 && !a.asks()}, {askLess, a.Always}, {endTrust, a.Trusted},
	}.names()
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
	if !a.asks() || s.Second == trusted {
		return o
	}
	o.Level = twoFactors
	switch s.Second {
	case none:
		return outcome{Result: factorAsked, After: a}
	case app:
		o.Methods = append(o.Methods, "mfa", "otp")
	case code:
		o.Methods = append(o.Methods, "mfa")
		o.Notices = []string{"A recovery code was used"}
	case key:
		o.Level, o.Methods = resistant, append(o.Methods, "mfa", "pop")
	case strong:
		o.Level, o.Methods = resistant, append(o.Methods, "mfa", "pop", "swk", "user")
	}
	slices.Sort(o.Methods)
	o.Methods = slices.Compact(o.Methods)
	if s.Way == weak { // the second factor shows that the passkey is the owner's
		o.After.Weak--
		o.After.Strong++
	}
	return o
}

// do returns the outcome of a step.
func (a account) do(s step) outcome {
	o := a.outcome(s)
	if before := a; o.After.Former.Pending && !o.After.Former.Acted {
		o.After.Former.Acted = before.Former.Pending && o.After != before
	}
	return o
}

// isHarmless reports whether an act needs no proof that is as strong as the account can give.
func isHarmless(act string) bool {
	return act == proveAddress || act == endTrust || act == trustBrowser
}

func (a account) outcome(s step) outcome {
	switch s.Act {
	case undoChange:
		o := outcome{Result: done, After: a.restored(), Ends: everyone, Notices: []string{"The change of your address was undone"}}
		return o.quiet(a)
	case waitForWeek:
		o := outcome{Result: done, After: a}
		o.After.Former = former{}
		return o
	case forgotPassword:
		return a.forgotPassword()
	case operatorsLink: // for a claimed address, the operator vouches for everything that is there
		o := a.withNewPassword(outcome{Result: done, Notices: []string{"Your password was changed"}})
		if !a.Proven {
			o.After.Weak = a.Weak
		}
		return o
	case passkeyLink:
		return a.passkeyLink(s.Second).quiet(a)
	case resetFactors:
		o := outcome{Result: done, After: a}
		if a.hasFactor() || a.Codes || a.Weak > 0 {
			o.After.App, o.After.Key, o.After.Codes, o.After.Weak, o.After.Strong = false, false, false, 0, 0
			o.After.Always, o.After.Trusted = false, false
			o.Notices, o.Ends = []string{"Your second factors were removed"}, everyone
		}
		f := &o.After.Former // no undo brings back what the operator has removed
		f.App, f.Key, f.Codes, f.Weak, f.Strong, f.Always = false, false, false, 0, 0, false
		return o.quiet(a)
	}
	o := a.signIn(s)
	switch {
	case o.Result != done, s.Act == onlySignIn:
	case s.Old && s.Act != endTrust: // the mailed link comes first
		o.Result, o.Link = tooWeak, o.After.act(s.Act, o).Link
	default:
		o = o.After.act(s.Act, o)
	}
	return o.quiet(a)
}

// quiet drops the notices where nobody gets them. An address that is proven later gets no older notice.
func (o outcome) quiet(before account) outcome {
	if !before.Mails || !before.Proven {
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
// with the old one could have added them. An account that had only passkeys asks for a strong one from
// then on.
func (a account) withNewPassword(o outcome) outcome {
	o.After, o.Ends = a, everyone
	o.After.Always = a.Always || a.Strong > 0 && !a.Password && !a.Upstream
	o.After.Password, o.After.Weak, o.After.Trusted = true, 0, false
	return o.quiet(a)
}

// passkeyLink is a link of an operator for a passkey. The second factor shows that the person is the
// owner. So does the operator, if the account has nothing with which another person could get in.
func (a account) passkeyLink(second string) outcome {
	o := outcome{Result: done, After: a, Ends: everyone, Notices: []string{"A passkey was added"}}
	o.After.Trusted = false
	switch {
	case a.hasFactor() && second == none:
		return outcome{Result: factorAsked, After: a}
	case a.hasFactor() || !a.Password && a.Weak == 0 && (a.Proven || a.NoAddress):
		o.After.Strong++
	default:
		o.After.Weak++
	}
	if second == code {
		o.Notices = append(o.Notices, "A recovery code was used")
	}
	return o
}

// act is an act in the session of a sign-in. a is the account after the sign-in.
func (a account) act(name string, o outcome) outcome {
	o.After = a
	refuse := func(result string) outcome {
		o.Result = result
		return o
	}
	if !isHarmless(name) && a.hasFactor() && !reaches(o.Level, twoFactors) {
		return refuse(tooWeak)
	}
	notice := ""
	switch name {
	case changePassword:
		notice, o.Ends = "Your password was changed", everyone
	case proveAddress:
		o.After.Proven = true
	case giveAddress:
		o.After.Proven, o.After.NoAddress = true, false
		o.Ends = everyone
	case changeAddress, changeForGood:
		if name == changeAddress {
			o.After.Former = a.keep()
		}
		notice, o.Ends = "The address of your account was changed", everyone
	case addApp, addKey, addPasskey:
		if a.Mails && !a.Proven && !a.NoAddress {
			return refuse(unverified)
		}
		o.Link = a.Mails && a.Proven && !a.hasFactor()
		o.Ends = everyone
		switch {
		case name == addApp:
			o.After.App, o.After.Codes = true, true
			notice = "A second factor was added"
		case name == addKey:
			o.After.Key, o.After.Codes = true, true
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
	case removeKey:
		o.After.Key = false
		notice, o.Ends = "A second factor was removed", everyone
	case replaceCodes:
		o.After.Codes = true
		notice, o.Ends = "Your recovery codes were replaced", everyone
	case alwaysAsk:
		o.After.Always, o.After.Codes = true, true
		notice, o.Ends = "You’re now asked for a passkey at every sign-in", everyone
	case askLess:
		o.After.Always = false
		notice, o.Ends = "You’re no longer asked for a passkey at every sign-in", everyone
	case trustBrowser:
		o.After.Trusted = true
		notice = "A browser is now trusted"
	case endTrust:
		o.After.Trusted = false
		o.Ends = trusted
	case removeWeak, removeStrong, disconnect:
		if a.countWays() == 1 {
			return refuse(lastWay)
		}
		notice = "A passkey was removed"
		switch name {
		case removeWeak:
			o.After.Weak--
			o.Ends = weak
		case removeStrong:
			o.After.Strong--
			o.Ends = strong
		default:
			o.After.Upstream = false
			notice, o.Ends = "A Elsewhere account was disconnected", upstream
		}
	}
	if o.Ends == everyone {
		o.After.Trusted = false
	}
	if o.After.Strong == 0 {
		o.After.Always = false
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
// vouching for the address, or a person signs in through an upstream that vouches for the address, or
// does not.
func births(mails bool) []account {
	return []account{
		{Mails: mails, Proven: true, Password: true},
		{Mails: mails, Password: true},
		{Mails: mails, Proven: true, Upstream: true},
		{Mails: mails, NoAddress: true, Upstream: true},
	}
}

// reachable lists all states that accounts reach, in the order of the number of steps.
func reachable(mails bool) []account {
	list, seen := births(mails), map[account]bool{}
	for _, a := range list {
		seen[a] = true
	}
	for i := 0; i < len(list); i++ {
		for _, s := range list[i].steps() {
			if after := list[i].do(s).After; !seen[after] {
				seen[after] = true
				list = append(list, after)
			}
		}
	}
	return list
}
