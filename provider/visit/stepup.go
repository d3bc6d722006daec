package visit

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// Act is something on our own pages that an unlocked screen must not be enough for.
type Act struct {
	Name string // as templates.Wanted knows it
	Page string // path and query, below the issuer, of the page that the act goes on from
	Back string // path, below the issuer, that leads back without the act
}

// freshFor is how long after a proof a person may do an Act.
const freshFor = 5 * time.Minute

// IsFresh reports whether the visitor has proved lately enough who they are to do an Act.
// If not, StepUp is the answer.
func (v *Visits) IsFresh(current session.Current) bool {
	age := freshFor
	return current.Meets(storage.Freshness{MaxAge: &age}, v.Now())
}

// StepUp sends the browser to the dispatcher with a request that wants a new proof, and
// from there to the page of the act. That page asks for a press of its button: what a
// form brought may wait only where nobody else can finish it.
func (v *Visits) StepUp(w http.ResponseWriter, r *http.Request, act Act) error {
	seconds := int64(freshFor / time.Second)
	sealed, err := v.Requests.Seal(request.Request{
		ID: rand.Text(), Kind: request.Page, Created: storage.At(v.Now()), Path: v.Site.Base + act.Page,
		Act: act.Name, Back: v.Site.Base + act.Back, MaxAge: &seconds,
	})
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	return v.onward(w, r, dispatcher(sealed))
}
