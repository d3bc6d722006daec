package templates

import "signet/templates/words"

// Reset is the page on which people ask for a link to choose a new password. Sent and Changed are
// the pages that follow.
type Reset struct {
	Common
	Request string // sealed authorization request, as a hidden field; "": none
	SignIn  string // address of the sign-in page
	Email   string // kept after an error
	Sent    bool   // the link was asked for; the page does not say whether there is an account
	Changed bool   // the new password was set
	App     string // name of the application in which the person forgot the password
	// StartURL is the address of the application, for a page without its request; "": the page leads
	// to the sign-in only.
	StartURL string
	Error    *FormError
}

func (Reset) page() string { return "reset.html" }

// NewPassword is the page of the mailed link, on which people choose a new password.
type NewPassword struct {
	Common
	Link      string // sealed one-time link, as a hidden field
	Email     string // of the account
	Evicts    bool   // the new password deletes everything that was set up before
	MinLength int    // of a password; 0: not said
	Error     *FormError
}

func (NewPassword) page() string { return "newpassword.html" }

// LinkPasskey is the page of a link that an operator handed over, on which a person adds a passkey.
type LinkPasskey struct {
	Common
	Link        string         // sealed one-time link, as a hidden field
	User        string         // address or name of the account
	Evicts      bool           // the passkey replaces everything that was set up before
	AskCode     bool           // a code comes first
	Key         *KeyAsk        // a security key or passkey may come first; nil: it may not
	Unable      words.Sentence // why there can be no new passkey; zero: there can be one
	Done        bool           // the passkey was added
	SignIn      string         // path
	Factor      string         // sealed second factor that the person gave, as a hidden field; "": none
	RPID        string
	Challenge   string // base64url without padding
	Sealed      string
	UserHandle  string // base64url without padding
	AccountName string // that the browser shows beside the passkey
	Algorithms  string // numbers, with commas
	Exclude     string // handles of the passkeys that the person has, with commas
	Error       *FormError
}

func (LinkPasskey) page() string { return "linkpasskey.html" }
