package templates

// AccountIdentities lists the upstream accounts with which the person can sign in.
type AccountIdentities struct {
	Account
	Identities []IdentityRow
	Connectors []ConnectorButton // with which the person can connect another account
	LinkTicket string
}

func (AccountIdentities) page() string { return "accountidentities.html" }

// IdentityRow is one connected upstream account.
type IdentityRow struct {
	Key       string // identifies the row in the form
	Ticket    string
	Connector ConnectorButton
	Gone      bool // this connector is not available now
	Email     string
	Name      string
	Groups    string // groups that the upstream sent, separated by commas
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
