package templates

// Consent asks whether the client may have what it wants.
type Consent struct {
	Common
	Request string
	Ticket  string
	User    Person
	Wants   []Want
	Switch  string // link "not you?": the account choice
}

func (Consent) page() string { return "consent.html" }

// Want is one thing a client asks for, as a verb phrase.
type Want struct {
	Scope   string // raw name, shown for unknown ones
	Text    string // "see your e-mail address"; "" shows the raw scope
	Detail  string
	New     bool // not allowed before
	Offline bool // goes on after sign-out; the page explains it where Detail does not
}

// ChooseAccount asks which account to go on with.
type ChooseAccount struct {
	Common
	Request string
	Ticket  string
	User    Person
}

func (ChooseAccount) page() string { return "choose.html" }
