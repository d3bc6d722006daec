package interaction

import (
	"slices"

	"signet/federation"
	"signet/templates"
)

// Connector is an upstream with what the operator lets it do here.
type Connector struct {
	federation.Connector
	AutoLink bool // sign in by a verified address that an account has proven, too
	SignUp   bool // make an account for whom it vouches
}

// Button is how pages show a connector.
func Button(c federation.Connector) templates.ConnectorButton {
	return templates.ConnectorButton{ID: c.ID(), Kind: string(c.Kind()), Name: c.Name()}
}

// buttons are connectors as a sign-in page shows them: the one this browser used last
// comes first, the others as the operator ordered them.
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
