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

// logoutRequest is a validated sign-out request. The browser carries it, sealed.
type logoutRequest struct {
	ClientID string `json:"c,omitempty"`
	Redirect string `json:"u,omitempty"` // registered for that client
	State    string `json:"s,omitempty"`
	Hinted   string `json:"d,omitempty"` // sid of the verified id_token_hint
}

// endSession serves the end session endpoint (OIDC RP-Initiated Logout, section 2).
//
// A request with a hint of the browser's own session ends that session at once. For any
// other request the user must confirm, because any site can send a browser here. A hint or
// redirect URI that cannot be used is ignored and noted in the log, so that users can always
// sign out. A POST from another site comes without the session cookie. Its request is
// sealed, and the browser continues with a GET.
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

// endCurrent ends the session of the browser and starts to notify its clients.
func (h *Handler) endCurrent(w http.ResponseWriter, r *http.Request, current session.Current) (notice.EndedSessions, error) {
	ended := notice.EndedSessions{UserID: current.UserID, SessionID: current.ID, At: h.Now()}
	if err := h.Sessions.End(r.Context(), w, current, "signed_out"); err != nil {
		return notice.EndedSessions{}, err
	}
	h.Notices.StartDelivery(r.Context(), ended)
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

// logoutProblem returns the error page for an unreadableLogout, and other errors unchanged.
// The page shows whether the user is signed in. This is unknown for a POST from another
// site, which comes without the session cookie.
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

// readLogout validates a request, or opens the request that a POST has sealed. It notes the
// parameters that it ignores in the log.
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
		trace.Ignore("post_logout_redirect_uri", "the request names no enabled client, and the URI is not registered for exactly one client")
	case !client.AllowsPostLogoutRedirect(redirect):
		trace.Ignore("post_logout_redirect_uri", "it is not registered for the client")
	case !asked.fitsWith(redirect):
		trace.Ignore("post_logout_redirect_uri", "the URI with state is too long for proxies")
	default:
		asked.Redirect = redirect
	}
	return asked, nil
}

// readLogoutHint reads id_token_hint. why is the reason if the hint cannot be used. The
// audience of the hint must be client_id (section 2). Otherwise a client could end a session
// that belongs to another client.
func (h *Handler) readLogoutHint(params url.Values) (hint keys.IDToken, why string) {
	if !params.Has("id_token_hint") {
		return keys.IDToken{}, ""
	}
	hint, err := h.Ring.VerifyIDTokenHint(params.Get("id_token_hint"), h.Now())
	if err != nil {
		return keys.IDToken{}, err.Error()
	}
	if id := params.Get("client_id"); id != "" && id != hint.Audience {
		return keys.IDToken{}, "it was not issued to the client in client_id"
	}
	return hint, ""
}

// findLogoutClient returns the client that sends the request. This is the client in the hint
// or in client_id. If the request has neither, it is the only client that has registered the
// redirect URI. If there is none, it returns the zero client; why is the reason if client_id
// or the hint names a client that is unknown or disabled.
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

// showConfirmation shows the page on which the user confirms the sign-out.
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

// logoutTicket binds a confirmation page to the session and to the sealed request.
func logoutTicket(current session.Current, sealed string) visit.Ticket {
	return visit.Ticket{Purpose: logoutPurpose, Session: current.ID, Shown: sealed}
}

// confirmLogout handles the form of the confirmation page. The ticket binds the form to this
// session, so that no other site can send it.
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
	sealed, err := h.Notices.Seal(ended)
	if err != nil {
		return err
	}
	return h.continueToSignedOut(w, url.Values{"logout": {form.Get("logout")}, "ended": {sealed}})
}

// continueToSignedOut sends the browser to the GET that shows the signed-out page or goes
// back to the client. It asks nothing, because the browser has no session any more.
func (h *Handler) continueToSignedOut(w http.ResponseWriter, params url.Values) error {
	return h.Site.ContinueTo(w, h.Site.Base+"/end_session?"+params.Encode())
}

// finishLogout sends the browser back to the client if the request has a registered redirect
// URI. It adds state if it was sent, and nothing else (section 3). Otherwise it shows the
// signed-out page. It checks the redirect URI again, because a sealed request may be half an
// hour old. An unapproved client gets a link on that page instead of a redirect (RFC 9700,
// section 4.11.2): without a session, any site could let this address redirect a visitor.
func (h *Handler) finishLogout(w http.ResponseWriter, r *http.Request, request logoutRequest, ended notice.EndedSessions) error {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	client, err := h.enabledClient(r, request)
	if err != nil {
		return err
	}
	returns := request.Redirect != "" && client.AllowsPostLogoutRedirect(request.Redirect)
	switch {
	case returns && client.IsUnapproved():
		return h.showSignedOut(w, r, client, request.location(), ended)
	case returns:
		return h.leave(w, r, client, request.location(), ended)
	case client.IsUnapproved():
		return h.showSignedOut(w, r, client, "", ended) // see request.InitiateLogin
	}
	return h.showSignedOut(w, r, client, client.Metadata.ClientURI, ended)
}

