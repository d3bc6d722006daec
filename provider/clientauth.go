package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"signet/provider/web"
	"signet/storage"
)

// The ways a client can authenticate (OIDC Core, section 9).
const (
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodNone  = "none"
)

// presented is what a request says about its client.
type presented struct {
	id, secret, method string
}

// authenticate finds out which client a form request comes from and proves it,
// by exactly the method the client is registered with. Unknown client, wrong
// secret and wrong method answer alike, and count alike.
func (p *Provider) authenticate(r *http.Request) (storage.Client, error) {
	given, err := presentedBy(r)
	if err != nil {
		return storage.Client{}, err
	}
	client, err := p.clients.Enabled(r.Context(), given.id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, err
	}
	known := err == nil && client.Metadata.TokenEndpointAuthMethod == given.method
	if given.method == methodNone && known {
		return client, nil
	}
	// An unknown client costs the same comparison.
	at := p.Now()
	if !secretMatches(client.Secrets, given.secret, at) || !known {
		return storage.Client{}, p.countFailure(r, client.ID, given, at)
	}
	return client, nil
}

// Limits of failed client authentication: of a client, and from a network.
const (
	failuresOfClient  = 20
	failuresOfNetwork = 100
	failureWindow     = 15 * time.Minute
)

// countFailure counts a wrong secret of a client ("" for an unknown one) and gives
// the refusal. It comes after the comparison: a right secret is never throttled,
// whoever else has tried, and costs storage nothing. The limits protect the
// database and the log; the secrets, of 256 random bits, need no protection from
// guesses. A request that presents no secret guesses nothing and is not counted.
func (p *Provider) countFailure(r *http.Request, known string, given presented, at time.Time) error {
	if given.secret == "" {
		return errClientAuthentication
	}
	trace := web.TraceOf(r.Context())
	trace.Note("client_id", known)
	bucket, err := p.ring.Bucket(given.id)
	if err != nil {
		return fmt.Errorf("count failure: %w", err)
	}
	var event storage.Event
	if known != "" {
		event = storage.Event{
			Type: storage.ClientRefused, Outcome: storage.Refused, Reason: "invalid_client", ClientID: known, From: trace.Origin(),
		}
	}
	err = p.db.CountFailure(r.Context(), []storage.Limit{
		{Key: "client:" + bucket, Max: failuresOfClient, Window: failureWindow},
		{Key: "clientnet:" + storage.Network(trace.Address), Max: failuresOfNetwork, Window: failureWindow},
	}, event, at)
	if _, over := errors.AsType[*storage.ThrottledError](err); over {
		return fmt.Errorf("%w: %w", errClientThrottled, err)
	}
	if err != nil {
		return err
	}
	return errClientAuthentication
}

// presentedBy reads the credentials from the one place they may stand in (RFC
// 6749, section 2.3: a request uses one method).
func presentedBy(r *http.Request) (presented, error) {
	form := r.PostForm
	header := r.Header.Get("Authorization")
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if header != "" || form.Has("client_secret") {
			return presented{}, errTwoMethods
		}
		return presented{}, errClientAuthentication // no client is registered for assertions
	}
	switch {
	case header != "" && form.Has("client_secret"):
		return presented{}, errTwoMethods
	case header != "":
		given, err := basicCredentials(r)
		if err == nil && form.Has("client_id") && form.Get("client_id") != given.id {
			err = errTwoClients
		}
		return given, err
	case !form.Has("client_id"):
		return presented{}, errClientAuthentication
	case form.Has("client_secret"):
		return presented{form.Get("client_id"), form.Get("client_secret"), methodPost}, nil
	}
	return presented{form.Get("client_id"), "", methodNone}, nil
}

// basicCredentials decodes id and secret as the form encoding they stand in (RFC
// 6749, section 2.3.1).
func basicCredentials(r *http.Request) (presented, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return presented{}, errClientAuthentication
	}
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if idErr != nil || secretErr != nil || id == "" || secret == "" || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return presented{}, errClientAuthentication
	}
	return presented{id, secret, methodBasic}, nil
}

// secretMatches compares against both secrets a client may have. They are 256
// random bits, so that one SHA-256 is enough; a slow hash would only be a way to
// burn our CPU.
func secretMatches(secrets [2]storage.ClientSecret, given string, at time.Time) bool {
	sum := sha256.Sum256([]byte(given))
	presented := []byte(hex.EncodeToString(sum[:]))
	match := 0
	for _, secret := range secrets {
		equal := subtle.ConstantTimeCompare(presented, []byte(secret.Hash))
		if secret.ExpiresAt != 0 && secret.ExpiresAt <= storage.At(at) {
			equal = 0
		}
		match |= equal
	}
	return match == 1 && given != ""
}
