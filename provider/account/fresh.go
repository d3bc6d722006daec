package account

import (
	"net/http"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// freshFor is how long after a proof a person may do what an unlocked screen
// must not be enough for.
const freshFor = 5 * time.Minute

// Fresh reports whether the person has proved lately who they are. If not, it has
// answered: the browser goes to the dispatcher with a request that wants just that, and
// from there to the page of the act.
func (h *Handler) Fresh(w http.ResponseWriter, r *http.Request, current session.Current, act request.Act) (bool, error) {
	at, age := h.Now(), freshFor
	if current.Meets(storage.Freshness{MaxAge: &age}, at) {
		return true, nil
	}
	sealed, err := h.Carrier.ProveFor(act, age, at)
	if err != nil {
		return false, err
	}
	return false, h.onward(w, r, request.To("/authorize/next", sealed))
}
