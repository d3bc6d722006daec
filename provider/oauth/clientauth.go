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
	"signet/provider/directory"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// presented is what a request says about its client.
type credentials struct {
	id, secret, method string
}

// authenticate finds out which client a form request comes from and proves it. To
// the outside an unknown client and a wrong secret look alike and count alike; the
// error names the exact cause for the log.
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
	refused := checkCredentials(client, sent, at)
	if refused == nil {
		return client, nil
	}
	if errors.Is(err, request.ErrDisabled) {
		refused = errDisabledClient
	}
	if isGuess(sent, refused) {
		return storage.Client{}, h.countFailure(r, client.ID, sent, refused, at)
	}
	return storage.Client{}, refused
}

// Why a client is not let in. To the outside they are all errClientAuthentication.
var (
	errNoClientID           = unauthenticated("client_id_missing", "the request names no client")
	errBasicHeader          = unauthenticated("malformed_basic", "the Basic header cannot be decoded")
	errNoAssertions         = unauthenticated("assertion_not_supported", "no client is registered for assertions")
	errDisabledClient       = unauthenticated("client_disabled", "the client is disabled")
	errUnknownClient        = unauthenticated("unknown_client", "no enabled client has this id")
	errNoSecret             = unauthenticated("no_secret", "the client has a secret and sent none")
	errWrongSecret          = unauthenticated("wrong_secret", "the secret is wrong or expired")
	errWrongMethod          = unauthenticated("wrong_method", "the secret is right and was sent in the wrong way")
	errSecretOfPublicClient = unauthenticated("secret_of_public_client", "the client has no secret and sent one")
)

func unauthenticated(code, text string) error {
	return web.Because(code, fmt.Errorf("%w: %s", errClientAuthentication, text))
}

// errPublicClient: the endpoint or grant type is for clients that authenticate.
var errPublicClient = web.WithAdvice(
	unauthenticated("public_client", "the client is public"),
	"this needs a client that authenticates, and this one has no secret: register it as a web client or a service",
)

// judge decides whether the request proves the client; the zero client stands for an
// unknown one. nil lets it in.
func checkCredentials(client storage.Client, sent credentials, at time.Time) error {
	// An unknown client costs the same comparison.
	right := directory.SecretMatches(client.Secrets, sent.secret, at)
	switch {
	case client.ID == "":
		return errUnknownClient
	case client.Public() && sent.method == storage.AuthNone:
		return nil
	case sent.method == storage.AuthNone:
		return errNoSecret
	case client.Public():
		return errSecretOfPublicClient
	case !right:
		return errWrongSecret
	case !client.AllowsAuthMethod(sent.method):
		return wrongMethod(sent.method, client.Metadata.TokenEndpointAuthMethod)
	}
	return nil
}

// guessed reports whether a refused request has tried a secret. One without a secret
// tries nothing, and a right secret that came in the wrong way is no guess: neither
// is counted.
func isGuess(sent credentials, refused error) bool {
	return sent.secret != "" && !errors.Is(refused, errWrongMethod)
}

// wrongMethod refuses a right secret that was not sent as the client is registered to
// send it. Only a client that has proven its secret is told so.
func wrongMethod(sent, registered string) error {
	return web.WithAdvice(
		fmt.Errorf("%w: sent as %s, registered for %s", errWrongMethod, sent, registered),
		"the secret is right, but this client must send it as "+registered+", not as "+sent+
			": configure the client for "+registered+", or change its token_endpoint_auth_method",
	)
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
		trace.MarkRecorded() // once it is over a limit, on purpose not
	}
	err = h.DB.CountFailure(r.Context(), []storage.Limit{
		{Key: "client:" + bucket, Max: failuresOfClient, Window: failureWindow},
		{Key: "clientnet:" + storage.Network(trace.Address), Max: failuresOfNetwork, Window: failureWindow},
	}, event, at)
	if _, over := errors.AsType[*storage.ThrottledError](err); over {
		return fmt.Errorf("%w: %w", errClientThrottled, err)
	}
	if err != nil {
		return err
	}
	return refused
}

// presentedBy reads the credentials from the one place they may stand in (RFC
// 6749, section 2.3: a request uses one method). Basic without a secret says only
// which client asks (section 2.3.1: an empty secret may be omitted). An Authorization
// header of another scheme says nothing about the client: a proxy or a script that
// adds a bearer token to every call presents no second method. With an error it still
// gives the id that the request claims, if it has any.
func readCredentials(r *http.Request) (credentials, error) {
	form := r.PostForm
	sent, err := basicCredentials(r)
	id := cmp.Or(sent.id, form.Get("client_id"))
	claimed := credentials{id: id}
	if err != nil {
		return claimed, err
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if sent.secret != "" || form.Has("client_secret") {
			return claimed, errTwoMethods
		}
		return claimed, errNoAssertions
	}
	switch {
	case sent.secret != "" && form.Has("client_secret"):
		return claimed, errTwoMethods
	case form.Get("client_id") != "" && form.Get("client_id") != id:
		return claimed, errTwoClients
	case sent.secret != "":
		return sent, nil
	case id == "":
		return claimed, errNoClientID
	}
	if form.Has("client_secret") {
		return credentials{id, form.Get("client_secret"), storage.AuthPost}, nil
	}
	return credentials{id, "", storage.AuthNone}, nil
}

// basicCredentials decodes id and secret as the form encoding they stand in (RFC
// 6749, section 2.3.1). Without a Basic header, and with one that names neither, they
// are empty.
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
	return credentials{id, secret, storage.AuthBasic}, nil
}
