package request

import (
	"net/http"

	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

func (c *Requests) invalid() *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_link", Title: "This sign-in link does not work",
		Text:  "It is incomplete, or it was made before the service changed its secrets. Go back to the application and sign in from there.",
		Cause: ErrInvalid,
	}
}

func (c *Requests) expired(q Request) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "request_expired", Title: "This sign-in took too long",
		Text: "For your safety a sign-in must be finished within half an hour or so.", StartURL: c.Base + q.Again(),
		Cause: ErrExpired,
	}
}

func unknownClient(id string, why error) *web.Problem {
	text := "The application that sent you here is not registered with this service, or it was switched off. Tell its operator."
	if id == "" {
		text = "The application that sent you here did not say which one it is: the parameter client_id is missing. Tell its operator."
		why = web.Because("client_id_missing", why)
	}
	return &web.Problem{Status: http.StatusBadRequest, Code: "invalid_client", Title: "Unknown application", Text: text, Cause: why}
}

func (c *Requests) unregistered(client storage.Client, received string) *web.Problem {
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Title: "The way back is not registered",
		Text: "The application asked to send you to an address that is not on its list. Tell its operator: the parameter redirect_uri must equal a registered one, character for character.", Cause: ErrRedirectURI,
	}
	if received == "" {
		p.Text = "The application did not say where to send you afterwards. Tell its operator: the parameter redirect_uri is missing."
		p.Cause = web.Because("redirect_uri_missing", ErrRedirectURI)
	}
	if c.Explain {
		p.Detail = []templates.Difference{{Label: "redirect_uri", Received: received, Registered: client.Metadata.RedirectURIs}}
	}
	return p
}
