package oauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/provider/assertion"
	"signet/provider/directory"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// credentials are the client_id and the proof of a request: a secret, an assertion or none.
type credentials struct {
	id, secret, method string
	assertion          assertion.Unverified // if method is private_key_jwt
}

// authenticate returns the client of a form request after it has checked the credentials.
// The answer does not show whether the client is unknown or the secret is wrong, and both
// count as failures. The cause of the error names the exact reason, for the log.
func (h *Handler) authenticate(r *http.Request) (storage.Client, error) {
	trace := web.TraceOf(r.Context())
	trace.NoteClaimedClient(r.PostForm.Get("client_id"))
	sent, bad := readCredentials(r)
	trace.NoteClaimedClient(sent.id)
	if sent.id == "" {
		return storage.Client{}, bad
	}
	client, err := h.Clients.Enabled(r.Context(), sent.id)
	trace.NoteClient(client.ID)
	if errors.Is(err, request.ErrDisabled) {
		trace.NoteClient(sent.id)
	}
	if bad != nil {
		return storage.Client{}, bad
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, err
	}
	at := h.Now()
	refused := h.checkCredentials(r, client, sent, at)
	if refused == nil {
		return client, nil
	}
	if !errors.Is(refused, errClientAuthentication) {
		return storage.Client{}, refused
	}
	if errors.Is(err, request.ErrDisabled) {
		refused = errDisabledClient
	}
	if isGuess(sent, refused) {
		return storage.Client{}, h.countFailure(r, client.ID, sent, refused, at)
	}
	return storage.Client{}, refused
}

// Reasons why a client is refused. The answer is the same for all of them, the one of
// errClientAuthentication.
var (
	errNoClientID           = unauthenticated("client_id_missing", "the request has no client_id")
	errBasicHeader          = unauthenticated("malformed_basic", "the Basic header cannot be decoded")
	errDisabledClient       = unauthenticated("client_disabled", "the client is disabled")
	errUnknownClient        = unauthenticated("unknown_client", "no enabled client has this id")
	errNoSecret             = unauthenticated("no_secret", "the client has a secret but sent none")
	errNoAssertion          = unauthenticated("no_assertion", "the client is registered for private_key_jwt but sent no assertion")
	errSecretOfKeyClient    = unauthenticated("secret_of_key_client", "the client is registered for private_key_jwt but sent a secret")
	errWrongSecret          = unauthenticated("wrong_secret", "the secret is wrong or expired")
	errWrongMethod          = unauthenticated("wrong_method", "the secret is correct but was sent with the wrong method")
	errSecretOfPublicClient = unauthenticated("secret_of_public_client", "the client has no secret but sent one")
)

func unauthenticated(code, text string) error {
	return web.Because(code, fmt.Errorf("%w: %s", errClientAuthentication, text))
}

// errPublicClient: the endpoint or grant type needs a client that authenticates, and the
// client is public.
var errPublicClient = web.WithAdvice(
	unauthenticated("public_client", "the client is public"),
	"this request needs a client that authenticates, but this client has no secret: register it as a web client or a service",
)

// checkCredentials returns nil if the credentials prove the client. The zero client stands
// for an unknown client. An error that is not errClientAuthentication means that the check could
// not be made.
func (h *Handler) checkCredentials(r *http.Request, client storage.Client, sent credentials, at time.Time) error {
	if sent.method == storage.AuthPrivateKey {
		return h.checkAssertion(r, client, sent.assertion)
	}
	return checkSecret(client, sent, at)
}

// checkSecret is checkCredentials for a request without an assertion.
func checkSecret(client storage.Client, sent credentials, at time.Time) error {
	// The comparison runs for an unknown client too, so that it takes the same time.
	right := directory.SecretMatches(client.Secrets, sent.secret, at)
	switch {
	case client.ID == "":
		return errUnknownClient
	case client.Public() && sent.method == storage.AuthNone:
		return nil
	case sent.method == storage.AuthNone && !client.HasSecret():
		return errNoAssertion
	case sent.method == storage.AuthNone:
		return errNoSecret
	case client.Public():
		return errSecretOfPublicClient
	case !client.HasSecret():
		return errSecretOfKeyClient
	case !right:
		return errWrongSecret
	case !client.AllowsAuthMethod(sent.method):
		return wrongMethod(sent.method, client.Metadata.TokenEndpointAuthMethod)
	}
	return nil
}

