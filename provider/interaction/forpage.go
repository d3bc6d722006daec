package interaction

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/templates"
)

// forPageParameters are those of GET /login, for an app that sends a person there. The names
// are those of OIDC Core, section 3.1.2.1; provider is the id of a connector.
var forPageParameters = []string{"return_to", "provider", "login_hint", "prompt"}

// forPagePrompts are the prompts of the authorization endpoint but for none: a page always asks.
var forPagePrompts = []string{"login", "consent", "select_account"}

const longestHint = 254 // of an e-mail address (RFC 5321, section 4.5.3.1.3)

var (
	errReturnTo  = web.Because("invalid_return_to", errors.New("return_to is neither a path of the issuer nor a URL whose origin stands in first_party.origins"))
	errPrompt    = errors.New("prompt must be made of " + strings.Join(forPagePrompts, ", "))
	errNoSuchWay = errors.New("no connector has this id")
)

// startForPage begins a request that ends at return_to. If its first step would be the sign-in
// page and a provider is named, the browser goes there at once.
func (h *Handler) startForPage(w http.ResponseWriter, r *http.Request, query url.Values) error {
	q, err := h.requestForPage(r, query)
	if err != nil {
		return err
	}
	sealed, err := h.Requests.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	if query.Get("provider") == "" {
		return web.SeeOther(w, h.Visits.Next(sealed))
	}
	return h.goToProvider(w, r, sealed, query.Get("provider"))
}

// requestForPage reads the parameters, each of which may come once.
func (h *Handler) requestForPage(r *http.Request, query url.Values) (request.Request, error) {
	asked := url.Values{}
	for _, name := range forPageParameters {
		if list, ok := query[name]; ok {
			asked[name] = slices.Clone(list)
		}
	}
	if err := web.CheckParameters(asked); err != nil {
		return request.Request{}, unreadableLink(err)
	}
	q, ok := h.Visits.RequestFor(asked.Get("return_to"))
	if !ok {
		return q, &web.Problem{
			Status: http.StatusBadRequest, Code: "invalid_return_to", Title: "This link does not work",
			Text:  "The address to return to is neither a page of this service nor of an application that it knows. Open the sign-in page from the application.",
			Cause: errReturnTo,
		}
	}
	q.Prompt = foreign.Distinct(strings.Fields(asked.Get("prompt")))
	if slices.ContainsFunc(q.Prompt, func(p string) bool { return !slices.Contains(forPagePrompts, p) }) {
		return q, unreadableLink(errPrompt)
	}
	if q.LoginHint = asked.Get("login_hint"); len(q.LoginHint) > longestHint {
		web.TraceOf(r.Context()).Ignore("login_hint", "it is longer than an e-mail address can be")
		q.LoginHint = ""
	}
	return q, nil
}

func unreadableLink(why error) error {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_request", Title: "This link does not work",
		Text: "The application asked for the sign-in page in a way that cannot be read. Tell its operator: " + why.Error() + ".", Cause: why,
	}
}

// goToProvider leaves for the upstream that the app has named, if it is the sign-in page that
// comes next. A link of another site only opens that page: no site may sign people in
// without their doing.
func (h *Handler) goToProvider(w http.ResponseWriter, r *http.Request, sealed, provider string) error {
	s, err := h.open(r.Context(), sealed)
	if err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	if flow.NextStep(s.Request, flow.Facts{Current: current, Client: s.Client}, h.Now()).Page != flow.SignInPage {
		return web.SeeOther(w, h.next(s))
	}
	connector, known := h.connector(provider)
	if !known || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return web.SeeOther(w, h.signInPage(s)+"&"+url.Values{"provider": {foreign.ForLog(provider, 64)}}.Encode())
	}
	// By a page of ours: the trip begins only at a navigation of our own origin.
	return h.Visits.Depart(w, r, visit.Departure{Connector: connector.ID(), RequestID: s.ID}, s.Sealed)
}

// unknownProvider is what the sign-in page says if the app has named an upstream that is not
// here; nil if it is.
func (h *Handler) unknownProvider(r *http.Request, id string) *templates.FormError {
	if _, known := h.connector(id); known {
		return nil
	}
	web.TraceOf(r.Context()).Ignore("provider", errNoSuchWay.Error())
	return &templates.FormError{
		Code: "unknown_provider", Text: "The way to sign in that the application has chosen is not available here. Choose another one.",
	}
}
