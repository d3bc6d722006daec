package visit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// Origin says where a mailed link was asked for, so that the person goes on to the application
// after the link was used. It is the detail of the link and contains no secret: a cookie proves the
// browser, and a sealed request gives no rights.
type Origin struct {
	Browser  string `json:"b"`           // ID in the device's cookie
	Request  string `json:"r,omitempty"` // sealed authorization request
	ClientID string `json:"c,omitempty"` // its client, for a link that is used after the request expired
}

// NoteOrigin returns the detail of a link that this browser asks for. It sets the device's cookie if
// the browser has none.
func (v *Visits) NoteOrigin(w http.ResponseWriter, r *http.Request, opened request.Opened) (detail string, err error) {
	browser, err := v.Sessions.RememberBrowser(w, r)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(Origin{Browser: browser, Request: opened.Sealed, ClientID: opened.Client.ID})
	if err != nil {
		return "", fmt.Errorf("encode the detail of a link: %w", err)
	}
	return string(text), nil
}

// OriginOf reads the detail of a link; the zero value if it has none.
func OriginOf(l storage.MailLink) (o Origin) {
	if json.Unmarshal([]byte(l.Detail), &o) != nil {
		return Origin{}
	}
	return o
}

// IsFrom reports whether this browser asked for the link.
func (v *Visits) IsFrom(r *http.Request, o Origin) bool {
	return o.Browser != "" && v.Sessions.Device(r).ID == o.Browser
}

// Reopen opens the request in which the link was asked for. It returns the zero value if there was
// none, or if it cannot go on, such as after it expired.
func (v *Visits) Reopen(ctx context.Context, o Origin) (request.Opened, error) {
	if o.Request == "" {
		return request.Opened{}, nil
	}
	opened, err := v.Requests.Open(ctx, o.Request, v.Now())
	if _, expired := errors.AsType[*web.Problem](err); expired {
		return request.Opened{}, nil
	}
	return opened, err
}

// StartOf returns the name of a client's application and the address at which it starts: the
// client's initiate_login_uri, or else its client_uri. The address is "" if there is none, the
// client is not enabled, or nobody approved it: then it could lead people to any site.
func (v *Visits) StartOf(ctx context.Context, clientID string) (name, start string, err error) {
	if clientID == "" {
		return "", "", nil
	}
	client, err := v.Requests.Clients.Enabled(ctx, clientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", "", nil
	case err != nil || client.IsUnapproved():
		return "", "", err
	}
	return cmp.Or(client.Name, client.ID), cmp.Or(request.InitiateLogin(client, v.Requests.Issuer, ""), client.Metadata.ClientURI), nil
}
