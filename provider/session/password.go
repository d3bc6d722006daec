package session

import (
	"fmt"
	"net/http"
	"time"

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
	return s.setRenewed(w, r, handle, next)
}

// ChangeFactors changes the factors of the user with act, and ends all sessions and grants of the
// user. Only this browser stays signed in, as after ChangePassword. The user must have signed in
// within fresh. Its errors are those of act.
func (s *Sessions) ChangeFactors(w http.ResponseWriter, r *http.Request, current Current, fresh time.Duration, act func(storage.FactorChange) (storage.Session, error)) error {
	handle := newHandle()
	next, err := act(storage.FactorChange{
		UserID: current.UserID, SessionID: current.ID, Handle: storage.SecretHash(handle), FreshFor: fresh, From: web.TraceOf(r.Context()).Origin(),
	})
	if err != nil {
		return err
	}
	return s.setRenewed(w, r, handle, next)
}

// setRenewed sets the cookies of a session that continues an ended one with a new handle.
func (s *Sessions) setRenewed(w http.ResponseWriter, r *http.Request, handle string, next storage.Session) error {
	cookie := s.Cookies.newCookie(s.Cookies.sessionName(), handle)
	if next.Persistent {
		cookie.MaxAge = int(next.ExpiresAt.Time().Sub(s.Now()).Seconds())
	}
	http.SetCookie(w, cookie)
	s.setState(w, next)
	s.Cookies.ClearTokens(w) // they belong to a grant that has ended
	return s.setDeviceCookie(w, nextDeviceID(s.Device(r), next.UserID), next)
}
