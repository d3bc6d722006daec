package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signet/provider/keys"
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
	Purpose string `json:"p"` // "consent", "select", "logout"
	Session string `json:"s"` // sid
	Request string `json:"r"` // id of the authorization request, "" for none
	Shown   string `json:"w"` // what the person saw and agrees to
}

// Ticket seals t for a form of the current session.
func (s *Sessions) Ticket(t Ticket) (string, error) {
	payload, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode ticket: %w", err)
	}
	return s.Ring.Seal("ticket", payload, s.Now().Add(ticketLife))
}

// CheckTicket compares the ticket a form brought with the one it should have.
// ErrStale.
func (s *Sessions) CheckTicket(sealed string, want Ticket) error {
	payload, err := s.Ring.Unseal("ticket", sealed, s.Now())
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
