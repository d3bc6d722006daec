package templates

import "signet/templates/words"

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
	Scope   string         // raw name, shown for unknown ones
	Text    words.Sentence // "see your email address"; zero shows the raw scope
	Detail  words.Sentence
	New     bool // not allowed before
	Offline bool // goes on after sign-out; the page explains it where Detail does not
}

// WantOf tells in a person's words what a scope gives away, to follow "{App} wants
// to:". A scope that is not known is shown by its name.
func WantOf(scope string) Want {
	want := phrases[scope]
	want.Scope = scope
	return want
}

var phrases = map[string]Want{
	"openid":         {Text: words.Unlisted("know who you are"), Detail: words.Unlisted("A permanent number that stands for you, and when you signed in.")},
	"profile":        {Text: words.Unlisted("see your profile"), Detail: words.Unlisted("Your name, picture and what else is in your profile.")},
	"email":          {Text: words.Unlisted("see your email address")},
	"phone":          {Text: words.Unlisted("see your phone number")},
	"address":        {Text: words.Unlisted("see your postal address")},
	"roles":          {Text: words.Unlisted("see your roles")},
	"groups":         {Text: words.Unlisted("see the groups you are in")},
	"offline_access": {Text: words.Unlisted("keep access while you are away"), Detail: words.Unlisted("It goes on until you or an administrator end it, also after you sign out."), Offline: true},
}

// ChooseAccount asks which account to go on with.
type ChooseAccount struct {
	Common
	Request string
	Ticket  string
	User    Person
}

func (ChooseAccount) page() string { return "choose.html" }
