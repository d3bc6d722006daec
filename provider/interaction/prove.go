package interaction

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/credential"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

const (
	proofCookie = "_pending"
	proofLife   = 10 * time.Minute
)

// proof is an identity that waits for its owner to show that the account with its
// address is hers. It names one identity, one address and one request, and lives
// sealed in the browser that the identity came to.
type proof struct {
	AttemptID string           `json:"a"`
	RequestID string           `json:"r"`
	Identity  storage.Identity `json:"i"` // UserID is empty: who it is, is what is to be shown
	Connector string           `json:"c"`
}

// askProof keeps the identity in the browser and shows the page that asks for the
// account's own password.
func (h *Handler) askProof(w http.ResponseWriter, t trip) error {
	payload, err := json.Marshal(proof{
		AttemptID: t.attempt.Upstream.ID, RequestID: t.ID, Identity: asStored(t.identity, ""), Connector: t.connector.ID(),
	})
	if err != nil {
		return fmt.Errorf("encode proof: %w", err)
	}
	sealed, err := h.Ring.Seal("proof", payload, h.Now().Add(proofLife))
	if err != nil {
		return fmt.Errorf("seal proof: %w", err)
	}
	h.Sessions.Cookies.Set(w, proofCookie, sealed, proofLife)
	return web.SeeOther(w, h.Site.Base+request.To("/login/link", t.Sealed))
}

// pendingProof opens the browser's proof, for this request and no other.
func (h *Handler) pendingProof(r *http.Request, s step) (proof, Connector, error) {
	var p proof
	lost := web.Stale(h.signInPage(s), nil)
	sealed, ok := h.Sessions.Cookies.Read(r, proofCookie)
	if !ok {
		return p, Connector{}, lost
	}
	payload, err := h.Ring.Unseal("proof", sealed, h.Now())
	if errors.Is(err, keys.ErrExpired) || errors.Is(err, keys.ErrInvalid) {
		return p, Connector{}, lost
	}
	if err != nil {
		return p, Connector{}, fmt.Errorf("open proof: %w", err)
	}
	if json.Unmarshal(payload, &p) != nil || p.RequestID != s.ID {
		return p, Connector{}, lost
	}
	c, ok := h.connector(p.Connector)
	if !ok {
		return p, c, h.Site.NotFound()
	}
	return p, c, nil
}

// provePage asks for the password of the account that has the address of the identity.
func (h *Handler) provePage(s step, p proof, c Connector) templates.Prove {
	return templates.Prove{
		Common: h.common(s), Request: s.Sealed, Email: p.Identity.Email,
		Connector: Button(c),
		Back:      h.signInPage(s),
	}
}

// showProve shows the page that asks to sign in to the account once.
func (h *Handler) showProve(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	p, c, err := h.pendingProof(r, s)
	if err != nil {
		return err
	}
	return h.Site.Show(w, h.provePage(s, p, c))
}

// prove checks the password of the account with the identity's address, through
// the same counters as every sign-in, then signs in and links in one transaction.
// The address comes from the proof: what else the form may say is ignored.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	p, c, err := h.pendingProof(r, s)
	if err != nil {
		return err
	}
	checked, err := h.Visits.CheckPassword(r, p.Identity.Email, form.Get("password"))
	if err == nil {
		err = h.linkProven(w, r, s, p, checked)
	}
	if err == nil {
		h.Sessions.Cookies.Clear(w, proofCookie)
		h.remember(w, c)
		return h.Site.Onward(w, h.next(s))
	}
	if errors.Is(err, storage.ErrReplayed) || errors.Is(err, storage.ErrConflict) {
		return web.Stale(h.signInPage(s), err)
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	credential.Note(web.TraceOf(r.Context()), refusal.Code, err)
	page := h.provePage(s, p, c)
	page.Error = web.Referenced(r, refusal)
	return h.Site.ShowStatus(w, status, page)
}

// linkProven signs the owner of the account in and links the identity that has waited.
func (h *Handler) linkProven(w http.ResponseWriter, r *http.Request, s step, p proof, checked credential.Checked) error {
	identity := p.Identity
	identity.UserID = checked.User.ID
	return h.Sessions.StartThrough(w, r, session.Started{
		Request: s.ID, ClientID: s.Client.ID, ACR: session.OneFactor, AMR: session.ByPassword,
		OldHash: checked.OldHash, NewHash: checked.NewHash, NotBefore: &checked.User.NotBefore, GiveBack: checked.Reserved,
	}, storage.Arrival{
		Identity: identity, AttemptID: p.AttemptID, Until: storage.At(h.Now().Add(attemptRemembered)), ByPassword: true,
	})
}
