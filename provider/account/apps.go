package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showApps lists the applications that have access to the account.
func (h *Handler) showApps(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.DB.ConnectedClientsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	page := templates.AccountApps{Account: h.frame(r, current, "apps")}
	for _, connected := range list {
		row, err := h.appRow(r.Context(), current, connected)
		if err != nil {
			return err
		}
		page.Apps = append(page.Apps, row)
	}
	return h.Site.Show(w, page)
}

// appRow returns an application with its permissions and the time of the consent.
func (h *Handler) appRow(ctx context.Context, current session.Current, connected storage.ConnectedClient) (templates.AppRow, error) {
	client, err := h.client(ctx, connected.ClientID)
	if err != nil {
		return templates.AppRow{}, err
	}
	times := visit.MomentsFor(current.User, h.Now())
	row := templates.AppRow{
		ClientID: connected.ClientID, App: client, Offline: connected.Offline,
		Since: times.Write(connected.GrantedAt), LastUsed: times.Write(connected.UsedAt),
	}
	if enabled, err := h.Clients.Enabled(ctx, connected.ClientID); err == nil {
		row.StartURL = request.InitiateLogin(enabled, h.Site.Issuer.String(), "")
	}
	for _, scope := range connected.Scopes {
		row.Wants = append(row.Wants, templates.WantOf(scope))
	}
	return row, nil
}

// client returns the name and host of a client, even if the client is disabled.
func (h *Handler) client(ctx context.Context, id string) (templates.Client, error) {
	client, err := h.Clients.Enabled(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		client, err = h.DB.Client(ctx, id)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return templates.Client{Name: id}, nil // the client was deleted after the list was read
	}
	if err != nil {
		return templates.Client{}, fmt.Errorf("read client: %w", err)
	}
	known := templates.Client{Name: client.Name}
	if known.Name == "" {
		known.Name = client.ID
	}
	for _, uri := range client.Metadata.RedirectURIs {
		if known.Host = templates.HostOf(uri); known.Host != "" {
			break
		}
	}
	return known, nil
}

// connected finds an application with access to this account. The error for an application
// that only another user has is the same as for an unknown one.
func (h *Handler) connected(r *http.Request, current session.Current, clientID string) (storage.ConnectedClient, error) {
	list, err := h.DB.ConnectedClientsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return storage.ConnectedClient{}, err
	}
	at := slices.IndexFunc(list, func(c storage.ConnectedClient) bool { return c.ClientID == clientID })
	if at < 0 {
		return storage.ConnectedClient{}, notFound(words.Say("account-error.no-access.title"), words.Say("account-error.no-access.text"), h.Site.Base+appsPath)
	}
	return list[at], nil
}

// askWithdraw shows the confirmation page for withdrawing an application's access.
func (h *Handler) askWithdraw(w http.ResponseWriter, r *http.Request, current session.Current) error {
	connected, err := h.connected(r, current, r.URL.Query().Get("client_id"))
	if err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, withdrawAct(connected.ClientID))
	}
	row, err := h.appRow(r.Context(), current, connected)
	if err != nil {
		return err
	}
	page := templates.AccountWithdraw{Account: h.frame(r, current, "apps"), App: row}
	if page.Ticket, err = h.ticket(current, "apps.withdraw", connected.ClientID); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// withdrawAct is the act of withdrawing an application's access, for the step-up.
func withdrawAct(clientID string) visit.Act {
	return visit.Act{Name: "withdraw", Page: withdrawPath + "?" + url.Values{"client_id": {clientID}}.Encode(), Back: appsPath}
}

// withdraw deletes the consent of an application and ends its access.
func (h *Handler) withdraw(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "client_id")
	if err != nil {
		return err
	}
	connected, err := h.connected(r, current, values.Get("client_id"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "apps.withdraw", connected.ClientID), appsPath); err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, withdrawAct(connected.ClientID))
	}
	err = h.DB.WithdrawConsent(r.Context(), current.UserID, connected.ClientID, web.TraceOf(r.Context()).By(h.Now()))
	if err != nil && !errors.Is(err, storage.ErrNotFound) { // ErrNotFound: another request has withdrawn it meanwhile
		return err
	}
	return h.showDone(w, appsPath, "app")
}
