package interaction

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/credential"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// linkPage is the page that connects a waiting identity. It first asks for a proof of the
// account, by any way to sign in that the account has, and then whether to connect.
const linkPage = "/login/link"

// linkPageOf returns the address of linkPage for a step.
func (h *Handler) linkPageOf(s step) string {
	return h.Site.Base + request.StepPath(linkPage, s.Sealed)
}

// showProve asks for a proof of the account. If the user has already proven it, showProve
// asks whether to connect the identity.
func (h *Handler) showProve(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	p, err := h.requireWaiting(r, s)
	if err != nil {
		return err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	if current != nil && h.hasProven(*current, s, p) {
		return h.askConnect(w, s, p, *current)
	}
	page, err := h.provePage(w, r, s, p)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// hasProven reports whether the signed-in user owns the account and has proven it: since the
// identity came, or so recently that an act would need no new proof (see visit.IsFresh).
func (h *Handler) hasProven(current session.Current, s step, p waitingIdentity) bool {
	if current.UserID != p.account.ID {
		return false
	}
	since := slices.ContainsFunc(current.Facts, func(f storage.Fact) bool {
		signedIn := f.Kind == storage.FactAuthenticated || f.Kind == storage.FactArrived
		return signedIn && f.Request == s.ID && f.At >= p.note.At
	})
	return since || h.Visits.IsFresh(current)
}

// provePage returns the page with the ways to sign in that the account has and that work
// now. The person may see them, since a trusted upstream has vouched for the address.
func (h *Handler) provePage(w http.ResponseWriter, r *http.Request, s step, p waitingIdentity) (templates.Prove, error) {
	page := templates.Prove{Common: h.common(s), Request: s.Sealed, Email: p.account.Email, Connector: Button(p.connector)}
	has, err := h.DB.SignInMethodsOf(r.Context(), p.account.ID)
	if err != nil {
		return page, err
	}
	var connectors []Connector
	for _, c := range h.Connectors {
		if slices.Contains(has.Connectors, c.ID()) {
			connectors = append(connectors, c)
		}
	}
	page.Forgot = h.SendsMails
	page.Password, page.Connectors = has.Password, buttons(connectors, h.lastConnector(r))
	if has.Passkeys > 0 && h.Passkeys.Offered() {
		if page.Passkey, err = h.askPasskey(w, r, s); err != nil {
			return page, err
		}
		page.Passkey.Page, page.Passkey.Only = linkPage, !page.Password && len(page.Connectors) == 0
	}
	page.Back, err = h.otherWaysPage(r, s)
	return page, err
}

// prove signs in with the password of the account that has the identity's address. The
// limits of every sign-in apply. A user name in the form is ignored.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	p, err := h.requireWaiting(r, s)
	if err != nil {
		return err
	}
	_, err = h.Visits.SignIn(w, r, visit.PasswordSignIn{
		Username: p.account.Email, Password: form.Get("password"), RequestID: s.ID, ClientID: s.Client.ID,
		KeepStronger: h.keepStronger(s),
	})
	if isFactorDue(err) {
		return h.Site.ContinueTo(w, h.factorPageOf(s))
	}
	if err == nil {
		return h.Site.ContinueTo(w, h.linkPageOf(s))
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, err)
	page, err := h.provePage(w, r, s, p)
	if err != nil {
		return err
	}
	page.Error = web.WithReference(r, refusal)
	return h.Site.ShowStatus(w, status, page)
}

// askConnect asks whether to connect the identity to the proven account.
func (h *Handler) askConnect(w http.ResponseWriter, s step, p waitingIdentity, current session.Current) error {
	ticket, err := h.Visits.SealTicket(connectTicket(s, p, current))
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.Connect{
		Common: h.common(s), Request: s.Sealed, Ticket: ticket, Email: p.account.Email,
		Connector: Button(p.connector), Label: p.note.Label,
	})
}

// connectTicket binds the answer to the identity, the user, the session and the request on
// the page, so that a proof for one identity cannot connect another one.
func connectTicket(s step, p waitingIdentity, current session.Current) visit.Ticket {
	return visit.Ticket{
		Purpose: "connect", Session: current.ID, Request: s.ID,
		Shown: p.identity().Key() + " " + current.UserID,
	}
}

// connect links the waiting identity, or drops it.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r, "request", "ticket", "decision")
	if err != nil {
		return err
	}
	p, err := h.requireWaiting(r, s)
	if err != nil {
		return err
	}
	current, err := h.current(r, s)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), connectTicket(s, p, current)); err != nil {
		return web.StaleForm(h.linkPageOf(s), err)
	}
	switch decision := form.Get("decision"); {
	case decision == "not-now":
	case decision != "connect":
		return noDecision(words.Say("sign-in-problem.no-decision-connect"), h.linkPageOf(s))
	case !h.hasProven(current, s, p):
		return h.Site.ContinueTo(w, h.linkPageOf(s))
	default:
		err := h.linkWaiting(r, s, p, current)
		if errors.Is(err, storage.ErrNotFresh) {
			page := request.StepPath(linkPage, s.Sealed)
			return h.Visits.NotFresh(w, r, current, visit.Act{Name: "link", Page: page, Back: page})
		}
		if err != nil {
			return err
		}
		h.rememberConnector(w, p.connector)
	}
	h.dropWaiting(w)
	return h.Site.ContinueTo(w, h.next(s))
}

// linkWaiting links the identity to the account of its address. It need not check that the
// account still has the address, since a change of the address ends the session.
//
// storage.ErrNotFresh.
func (h *Handler) linkWaiting(r *http.Request, s step, p waitingIdentity, current session.Current) error {
	if current.UserID != p.account.ID {
		return web.StaleForm(h.linkPageOf(s), nil)
	}
	identity := p.identity()
	identity.UserID = current.UserID
	err := h.DB.LinkIdentity(r.Context(), storage.IdentityLink{
		Identity: identity, ProofID: p.note.AttemptID, Until: storage.At(h.Now().Add(usedAttemptLife)), SessionID: current.ID,
		Proof: p.note.Vouched, FreshFor: ownProofLife, From: web.TraceOf(r.Context()).Origin(),
	}, h.Now())
	switch {
	case errors.Is(err, storage.ErrConflict):
		return identityInUse(p.connector, h.next(s), words.Sentence{})
	case errors.Is(err, storage.ErrReplayed):
		return web.StaleForm(h.next(s), err)
	}
	return h.sessionEnded(s, err)
}
