package visit

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// maxSealedForm is the largest form, in bytes, that is sealed: it travels in URLs.
const maxSealedForm = 800

// sealedForm is the input of a form that was interrupted by a request for a new proof.
type sealedForm struct {
	Ticket Ticket     `json:"t"`
	Values url.Values `json:"v"`
}

// SealForm seals the values of a form, so that its page can show them again, in the same
// session and for the same purpose, until a ticket would expire. Never pass a password. If
// the values do not fit into a URL, SealForm returns "".
func (v *Visits) SealForm(t Ticket, values url.Values) (string, error) {
	payload, err := json.Marshal(sealedForm{t, values})
	if err != nil {
		return "", fmt.Errorf("encode form: %w", err)
	}
	if len(payload) > maxSealedForm {
		return "", nil
	}
	return v.Ring.Seal("kept", payload, v.Now().Add(ticketLife))
}

// OpenForm returns the values that SealForm sealed for this ticket; nil for any other text.
func (v *Visits) OpenForm(sealed string, want Ticket) url.Values {
	payload, err := v.Ring.Unseal("kept", sealed, v.Now())
	if err != nil {
		return nil
	}
	var form sealedForm
	if json.Unmarshal(payload, &form) != nil || form.Ticket != want {
		return nil
	}
	return form.Values
}
