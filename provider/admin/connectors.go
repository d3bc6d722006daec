package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signet/federation"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showConnectors shows the settings to register at each upstream, and how its last
// sign-ins went.
func (h *Handler) showConnectors(w http.ResponseWriter, r *http.Request, current session.Current) error {
	page, err := h.connectorsPage(r, current)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// testConnector calls an upstream like the first steps of a sign-in, and shows the result.
// It changes nothing.
func (h *Handler) testConnector(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	id := form.Get("connector")
	if err := h.Visits.CheckForm(form, ticketOf(current, "connectors.test", id), connectorsPath); err != nil {
		return err
	}
	i := slices.IndexFunc(h.Connectors, func(c Connector) bool { return c.ID() == id })
	if i < 0 {
		return web.StaleForm(h.Site.Base+connectorsPath, nil) // the form came from a node with other settings
	}
	web.TraceOf(r.Context()).Note("connector", id)
	result := h.probe(r.Context(), h.Connectors[i])
	page, err := h.connectorsPage(r, current)
	if err != nil {
		return err
	}
	page.Connectors[i].Test = result
	return h.Site.Show(w, page)
}

// connectorsPage returns the page with one card for each connector, in the order of the
// configuration.
func (h *Handler) connectorsPage(r *http.Request, current session.Current) (templates.AdminConnectors, error) {
	frame, err := h.frame(r, current, "connectors")
	page := templates.AdminConnectors{Admin: frame}
	if err != nil {
		return page, err
	}
	health, err := h.DB.ConnectorHealth(r.Context())
	if err != nil {
		return page, err
	}
	for _, c := range h.Connectors {
		card, err := h.card(c, health[c.ID()], current)
		if err != nil {
			return page, err
		}
		page.Connectors = append(page.Connectors, card)
	}
	return page, nil
}

// card returns the settings of a connector and how its last sign-ins went.
func (h *Handler) card(c Connector, health storage.ConnectorHealth, current session.Current) (templates.ConnectorCard, error) {
	upstream := registrationAt(c, h.Site.Issuer.String())
	card := templates.ConnectorCard{
		ID: c.ID(), Kind: string(c.Kind()), Name: c.Name(), ClientID: c.ClientID,
		RedirectURI: c.RedirectURI, Field: upstream.field, Console: upstream.console, Hints: upstream.hints, Scopes: c.Scopes(),
		SignUp: c.SignUp, AutoLink: c.AutoLink, Domains: c.AllowedDomains,
		LastSuccess: visit.MomentsFor(current.User, h.Now()).Write(health.SucceededAt),
		LastFailure: templates.ConnectorFailure{
			At: visit.MomentsFor(current.User, h.Now()).Write(health.FailedAt), Code: health.FailureCode,
			Advice: failureAdvice[health.FailureCode], Reason: health.FailureReason,
		},
	}
	var err error
	card.Ticket, err = h.Visits.SealTicket(ticketOf(current, "connectors.test", c.ID()))
	return card, err
}

// failureAdvice explains each failure code and says how to solve the problem.
var failureAdvice = map[string]words.Sentence{
	"upstream_denied":         words.Say("connector-failure.denied"),
	"upstream_unreachable":    words.Say("connector-failure.unreachable"),
	"upstream_untrusted":      words.Say("connector-failure.untrusted"),
	"connector_misconfigured": words.Say("connector-failure.misconfigured"),
	"no_email":                words.Say("connector-failure.no-email"),
	"account_not_allowed":     words.Say("connector-failure.not-allowed"),
}

// probe calls the upstream and describes the result in words.
func (h *Handler) probe(ctx context.Context, c Connector) *templates.ConnectorTest {
	report := c.Probe(ctx, c.RedirectURI)
	result := &templates.ConnectorTest{Works: report.Err == nil, Finding: words.Say("connector-test.works"), Facts: factsOf(report)}
	if report.Err != nil {
		result.Finding, result.Reason = failureAdvice[federation.ErrorCode(report.Err)], report.Err.Error()
	}
	return result
}

// factsOf lists the properties that an upstream has published.
func factsOf(r federation.Report) []templates.Fact {
	if r.Err != nil {
		return nil
	}
	facts := []templates.Fact{{Name: words.Say("connector-test.issuer"), Value: r.Issuer}}
	for _, list := range []struct {
		name   words.Sentence
		values []string
	}{{words.Say("connector-test.algorithms"), r.Algorithms}, {words.Say("connector-test.scopes"), r.Scopes}, {words.Say("connector-test.client-authentication"), r.ClientAuth}} {
		if len(list.values) > 0 {
			facts = append(facts, templates.Fact{Name: list.name, Value: strings.Join(list.values, " ")})
		}
	}
	if r.Keys > 0 {
		keys := strconv.Itoa(r.Keys)
		if r.IgnoredKeys > 0 {
			keys = words.Say("connector-test.keys-ignored", "Keys", r.Keys, "Ignored", r.IgnoredKeys).String()
		}
		facts = append(facts, templates.Fact{Name: words.Say("connector-test.keys"), Value: keys})
	}
	facts = append(facts, templates.Fact{Name: words.Say("connector-test.clock"), Value: fmt.Sprintf("%+.0f s", r.ClockSkew.Seconds())})
	for _, warning := range r.Warnings {
		facts = append(facts, templates.Fact{Name: words.Say("connector-test.note"), Value: warning})
	}
	return facts
}
