package oauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/notice"
	authorization "signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const (
	logoutPurpose = "logout"
	logoutLife    = 30 * time.Minute
)

// logout is a validated sign-out request on its way through the browser.
type logoutRequest struct {
	ClientID string `json:"c,omitempty"`
	Redirect string `json:"u,omitempty"` // proven to be registered by that client
	State    string `json:"s,omitempty"`
	Hinted   string `json:"d,omitempty"` // sid of the verified id_token_hint
}

// endSession serves the end session endpoint (OIDC RP-Initiated Logout, section
// 2). A hint of the browser's own session ends it at once; whatever else comes is
// asked about first, since any site can send a browser here. A hint or an address that
// cannot be used is left out and noted in the log: the person can always sign out. A
// POST of another site comes without the session's cookie: it is sealed and a GET
// goes on.
func (h *Handler) endSession(w http.ResponseWriter, r *http.Request) error {
	params, err := h.logoutParams(w, r)
	if err != nil {
		return h.logoutProblem(r, err)
	}
	if r.Method == http.MethodPost && params.Has("ticket") {
		return h.confirmLogout(w, r, params)
	}
	request, err := h.readLogout(r, params)
	if err != nil {
		return h.logoutProblem(r, err)
	}
	if r.Method == http.MethodPost {
		sealed, err := h.sealLogout(request)
		if err != nil {
			return err
		}
		return web.SeeOther(w, h.Site.Base+"/end_session?"+url.Values{"logout": {sealed}}.Encode())
	}
	current, err := h.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) {
		return h.finishLogout(w, r, request, h.Notices.Open(params.Get("ended")))
	}
	if err != nil {
		return err
	}
	if request.Hinted == "" || request.Hinted != current.ID {
		return h.showConfirmation(w, current, request)
	}
	ended, err := h.endCurrent(w, r, current)
	if err != nil {
		return err
	}
	return h.finishLogout(w, r, request, ended)
}

// endCurrent ends the browser's session and begins to tell its clients. Without any
// there is nothing to say of what ended.
func (h *Handler) endCurrent(w http.ResponseWriter, r *http.Request, current session.Current) (notice.EndedSessions, error) {
	ended := notice.EndedSessions{UserID: current.UserID, SessionID: current.ID, At: h.Now()}
	if err := h.Sessions.End(r.Context(), w, current, "signed_out"); err != nil {
		return notice.EndedSessions{}, err
	}
	if !h.Notices.StartDelivery(r.Context(), ended) {
		return notice.EndedSessions{}, nil
	}
	return ended, nil
}

func (h *Handler) logoutParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return web.Form(w, r)
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = web.CheckParameters(params)
	}
	if err != nil {
		return nil, newUnreadableLogout("the query is malformed or repeats a parameter")
	}
	return params, nil
}

// unreadableLogout is a sign-out request that cannot be read; logoutProblem makes its page.
type unreadableLogout struct{ error }

func newUnreadableLogout(text string) error {
	return unreadableLogout{because("malformed_request", text)}
}

// cannotStart is the page for a sign-out request that cannot be read; other errors are given
// back. It says whether the person is signed in. A POST from another site comes without the
// session's cookie: then it is not known.
func (h *Handler) logoutProblem(r *http.Request, err error) error {
	wrong, ok := errors.AsType[unreadableLogout](err)
	if !ok {
		return err
	}
	page := &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_request", Title: words.Say("application-error.sign-out.title"),
		StartURL: h.Site.Base + "/end_session", StartText: words.Say("application-error.sign-out-here"), Cause: err,
	}
	switch _, err := h.Sessions.Current(r); {
	case err == nil:
		page.Text = words.Say("application-error.sign-out.still-signed-in", "Reason", wrong.Error())
	case !errors.Is(err, session.ErrNone):
		return err
	case r.Method == http.MethodPost:
		page.Text = words.Say("application-error.sign-out.unknown", "Reason", wrong.Error())
	default:
		page.Text = words.Say("application-error.sign-out.not-signed-in", "Reason", wrong.Error())
		page.StartURL, page.StartText = h.Site.Base+"/", words.Say("common-error.start-page")
	}
	return page
}

