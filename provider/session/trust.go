package session

import (
	"crypto/rand"
	"net/http"
	"time"

	"signet/storage"
)

const trustCookie = "_trust"

// trustedBrowser returns the values that this browser needs for a sign-in of the user without the
// second factor. It returns the zero value if the browser does not have both, or last signed in
// another user. Storage checks the values.
func (s *Sessions) trustedBrowser(r *http.Request, userID string) storage.BrowserKey {
	secret, sent := s.Cookies.Read(r, trustCookie)
	d := s.Device(r)
	if s.TrustFor == 0 || !sent || d.ID == "" || d.UserID != userID {
		return storage.BrowserKey{}
	}
	return storage.BrowserKey{DeviceHash: storage.SecretHash(d.ID), SecretHash: storage.SecretHash(secret)}
}

// newTrust returns a new random value for the cookie of a trusted browser, and the row for it.
func (s *Sessions) newTrust(deviceID string) (secret string, t *storage.NewTrust) {
	secret = newHandle()
	return secret, &storage.NewTrust{
		BrowserKey: storage.BrowserKey{DeviceHash: storage.SecretHash(deviceID), SecretHash: storage.SecretHash(secret)},
		Until:      storage.At(s.Now().Add(s.TrustFor)),
	}
}

// OffersTrust reports whether the user may trust a browser. Users with a role of
// administration may not, nor people who chose to be asked at each sign-in.
func (s *Sessions) OffersTrust(u storage.User) bool {
	return s.TrustFor > 0 && !u.AdminRole().IsAny() && u.AlwaysAskAt == 0
}

// TrustDays is for how many days a browser is trusted.
func (s *Sessions) TrustDays() int { return int(s.TrustFor / (24 * time.Hour)) }

// nextDeviceID returns the ID that the device of the browser has after a sign-in of the user. A
// browser that this user knows already keeps its ID, and so its count of wrong passwords. A browser
// of another user gets a new one, and is not trusted by that user any more.
func nextDeviceID(before storage.Device, userID string) string {
	if userID != "" && before.UserID == userID {
		return before.ID
	}
	return rand.Text()
}
