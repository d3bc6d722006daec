package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"signet/provider/notice"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showSessions lists the sessions of the user, beginning with this browser.
func (h *Handler) showSessions(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.DB.SessionsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	clients, err := h.DB.ClientsBySession(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b storage.Session) int {
		switch current.ID {
		case a.ID:
			return -1
		case b.ID:
			return 1
		}
		return 0
	})
	page := templates.AccountSessions{Account: h.frame(r, current, "sessions")}
	for _, s := range list {
		row, err := h.sessionRow(r, current, s, clients[s.ID])
		if err != nil {
			return err
		}
		page.Sessions = append(page.Sessions, row)
	}
	if page.Stolen, err = h.stolenSessions(r, current); err != nil {
		return err
	}
	if page.Trusted, err = h.trustedBrowsers(r, current); err != nil {
		return err
	}
	page.Others = len(list) > 1
	if page.OthersTicket, err = h.ticket(current, "sessions.end-others", ""); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// stolenSessions returns the sessions that ended because one of their tokens was used twice.
func (h *Handler) stolenSessions(r *http.Request, current session.Current) ([]templates.StolenSession, error) {
	list, err := h.DB.StolenSessions(r.Context(), current.UserID, h.Now().Add(-session.TheftNoticeLife))
	if err != nil {
		return nil, err
	}
	times := visit.MomentsFor(current.User, h.Now())
	var rows []templates.StolenSession
	for _, s := range list {
		rows = append(rows, templates.StolenSession{Agent: web.DescribeAgent(s.Agent), Ended: times.Write(s.EndedAt)})
	}
	return rows, nil
}

// sessionRow returns a session with the applications that were used in it.
func (h *Handler) sessionRow(r *http.Request, current session.Current, s storage.Session, clients []string) (templates.SessionRow, error) {
	times := visit.MomentsFor(current.User, h.Now())
	row := templates.SessionRow{
		ID: s.ID, Agent: web.DescribeAgent(s.Agent), Address: s.Address, Here: s.ID == current.ID,
		SignedIn: times.Write(s.ArrivedAt), LastActive: times.Write(s.SeenAt),
	}
	if row.Here {
		row.LastActive = times.Write(storage.At(h.Now()))
	}
	for _, id := range clients {
		client, err := h.client(r.Context(), id)
		if err != nil {
			return row, err
		}
		row.Apps = append(row.Apps, client)
	}
	var err error
	row.Ticket, err = h.ticket(current, "sessions.end", s.ID)
	return row, err
}

// endSession ends one session. The answer for a session of another user is the same as for
// an unknown session.
func (h *Handler) endSession(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "sid")
	if err != nil {
		return err
	}
	list, err := h.DB.SessionsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	sid := values.Get("sid")
	if !slices.ContainsFunc(list, func(s storage.Session) bool { return s.ID == sid }) {
		return notFound(words.Say("account-error.session-ended.title"), words.Say("account-error.session-ended.text"), h.Site.Base+sessionsPath)
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "sessions.end", sid), sessionsPath); err != nil {
		return err
	}
	if sid == current.ID {
		ended := notice.EndedSessions{UserID: current.UserID, SessionID: sid, At: h.Now()}
		if err := h.Sessions.End(r.Context(), w, current, "signed_out"); err != nil {
			return err
		}
		return h.continueSignedOut(w, r, ended)
	}
	if err := h.DB.EndSession(r.Context(), current.UserID, sid, "signed_out", web.TraceOf(r.Context()).By(h.Now())); err != nil {
		return err
	}
	return h.showDone(w, sessionsPath, "session")
}

// endOthers ends all sessions except this one.
func (h *Handler) endOthers(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "sessions.end-others", ""), sessionsPath); err != nil {
		return err
	}
	err = h.DB.EndOtherSessions(r.Context(), current.UserID, current.ID, "signed_out", web.TraceOf(r.Context()).By(h.Now()))
	if err != nil {
		return err
	}
	return h.showDone(w, sessionsPath, "others")
}

// trustedBrowsers lists the browsers in which the user is not asked for the second factor.
func (h *Handler) trustedBrowsers(r *http.Request, current session.Current) ([]templates.TrustedRow, error) {
	if !h.Sessions.OffersTrust(current.User) {
		return nil, nil
	}
	list, err := h.DB.TrustedBrowsersOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return nil, err
	}
	times := visit.MomentsFor(current.User, h.Now())
	var rows []templates.TrustedRow
	for _, b := range list {
		row := templates.TrustedRow{
			ID: b.ID, Agent: web.DescribeAgent(b.Agent), Address: b.Address,
			Since: times.Write(b.CreatedAt), Used: times.Write(b.UsedAt), Until: times.Write(b.ExpiresAt),
		}
		if row.Ticket, err = h.ticket(current, "sessions.end-trust", b.ID); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// endTrust ends the trust in a browser. The answer for a browser of another user is the same as for
// an unknown one.
func (h *Handler) endTrust(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "browser")
	if err != nil {
		return err
	}
	id := values.Get("browser")
	if err := h.Visits.CheckForm(values, ticketOf(current, "sessions.end-trust", id), sessionsPath); err != nil {
		return err
	}
	err = h.DB.EndTrust(r.Context(), current.UserID, id, current.ID, web.TraceOf(r.Context()).By(h.Now()))
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(words.Say("account-error.trust-ended.title"), words.Say("account-error.trust-ended.text"), h.Site.Base+sessionsPath)
	}
	if err != nil {
		return err
	}
	return h.showDone(w, sessionsPath, "trust")
}

var endAllAct = visit.Act{Name: "end-all", Page: endAllPath, Back: sessionsPath}

// askEndAll shows the confirmation page for signing out everywhere.
func (h *Handler) askEndAll(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, endAllAct)
	}
	ticket, err := h.ticket(current, "sessions.end-all", "")
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.AccountEndAll{Account: h.frame(r, current, "sessions"), Ticket: ticket})
}

// endAll ends all sessions, including this one, and the access of all applications.
func (h *Handler) endAll(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "sessions.end-all", ""), endAllPath); err != nil {
		return err
	}
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, endAllAct)
	}
	ended := notice.EndedSessions{UserID: current.UserID, Browser: current.ID, At: h.Now()}
	if err := h.Sessions.EndAll(r.Context(), w, current, "signed_out"); err != nil {
		return err
	}
	return h.continueSignedOut(w, r, ended)
}

// continueSignedOut starts the logout notices to the clients and sends the browser to the
// page with their results, which also makes the front-channel logouts. The address carries the ended sessions in sealed form, because
// the browser has no session any more.
func (h *Handler) continueSignedOut(w http.ResponseWriter, r *http.Request, ended notice.EndedSessions) error {
	if !h.Notices.StartDelivery(r.Context(), ended) && !h.Notices.UsesFrontChannel() {
		return h.Site.ContinueTo(w, h.Site.Base+"/end_session")
	}
	sealed, err := h.Notices.Seal(ended)
	if err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+"/end_session?"+url.Values{"ended": {sealed}}.Encode())
}