// logoutOf validates a request, or opens the sealed one of a POST. It notes the
// parameters that it leaves out.
func (h *Handler) readLogout(r *http.Request, params url.Values) (logoutRequest, error) {
	if params.Has("logout") {
		return h.openLogout(params.Get("logout"))
	}
	asked := logoutRequest{State: params.Get("state")}
	trace := web.TraceOf(r.Context())
	trace.NoteClaimedClient(params.Get("client_id"))
	trace.NoteClaimedRedirect(params.Get("post_logout_redirect_uri"))
	hint, why := h.readLogoutHint(params)
	trace.Ignore("id_token_hint", why)
	client, why, err := h.findLogoutClient(r, params, hint)
	if err != nil {
		return logoutRequest{}, err
	}
	trace.Ignore("client_id", why)
	if asked.ClientID = client.ID; client.ID != "" {
		asked.Hinted = hint.SessionID
	}
	switch redirect := params.Get("post_logout_redirect_uri"); {
	case redirect == "":
	case client.ID == "":
		trace.Ignore("post_logout_redirect_uri", "no client is named that is enabled, and not exactly one has registered the address")
	case !client.AllowsPostLogoutRedirect(redirect):
		trace.Ignore("post_logout_redirect_uri", "it is not registered for the client")
	case !asked.fitsWith(redirect):
		trace.Ignore("post_logout_redirect_uri", "with state it is longer than proxies accept")
	default:
		asked.Redirect = redirect
	}
	return asked, nil
}

// logoutHint reads the hint, or says why it cannot be used. The specification wants
// client_id and the hint's audience compared (section 2): of two clients, the hint
// would end a session that the one that asks has no part in.
func (h *Handler) readLogoutHint(params url.Values) (hint keys.IDToken, why string) {
	if !params.Has("id_token_hint") {
		return keys.IDToken{}, ""
	}
	hint, err := h.Ring.VerifyIDTokenHint(params.Get("id_token_hint"), h.Now())
	if err != nil {
		return keys.IDToken{}, err.Error()
	}
	if id := params.Get("client_id"); id != "" && id != hint.Audience {
		return keys.IDToken{}, "it was issued to another client than client_id"
	}
	return hint, ""
}

// logoutClient finds the client that asks: the one that hint or client_id names or, if
// nothing does, the only one that has registered the address. The zero client, and why,
// if there is none.
func (h *Handler) findLogoutClient(r *http.Request, params url.Values, hint keys.IDToken) (client storage.Client, why string, err error) {
	id := params.Get("client_id")
	if hint.Audience != "" {
		id = hint.Audience
	}
	if id == "" {
		client, _ = h.Clients.OfPostLogoutRedirect(params.Get("post_logout_redirect_uri"))
		return client, "", nil
	}
	client, err = h.Clients.Enabled(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, "no enabled client has this id", nil
	}
	if err != nil {
		return storage.Client{}, "", fmt.Errorf("read client: %w", err)
	}
	return client, "", nil
}

func (h *Handler) showConfirmation(w http.ResponseWriter, current session.Current, request logoutRequest) error {
	sealed, err := h.sealLogout(request)
	if err != nil {
		return err
	}
	ticket, err := h.Visits.SealTicket(logoutTicket(current, sealed))
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.SignOut{
		Common: h.Site.Common(), Request: sealed, Ticket: ticket,
		User: templates.Person{Name: current.User.Name, Email: current.User.Email},
	})
}

func logoutTicket(current session.Current, sealed string) visit.Ticket {
	return visit.Ticket{Purpose: logoutPurpose, Session: current.ID, Shown: sealed}
}

// confirmedLogout takes the answer of the confirmation page. The ticket binds it
// to this session, so that no other site can have sent it.
func (h *Handler) confirmLogout(w http.ResponseWriter, r *http.Request, form url.Values) error {
	request, err := h.openLogout(form.Get("logout"))
	if err != nil {
		return h.logoutProblem(r, err)
	}
	current, err := h.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) {
		return h.continueToSignedOut(w, url.Values{"logout": {form.Get("logout")}})
	}
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), logoutTicket(current, form.Get("logout"))); err != nil {
		return web.StaleForm(h.Site.Base+"/end_session", err)
	}
	if form.Get("decision") != "allow" {
		return h.Site.ContinueTo(w, h.Site.Base+"/")
	}
	ended, err := h.endCurrent(w, r, current)
	if err != nil {
		return err
	}
	web.TraceOf(r.Context()).NoteClient(request.ClientID)
	params := url.Values{"logout": {form.Get("logout")}}
	if ended.UserID != "" {
		sealed, err := h.Notices.Seal(ended)
		if err != nil {
			return err
		}
		params.Set("ended", sealed)
	}
	return h.continueToSignedOut(w, params)
}

// onwardSignedOut leads to the GET that shows the end or leaves for the client:
// without a session there is nothing left to ask.
func (h *Handler) continueToSignedOut(w http.ResponseWriter, params url.Values) error {
	return h.Site.ContinueTo(w, h.Site.Base+"/end_session?"+params.Encode())
}

