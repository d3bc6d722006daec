package request

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

const purpose = "request"

// Why a request cannot go on. Open wraps them in the page that says so.
var (
	ErrInvalid     = web.Because("invalid_request_link", errors.New("not a request of this provider"))
	ErrExpired     = web.Because("request_expired", errors.New("request expired"))
	ErrClient      = web.Because("unknown_client", errors.New("client is not available"))
	ErrRedirectURI = web.Because("redirect_uri_not_registered", errors.New("redirect URI is not registered"))
)

// Carrier seals requests and opens them again.
type Carrier struct {
	Ring    *keys.Ring
	Clients *Clients
	Life    time.Duration // from sealing to the last step
	Base    string        // the issuer's path
	Explain bool          // development: pages show what was received and registered

	FirstParty string   // id of the first-party client; "": the only one there is
	Origins    []string // where its pages live
}

// FirstPartyClient is the client that lives on the cookies, see Clients.FirstParty.
func (c *Carrier) FirstPartyClient() (storage.Client, error) {
	return c.Clients.FirstParty(c.FirstParty)
}

// Seal makes the message that the browser carries.
func (c *Carrier) Seal(q Request) (string, error) {
	payload, err := encode(q)
	if err != nil {
		return "", err
	}
	return c.Ring.Seal(purpose, payload, q.Created.Time().Add(c.Life))
}

// SealedSize is how many characters Seal makes of q.
func SealedSize(q Request) (int, error) {
	payload, err := encode(q)
	return keys.SealedSize(len(payload)), err
}

func encode(q Request) ([]byte, error) {
	var payload bytes.Buffer
	encoder := json.NewEncoder(&payload)
	encoder.SetEscapeHTML(false) // it is never HTML, and every byte counts
	if err := encoder.Encode(q); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return payload.Bytes(), nil
}

// Open opens a message, reads client and redirect URI again, and narrows the request to
// what the client may have now. For a request of kind Page the client is the zero value. An error is a *web.Problem around one of
// the errors above, or storage's; the request in it must not be used.
func (c *Carrier) Open(ctx context.Context, sealed string, at time.Time) (Request, storage.Client, error) {
	var q Request
	payload, openErr := c.Ring.Unseal(purpose, sealed, at)
	if openErr != nil && !errors.Is(openErr, keys.ErrExpired) {
		return Request{}, storage.Client{}, c.invalid()
	}
	if err := json.Unmarshal(payload, &q); err != nil {
		return Request{}, storage.Client{}, c.invalid()
	}
	if openErr != nil {
		return Request{}, storage.Client{}, c.expired(q)
	}
	switch q.Kind {
	case Page:
		return q, storage.Client{}, nil
	case Cookies:
		client, err := c.firstPartyOf(q)
		return q, client, err
	}
	client, err := c.Client(ctx, q.ClientID, q.RedirectURI)
	return q.NarrowedTo(client), client, err
}

// firstPartyOf reads the client of a request for cookies, and proves again that its
// address to return to is one of ours or of the app.
func (c *Carrier) firstPartyOf(q Request) (storage.Client, error) {
	client, err := c.FirstPartyClient()
	if err != nil || client.ID != q.ClientID {
		return storage.Client{}, unknownClient(q.ClientID, ErrClient)
	}
	if _, ok := c.ReturnTo(q.Path); !ok {
		return storage.Client{}, c.invalid()
	}
	return client, nil
}

// Client reads an enabled client and proves that the redirect URI is one of its.
// An error is a *web.Problem, or storage's: nothing may be redirected then.
func (c *Carrier) Client(ctx context.Context, id, redirectURI string) (storage.Client, error) {
	trace := web.TraceOf(ctx)
	trace.ClaimClient(id)
	trace.ClaimRedirect(redirectURI)
	client, err := c.Clients.Enabled(ctx, id)
	switch {
	case errors.Is(err, ErrDisabled):
		trace.Client(id)
		return storage.Client{}, unknownClient(id, web.Because("client_disabled", ErrClient))
	case errors.Is(err, storage.ErrNotFound):
		return storage.Client{}, unknownClient(id, ErrClient)
	case err != nil:
		return storage.Client{}, fmt.Errorf("read client: %w", err)
	}
	trace.Client(client.ID)
	if !client.AllowsRedirect(redirectURI) {
		return storage.Client{}, c.unregistered(client, redirectURI)
	}
	return client, nil
}

// To is the path of a step with the request in its query, below the issuer.
func To(step, sealed string) string {
	return step + "?" + url.Values{"request": {sealed}}.Encode()
}
