package interaction

import (
	"net/http"
	"time"
)

const (
	lastCookie  = "_last"
	lastLife    = 180 * 24 * time.Hour
	noConnector = "-" // instead of a connector's id; no id begins with a hyphen
)

// setTestCookie sets a cookie in a browser that has sent none. If the form of the page comes
// without any cookie, the browser blocks them.
func (h *Handler) setTestCookie(w http.ResponseWriter, r *http.Request) {
	if !h.Sessions.Cookies.HasAnyCookie(r) {
		h.Sessions.Cookies.Set(w, lastCookie, noConnector, 0)
	}
}

// rememberConnector stores in a cookie which button to show first next time.
func (h *Handler) rememberConnector(w http.ResponseWriter, c Connector) {
	h.Sessions.Cookies.Set(w, lastCookie, c.ID(), lastLife)
}

// lastConnector returns the id of the connector of the last sign-in in this browser.
func (h *Handler) lastConnector(r *http.Request) string {
	id, _ := h.Sessions.Cookies.Read(r, lastCookie)
	return id
}