// signedOut goes back to the client if it has named a registered address, with
// state only if it was sent and nothing else (section 3), and else says so here.
// The address is checked again: a sealed request may be half an hour old.
func (h *Handler) finishLogout(w http.ResponseWriter, r *http.Request, request logoutRequest, ended notice.EndedSessions) error {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	client, err := h.enabledClient(r, request)
	if err != nil {
		return err
	}
	if request.Redirect == "" || !client.AllowsPostLogoutRedirect(request.Redirect) {
		return h.showSignedOut(w, r, client, ended)
	}
	return web.SeeOther(w, request.location())
}

// leadsTo reports whether a sign-out can carry this address, sealed, and end there: not
// more than proxies accept, see web.MaxAddress.
func (request logoutRequest) fitsWith(redirect string) bool {
	request.Redirect = redirect
	if len(request.location()) > web.MaxAddress {
		return false
	}
	payload, err := request.encode()
	return err == nil && keys.SealedSize(len(payload)) <= maxSealedLogout
}

// location is where a sign-out ends.
func (request logoutRequest) location() string {
	if request.State == "" {
		return request.Redirect
	}
	separator := "?"
	if strings.Contains(request.Redirect, "?") {
		separator = "&"
	}
	return request.Redirect + separator + url.Values{"state": {request.State}}.Encode()
}

// leavingClient is the client that the person comes from, as it is now; the zero client if
// none is known or it is not enabled any more.
func (h *Handler) enabledClient(r *http.Request, request logoutRequest) (storage.Client, error) {
	if request.ClientID == "" {
		return storage.Client{}, nil
	}
	client, err := h.Clients.Enabled(r.Context(), request.ClientID)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, nil
	}
	if err != nil {
		return storage.Client{}, fmt.Errorf("read client: %w", err)
	}
	return client, nil
}

// logoutPatience is how long the page waits for the clients' answers.
const reportTimeout = 1500 * time.Millisecond

// showSignedOut says that the person is signed out, where to go from here and, to the browser
// that signed out, which applications know. The session has ended already, even if the page
// fails.
func (h *Handler) showSignedOut(w http.ResponseWriter, r *http.Request, client storage.Client, ended notice.EndedSessions) error {
	reports, err := h.Notices.Report(r.Context(), ended, reportTimeout)
	if err != nil {
		web.TraceOf(r.Context()).Note("error", err.Error())
	}
	page := templates.SignedOut{
		Common: h.Site.Common(), AppName: cmp.Or(client.Name, client.ID),
		ContinueURL: client.Metadata.ClientURI, AgainURL: h.signInAgain(client),
	}
	for _, report := range reports {
		page.Told = append(page.Told, templates.ToldClient{Name: report.Name, State: toldStates[report.State]})
	}
	return h.Site.Show(w, page)
}

// signInAgain is where another sign-in begins: at the client, if it can be asked to begin one
// (see request.InitiateLogin), and else at the account pages, which ask for one.
func (h *Handler) signInAgain(client storage.Client) string {
	if start := authorization.InitiateLogin(client, h.Site.Issuer.String(), ""); start != "" {
		return start
	}
	return h.Site.Base + "/account"
}

var toldStates = map[notice.State]templates.ToldState{
	notice.Delivered: templates.Told, notice.Pending: templates.BeingTold, notice.Retrying: templates.NotAnswering, notice.GivenUp: templates.NotTold,
}

func (h *Handler) sealLogout(request logoutRequest) (string, error) {
	payload, err := request.encode()
	if err != nil {
		return "", fmt.Errorf("encode sign-out: %w", err)
	}
	return h.Ring.Seal(logoutPurpose, payload, h.Now().Add(logoutLife))
}

// mostSealedLogout is how long a sealed sign-out may be, in characters: the answer to the form
// that confirms it holds it in an address, beside the session that ended and cookies that are
// cleared.
const maxSealedLogout = 2400

func (request logoutRequest) encode() ([]byte, error) {
	payload, err := json.Marshal(request)
	return authorization.Compact(payload), err
}

func (h *Handler) openLogout(sealed string) (logoutRequest, error) {
	var request logoutRequest
	payload, err := h.Ring.Unseal(logoutPurpose, sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) {
		return logoutRequest{}, nil // too old to lead anywhere, not too old to ask
	}
	if err == nil {
		payload, err = authorization.Expand(payload)
	}
	if err != nil || json.Unmarshal(payload, &request) != nil {
		return logoutRequest{}, newUnreadableLogout("the link is incomplete")
	}
	return request, nil
}
