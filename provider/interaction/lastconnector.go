package interaction

import (
	"net/http"
	"time"

	"signet/provider/visit"
)

const lastLife = 180 * 24 * time.Hour

// rememberConnector stores in a cookie which button to show first next time.
func (h *Handler) rememberConnector(w http.ResponseWriter, c Connector) {
	h.Sessions.Cookies.Set(w, visit.LastConnectorCookie, c.ID(), lastLife)
}

// lastConnector returns the id of the connector of the last sign-in in this browser.
func (h *Handler) lastConnector(r *http.Request) string {
	id, _ := h.Sessions.Cookies.Read(r, visit.LastConnectorCookie)
	return id
}
