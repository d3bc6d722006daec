package session

import (
	"fmt"
	"net/http"
	"time"

	"signet/provider/web"
	"signet/storage"
)

// ChangeAddress gives the user the address of a mailed link, and ends all sessions and grants of
// the user. Only this browser stays signed in, as after ChangePassword. fresh is the longest time
// since the user authenticated.
//
// Its errors are those of storage.DB.ChangeAddress.
func (s *Sessions) ChangeAddress(w http.ResponseWriter, r *http.Request, current Current, link storage.LinkRef, fresh time.Duration) error {
	handle := newHandle()
	next, err := s.DB.ChangeAddress(r.Context(), storage.AddressChange{
		Link: link, UserID: current.UserID, SessionID: current.ID, Handle: storage.SecretHash(handle), FreshFor: fresh,
		From: web.TraceOf(r.Context()).Origin(),
	}, s.Now())
	if err != nil {
		return fmt.Errorf("change address: %w", err)
	}
	return s.setRenewed(w, r, handle, next)
}
