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
	"signet/templates/words"
)

// linkParameters are the parameters of a link to GET /login, by which an app starts a
// sign-in. Their names come from OIDC Core, section 3.1.2.1; provider is the id of a
// connector.
var linkParameters = []string{"return_to", "provider", "login_hint", "prompt"}

// linkPrompts are the prompt values of the authorization endpoint, except none: a page
// always asks.
func (h *Handler) linkPrompts() []string {
	values := []string{"login", "consent", "select_account"}
	if h.SignUp {
		values = append(values, flow.PromptCreate)
	}
	return values
}

const maxLoginHint = 254 // of an e-mail address (RFC 5321, section 4.5.3.1.3)

var (
	errReturnTo         = web.Because("invalid_return_to", errors.New("return_to is neither a path of the issuer nor a URL with an origin of first_party.origins"))
	errUnknownConnector = errors.New("no connector has this id")
)

// startFromLink starts a request that ends at return_to. If the first step would be the
// sign-in page and the link names a provider, the browser goes to that provider at once.
func (h *Handler) startFromLink(w http.ResponseWriter, r *http.Request, query url.Values) error {
	q, err := h.requestFromLink(r, query)
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
	return h.departToProvider(w, r, sealed, query.Get("provider"))
}

// requestFromLink makes the request from the parameters. A repeated parameter is an error.
func (h *Handler) requestFromLink(r *http.Request, query url.Values) (request.Request, error) {
	asked := url.Values{}
	for _, name := range linkParameters {
		if list, ok := query[name]; ok {
			asked[name] = slices.Clone(list)
		}
	}
	if err := web.CheckParameters(asked); err != nil {
		return request.Request{}, invalidLink(err)
	}
	q, ok := h.Visits.RequestFor(asked.Get("return_to"))
	if !ok {
		return q, &web.Problem{
			Status: http.StatusBadRequest, Code: "invalid_return_to", Title: words.Say("sign-in-link.title"),
			Text:  words.Say("sign-in-link.return-to"),
			Cause: errReturnTo,
		}
	}
	q.Prompt = foreign.Distinct(strings.Fields(asked.Get("prompt")))
	known := h.linkPrompts()
	if slices.ContainsFunc(q.Prompt, func(p string) bool { return !slices.Contains(known, p) }) {
		return q, invalidLink(errors.New("prompt may only contain " + strings.Join(known, ", ")))
	}
	if q.LoginHint = asked.Get("login_hint"); len(q.LoginHint) > maxLoginHint {
		web.TraceOf(r.Context()).Ignore("login_hint", "it is longer than an e-mail address can be")
		q.LoginHint = ""
	}
	return q, nil
}

func invalidLink(why error) error {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_request", Title: words.Say("sign-in-link.title"),
		Text: words.Say("sign-in-link.unreadable", "Reason", why.Error()), Cause: why,
	}
}

// departToProvider sends the browser to the upstream that the app has named, if the next
// step is the sign-in page. A link on another site only opens the sign-in page: other sites
// must not sign people in without an action of theirs.
func (h *Handler) departToProvider(w http.ResponseWriter, r *http.Request, sealed, provider string) error {
	s, err := h.open(r.Context(), sealed)
	if err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	facts, err := h.facts(r.Context(), s, current)
	if err != nil {
		return err
	}
	if flow.NextStep(s.Request, facts, h.Now()).Page != flow.SignInPage {
		return web.SeeOther(w, h.next(s))
	}
	connector, known := h.connector(provider)
	if !known || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return web.SeeOther(w, h.signInPage(s)+"&"+url.Values{"provider": {foreign.ForLog(provider, 64)}}.Encode())
	}
	// Depart answers with a page, since a trip only starts with a navigation from our own
	// origin.
	return h.Visits.Depart(w, r, visit.Departure{Connector: connector.ID(), RequestID: s.ID}, s.Sealed)
}

// unknownProviderError returns the message for the sign-in page if the app has named an
// unknown upstream; nil for a known one.
func (h *Handler) unknownProviderError(r *http.Request, id string) *templates.FormError {
	if _, known := h.connector(id); known {
		return nil
	}
	web.TraceOf(r.Context()).Ignore("provider", errUnknownConnector.Error())
	return &templates.FormError{
		Code: "unknown_provider", Text: words.Say("sign-in-link.unknown-provider"),
	}
}
