package templates

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
