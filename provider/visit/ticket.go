package visit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signet/provider/keys"
	"signet/provider/session"
	"signet/provider/web"
)

// ticketLife is the time after which an open form must be loaded again.
const ticketLife = 30 * time.Minute

// ErrStale: the ticket is missing, expired, or was made for another session, request,
// purpose or content. web.CauseOf tells them apart.
var ErrStale = errors.New("form is out of date")

func staleTicket(code, text string) error {
	return web.Because(code, fmt.Errorf("%w: %s", ErrStale, text))
}

// Ticket describes the one act that a form may do. All fields must be equal when the form
// is submitted.
type Ticket struct {
	Purpose string `json:"p"` // "consent", "select", "logout", "account.password"
	Session string `json:"s"` // sid
	Request string `json:"r"` // id of the authorization request, "" for none
	Shown   string `json:"w"` // the content that the user saw and agrees to
}

// TicketOf returns the ticket of a form that belongs to no request, such as a form of the
// account pages.
func TicketOf(current session.Current, purpose, shown string) Ticket {
	return Ticket{Purpose: purpose, Session: current.ID, Shown: shown}
}

// SealTicket seals t for a form of the current session.
func (v *Visits) SealTicket(t Ticket) (string, error) {
	payload, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode ticket: %w", err)
	}
	return v.Ring.Seal("ticket", payload, v.Now().Add(ticketLife))
}

// CheckTicket checks that the sealed ticket of a submitted form equals want. ErrStale: it
// does not.
func (v *Visits) CheckTicket(sealed string, want Ticket) error {
	payload, err := v.Ring.Unseal("ticket", sealed, v.Now())
	switch {
	case sealed == "":
		return staleTicket("ticket_missing", "it has no ticket")
	case errors.Is(err, keys.ErrExpired):
		return staleTicket("ticket_expired", "its ticket has expired")
	case errors.Is(err, keys.ErrInvalid):
		return staleTicket("ticket_invalid", "its ticket was not made by this server")
	case err != nil:
		return fmt.Errorf("open ticket: %w", err)
	}
	var got Ticket
	if json.Unmarshal(payload, &got) != nil {
		return staleTicket("ticket_invalid", "its ticket was not made by this server")
	}
	return got.checkEqual(want)
}

// CheckForm is CheckTicket for a form that belongs to no request. For a stale ticket the
// error is a page that leads to back, a path below the issuer.
func (v *Visits) CheckForm(form url.Values, want Ticket, back string) error {
	err := v.CheckTicket(form.Get("ticket"), want)
	if errors.Is(err, ErrStale) {
		return web.StaleForm(v.Site.Base+back, err)
	}
	return err
}

// checkEqual returns ErrStale with the first difference between t and want; nil if they are
// equal.
func (t Ticket) checkEqual(want Ticket) error {
	switch {
	case t == want:
		return nil
	case t.Purpose != want.Purpose:
		return staleTicket("ticket_of_other_form", "its ticket is for another form")
	case t.Session != want.Session:
		return staleTicket("ticket_of_other_session", "its ticket is for another session")
	case t.Request != want.Request:
		return staleTicket("ticket_of_other_request", "its ticket is for another request")
	}
	return staleTicket("ticket_of_other_content", "its content has changed")
}
