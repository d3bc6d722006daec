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

// Opened is a request that the browser has brought back.
type Opened struct {
	Request
	Sealed string
	Client storage.Client // the zero value for a request of kind Page
}

// Open opens a message, reads client and redirect URI again, and narrows the request to
// what the client may have now. It notes the client in the trace. An error is a
// *web.Problem around one of the errors above, or storage's.
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
	if q.Kind == Code {
		q = q.NarrowedTo(client)
	}
	return Opened{Request: q, Sealed: sealed, Client: client}, nil
}

// unseal opens a message that has not expired.
func (c *Requests) unseal(ctx context.Context, sealed string, at time.Time) (Request, error) {
	var q Request
	payload, openErr := c.Ring.Unseal(purpose, sealed, at)
	if openErr != nil && !errors.Is(openErr, keys.ErrExpired) {
		return Request{}, c.invalid()
	}
	payload, err := Expand(payload)
	if err != nil || json.Unmarshal(payload, &q) != nil {
		return Request{}, c.invalid()
	}
	if openErr != nil {
		return Request{}, c.expired(ctx, q)
	}
	return q, nil
}

// clientOf reads the client that a request is for; none for a page of ours.
func (c *Requests) clientOf(ctx context.Context, q Request) (storage.Client, error) {
	switch q.Kind {
	case Page:
		return storage.Client{}, nil
	case Cookies:
		return c.firstPartyOf(q)
	}
	return c.Client(ctx, q.ClientID, q.RedirectURI)
}

// firstPartyOf reads the client of a request for cookies, and proves again that its
// address to return to is one of ours or of the app.
func (c *Requests) firstPartyOf(q Request) (storage.Client, error) {
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
func (c *Requests) Client(ctx context.Context, id, redirectURI string) (storage.Client, error) {
	trace := web.TraceOf(ctx)
	trace.NoteClaimedClient(id)
	trace.NoteClaimedRedirect(redirectURI)
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
	if !client.AllowsRedirect(redirectURI) {
		return storage.Client{}, c.unregistered(client, redirectURI)
	}
	return client, nil
}
