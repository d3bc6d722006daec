package visit

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// Departure is the content of a sealed proof that a form of this server asked for a trip to
// an upstream. So a link on another site cannot start a sign-in.
type Departure struct {
	Connector string      `json:"c"`
	RequestID string      `json:"r"`
	Link      *LinkTarget `json:"l,omitempty"` // nil for a sign-in
	Prove     bool        `json:"p,omitempty"` // the sign-in must open the account that the waiting identity is for

	Invitation *storage.LinkRef `json:"i,omitempty"` // the sign-in creates the account of this invitation
}

// LinkTarget is the signed-in user to whom the identity from the upstream is linked.
type LinkTarget struct {
	UserID    string `json:"u"`
	SessionID string `json:"s"`
}

const departureLife = 2 * time.Minute

// Depart answers a form by sending the browser to the path that starts the trip to the
// upstream. From there on the request travels in a cookie. All trips for the same request
// share that cookie.
func (v *Visits) Depart(w http.ResponseWriter, r *http.Request, d Departure, sealed string) error {
	payload, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode departure: %w", err)
	}
	proof, err := v.Ring.Seal("departure", payload, v.Now().Add(departureLife))
	if err != nil {
		return fmt.Errorf("seal departure: %w", err)
	}
	key := session.TripKey(d.RequestID)
	v.Sessions.Cookies.CarryRequest(w, r, key, sealed)
	return v.Site.ContinueTo(w, v.Site.Base+"/login/"+d.Connector+"/start?"+url.Values{"for": {key}, "departure": {proof}}.Encode())
}

// DepartToLink is Depart for a signed-in user who connects an identity of the upstream.
// The trip ends at back, a path below the issuer.
func (v *Visits) DepartToLink(w http.ResponseWriter, r *http.Request, connector string, current session.Current, back string) error {
	link := &LinkTarget{UserID: current.UserID, SessionID: current.ID}
	return v.departFor(w, r, Departure{Connector: connector, Link: link}, back)
}

// DepartToAccept is Depart for a person who accepts an invitation with an identity of the
// upstream. The trip ends at back, a path below the issuer.
func (v *Visits) DepartToAccept(w http.ResponseWriter, r *http.Request, connector string, invitation storage.LinkRef, back string) error {
	return v.departFor(w, r, Departure{Connector: connector, Invitation: &invitation}, back)
}

// departFor is Depart with a request for a page of this server.
func (v *Visits) departFor(w http.ResponseWriter, r *http.Request, d Departure, back string) error {
	q := request.Request{ID: rand.Text(), Kind: request.Page, Created: storage.At(v.Now()), Path: v.Site.Base + back}
	sealed, err := v.Requests.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	d.RequestID = q.ID
	return v.Depart(w, r, d, sealed)
}

// OpenDeparture opens a sealed departure and checks that it belongs to this connector and
// this request. Otherwise the error is a page that leads back to the dispatcher.
func (v *Visits) OpenDeparture(sealed, connector string, about request.Opened) (Departure, error) {
	var d Departure
	payload, err := v.Ring.Unseal("departure", sealed, v.Now())
	if err != nil || json.Unmarshal(payload, &d) != nil || d.Connector != connector || d.RequestID != about.ID {
		return Departure{}, web.StaleForm(v.Next(about.Sealed), err)
	}
	return d, nil
}
