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

// ticketLife is how long a form may lie open.
const ticketLife = 30 * time.Minute

// ErrStale: the ticket is missing, too old, or was made for another session,
// request, purpose or content. The cause says which.
var ErrStale = errors.New("form is out of date")

func stale(code, text string) error { return web.Because(code, fmt.Errorf("%w: %s", ErrStale, text)) }

// Ticket names what a form may do. All of it must be equal when it comes back.
type Ticket struct {
	Purpose string `json:"p"` // "consent", "select", "logout", "account.password"
	Session string `json:"s"` // sid
	Request string `json:"r"` // id of the authorization request, "" for none
	Shown   string `json:"w"` // what the person saw and agrees to
}

// TicketOf is the ticket of a form that belongs to no request, such as one of the
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

// CheckTicket compares the ticket a form brought with the one it should have.
// ErrStale.
func (v *Visits) CheckTicket(sealed string, want Ticket) error {
	payload, err := v.Ring.Unseal("ticket", sealed, v.Now())
	switch {
	case sealed == "":
		return stale("ticket_missing", "it has no ticket")
	case errors.Is(err, keys.ErrExpired):
		return stale("ticket_expired", "its ticket has expired")
	case errors.Is(err, keys.ErrInvalid):
		return stale("ticket_invalid", "its ticket is not one of ours")
	case err != nil:
		return fmt.Errorf("open ticket: %w", err)
	}
	var got Ticket
	if json.Unmarshal(payload, &got) != nil {
		return stale("ticket_invalid", "its ticket is not one of ours")
	}
	return got.differs(want)
}

// CheckForm is CheckTicket for a form that belongs to no request: a stale one is told as a
// page that leads to back, a path below the issuer.
func (v *Visits) CheckForm(form url.Values, want Ticket, back string) error {
	err := v.CheckTicket(form.Get("ticket"), want)
	if errors.Is(err, ErrStale) {
		return web.StaleForm(v.Site.Base+back, err)
	}
	return err
}

// differs says in what a ticket is not the one that is wanted; nil if it is.
func (t Ticket) differs(want Ticket) error {
	switch {
	case t == want:
		return nil
	case t.Purpose != want.Purpose:
		return stale("ticket_of_other_form", "its ticket is for another form")
	case t.Session != want.Session:
		return stale("ticket_of_other_session", "its ticket is of another session")
	case t.Request != want.Request:
		return stale("ticket_of_other_request", "its ticket is of another request")
	}
	return stale("ticket_of_other_content", "what it shows has changed")
}
