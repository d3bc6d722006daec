package request

import (
	"cmp"
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
		Status: http.StatusBadRequest, Code: "invalid_link", Title: words.Say("request-problem.link-title"),
		Text:  words.Say("request-problem.link"),
		Cause: ErrInvalid,
	}
}

func (c *Requests) expiredRequest(ctx context.Context, q Request) *web.Problem {
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: "request_expired", Title: words.Say("request-problem.expired-title"),
		Text:  words.Say("request-problem.expired"),
		Cause: ErrExpired,
	}
	if q.Pushed == "" { // only the client can push a request again
		p.StartURL = c.Base + q.RestartPath()
	}
	if q.Kind == Code {
		if client, err := c.Clients.Enabled(ctx, q.ClientID); err == nil {
			if client.Metadata.RequireSignedRequest { // only the client can sign a request again
				p.StartURL = ""
			}
			c.leadToClient(p, client, q.LoginHint)
		}
	}
	return p
}

// leadToClient lets the page lead to the client, so that it starts a new sign-in with a new
// state and challenge. It changes nothing for a client without an initiate_login_uri.
func (c *Requests) leadToClient(p *web.Problem, client storage.Client, loginHint string) {
	if start := InitiateLogin(client, c.Issuer, loginHint); start != "" {
		p.StartURL, p.StartText = start, words.Say("request-problem.back-to-app", "App", cmp.Or(client.Name, client.ID))
	}
}

// InitiateLogin returns the address at which the client starts a sign-in on request of
// others (OIDC Core, section 4: iss is required); "" for a client without an
// initiate_login_uri, and for an unapproved one: everyone could register a client, and let a page
// of this provider lead to any site under a name of their choice.
func InitiateLogin(client storage.Client, issuer, loginHint string) string {
	start, err := url.Parse(client.Metadata.InitiateLoginURI)
	if err != nil || client.Metadata.InitiateLoginURI == "" || client.IsUnapproved() {
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
	text := words.Say("request-problem.client")
	if id == "" {
		text = words.Say("request-problem.client-missing", "Parameter", "client_id")
		why = web.Because("client_id_missing", why)
	}
	return &web.Problem{Status: http.StatusBadRequest, Code: "invalid_client", Title: words.Say("request-problem.client-title"), Text: text, Cause: why}
}

// contactsOf lists the first contacts of a client; "" for a client without any, and for an
// unapproved one, whose contacts are a text of a stranger.
func contactsOf(client storage.Client) string {
	if client.IsUnapproved() {
		return ""
	}
	const most = 3 // more would only make the page longer
	contacts := client.Metadata.Contacts
	return strings.Join(contacts[:min(most, len(contacts))], ", ")
}

// redirectText explains a redirect URI that is missing or not registered.
func redirectText(client storage.Client, received string) words.Sentence {
	const parameter = "redirect_uri"
	contacts := contactsOf(client)
	switch {
	case received == "" && contacts == "":
		return words.Say("request-problem.redirect-missing", "Parameter", parameter)
	case received == "":
		return words.Say("request-problem.redirect-missing-contacts", "Parameter", parameter, "Contacts", contacts)
	case contacts == "":
		return words.Say("request-problem.redirect", "Parameter", parameter)
	}
	return words.Say("request-problem.redirect-contacts", "Parameter", parameter, "Contacts", contacts)
}

func (c *Requests) unregisteredRedirect(client storage.Client, received string) *web.Problem {
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Title: words.Say("request-problem.redirect-title"),
		Text: redirectText(client, received), Cause: ErrRedirectURI,
	}
	if received == "" {
		p.Cause = web.Because("redirect_uri_missing", ErrRedirectURI)
	}
	c.leadToClient(p, client, "")
	if c.Explain {
		p.Detail = []templates.Difference{{Label: "redirect_uri", Received: received, Registered: client.Metadata.RedirectURIs}}
	}
	return p
}
