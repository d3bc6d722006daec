package account

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// freshFor is how long after a sign-in a person may do what an unlocked screen
// must not be enough for.
const freshFor = 5 * time.Minute

// Fresh reports whether the person has signed in lately. If not, it has answered:
// the browser goes to the dispatcher with a request that wants just that, and
// from there to path. What a form brought is lost on the way: nothing of it may
// wait in a place where somebody else could finish it.
func (h *Handler) Fresh(w http.ResponseWriter, r *http.Request, current session.Current, path string) (bool, error) {
	at := h.Now()
	if current.AuthenticatedWithin(freshFor, at) {
		return true, nil
	}
	age := int64(freshFor / time.Second)
	sealed, err := h.Carrier.Seal(request.Request{
		ID: rand.Text(), Kind: request.Page, Created: storage.At(at), Path: h.Site.Base + path, MaxAge: &age,
	})
	if err != nil {
		return false, fmt.Errorf("seal request: %w", err)
	}
	return false, h.onward(w, r, request.To("/authorize/next", sealed))
}
