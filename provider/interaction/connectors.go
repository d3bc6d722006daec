package interaction

import (
	"net/http"
	"slices"
	"time"

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

// connector finds one by its id; false for one that is unknown or was removed.
func (h *Handler) connector(id string) (Connector, bool) {
	for _, c := range h.Connectors {
		if c.ID() == id {
			return c, true
		}
	}
	return Connector{}, false
}

const (
	lastCookie = "_last"
	lastLife   = 180 * 24 * time.Hour
)

// remember notes in this browser which button to show first next time.
func (h *Handler) remember(w http.ResponseWriter, c Connector) {
	h.Sessions.Cookies.Set(w, lastCookie, c.ID(), lastLife)
}

// lastUsed is the id of the connector that this browser has signed in through last.
func (h *Handler) lastUsed(r *http.Request) string {
	id, _ := h.Sessions.Cookies.Read(r, lastCookie)
	return id
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
