package templates

// Prove asks the owner of an account to sign in to it once, to connect a new upstream identity
// to it. It offers only the ways to sign in that the account has. If there is none, it gives
// the next step.
type Prove struct {
	Common
	Request    string
	Email      string          // address of the account; cannot be changed
	Connector  ConnectorButton // connector of the new identity
	Password   bool            // the account has one
	Forgot     bool            // show the link to the form for a forgotten password
	Connectors []ConnectorButton
	Passkey    *PasskeyAsk // nil: the account has no passkey
	Back       string      // path of the sign-in page, for another way to sign in
	Error      *FormError
}

func (Prove) page() string { return "prove.html" }

// provable reports whether the page can offer a way to sign in.
func provable(p Prove) bool { return p.Password || p.Passkey != nil || len(usable(p.Connectors)) > 0 }

// Connect asks whether to connect the new upstream identity to the account, after the person
// has proven to own the account.
type Connect struct {
	Common
	Request   string
	Ticket    string
	Email     string // the account's
	Connector ConnectorButton
	Label     string // name of the identity at the upstream; "" if it has none
}

func (Connect) page() string { return "connect.html" }
