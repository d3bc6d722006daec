package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"signet/federation/foreign"
)

// remoteKeys are the upstream's signing keys, fetched when a token first names one
// that is not known, for all who wait at once, and whoever of them gives up.
func remoteKeys(ctx context.Context, c caller, now func() time.Time, uri string) *oidc.RemoteKeySet {
	own := *c.client
	own.Transport = &throttled{caller: c, now: now}
	return oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), &own), uri)
}

// retryAfter keeps an upstream that is down, and one that a flood of unknown key
// ids makes us ask again, from more than one call in that time.
const retryAfter = 5 * time.Second

// throttled is a transport that asks at most once in retryAfter and repeats what
// it heard meanwhile, failures included: tokens that name keys which never existed
// cost an attacker more than the upstream.
type throttled struct {
	caller caller
	now    func() time.Time

	mu      sync.Mutex
	askedAt time.Time
	heard   response
	failure error
}

// RoundTrip answers with usable keys alone. ErrUnreachable, ErrUntrusted.
func (t *throttled) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := t.now(); t.askedAt.IsZero() || !within(t.askedAt, at, retryAfter) {
		t.heard, t.failure = t.fetch(r)
		t.askedAt = t.now()
	}
	if t.failure != nil {
		return nil, t.failure
	}
	return &http.Response{
		StatusCode: t.heard.status, Header: t.heard.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(t.heard.body)), ContentLength: int64(len(t.heard.body)),
	}, nil
}

func (t *throttled) fetch(r *http.Request) (response, error) {
	// A context of its own: whoever set this off may be gone before it ends.
	a, err := t.caller.get(context.WithoutCancel(r.Context()), "fetch keys", r.URL.String(), nil)
	if err != nil {
		return a, err
	}
	if a.status != http.StatusOK {
		return a, untrusted("fetch keys: status %d", a.status)
	}
	usable, _, err := usableKeys(a)
	if err == nil {
		a.body, err = json.Marshal(map[string]any{"keys": usable})
	}
	return a, err
}

func within(since, at time.Time, life time.Duration) bool {
	age := at.Sub(since)
	return age >= 0 && age < life // a clock that was set back ends it, too
}

// usableKeys gives the keys of an answer that tokens may be verified with, and how many
// others it holds. Those are left out: the library would refuse the whole set for one
// that it cannot read, and believe one that is too weak.
func usableKeys(a response) (usable []any, ignored int, err error) {
	set, err := a.object("fetch keys")
	if err != nil {
		return nil, 0, err
	}
	usable, ignored = foreign.UsableKeys(set)
	if len(usable) == 0 {
		return nil, ignored, untrusted("fetch keys: the set holds no usable key")
	}
	return usable, ignored, nil
}

func countKeys(a response) (usable, ignored int, err error) {
	if a.status != http.StatusOK {
		return 0, 0, untrusted("fetch keys: status %d, no keys", a.status)
	}
	list, ignored, err := usableKeys(a)
	return len(list), ignored, err
}

// witness is a key set that remembers why it could not verify: the verifier puts
// the reason into words, and a reader of words cannot tell a lie from an outage.
type witness struct {
	keys        oidc.KeySet
	unreachable error
}

// VerifySignature verifies by the published keys.
func (w *witness) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := w.keys.VerifySignature(ctx, token)
	if errors.Is(err, ErrUnreachable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		w.unreachable = ErrUnreachable
	}
	return payload, err
}

// shared is the client secret as a key, for the symmetric algorithms.
type shared []byte

// VerifySignature refuses every algorithm that is not symmetric.
func (s shared) VerifySignature(_ context.Context, token string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512})
	if err != nil {
		return nil, err
	}
	return parsed.Verify([]byte(s))
}

// either verifies by the secret what is symmetric and by the published keys all
// else: a token's header picks among what the settings allow, and no algorithm
// ever meets a key of the other sort.
type either struct {
	secret    shared
	published oidc.KeySet
}

// VerifySignature tries the secret, which fits symmetric algorithms only, and then the
// published keys.
func (e either) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	if payload, err := e.secret.VerifySignature(ctx, token); err == nil {
		return payload, nil
	}
	return e.published.VerifySignature(ctx, token)
}
