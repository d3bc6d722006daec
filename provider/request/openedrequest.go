package request

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// Opened is a request that the browser has sent back.
type Opened struct {
	Request
	Sealed string
	Client storage.Client // the zero value for a request of kind Page
}

// Open opens a sealed request, checks client and redirect URI again, and narrows the
// request to the current rights of the client. It notes the client in the trace. Errors:
// a *web.Problem with ErrInvalid, ErrExpired, ErrClient or ErrRedirectURI as its cause, or
// an error of storage.
func (c *Requests) Open(ctx context.Context, sealed string, at time.Time) (Opened, error) {
	q, err := c.unseal(ctx, sealed, at)
	if err != nil {
		return Opened{}, err
	}
	client, err := c.clientOf(ctx, q)
	if err != nil {
		return Opened{}, err
	}
	web.TraceOf(ctx).NoteClient(client.ID)
	if q.Kind.IsOfClient() {
		q = q.NarrowedTo(client)
	}
	return Opened{Request: q, Sealed: sealed, Client: client}, nil
}

// unseal opens a message that has not expired.
func (c *Requests) unseal(ctx context.Context, sealed string, at time.Time) (Request, error) {
	var q Request
	payload, openErr := c.Ring.Unseal(purpose, sealed, at)
	if openErr != nil && !errors.Is(openErr, keys.ErrExpired) {
		return Request{}, c.invalidLink()
	}
	payload, err := Expand(payload)
	if err != nil || json.Unmarshal(payload, &q) != nil {
		return Request{}, c.invalidLink()
	}
	switch {
	case openErr != nil:
		return Request{}, c.expiredRequest(ctx, q)
	case q.Pushed != "":
		return c.readPushed(ctx, q, at)
	}
	return q, nil
}

// clientOf reads the client of a request; the zero value for a request of kind Page.
func (c *Requests) clientOf(ctx context.Context, q Request) (storage.Client, error) {
	switch q.Kind {
	case Page:
		return storage.Client{}, nil
	case Cookies:
		return c.firstPartyOf(q)
	case Device:
		return c.EnabledClient(ctx, q.ClientID)
	}
	return c.Client(ctx, q.ClientID, q.RedirectURI)
}

// firstPartyOf reads the client of a request of kind Cookies, and checks again that the
// return address belongs to the issuer or to the app.
func (c *Requests) firstPartyOf(q Request) (storage.Client, error) {
	client, err := c.FirstPartyClient()
	if err != nil || client.ID != q.ClientID {
		return storage.Client{}, unknownClient(q.ClientID, ErrClient)
	}
	if _, ok := c.ReturnTo(q.Path); !ok {
		return storage.Client{}, c.invalidLink()
	}
	return client, nil
}

// Client reads an enabled client and checks that the redirect URI is registered for it.
// After an error (a *web.Problem, or an error of storage) the caller must not redirect.
func (c *Requests) Client(ctx context.Context, id, redirectURI string) (storage.Client, error) {
	web.TraceOf(ctx).NoteClaimedRedirect(redirectURI)
	client, err := c.EnabledClient(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	if !client.AllowsRedirect(redirectURI) {
		return storage.Client{}, c.unregisteredRedirect(client, redirectURI)
	}
	return client, nil
}

// EnabledClient reads an enabled client. After an error (a *web.Problem, or an error of storage)
// the caller must not redirect.
func (c *Requests) EnabledClient(ctx context.Context, id string) (storage.Client, error) {
	trace := web.TraceOf(ctx)
	trace.NoteClaimedClient(id)
	client, err := c.Clients.Enabled(ctx, id)
	switch {
	case errors.Is(err, ErrDisabled):
		trace.NoteClient(id)
		return storage.Client{}, unknownClient(id, web.Because("client_disabled", ErrClient))
	case errors.Is(err, storage.ErrNotFound):
		return storage.Client{}, unknownClient(id, ErrClient)
	case err != nil:
		return storage.Client{}, fmt.Errorf("read client: %w", err)
	}
	trace.NoteClient(client.ID)
	return client, nil
}