// leave sends the browser to a redirect URI of the client. If applications are notified in iframes,
// it shows them on a page that continues by itself. A link cannot lead to an app with a scheme of
// its own, so the browser goes there at once, without iframes.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, client storage.Client, location string, ended notice.EndedSessions) error {
	frames := h.frames(r, ended)
	if len(frames) == 0 || storage.OriginOf(location) == "" {
		return web.SeeOther(w, location)
	}
	page := templates.Leaving{Common: h.Site.Common(), Frames: frames, URL: location, AppName: cmp.Or(client.Name, client.ID)}
	return h.Site.LeaveAfterFrames(w, page, frames, location)
}

// frames returns the addresses that the page after a sign-out opens in iframes. The session has
// ended already, so if they cannot be read, the page has none.
func (h *Handler) frames(r *http.Request, ended notice.EndedSessions) []string {
	frames, err := h.Notices.Frames(r.Context(), ended)
	if err != nil {
		web.TraceOf(r.Context()).Note("error", err.Error())
	}
	return frames
}

// fitsWith reports whether the request with this redirect URI stays short enough for
// proxies, sealed and in the final redirect. See web.MaxAddress.
func (request logoutRequest) fitsWith(redirect string) bool {
	request.Redirect = redirect
	if len(request.location()) > web.MaxAddress {
		return false
	}
	payload, err := request.encode()
	return err == nil && keys.SealedSize(len(payload)) <= maxSealedLogout
}

// location returns the redirect URI with state, if the request has one.
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

// enabledClient reads the client of the request again. It returns the zero client if the
// request names none, or if the client is no longer enabled.
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

// reportTimeout is how long the signed-out page waits for the answers of the clients.
const reportTimeout = 1500 * time.Millisecond

// showSignedOut shows the signed-out page with links to continue. continueTo is an address of the
// client, "" for none. The browser that has signed out also sees which applications have been
// notified. ended is the zero value if this browser had no session, or if the page is opened again
// later. The session has ended already, even if the page fails.
func (h *Handler) showSignedOut(w http.ResponseWriter, r *http.Request, client storage.Client, continueTo string, ended notice.EndedSessions) error {
	reports, err := h.Notices.Report(r.Context(), ended, reportTimeout)
	if err != nil {
		web.TraceOf(r.Context()).Note("error", err.Error())
	}
	page := templates.SignedOut{
		Common: h.Site.Common(), Ended: ended.UserID != "", AppName: cmp.Or(client.Name, client.ID),
		ContinueURL: continueTo, AgainURL: h.signInAgain(client),
	}
	if client.IsUnapproved() && continueTo != "" {
		host := templates.HostOf(continueTo)
		page.Client, page.AppName = templates.Client{Host: host, Unverified: true}, host // nobody has checked its name
	}
	for _, report := range reports {
		page.Told = append(page.Told, templates.ToldClient{Name: report.Name, State: toldStates[report.State]})
	}
	if page.Frames = h.frames(r, ended); len(page.Frames) > 0 {
		return h.Site.ShowWithFrames(w, page, page.Frames)
	}
	return h.Site.Show(w, page)
}

// signInAgain returns the URL that starts another sign-in. It is a URL of the client, if the
// client has one for this (see request.InitiateLogin), and the account page otherwise.
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

// maxSealedLogout is the most characters that a sealed request may have. The answer to the
// confirmation form contains it in a URL, together with the sealed session that has ended and
// the cookies that are deleted.
const maxSealedLogout = 2400

func (request logoutRequest) encode() ([]byte, error) {
	payload, err := json.Marshal(request)
	return authorization.Compact(payload), err
}

func (h *Handler) openLogout(sealed string) (logoutRequest, error) {
	var request logoutRequest
	payload, err := h.Ring.Unseal(logoutPurpose, sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) {
		return logoutRequest{}, nil // an expired request has no redirect URI, but the user can still sign out
	}
	if err == nil {
		payload, err = authorization.Expand(payload)
	}
	if err != nil || json.Unmarshal(payload, &request) != nil {
		return logoutRequest{}, newUnreadableLogout("the link is damaged or incomplete")
	}
	return request, nil
}
