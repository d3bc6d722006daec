package templates

// Prove asks the owner of an account to sign in to it once, so that the upstream
// identity that has just come can be connected to it. It offers only the ways in that
// the account has; without any it says what to do.
type Prove struct {
	Common
	Request    string
	Email      string          // the account's; fixed
	Connector  ConnectorButton // of the identity
	Password   bool            // the account has one
	Connectors []ConnectorButton
	Back       string // path of the sign-in page, for another way in
	Error      *FormError
}

func (Prove) page() string { return "prove.html" }

// provable reports whether the page has a way to offer.
func provable(p Prove) bool { return p.Password || len(usable(p.Connectors)) > 0 }

// Connect asks whether to connect the upstream identity that has just come to the account
// that the person has proven.
type Connect struct {
	Common
	Request   string
	Ticket    string
	Email     string // the account's
	Connector ConnectorButton
	Label     string // how people know the identity at the upstream; "" for nothing to call it
}

func (Connect) page() string { return "connect.html" }
