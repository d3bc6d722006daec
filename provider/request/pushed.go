package request

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

const (
	// PushedPrefix begins the request_uri of every pushed request (RFC 9126, section 2.2).
	PushedPrefix = "urn:ietf:params:oauth:request_uri:"
	// PushedLife is how long a browser may take to arrive with the reference to a pushed request.
	PushedLife = 90 * time.Second

	pushedPurpose = "pushed"
)

// Reasons why a pushed request cannot be used.
var (
	ErrPushedUnknown = web.Because("pushed_request_unknown", errors.New("the client has pushed no request with this request_uri"))
	ErrPushedExpired = web.Because("pushed_request_expired", errors.New("the pushed request has expired"))
	ErrPushedUsed    = web.Because("pushed_request_used", errors.New("the pushed request was answered before"))
)

// Push stores a validated request and returns its request_uri (RFC 9126, section 2.2). The
// reference has 256 random bits, and the database holds only its hash and the sealed request.
func (c *Requests) Push(ctx context.Context, q Request, at time.Time) (uri string, err error) {
	payload, err := encode(q)
	if err != nil {
		return "", err
	}
	// Sealed for as long as the row can be valid: opened at the last moment, and then used.
	message, err := c.Ring.Seal(pushedPurpose, Compact(payload), at.Add(PushedLife+c.Life))
	if err != nil {
		return "", fmt.Errorf("seal pushed request: %w", err)
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	uri = PushedPrefix + base64.RawURLEncoding.EncodeToString(raw)
	return uri, c.DB.PushRequest(ctx, storage.PushedRequest{
		ID: pushedID(uri), ClientID: q.ClientID, Message: message, CreatedAt: storage.At(at), ExpiresAt: storage.At(at.Add(PushedLife)),
	})
}

// IsPushed reports whether a request_uri has the form of a reference to a pushed request.
func IsPushed(uri string) bool { return strings.HasPrefix(uri, PushedPrefix) }

// pushedID returns the ID of the row that belongs to a request_uri.
func pushedID(uri string) string { return storage.SecretHash(uri) }

// OpenPushed returns the request that this client has pushed, when a browser arrives with its
// request_uri. From then on, the request is valid for the lifetime of an authorization request.
// It checks client and redirect URI again, as Open does. Errors: a *web.Problem whose cause is
// ErrPushedUnknown, ErrPushedExpired, ErrPushedUsed, ErrClient or ErrRedirectURI, or an error of
// storage.
func (c *Requests) OpenPushed(ctx context.Context, uri, clientID string, at time.Time) (Opened, error) {
	client, err := c.EnabledClient(ctx, clientID)
	if err != nil {
		return Opened{}, err
	}
	row, err := c.DB.OpenPushedRequest(ctx, pushedID(uri), client.ID, storage.At(at.Add(c.Life)), at)
	if err != nil {
		return Opened{}, c.pushedProblem(client, err)
	}
	q, err := c.unsealPushed(row, at)
	if err != nil {
		return Opened{}, c.pushedProblem(client, err)
	}
	q.Created = storage.At(at)
	if client, err = c.Client(ctx, q.ClientID, q.RedirectURI); err != nil {
		return Opened{}, err
	}
	return Opened{Request: q.NarrowedTo(client), Client: client}, nil
}

// carried returns the part of a request that the browser carries. Of a pushed request it is only
// the reference, so that the request may be long and stays confidential (RFC 9126, section 1).
func carried(q Request) Request {
	if q.Pushed == "" {
		return q
	}
	return Request{ID: q.ID, Kind: q.Kind, Created: q.Created, ClientID: q.ClientID, Pushed: q.Pushed}
}

// readPushed returns the whole request of a reference that the browser has sent back.
func (c *Requests) readPushed(ctx context.Context, reference Request, at time.Time) (Request, error) {
	client, err := c.EnabledClient(ctx, reference.ClientID)
	if err != nil {
		return Request{}, err
	}
	row, err := c.DB.PushedRequest(ctx, reference.Pushed, client.ID, at)
	if err != nil {
		return Request{}, c.pushedProblem(client, err)
	}
	q, err := c.unsealPushed(row, at)
	if err != nil {
		return Request{}, c.pushedProblem(client, err)
	}
	q.Created = reference.Created
	return q, nil
}

// unsealPushed reads the message of a row. ErrPushedExpired: the row was opened several times and
// is valid for longer than the message. ErrPushedUnknown: the message is damaged, or belongs to
// another client.
func (c *Requests) unsealPushed(row storage.PushedRequest, at time.Time) (Request, error) {
	var q Request
	payload, err := c.Ring.Unseal(pushedPurpose, row.Message, at)
	switch {
	case errors.Is(err, keys.ErrExpired):
		return Request{}, ErrPushedExpired
	case err != nil:
		return Request{}, ErrPushedUnknown
	}
	if payload, err = Expand(payload); err != nil || json.Unmarshal(payload, &q) != nil || q.ClientID != row.ClientID {
		return Request{}, ErrPushedUnknown
	}
	q.Pushed = row.ID
	return q, nil
}

// pushedProblem returns the page for a pushed request that cannot be used. It cannot lead back to
// the client's redirect URI, because the request may be that of somebody else.
func (c *Requests) pushedProblem(client storage.Client, err error) error {
	cause := err
	switch {
	case errors.Is(err, storage.ErrNotFound):
		cause = ErrPushedUnknown
	case errors.Is(err, storage.ErrExpired):
		cause = ErrPushedExpired
	case errors.Is(err, storage.ErrReplayed):
		cause = ErrPushedUsed
	case !errors.Is(err, ErrPushedUnknown) && !errors.Is(err, ErrPushedExpired):
		return err
	}
	return c.PushedProblem(client, cause)
}

// PushedProblem returns the page for this reason. It leads to the client, if the client has an
// initiate_login_uri.
func (c *Requests) PushedProblem(client storage.Client, cause error) *web.Problem {
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_request_uri", Title: words.Say("request-problem.link-title"),
		Text: words.Say("request-problem.pushed"), Cause: cause,
	}
	c.leadToClient(p, client, "")
	return p
}