// isGuess reports whether a refused request counts as an attempt to guess a secret or to forge an
// assertion. A request without a proof does not count. A correct secret that was sent with the
// wrong method does not count either.
func isGuess(sent credentials, refused error) bool {
	proof := sent.secret != "" || sent.method == storage.AuthPrivateKey
	return proof && !errors.Is(refused, errWrongMethod)
}

// wrongMethod is the error for a correct secret that was sent with another method than the
// registered one. Its advice reaches only clients that have proven their secret.
func wrongMethod(sent, registered string) error {
	return web.WithAdvice(
		fmt.Errorf("%w: sent as %s, registered for %s", errWrongMethod, sent, registered),
		"the secret is correct, but this client must send it as "+registered+", not as "+sent+
			": configure the client for "+registered+", or change its token_endpoint_auth_method",
	)
}

// Limit of failed client authentications of one client. Deps.Failures is that of one network.
const (
	failuresOfClient = 20
	failureWindow    = 15 * time.Minute
)

// countFailure counts a wrong secret and returns refused, or errClientThrottled if a limit
// is exceeded. known is the ID of the client, "" for an unknown client.
//
// It runs after the comparison. A correct proof is therefore never throttled, even if others
// have exceeded the limits, and a correct secret needs no access to storage. The limits protect the
// database and the log. The secrets have 256 random bits and need no protection from
// guesses.
func (h *Handler) countFailure(r *http.Request, known string, sent credentials, refused error, at time.Time) error {
	trace := web.TraceOf(r.Context())
	bucket, err := h.Ring.Bucket(sent.id)
	if err != nil {
		return fmt.Errorf("count failure: %w", err)
	}
	var event storage.Event
	if known != "" {
		event = storage.Event{
			Type: storage.ClientRefused, Outcome: storage.Refused, Reason: web.CauseOf(refused), ClientID: known, From: trace.Origin(),
		}
		trace.MarkRecorded() // the event; above a limit no event is written, on purpose
	}
	limits := append(h.Failures.For("clientnet", trace.Address), storage.Limit{Key: "client:" + bucket, Max: failuresOfClient, Window: failureWindow})
	err = h.DB.CountFailure(r.Context(), limits, event, at)
	if _, over := errors.AsType[*storage.ThrottledError](err); over {
		return fmt.Errorf("%w: %w", errClientThrottled, err)
	}
	if err != nil {
		return err
	}
	return refused
}

// readCredentials reads the credentials of a request. They may be in one place only (RFC
// 6749, section 2.3: a request uses one method). A Basic header without a secret only names
// the client (section 2.3.1: an empty secret may be omitted).
//
// An Authorization header of another scheme is ignored. Some proxies and scripts add a
// bearer token to every request, and this is no second method.
//
// With an error, readCredentials still returns the id that the request claims, if any.
func readCredentials(r *http.Request) (credentials, error) {
	form := r.PostForm
	sent, err := basicCredentials(r)
	id := cmp.Or(sent.id, form.Get("client_id"))
	claimed := credentials{id: id}
	if err != nil {
		return claimed, err
	}
	if form.Get("client_id") != "" && form.Get("client_id") != id {
		return claimed, errTwoClients
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if sent.secret != "" || form.Has("client_secret") {
			return claimed, errTwoMethods
		}
		return assertionCredentials(form, id)
	}
	switch {
	case sent.secret != "" && form.Has("client_secret"):
		return claimed, errTwoMethods
	case sent.secret != "":
		return sent, nil
	case id == "":
		return claimed, errNoClientID
	}
	if form.Has("client_secret") {
		return credentials{id: id, secret: form.Get("client_secret"), method: storage.AuthPost}, nil
	}
	return credentials{id: id, method: storage.AuthNone}, nil
}

// basicCredentials reads id and secret from the Basic header. Both are form-encoded (RFC
// 6749, section 2.3.1). They are empty without a Basic header, and if the header has
// neither.
func basicCredentials(r *http.Request) (credentials, error) {
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); !strings.EqualFold(scheme, "Basic") {
		return credentials{}, nil
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return credentials{}, errBasicHeader
	}
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if idErr != nil || secretErr != nil || id == "" && secret != "" || !foreign.IsStorable(id) {
		return credentials{}, errBasicHeader
	}
	return credentials{id: id, secret: secret, method: storage.AuthBasic}, nil
}
