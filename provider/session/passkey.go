package session

import (
	"crypto/rand"
	"net/http"
)

const (
	browserCookie = "_passkey"
	browserLength = 26 // characters of rand.Text
)

// Browser returns a random value that only this browser has, to bind the challenge of a page to
// it. If the browser has none yet, it sets one until the browser is closed. It proves nothing.
func (s *Sessions) Browser(w http.ResponseWriter, r *http.Request) string {
	if value, ok := s.SentBrowser(r); ok {
		return value
	}
	value := rand.Text()
	s.Cookies.Set(w, browserCookie, value, 0)
	return value
}

// SentBrowser returns the value that Browser has set; false if the browser sends none.
func (s *Sessions) SentBrowser(r *http.Request) (string, bool) {
	value, ok := s.Cookies.Read(r, browserCookie)
	return value, ok && len(value) == browserLength
}
