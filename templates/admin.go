package templates

import "signet/templates/words"

// Admin is the frame of all pages for operators.
type Admin struct {
	Common
	Here string // which entry of the navigation this page is: "connectors", "keys"
}

func adminPages() []accountPage {
	return []accountPage{
		{Name: "overview", Path: "/admin", Label: words.Say("account.overview")},
		{Name: "connectors", Path: "/admin/connectors", Label: words.Say("admin.connectors")},
		{Name: "keys", Path: "/admin/keys", Label: words.Say("admin.keys")},
	}
}

// AdminOverview says what there is for operators.
type AdminOverview struct {
	Admin
	Connectors int
}

func (AdminOverview) page() string { return "adminoverview.html" }

// AdminConnectors shows the connectors, and what the last test of one found.
type AdminConnectors struct {
	Admin
	Connectors []ConnectorCard
}

func (AdminConnectors) page() string { return "adminconnectors.html" }

// ConnectorCard is one connector with all that an operator needs at the upstream.
type ConnectorCard struct {
	ID, Kind, Name string
	ClientID       string
	RedirectURI    string // to be registered there, exactly so
	Field          string // of the upstream's form, that it goes into
	Console        string // https address of that form; "" if it is not known
	Hints          []words.Sentence
	Scopes         []string // asked for

	SignUp   bool     // people without an account get one
	AutoLink bool     // an address it has verified opens an account
	Domains  []string // the only ones accepted; none: all

	LastSuccess Moment
	LastFailure ConnectorFailure

	Ticket string         // for its test
	Test   *ConnectorTest // nil: it was not tested just now
}

// ConnectorFailure is why a sign-in failed. The zero value is none.
type ConnectorFailure struct {
	At     Moment
	Code   string
	Advice words.Sentence // what it means and what to do
	Reason string         // as the log has it
}

// ConnectorTest is what a test found.
type ConnectorTest struct {
	Works   bool
	Finding words.Sentence
	Reason  string // the error as the log would have it; "" for none
	Facts   []Fact
}

// Fact is a line of a list.
type Fact struct {
	Name  words.Sentence
	Value string
}
