package templates

import "signet/templates/words"

// Consent asks whether to allow the requested access.
type Consent struct {
	Common
	Request string
	Ticket  string
	User    Person
	Wants   []Want
	Switch  string // target of the link "not you?"
}

func (Consent) page() string { return "consent.html" }

// Want is one requested access, as a verb phrase.
type Want struct {
	Scope   string         // raw name, shown for unknown ones
	Text    words.Sentence // "see your email address"; zero shows the raw scope
	Detail  words.Sentence
	New     bool // not allowed before
	Offline bool // the access lasts after sign-out; the page says so if Detail is zero
}

// WantOf describes the access that a scope allows. Its text follows "{App} wants to:". An unknown scope is
// shown by its name.
func WantOf(scope string) Want {
	want := scopes[scope]
	want.Scope = scope
	return want
}

var scopes = map[string]Want{
	"openid":         {Text: words.Say("scope.openid"), Detail: words.Say("scope.openid-detail")},
	"profile":        {Text: words.Say("scope.profile"), Detail: words.Say("scope.profile-detail")},
	"email":          {Text: words.Say("scope.email")},
	"phone":          {Text: words.Say("scope.phone")},
	"address":        {Text: words.Say("scope.address")},
	"roles":          {Text: words.Say("scope.roles")},
	"groups":         {Text: words.Say("scope.groups")},
	"offline_access": {Text: words.Say("scope.offline"), Detail: words.Say("scope.offline-detail"), Offline: true},
}

// ChooseAccount asks which account to go on with.
type ChooseAccount struct {
	Common
	Request string
	Ticket  string
	User    Person
}

func (ChooseAccount) page() string { return "choose.html" }
