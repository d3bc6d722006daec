package interaction

import (
	"slices"

	"signet/federation"
	"signet/templates"
)

// Connector is an upstream with the permissions that the operator gave it.
type Connector struct {
	federation.Connector
	AutoLink bool // may sign in to an existing account with the same proven address
	SignUp   bool // may make new accounts
}

// Button returns the sign-in button of a connector.
func Button(c federation.Connector) templates.ConnectorButton {
	return templates.ConnectorButton{ID: c.ID(), Kind: string(c.Kind()), Name: c.Name()}
}

// buttons returns the buttons of the connectors: first the connector that this browser used
// last, then the others in the operator's order.
func buttons[C federation.Connector](connectors []C, last string) []templates.ConnectorButton {
	buttons := make([]templates.ConnectorButton, len(connectors))
	for i, c := range connectors {
		buttons[i] = Button(c)
		buttons[i].Last = c.ID() == last
	}
	slices.SortStableFunc(buttons, func(a, b templates.ConnectorButton) int {
		switch {
		case a.Last == b.Last:
			return 0
		case a.Last:
			return -1
		}
		return 1
	})
	return buttons
}
