package interaction

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/credential"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// What a password alone proves (RFC 8176; the acr is Signet's own name).
const acrOneFactor = "urn:signet:1fa"

var amrPassword = []string{"pwd"}

// showLogin shows the sign-in page of a request. Without one it makes a request
// for a page of ours (return_to, else the home page) and asks the dispatcher.
func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("request") == "" {
		return h.startForPage(w, query.Get("return_to"))
	}
	s, err := h.open(r.Context(), query.Get("request"))
	if err != nil {
		return err
	}
	s.other = query.Get("other") != ""
	return h.askLogin(w, r, s, http.StatusOK, templates.SignIn{Username: s.q.LoginHint})
}

func (h *Handler) startForPage(w http.ResponseWriter, returnTo string) error {
	q, ok := h.requestFor(returnTo)
	if !ok {
		return &web.Problem{
			Status: http.StatusBadRequest, Code: "invalid_return_to", Title: "This link does not work",
			Text: "The address to return to (return_to) must be a path of this service, or a URL of an application whose origin it knows (first_party.origins). Open the sign-in page from the application.",
		}
	}
	sealed, err := h.Carrier.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	return web.SeeOther(w, h.next(step{sealed: sealed}))
}

// requestFor is a request that ends at returnTo; "" for the home page. Where there is
// a first-party app, it gets its cookies on the way.
func (h *Handler) requestFor(returnTo string) (q request.Request, ok bool) {
	if returnTo == "" {
		returnTo = h.Site.Base + "/"
	}
	q = request.Request{ID: rand.Text(), Created: storage.At(h.Now())}
	client, err := h.Carrier.FirstPartyClient()
	if err != nil {
		q.Kind = request.Page
		q.Path, ok = request.LocalPath(returnTo, h.Site.Base)
		return q, ok
	}
	q.Kind, q.ClientID = request.Cookies, client.ID
	q.Path, ok = h.Carrier.ReturnTo(returnTo)
	return q, ok
}

// askLogin shows the page that asks who it is. Somebody who is signed in and must only
// prove it anew gets the page for that; all others may be anybody.
func (h *Handler) askLogin(w http.ResponseWriter, r *http.Request, s step, status int, page templates.SignIn) error {
	current, err := h.Sessions.Current(r)
	known := err == nil
	switch {
	case known && h.mustProve(s, current):
		return h.askConfirm(w, r, s, current, status, page.Error)
	case err != nil && !errors.Is(err, session.ErrNone):
		return err
	}
	if !known {
		if page.Stolen, err = h.Sessions.Stolen(r); err != nil {
			return err
		}
	}
	page.Common, page.Request, page.Other = h.common(s), s.sealed, s.other && known
	page.KeepDays, page.Connectors = int(h.KeepFor/(24*time.Hour)), h.buttons(r, h.Connectors)
	page.Keep = page.Keep || known && current.Persistent && page.Error == nil
	return h.Site.ShowStatus(w, status, page)
}

// login checks the password and starts the session.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	s, err := h.open(r.Context(), form.Get("request"))
	if err != nil {
		return err
	}
	s.other = form.Get("other") != ""
	keep := form.Get("keep") != ""
	_, err = h.SignIn(w, r, PasswordSignIn{
		Username: form.Get("username"), Password: form.Get("password"), Keep: keep, RequestID: s.q.ID, ClientID: s.client.ID,
	})
	if err == nil {
		return h.Site.Onward(w, h.next(s))
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	credential.Note(trace, err)
	return h.askLogin(w, r, s, status, templates.SignIn{Username: form.Get("username"), Keep: keep, Error: refusal})
}

// PasswordSignIn is what a person, or a first-party app for one, has sent.
type PasswordSignIn struct {
	Username, Password  string
	Keep                bool   // "Keep me signed in"
	RequestID, ClientID string // of the authorization request this answers
}

// SignIn checks the password and starts the browser's session. Errors are those of
// credential.Passwords.Check and session.Sessions.Start.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request, in PasswordSignIn) (session.Current, error) {
	origin := web.TraceOf(r.Context()).Origin()
	checked, err := h.Passwords.Check(r.Context(), credential.Attempt{
		Username: in.Username, Password: in.Password, Address: origin.Address, Device: h.Sessions.Device(r),
	}, origin)
	if err != nil {
		return session.Current{}, err
	}
	started, err := h.Sessions.Start(w, r, session.Started{
		UserID: checked.User.ID, Request: in.RequestID, ClientID: in.ClientID,
		ACR: acrOneFactor, AMR: amrPassword, Keep: in.Keep,
		OldHash: checked.OldHash, NewHash: checked.NewHash, NotBefore: &checked.User.NotBefore,
		GiveBack: checked.Reserved,
	})
	return session.Current{Session: started, User: checked.User}, err
}
