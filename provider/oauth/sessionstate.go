package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"strings"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// saltLength is the length of the salt of a session_state, in characters.
const saltLength = 16

// longestSessionState has the length of every session_state.
var longestSessionState = strings.Repeat("s", 2*sha256.Size+len(".")+saltLength)

// sessionState returns the value of session_state for the state of the browser (OIDC Session
// Management, section 2). check_session.js computes the same hash. It returns "" if the setting
// session_management is off, and for apps with a scheme of their own: they have no page that could
// open the iframe.
func (h *Handler) sessionState(r *http.Request, q request.Request) string {
	if !h.SessionManagement {
		return ""
	}
	origin := storage.OriginOf(q.RedirectURI)
	if origin == "" {
		return ""
	}
	var random [saltLength * 3 / 4]byte
	_, _ = rand.Read(random[:]) // never fails: the program stops instead
	salt := base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(strings.Join([]string{q.ClientID, origin, h.browserState(r), salt}, " ")))
	return hex.EncodeToString(sum[:]) + "." + salt
}

type browserStateKey struct{}

// syncBrowserState makes the state of the browser that of the current session, nil for none. The
// responses to the returned request use this state.
func (h *Handler) syncBrowserState(w http.ResponseWriter, r *http.Request, current *session.Current) *http.Request {
	if !h.SessionManagement {
		return r
	}
	state := h.Sessions.SyncState(w, r, current)
	return r.WithContext(context.WithValue(r.Context(), browserStateKey{}, state))
}

// browserState returns the state of the browser. If the session was not read, it is the state that
// the browser has sent.
func (h *Handler) browserState(r *http.Request) string {
	if state, known := r.Context().Value(browserStateKey{}).(string); known {
		return state
	}
	return h.Sessions.SentState(r)
}

const checkSessionPath = "/check_session"

// checkSessionPage returns the page of check_session_iframe. Its script reads the cookie with the
// state of the browser.
func (h *Handler) checkSessionPage() []byte {
	return fmt.Appendf(nil, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Session state</title>
<script src="%s" data-cookie="%s"></script>
</head>
<body></body>
</html>
`, html.EscapeString(h.Files.URL("check_session.js")), html.EscapeString(h.Sessions.Cookies.StateCookie()))
}

// checkSession serves check_session_iframe (OIDC Session Management, section 3.2). Pages of every
// origin may frame it.
func (h *Handler) checkSession(w http.ResponseWriter, r *http.Request) error {
	if !h.SessionManagement {
		return h.Site.NotFound()
	}
	web.AllowFraming(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(h.checkSessionPage())
	return nil
}
