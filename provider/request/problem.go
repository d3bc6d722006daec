package request

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

func (c *Requests) invalidLink() *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_link", Title: words.Unlisted("This sign-in link does not work"),
		Text:  words.Unlisted("It is incomplete, or it was made before the service changed its secrets. Go back to the application and sign in from there."),
		Cause: ErrInvalid,
	}
}

func (c *Requests) expiredRequest(ctx context.Context, q Request) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "request_expired", Title: words.Unlisted("This sign-in took too long"),
		Text: words.Unlisted("For your safety a sign-in must be finished within half an hour or so."), StartURL: c.restartURL(ctx, q),
		Cause: ErrExpired,
	}
}

// restartURL returns the address that starts an expired sign-in again: at the client if it
// has an initiate_login_uri, so that it makes a new state and challenge, or else with the
// same request.
func (c *Requests) restartURL(ctx context.Context, q Request) string {
	if q.Kind == Code {
		client, err := c.Clients.Enabled(ctx, q.ClientID)
		if start := InitiateLogin(client, c.Issuer, q.LoginHint); err == nil && start != "" {
			return start
		}
	}
	return c.Base + q.RestartPath()
}

// InitiateLogin returns the address at which the client starts a sign-in on request of
// others (OIDC Core, section 4: iss is required); "" for a client without an
// initiate_login_uri.
func InitiateLogin(client storage.Client, issuer, loginHint string) string {
	start, err := url.Parse(client.Metadata.InitiateLoginURI)
	if err != nil || client.Metadata.InitiateLoginURI == "" {
		return ""
	}
	query := start.Query()
	query.Set("iss", issuer)
	if loginHint != "" {
		query.Set("login_hint", loginHint)
	}
	start.RawQuery = query.Encode()
	return start.String()
}

func unknownClient(id string, why error) *web.Problem {
	text := "The application that sent you here is not registered with this service, or it was switched off. Tell its operator."
	if id == "" {
		text = "The application that sent you here did not say which one it is: the parameter client_id is missing. Tell its operator."
		why = web.Because("client_id_missing", why)
	}
	return &web.Problem{Status: http.StatusBadRequest, Code: "invalid_client", Title: words.Unlisted("Unknown application"), Text: words.Unlisted(text), Cause: why}
}

// operatorOf names the operator of a client, with the contacts if the client has any.
func operatorOf(client storage.Client) string {
	const most = 3 // more would only make the page longer
	contacts := client.Metadata.Contacts
	if len(contacts) == 0 {
		return "its operator"
	}
	return "its operator (" + strings.Join(contacts[:min(most, len(contacts))], ", ") + ")"
}

func (c *Requests) unregisteredRedirect(client storage.Client, received string) *web.Problem {
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Title: words.Unlisted("The way back is not registered"),
		Text: words.Unlisted("The application asked to send you to an address that is not on its list. Tell " + operatorOf(client) + ": the parameter redirect_uri must equal a registered one, character for character."), Cause: ErrRedirectURI,
	}
	if received == "" {
		p.Text = words.Unlisted("The application did not say where to send you afterwards. Tell " + operatorOf(client) + ": the parameter redirect_uri is missing.")
		p.Cause = web.Because("redirect_uri_missing", ErrRedirectURI)
	}
	if c.Explain {
		p.Detail = []templates.Difference{{Label: "redirect_uri", Received: received, Registered: client.Metadata.RedirectURIs}}
	}
	return p
}
