package visit

import (
	"encoding/json"
	"fmt"
	"net/url"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// ProofPath is the path, below the issuer, of the page that mails the link which comes before the first
// factor of an account.
const ProofPath = "/account/security/proof"

// Enrolment says where a person who adds a factor goes on. It contains no secret: a sealed request gives
// no rights.
type Enrolment struct {
	For     string `json:"f"`           // a key of enrolmentPages
	Request string `json:"r,omitempty"` // sealed request of the sign-in that goes on afterwards; "": none
}

// enrolmentPages lists the pages, below the issuer, to which the mailed link may lead.
var enrolmentPages = map[string]string{
	"totp":    "/account/security/totp",
	"passkey": "/account/passkeys/add",
	"key":     "/account/security/keys/add",
	"enrol":   "/login/enrol",
}

// WithRequest adds a sealed request to a path below the issuer; "" adds nothing.
func WithRequest(path, sealed string) string {
	if sealed == "" {
		return path
	}
	return request.StepPath(path, sealed)
}

// Path returns the path, below the issuer, of the page that adds the factor. That of an unknown one is
// the page of all factors.
func (e Enrolment) Path() string {
	page, known := enrolmentPages[e.For]
	if !known || e.For == "enrol" && e.Request == "" {
		return "/account/security"
	}
	return WithRequest(page, e.Request)
}

// ProofPage returns the path, below the issuer, of the page that mails the link. done is the code of an
// act that it confirms; "" for none.
func (e Enrolment) ProofPage(done string) string {
	query := url.Values{"for": {e.For}}
	if e.Request != "" {
		query.Set("request", e.Request)
	}
	if done != "" {
		query.Set("done", done)
	}
	return ProofPath + "?" + query.Encode()
}

// Detail returns the detail of the link.
func (e Enrolment) Detail() (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode the detail of a link: %w", err)
	}
	return string(text), nil
}

// EnrolmentOf reads the detail of a link of the kind storage.LinkEnrol.
func EnrolmentOf(l storage.MailLink) (e Enrolment) {
	if json.Unmarshal([]byte(l.Detail), &e) != nil {
		return Enrolment{}
	}
	return e
}

// EnrolmentTicket returns the ticket of the form that mails the link.
func EnrolmentTicket(current session.Current) Ticket {
	return TicketOf(current, "account.security.proof", "")
}
