package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// connector finds a connector by its id. For a connector that is no longer configured, it
// returns the id as the name, and false.
func (h *Handler) connector(id string) (templates.ConnectorButton, bool) {
	at := slices.IndexFunc(h.Connectors, func(c templates.ConnectorButton) bool { return c.ID == id })
	if at < 0 {
		return templates.ConnectorButton{ID: id, Name: id}, false
	}
	return h.Connectors[at], true
}

// connectorIDs returns the ids of all configured connectors.
func (h *Handler) connectorIDs() []string {
	ids := make([]string, len(h.Connectors))
	for i, c := range h.Connectors {
		ids[i] = c.ID
	}
	return ids
}

// showIdentities lists the connected upstream accounts, and the connectors for more.
func (h *Handler) showIdentities(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.DB.IdentitiesOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	page := templates.AccountIdentities{Account: h.frame(r, current, "identities"), Connectors: h.Connectors}
	for _, i := range list {
		row, err := h.identityRow(current, i)
		if err != nil {
			return err
		}
		page.Identities = append(page.Identities, row)
	}
	if page.LinkTicket, err = h.ticket(current, "identities.link", ""); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// identityRow returns an identity with the ticket of the form that disconnects it.
func (h *Handler) identityRow(current session.Current, i storage.Identity) (row templates.IdentityRow, err error) {
	times, key := visit.MomentsFor(current.User, h.Now()), i.Key()
	connector, found := h.connector(i.Connector)
	row = templates.IdentityRow{
		Key: key, Connector: connector, Gone: !found, Email: i.Email, Name: i.Name,
		Groups: strings.Join(i.Groups, ", "), Since: times.Write(i.CreatedAt), LastUsed: times.Write(i.UsedAt),
	}
	row.Ticket, err = h.ticket(current, "identities.unlink", key)
	return row, err
}

// linkAct is the act of connecting an upstream account, for the step-up.
func linkAct(connector string) visit.Act {
	return visit.Act{Name: "link", Page: linkPath + "?" + url.Values{"connector": {connector}}.Encode(), Back: identitiesPath}
}

// unlinkAct is the act of disconnecting an upstream account, for the step-up.
func unlinkAct(key string) visit.Act {
	return visit.Act{Name: "unlink", Page: unlinkPath + "?" + url.Values{"identity": {key}}.Encode(), Back: identitiesPath}
}

// askLink shows the confirmation page for connecting an account. People continue there
// after a step-up.
func (h *Handler) askLink(w http.ResponseWriter, r *http.Request, current session.Current) error {
	connector, found := h.connector(r.URL.Query().Get("connector"))
	if !found {
		return connectorGone(h.Site.Base + identitiesPath)
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, linkAct(connector.ID))
	}
	ticket, err := h.ticket(current, "identities.link", "")
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.AccountIdentity{Account: h.frame(r, current, "identities"), Connector: connector, Ticket: ticket})
}

// connectorGone is the page for a connector that is no longer configured.
func connectorGone(back string) *web.Problem {
	return notFound(words.Say("account-error.connector-gone.title"), words.Say("account-error.connector-gone.text"), back)
}

// askUnlink shows the confirmation page for disconnecting an account. People continue
// there after a step-up.
func (h *Handler) askUnlink(w http.ResponseWriter, r *http.Request, current session.Current) error {
	identity, err := h.identity(r, current, r.URL.Query().Get("identity"))
	if err != nil {
		return err
	}
	key := identity.Key()
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, unlinkAct(key))
	}
	connector, found := h.connector(identity.Connector)
	page := templates.AccountIdentity{Account: h.frame(r, current, "identities"), Disconnect: true, Connector: connector, Identity: templates.IdentityRow{
		Key: key, Connector: connector, Gone: !found, Email: identity.Email, Name: identity.Name,
	}}
	if page.Ticket, err = h.ticket(current, "identities.unlink", key); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// identity finds an identity of this user by its key. The error for an identity of another
// user is the same as for an unknown one.
func (h *Handler) identity(r *http.Request, current session.Current, key string) (storage.Identity, error) {
	list, err := h.DB.IdentitiesOf(r.Context(), current.UserID)
	if err != nil {
		return storage.Identity{}, err
	}
	at := slices.IndexFunc(list, func(i storage.Identity) bool { return i.Key() == key })
	if at < 0 {
		return storage.Identity{}, h.notConnected()
	}
	return list[at], nil
}

func (h *Handler) notConnected() *web.Problem {
	return notFound(words.Say("account-error.not-connected.title"), words.Say("account-error.not-connected.text"), h.Site.Base+identitiesPath)
}

// linkIdentity sends the browser to an upstream, to connect the account there.
func (h *Handler) linkIdentity(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "connector")
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "identities.link", ""), identitiesPath); err != nil {
		return err
	}
	connector, found := h.connector(values.Get("connector"))
	if !found {
		return connectorGone(h.Site.Base + identitiesPath)
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, linkAct(connector.ID))
	}
	return h.Visits.DepartToLink(w, r, connector.ID, current, identitiesPath+"?done=linked")
}

// unlinkIdentity disconnects an upstream account, unless it is the last way to sign in.
func (h *Handler) unlinkIdentity(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "identity")
	if err != nil {
		return err
	}
	identity, err := h.identity(r, current, values.Get("identity"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "identities.unlink", identity.Key()), identitiesPath); err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, unlinkAct(identity.Key()))
	}
	err = h.DB.UnlinkIdentity(r.Context(), storage.IdentityRemoval{
		Identity: identity, Connectors: h.connectorIDs(), SessionID: current.ID, From: web.TraceOf(r.Context()).Origin(),
	}, h.Now())
	switch {
	case err == nil:
		return h.showDone(w, identitiesPath, "unlinked")
	case errors.Is(err, storage.ErrNotFresh):
		return h.Visits.NotFresh(w, r, current, unlinkAct(identity.Key()))
	case errors.Is(err, storage.ErrNotFound): // another request has disconnected it meanwhile
		return h.notConnected()
	case errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+identitiesPath, err)
	case errors.Is(err, storage.ErrConflict):
		return &web.Problem{
			Status: http.StatusConflict, Code: "last_way_in", Title: words.Say("account-error.last-way-in.title"),
			Text:     words.Say("account-error.last-way-in.text"),
			StartURL: h.Site.Base + identitiesPath, StartText: words.Say("account-error.last-way-in.link"),
		}
	}
	return err
}
