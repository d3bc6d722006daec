package templates

// Reset is the page on which people ask for a link to choose a new password. Sent and Changed are
// the pages that follow.
type Reset struct {
	Common
	Email   string // kept after an error
	Sent    bool   // the link was asked for; the page does not say whether there is an account
	Changed bool   // the new password was set
	Error   *FormError
}

func (Reset) page() string { return "reset.html" }

// NewPassword is the page of the mailed link, on which people choose a new password.
type NewPassword struct {
	Common
	Link      string // sealed one-time link, as a hidden field
	Email     string // of the account
	MinLength int    // of a password; 0: not said
	Error     *FormError
}

func (NewPassword) page() string { return "newpassword.html" }
