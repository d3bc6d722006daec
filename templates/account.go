package templates

import (
	"fmt"

	"signet/templates/words"
)

// Account is the frame of all account pages.
type Account struct {
	Common
	User Person
	Here string         // which entry of the navigation this page is: "profile"
	Done words.Sentence // what has just been changed; zero: nothing

	Admin bool // the person may see the operators' pages
}

// accountPage is an entry of the navigation. The first page of the account lists those
// with a Sentence.
type accountPage struct {
	Name, Path, Label string
	Sentence          func(AccountOverview) string
}

// accountPages is the one list of the pages that the account leads to.
func accountPages() []accountPage {
	return []accountPage{
		{Name: "overview", Path: "/account", Label: "Overview"},
		{"profile", "/account/profile", "Profile", always("Your name and what else applications may see of you.")},
		{"password", "/account/password", "Password", passwordSentence},
		{"sessions", "/account/sessions", "Sessions", sessionsSentence},
		{"apps", "/account/apps", "Applications", appsSentence},
		{"identities", "/account/identities", "Connected accounts", always("The accounts elsewhere that you can sign in with here.")},
	}
}

func always(sentence string) func(AccountOverview) string {
	return func(AccountOverview) string { return sentence }
}

func passwordSentence(o AccountOverview) string {
	if o.NoPassword {
		return "Your account has none."
	}
	return "Change it, which signs out everything else."
}

func sessionsSentence(o AccountOverview) string {
	if o.Sessions > 1 {
		return fmt.Sprintf("You are signed in in %d browsers.", o.Sessions)
	}
	return "You are signed in in this browser only."
}

func appsSentence(o AccountOverview) string {
	switch o.Apps {
	case 0:
		return "None has access to your account."
	case 1:
		return "One has access to your account."
	}
	return fmt.Sprintf("%d have access to your account.", o.Apps)
}

// Moment is a time as pages show it. The zero value is shown as "never".
type Moment struct {
	ISO  string         // RFC 3339
	Text string         // "2 March 2026, 15:04 CET"
	Ago  words.Sentence // "3 hours ago"
}

// AccountOverview is the first page of the account.
type AccountOverview struct {
	Account
	Sessions   int  // where the person is signed in
	Apps       int  // that the person has let in
	NoPassword bool // the person signs in by connected accounts alone
}

func (AccountOverview) page() string { return "accountoverview.html" }

// AccountPassword is the form that changes the password.
type AccountPassword struct {
	Account
	None      bool // the person has no password: there is nothing to change
	Ticket    string
	MinLength int // characters; 0 says nothing of it
	Error     *FormError
}

func (AccountPassword) page() string { return "accountpassword.html" }

// AccountSessions lists where the person is signed in.
type AccountSessions struct {
	Account
	Sessions     []SessionRow
	Stolen       []StolenSession
	Others       bool // there are more than this one
	OthersTicket string
}

func (AccountSessions) page() string { return "accountsessions.html" }

// StolenSession is one that ended because somebody used a token of it twice.
type StolenSession struct {
	Agent words.Sentence // zero: unknown
	Ended Moment
}

// SessionRow is one session.
type SessionRow struct {
	ID         string // sid
	Ticket     string
	Agent      words.Sentence // "Firefox on Linux"; zero: unknown
	Address    string
	Here       bool // this browser
	SignedIn   Moment
	LastActive Moment
	Apps       []Client // signed in to with it
}

// AccountEndAll asks whether to sign out everywhere.
type AccountEndAll struct {
	Account
	Ticket string
}

func (AccountEndAll) page() string { return "accountendall.html" }

// AccountApps lists the applications that the person has let in.
type AccountApps struct {
	Account
	Apps []AppRow
}

func (AccountApps) page() string { return "accountapps.html" }

// AppRow is one application.
type AppRow struct {
	ClientID string
	App      Client
	Wants    []Want // what was allowed; none for one that never asked
	Since    Moment // zero for one that never asked
	LastUsed Moment
	Offline  bool // goes on after sign-out
}

// AccountWithdraw asks whether an application shall lose its access.
type AccountWithdraw struct {
	Account
	Ticket string
	App    AppRow
}

func (AccountWithdraw) page() string { return "accountwithdraw.html" }
