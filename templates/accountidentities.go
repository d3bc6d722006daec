package templates

// AccountIdentities lists the upstream accounts that open this one.
type AccountIdentities struct {
	Account
	Identities []IdentityRow
	Connectors []ConnectorButton // that another one can be connected through
	LinkTicket string
}

func (AccountIdentities) page() string { return "accountidentities.html" }

// IdentityRow is one of them.
type IdentityRow struct {
	Key       string // names it in the form
	Ticket    string
	Connector ConnectorButton
	Gone      bool // nobody can sign in through this connector now
	Email     string
	Name      string
	Groups    string // that it brought, separated by commas
	Since     Moment
	LastUsed  Moment
}

// AccountIdentity asks whether to connect an account of Connector, or to disconnect
// Identity.
type AccountIdentity struct {
	Account
	Disconnect bool
	Connector  ConnectorButton
	Identity   IdentityRow
	Ticket     string
}

func (AccountIdentity) page() string { return "accountidentity.html" }
