package notice

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/subject"
	"signet/storage"
)

const (
	batchSize         = 32               // notices that are sent at the same time
	leaseFor          = 30 * time.Second // longer than the longest call
	pauseAfterFailure = 10 * time.Second // a client that did not answer is not called for this time
	tokenLife         = 2 * time.Minute  // a logout token expires after this time
	// maxRoundTime limits the delivery that follows a sign-out. DeliverOnce sends the
	// remaining notices.
	maxRoundTime = 10 * time.Second
)

// retryDelays lists the delay after each failed try. After the last one the notice is given
// up: 20 hours and 36 minutes after the session ended.
var retryDelays = []time.Duration{
	10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

// Config of an Outbox. All fields but FrontChannel are required.
type Config struct {
	DB       *storage.DB
	Ring     *keys.Ring
	Subjects subject.Subjects
	Clients  *request.Clients
	// HTTP calls the clients whose address an administrator entered, Foreign those that registered
	// themselves. Both limit time and size of a call. New replaces their redirect rules: redirects
	// are never followed.
	HTTP, Foreign *http.Client
	// Follow reloads the keys and clients if they have changed. Clients do not answer a logout
	// token again that they refused, so no key may sign it that was revoked a moment ago.
	Follow func(ctx context.Context, at time.Time) error
	Issuer string
	// FrontChannel lets the page after a sign-out notify clients too, see Frames.
	FrontChannel bool
	Now          func() time.Time
	Log          *slog.Logger
}

// Outbox sends the notices that are due. Several nodes can do this at the same time.
type Outbox struct {
	Config
	http    *http.Client
	foreign *http.Client
	rounds  chan struct{} // one element for each running delivery after a sign-out
	running sync.WaitGroup

	mu          sync.Mutex
	pausedUntil map[string]time.Time // clients that did not answer, until when
}

// maxRounds limits the number of deliveries that follow sign-outs at the same time. The notices
// of further sign-outs wait for the next DeliverOnce.
const maxRounds = 16

// New returns the outbox of a node.
func New(c Config) *Outbox {
	return &Outbox{Config: c, http: withoutRedirects(c.HTTP), foreign: withoutRedirects(c.Foreign), rounds: make(chan struct{}, maxRounds), pausedUntil: map[string]time.Time{}}
}

func withoutRedirects(c *http.Client) *http.Client {
	once := *c
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &once
}

// DeliverOnce sends all notices that are due, and returns when each call has ended. The caller
// calls it once a second. Failed calls are logged and repeated later; an error means that the
// database could not be read or written.
func (o *Outbox) DeliverOnce(ctx context.Context, at time.Time) error {
	return o.deliver(ctx, storage.NoticeClaim{}, at)
}

// Wait returns when the deliveries of StartDelivery have ended, after at most ten seconds.
func (o *Outbox) Wait() { o.running.Wait() }

func (o *Outbox) deliver(ctx context.Context, which storage.NoticeClaim, at time.Time) error {
	which.Limit, which.Lease = batchSize, leaseFor
	for ctx.Err() == nil {
		which.Except = o.pausedClients(at)
		claimed, err := o.DB.ClaimNotices(ctx, which, at)
		if err != nil {
			return fmt.Errorf("deliver notices: %w", err)
		}
		if len(claimed) == 0 {
			return nil
		}
		// After the claim: a notice of a session that ended together with the keys is not older
		// than their end.
		if err := o.Follow(ctx, at); err != nil {
			return fmt.Errorf("deliver notices: %w", err) // they are due again when the lease ends
		}
		results := make([]error, len(claimed))
		var sending sync.WaitGroup
		for i, n := range claimed {
			sending.Go(func() { results[i] = o.send(ctx, n, at) })
		}
		sending.Wait()
		if err := errors.Join(results...); err != nil {
			return fmt.Errorf("deliver notices: %w", err)
		}
		if len(claimed) < batchSize {
			return nil
		}
	}
	return ctx.Err()
}

// send makes one try and stores its result.
func (o *Outbox) send(ctx context.Context, n storage.Notice, at time.Time) error {
	failure, err := o.sendToken(ctx, n, at)
	if err == nil && failure.retry {
		err = ctx.Err() // we ended the call ourselves: this is not a failure of the client
	}
	if err != nil {
		return err // the notice is due again when the lease ends
	}
	ctx = context.WithoutCancel(ctx) // the result is stored even while the node shuts down
	result := storage.NoticeResult{Error: failure.code}
	if failure.retry {
		o.pauseClient(n.ClientID, at.Add(pauseAfterFailure))
		if n.Tries <= int64(len(retryDelays)) {
			result.RetryAt = at.Add(retryDelays[n.Tries-1])
		}
	}
	if failure.code != "" {
		o.Log.Warn("cannot deliver a back-channel logout notice to a client", "client_id", n.ClientID, "sid", n.SessionID,
			"error", failure.code, "tries", n.Tries, "given_up", result.RetryAt.IsZero())
	}
	return o.DB.SettleNotice(ctx, n, result, at)
}

// sendToken sends a logout token to the client as it is registered now. A failure of the
// client is in the first result; err is a failure of our own.
func (o *Outbox) sendToken(ctx context.Context, n storage.Notice, at time.Time) (failure, error) {
	client, err := o.Clients.Enabled(ctx, n.ClientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return failure{code: "client_disabled"}, nil
	case err != nil:
		return failure{}, fmt.Errorf("read client: %w", err)
	case client.Metadata.BackchannelLogoutURI == "":
		return failure{code: "no_backchannel_logout_uri"}, nil
	}
	token, err := o.token(client, n, at)
	if err != nil {
		return failure{}, err
	}
	caller := o.http
	if client.IsSelfRegistered() {
		caller = o.foreign
	}
	return post(ctx, caller, client.Metadata.BackchannelLogoutURI, token), nil
}

// token makes the logout token of a notice. Each try has the same jti, so that the client can
// recognize a repeated notice. The jti is a hash and does not show the id of the notice.
func (o *Outbox) token(client storage.Client, n storage.Notice, at time.Time) (string, error) {
	sub, err := o.Subjects.OfNotice(client, n)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256([]byte(n.ID))
	return o.Ring.SignLogout(client.IDTokenAlg(), keys.LogoutToken{
		Subject: sub, Audience: client.ID, SessionID: n.SessionID, ID: base64.RawURLEncoding.EncodeToString(id[:]),
		IssuedAt: at.Unix(), Expires: at.Add(tokenLife).Unix(),
	})
}

// pausedClients lists the clients that are not called now. Without the pause, a client that
// does not answer would delay the notices of all others by 5 s for each of its own.
func (o *Outbox) pausedClients(at time.Time) (list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, until := range o.pausedUntil {
		if at.Before(until) {
			list = append(list, id)
		} else {
			delete(o.pausedUntil, id)
		}
	}
	return list
}

func (o *Outbox) pauseClient(clientID string, until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pausedUntil[clientID] = until
}
