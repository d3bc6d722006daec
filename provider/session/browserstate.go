package session

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"signet/storage"
)

const stateCookie = "_state"

// browserState returns the state of a browser with this session (OIDC Session Management, section
// 3). It is a hash of the sid, which is public, so it proves nothing. It stays the same when the
// person signs in again in the same session.
func browserState(sid string) string {
	sum := sha256.Sum256([]byte("state of the browser with session " + sid))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// StateCookie returns the name of the cookie with the state of the browser.
func (c Cookies) StateCookie() string { return c.name(stateCookie) }

// newStateCookie returns the cookie that the script of check_session_iframe reads. On https, the
// browser also gives it to that page inside the pages of other sites.
func (c Cookies) newStateCookie(value string, life time.Duration) *http.Cookie {
	cookie := c.newCookie(c.StateCookie(), value)
	cookie.HttpOnly, cookie.MaxAge = false, int(life.Seconds())
	if c.HTTPS { // browsers refuse SameSite=None without Secure
		cookie.SameSite = http.SameSiteNoneMode
	}
	return cookie
}

// setState sets the browser's state to that of the session.
func (s *Sessions) setState(w http.ResponseWriter, of storage.Session) {
	if !s.Cookies.State {
		return
	}
	life := time.Duration(0) // until the browser is closed
	if of.Persistent {
		life = of.ExpiresAt.Time().Sub(s.Now())
	}
	setOnce(w, s.Cookies.newStateCookie(browserState(of.ID), life))
}

// clearState removes the browser's state.
func (s *Sessions) clearState(w http.ResponseWriter) {
	if s.Cookies.State {
		cookie := s.Cookies.newStateCookie("", 0)
		cookie.MaxAge = -1
		setOnce(w, cookie)
	}
}

// SentState returns the state that the browser has sent, "" for none.
func (s *Sessions) SentState(r *http.Request) string {
	state, _ := s.Cookies.Read(r, stateCookie)
	return state
}

// SyncState makes the browser's state that of the current session, nil for none, and returns it. It
// corrects the cookie if the session ended elsewhere, or began before the setting was on. If the
// request does not show whether the browser has a session, the state stays as it was sent.
func (s *Sessions) SyncState(w http.ResponseWriter, r *http.Request, current *Current) string {
	sent := s.SentState(r)
	if current == nil {
		if sent == "" || !s.showsSession(r) {
			return sent
		}
		s.clearState(w)
		return ""
	}
	want := browserState(current.ID)
	if sent != want {
		s.setState(w, current.Session)
	}
	return want
}

// showsSession reports whether the browser sends the cookie of its session with such a request. For
// images, frames and posted forms of other sites it sends only the state, because the cookie of the
// session is SameSite=Lax. Otherwise every site could remove the state.
func (s *Sessions) showsSession(r *http.Request) bool {
	return s.Cookies.HasSessionCookie(r) || r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Dest") == "document"
}
