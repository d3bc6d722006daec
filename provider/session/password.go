package session

import (
	"fmt"
	"net/http"

	"signet/provider/web"
	"signet/storage"
)

// PasswordChange is a password that was checked, and its successor.
type PasswordChange struct {
	OldHash, NewHash string
	GiveBack         storage.Reservation
}

// ChangePassword sets a new password and ends all the user has. This browser
// alone goes on, in a new session under a new handle that lives as long as the old
// one would have.
//
// storage.ErrConflict: the password is not the checked one any more.
// storage.ErrRevoked: the session has ended meanwhile.
func (s *Sessions) ChangePassword(w http.ResponseWriter, r *http.Request, current Current, p PasswordChange) error {
	handle := newHandle()
	next, err := s.DB.ChangePassword(r.Context(), storage.PasswordChange{
		UserID: current.UserID, OldHash: p.OldHash, NewHash: p.NewHash,
		SessionID: current.ID, Handle: storage.SecretHash(handle), GiveBack: p.GiveBack,
		From: web.TraceOf(r.Context()).Origin(),
	}, s.Now())
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	cookie := s.Cookies.make(s.Cookies.session(), handle)
	if next.Persistent {
		cookie.MaxAge = int(next.ExpiresAt.Time().Sub(s.Now()).Seconds())
	}
	http.SetCookie(w, cookie)
	s.Cookies.ClearTokens(w) // they are of what has ended
	return s.keepDevice(w, s.Device(r), next)
}
