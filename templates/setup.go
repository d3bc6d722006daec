package templates

// Setup is the page on which the first administrator is made, or on which an administrator gets
// access again with an emergency link.
type Setup struct {
	Common
	Token     string // of the one-time link, as a hidden field
	Emergency bool   // the link is an emergency link
	Renews    bool   // the link sets a new password for the account with Email
	Ways      []SetupWay
	Email     string // kept after an error
	Name      string // likewise
	MinLength int    // of a password; 0: not said
	Error     *FormError
}

func (Setup) page() string { return "setup.html" }

// SetupWay is an upstream account with which an administrator can still sign in.
type SetupWay struct {
	Connector string // its name
	Email     string // "": unknown
}
