package visit

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// keptMost bounds what is kept of a form, in bytes: it travels in addresses.
const keptMost = 800

// kept is what somebody typed before they had to prove who they are.
type kept struct {
	Ticket Ticket     `json:"t"`
	Values url.Values `json:"v"`
}

// SealForm seals what a form brought, so that its page can show it again in the same session
// and for the same purpose, for as long as a form may lie open. It is for words only:
// never for a password. "" for more than fits into an address.
func (v *Visits) SealForm(t Ticket, values url.Values) (string, error) {
	payload, err := json.Marshal(kept{t, values})
	if err != nil {
		return "", fmt.Errorf("encode form: %w", err)
	}
	if len(payload) > keptMost {
		return "", nil
	}
	return v.Ring.Seal("kept", payload, v.Now().Add(ticketLife))
}

// OpenForm opens what SealForm sealed for this ticket; nothing for anything else.
func (v *Visits) OpenForm(sealed string, want Ticket) url.Values {
	payload, err := v.Ring.Unseal("kept", sealed, v.Now())
	if err != nil {
		return nil
	}
	var k kept
	if json.Unmarshal(payload, &k) != nil || k.Ticket != want {
		return nil
	}
	return k.Values
}
