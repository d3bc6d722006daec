package templates

// Prove asks the owner of an account to sign in to it once, so that the upstream
// identity that has just come can be connected to it.
type Prove struct {
	Common
	Request   string
	Email     string // the account's; fixed
	Connector ConnectorButton
	Back      string // path of the sign-in page, for another way in
	Error     *FormError
}

func (Prove) page() string { return "prove.html" }
