package session

import (
	"fmt"
	"net/http"

	"signet/provider/web"
	"signet/storage"
)

// PasswordChange is the input of ChangePassword. The caller has checked the old password.
type PasswordChange struct {
	OldHash, NewHash string
	GiveBack         storage.Reservation // the reserved attempt, which does not count
}

// ChangePassword sets a new password, and ends all sessions and grants of the user. Only
// this browser stays signed in: it gets a new session with a new handle, which ends when
// the old session would have ended.
//
// storage.ErrConflict: the password was changed after the check of the old one.
// storage.ErrRevoked: the session has ended since then.
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
	cookie := s.Cookies.newCookie(s.Cookies.sessionName(), handle)
	if next.Persistent {
		cookie.MaxAge = int(next.ExpiresAt.Time().Sub(s.Now()).Seconds())
	}
	http.SetCookie(w, cookie)
	s.setState(w, next)
	s.Cookies.ClearTokens(w) // they belong to a grant that has ended
	return s.setDeviceCookie(w, s.Device(r), next)
}
