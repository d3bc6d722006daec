package templates

import (
	"slices"

	"signet/templates/words"
)

// Admin is the frame of all pages for administrators.
type Admin struct {
	Common
	Here string // the entry of the navigation for this page: "connectors", "keys"

	Emergency []words.Sentence // the emergency links of the last weeks, the newest first

	NeedsFactor bool // the person may only read before adding a second factor

	Closed   []string // names of the entries of the navigation that the role may not open
	ReadOnly bool     // the role changes nothing: the pages have no forms and no links to acts
}

// Opens reports whether the role may open an entry of the navigation.
func (a Admin) Opens(name string) bool { return !slices.Contains(a.Closed, name) }

func adminPages() []accountPage {
	return []accountPage{
		{Name: "overview", Path: "/admin", Label: words.Say("account.overview")},
		{Name: "connectors", Path: "/admin/connectors", Label: words.Say("admin.connectors")},
		{Name: "keys", Path: "/admin/keys", Label: words.Say("admin.keys")},
		{Name: "token", Path: "/admin/token", Label: words.Say("admin.token")},
	}
}

// AdminOverview is the first page for administrators.
type AdminOverview struct {
	Admin
	Role       words.Sentence // the rights of the person
	Connectors int
}

func (AdminOverview) page() string { return "adminoverview.html" }

// AdminConnectors shows the connectors and the result of a test.
type AdminConnectors struct {
	Admin
	Connectors []ConnectorCard
}

func (AdminConnectors) page() string { return "adminconnectors.html" }

// ConnectorCard is one connector with all values that an operator enters at the upstream.
type ConnectorCard struct {
	ID, Kind, Name string
	ClientID       string
	RedirectURI    string // to register at the upstream, exactly like this
	Field          string // the field of the upstream's form for RedirectURI
	Console        string // https address of that form; "" if unknown
	Hints          []words.Sentence
	Scopes         []string // requested

	SignUp   bool     // new users get an account
	AutoLink bool     // a verified address signs in to the account with that address
	Domains  []string // accepted domains; empty: all

	LastSuccess Moment
	LastFailure ConnectorFailure

	Ticket string         // of the form for the test
	Test   *ConnectorTest // nil: no test was run
}

// ConnectorFailure is the reason of a failed sign-in. The zero value is no failure.
type ConnectorFailure struct {
	At     Moment
	Code   string
	Advice words.Sentence // meaning of the failure and next step
	Reason string         // the same text as in the log
}

// ConnectorTest is the result of a test.
type ConnectorTest struct {
	Works   bool
	Finding words.Sentence
	Reason  string // the error, as the log would contain it; "" if the test succeeded
	Facts   []Fact
}

// Fact is a line of a list.
type Fact struct {
	Name  words.Sentence
	Value string
}
