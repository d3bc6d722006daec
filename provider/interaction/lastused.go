package interaction

import (
	"net/http"
	"time"
)

const (
	lastCookie = "_last"
	lastLife   = 180 * 24 * time.Hour
	noneYet    = "-" // in place of the connector's id; no id begins so
)

// tryCookies sets a cookie in a browser that has sent none, so that the form of the page
// can tell whether the browser keeps any.
func (h *Handler) tryCookies(w http.ResponseWriter, r *http.Request) {
	if !h.Sessions.Cookies.AnyCame(r) {
		h.Sessions.Cookies.Set(w, lastCookie, noneYet, 0)
	}
}

// remember notes in this browser which button to show first next time.
func (h *Handler) remember(w http.ResponseWriter, c Connector) {
	h.Sessions.Cookies.Set(w, lastCookie, c.ID(), lastLife)
}

// lastUsed is the id of the connector that this browser has signed in through last.
func (h *Handler) lastUsed(r *http.Request) string {
	id, _ := h.Sessions.Cookies.Read(r, lastCookie)
	return id
}
