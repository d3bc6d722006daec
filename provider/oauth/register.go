package oauth

import (
	"errors"
	"net/http"
	"strings"

	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// registerPath is the registration endpoint. Each client that registered itself has its own
// endpoint below it.
const registerPath = "/register"

// register serves the registration endpoint (RFC 7591, section 3; OIDC Registration, section
// 3.1). No page of another origin may call it: the page of a stranger, who can register a client
// with its origin, could otherwise let each of its visitors register clients, and every visitor
// has another network.
func (h *Handler) register(w http.ResponseWriter, r *http.Request) {
	made, err := h.registerClient(w, r)
	if err == nil {
		web.TraceOf(r.Context()).NoteClient(made.Client.ID)
		err = web.WriteJSON(w, http.StatusCreated, h.registrationAnswer(made))
	}
	if err != nil {
		failRegistration(w, r, err)
	}
}

func (h *Handler) registerClient(w http.ResponseWriter, r *http.Request) (directory.Registered, error) {
	if h.Registration.IsOff() {
		return directory.Registered{}, directory.ErrRegistrationOff
	}
	initial, err := registrationToken(r)
	if err != nil {
		return directory.Registered{}, err
	}
	document, err := readClientDocument(w, r)
	if err != nil {
		return directory.Registered{}, err
	}
	return h.Directory.Register(r.Context(), document, initial, web.TraceOf(r.Context()).Origin())
}

// registration serves the client configuration endpoint (RFC 7592, section 2).
func (h *Handler) registration(w http.ResponseWriter, r *http.Request) {
	answer, err := h.manageRegistration(w, r)
	switch {
	case err != nil:
		failRegistration(w, r, err)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		if err := web.WriteJSON(w, http.StatusOK, answer); err != nil {
			failRegistration(w, r, err)
		}
	}
}

// manageRegistration reads, replaces or deletes a client. The answer to a deletion is nil.
func (h *Handler) manageRegistration(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	token, err := registrationToken(r)
	if err != nil {
		return nil, err
	}
	id, trace := r.PathValue("client_id"), web.TraceOf(r.Context())
	trace.NoteClaimedClient(id)
	client, err := h.Directory.RegisteredClient(r.Context(), id, token)
	if err != nil {
		return nil, err
	}
	trace.NoteClient(client.ID)
	allowOrigin(w.Header(), r.Header.Get("Origin"), client)
	switch r.Method {
	case http.MethodPut:
		var document directory.ClientDocument
		if document, err = readClientDocument(w, r); err == nil {
			client, err = h.Directory.ReplaceRegistered(r.Context(), id, token, document, trace.Origin())
			h.Clients.NoteChange(id) // after an error too: the change may have been committed
		}
	case http.MethodDelete:
		err = h.Directory.DeleteRegistered(r.Context(), id, token, trace.Origin())
		h.Clients.NoteChange(id)
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return h.registrationAnswer(directory.Registered{Client: client, Token: token}), nil
}

// registrationAnswer returns the client information response (RFC 7591, section 3.2.1; RFC
// 7592, section 3).
func (h *Handler) registrationAnswer(made directory.Registered) map[string]any {
	answer := directory.ClientMembers(made.Client)
	if made.Client.HasSecret() {
		answer["client_secret_expires_at"] = 0 // never
	}
	if made.Secret != "" {
		answer["client_secret"] = made.Secret
	}
	if made.Token != "" {
		answer["registration_access_token"] = made.Token
		answer["registration_client_uri"] = h.Issuer + registerPath + "/" + made.Client.ID
	}
	return answer
}

func readClientDocument(w http.ResponseWriter, r *http.Request) (directory.ClientDocument, error) {
	body, err := web.JSONBody(w, r)
	if err != nil {
		return directory.ClientDocument{}, err
	}
	return directory.ReadClientDocument(body)
}

// registrationToken returns the bearer token of the request, "" without one (RFC 6750, section
// 2.1).
func registrationToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if token = strings.TrimSpace(token); len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", directory.ErrRegistrationToken
	}
	return token, nil
}

// failRegistration answers a request that cannot be served (RFC 7591, section 3.2.2; RFC 6750,
// section 3).
func failRegistration(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, directory.ErrRegistrationToken) {
		web.Bearer.Fail(w, r, web.WithAdvice(web.Because("registration_token", err), registrationTokenAdvice(r)))
		return
	}
	web.OAuth.Fail(w, r, registrationCause(err))
}

// registrationCauses are the causes of refusals that need no further text.
var registrationCauses = []struct {
	err  error
	code func(error) error
}{
	{directory.ErrRegistrationOff, func(err error) error { return web.Because("registration_off", err) }},
	{directory.ErrNotOwnSecret, func(err error) error { return web.Because("registration_secret", err) }},
	{storage.ErrShared, func(err error) error { return web.Because("registration_shared", err) }},
	{storage.ErrRegistrationsFull, func(err error) error { return web.Because("registrations_full", err) }},
}

// registrationCause adds the stable code of the cause, and for metadata all problems.
func registrationCause(err error) error {
	for _, c := range registrationCauses {
		if errors.Is(err, c.err) {
			return c.code(err)
		}
	}
	if _, throttled := errors.AsType[*storage.ThrottledError](err); throttled {
		return web.Because("registration_throttled", err)
	}
	if noKey, is := errors.AsType[*directory.NoKeyError](err); is {
		return web.WithAdvice(web.Because("metadata_refused", err),
			noKey.Error()+": for id_token_signed_response_alg and userinfo_signed_response_alg, use algorithms of id_token_signing_alg_values_supported")
	}
	broken, is := errors.AsType[*directory.ClientError](err)
	switch {
	case !is:
		return err
	case broken.IsRedirectProblem():
		return web.WithAdvice(web.Because("redirect_uris_refused", err), broken.Line())
	}
	return web.WithAdvice(web.Because("metadata_refused", err), broken.Line())
}

func registrationTokenAdvice(r *http.Request) string {
	if r.PathValue("client_id") == "" {
		return "registration needs a valid initial access token: get one from the administrator"
	}
	return "the registration access token is not valid for this client"
}
