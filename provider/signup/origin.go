package signup

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

// origin says where an account was asked for. It is the detail of a link and contains no secret:
// a cookie proves the browser, and a sealed request gives no rights.
type origin struct {
	Browser  string `json:"b"`           // ID in the device's cookie
	Request  string `json:"r,omitempty"` // sealed authorization request
	ClientID string `json:"c,omitempty"` // its client, for a link that is used after the request expired
}

func (o origin) encode() (string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("encode the detail of a link: %w", err)
	}
	return string(text), nil
}

// originOf reads the detail of a link; the zero value if it has none.
func originOf(l storage.MailLink) (o origin) {
	if json.Unmarshal([]byte(l.Detail), &o) != nil {
		return origin{}
	}
	return o
}

// isFrom reports whether the browser asked for the link.
func (h *Handler) isFrom(r *http.Request, o origin) bool {
	return o.Browser != "" && h.Sessions.Device(r).ID == o.Browser
}

// wayOn is the page after a new account, in the browser that asked for it.
type wayOn struct {
	opened request.Opened // the request that goes on; the zero value if there is none
	page   string         // the page if no request goes on
}

// wayOn returns the page to which the person goes on. After the request expired, the application
// starts a new one at its initiate_login_uri, or the person opens its client_uri.
func (h *Handler) wayOn(r *http.Request, o origin) (wayOn, error) {
	on := wayOn{page: h.Site.Base + "/account"}
	if o.Request == "" {
		return on, nil
	}
	var err error
	on.opened, err = h.Requests.Open(r.Context(), o.Request, h.Now())
	if err == nil {
		return on, nil
	}
	if _, expired := errors.AsType[*web.Problem](err); !expired {
		return on, err
	}
	_, start, err := h.startOf(r.Context(), o.ClientID)
	on.page = cmp.Or(start, on.page)
	return on, err
}

// startOf returns a client and the address at which its application starts: its
// initiate_login_uri, or else its client_uri. The address is "" if there is none, the client is
// not enabled, or nobody approved it: then it could lead people to any site.
func (h *Handler) startOf(ctx context.Context, clientID string) (storage.Client, string, error) {
	if clientID == "" {
		return storage.Client{}, "", nil
	}
	client, err := h.Requests.Clients.Enabled(ctx, clientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return client, "", nil
	case err != nil || client.IsUnapproved():
		return client, "", err
	}
	return client, cmp.Or(request.InitiateLogin(client, h.Requests.Issuer, ""), client.Metadata.ClientURI), nil
}
