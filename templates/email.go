package templates

import "signet/templates/words"

// EmailState is what the account pages say about the email address of the person.
type EmailState struct {
	None     bool // the account has no address
	Verified bool
	Provable bool   // the page has the form that asks for a mail with a link
	Ticket   string // of that form
}

func emailSentence(o AccountOverview) words.Sentence {
	switch {
	case o.Email.None:
		return words.Say("account.email-none")
	case o.Email.Verified:
		return words.Say("account.email-verified")
	}
	return words.Say("account.email-unverified")
}

// AccountEmail shows the email address of the person, and the ways to sign in.
type AccountEmail struct {
	Account
	Email      EmailState
	SendsMails bool // otherwise an operator verifies the address
	Password   Moment
	Factors    []FactorRow // apart from the password
	Identities []IdentityRow
	Error      *FormError
}

func (AccountEmail) page() string { return "accountemail.html" }

// FactorRow is one credential.
type FactorRow struct {
	Label words.Sentence // of its kind
	Name  string         // given by the person; "": none
	Since Moment
}

// factorLabels names the kinds of credentials.
var factorLabels = map[string]words.Sentence{
	"password":     words.Say("account-email.password"),
	"totp":         words.Say("account-email.totp"),
	"webauthn":     words.Say("account-email.webauthn"),
	"security_key": words.Say("account-email.security-key"),
	"recovery":     words.Say("account-email.recovery"),
}

// FactorLabel returns the name of a kind of credential.
func FactorLabel(kind string) words.Sentence { return factorLabels[kind] }

// ChangeEmail is the form that asks for a link to a new address.
type ChangeEmail struct {
	Account
	NoMails bool // the service sends no mails, so there is no form
	Ticket  string
	Email   string // kept after an error
	// MayBeFinal: the person may say that the present address is not theirs any more. Then nobody can
	// undo the change from there.
	MayBeFinal bool
	Final      bool // kept after an error
	Error      *FormError
}

func (ChangeEmail) page() string { return "changeemail.html" }

// UndoEmail is the page of the mailed link that undoes a change of the address.
type UndoEmail struct {
	Common
	Link  string // sealed one-time link, as a hidden field
	Email string // the former address
	Done  bool   // the page after the undo
}

func (UndoEmail) page() string { return "undoemail.html" }

// VerifyEmail is the page of the mailed link that proves an address.
type VerifyEmail struct {
	Common
	Link  string // sealed one-time link, as a hidden field
	Email string
	Own   bool // the browser is signed in to the account of the link
	// Change: the link gives the account the address Email instead of Former. It works only in a
	// browser that is signed in to the account.
	Change bool
	Final  bool   // nobody can undo the change
	Former string // "": the account has no address, or the browser is not signed in to it
	Other  bool   // the browser is signed in to another account
	Done   bool   // the page after an act without a session
}

func (VerifyEmail) page() string { return "verifyemail.html" }
