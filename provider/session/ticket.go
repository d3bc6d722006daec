package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signet/provider/keys"
)

// ticketLife is how long a form may lie open.
const ticketLife = 30 * time.Minute

// ErrStale: the ticket is missing, too old, or was made for another session,
// request, purpose or content.
var ErrStale = errors.New("form is out of date")

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
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("open ticket: %w", err)
	}
	var got Ticket
	if json.Unmarshal(payload, &got) != nil || got != want {
		return ErrStale
	}
	return nil
}
