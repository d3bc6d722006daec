package interaction

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// deviceStep is a step of a device's request: with the signed-in user and the device code.
type deviceStep struct {
	step
	current session.Current
	code    storage.DeviceCode
}

// openDevice opens the request of a device, and reads the session and the device code.
func (h *Handler) openDevice(r *http.Request, sealed string) (deviceStep, error) {
	s, err := h.open(r.Context(), sealed)
	if err != nil {
		return deviceStep{}, err
	}
	if s.Kind != request.Device {
		return deviceStep{}, h.Site.NotFound()
	}
	current, err := h.current(r, s)
	if err != nil {
		return deviceStep{}, err
	}
	code, err := h.DB.DeviceCode(r.Context(), s.DeviceID)
	if errors.Is(err, storage.ErrNotFound) {
		err = h.deviceGone(err)
	}
	return deviceStep{s, current, code}, err
}

// mustReturn reports whether the dispatcher must decide before the user may answer: the user must
// sign in again, or the client has lost rights.
func (h *Handler) mustReturn(ctx context.Context, s deviceStep) (bool, error) {
	facts, err := h.facts(ctx, s.step, &s.current)
	if err != nil {
		return false, err
	}
	next := flow.NextStep(s.Request, facts, h.Now())
	return next.Page != flow.DevicePage, nil
}

// showDevice asks whether the device may sign in. After the answer it shows the result.
//
// Another user than the one who has entered the code must enter it too: otherwise a link to this
// page, from a stranger who has entered the code of a device of their own, would need one click
// less than the link of the device (RFC 8628, section 5.4).
func (h *Handler) showDevice(w http.ResponseWriter, r *http.Request) error {
	s, err := h.openDevice(r, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	if !s.code.IsPending(h.Now()) {
		return h.showDeviceAnswer(w, s)
	}
	if s.EnteredBy != s.current.UserID {
		return web.SeeOther(w, h.Site.Base+request.DeviceEntryPath(s.UserCode))
	}
	back, err := h.mustReturn(r.Context(), s)
	switch {
	case err != nil:
		return err
	case back:
		return web.SeeOther(w, h.next(s.step))
	}
	ticket, err := h.Visits.SealTicket(deviceTicket(s))
	if err != nil {
		return err
	}
	given, err := h.DB.Consent(r.Context(), s.current.UserID, s.Client.ID, h.Now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return h.Site.Show(w, templates.DeviceConsent{
		Common: h.common(s.step), Request: s.Sealed, Ticket: ticket, User: person(s.current.User),
		Code: s.UserCode.String(), Address: s.code.Address, Asked: visit.MomentsFor(s.current.User, h.Now()).Write(s.code.CreatedAt),
		Wants: wantsOf(s.Request, given), Switch: h.otherAccountPage(s.step),
	})
}

// showDeviceAnswer shows the user what they answered. Other users only learn that the code does
// not work any more.
func (h *Handler) showDeviceAnswer(w http.ResponseWriter, s deviceStep) error {
	if s.code.UserID != s.current.UserID {
		return h.deviceGone(errors.New("the device code has expired, or another user has answered"))
	}
	return h.Site.Show(w, templates.DeviceAnswered{Common: h.common(s.step), Allowed: s.code.ApprovedAt != 0})
}

// deviceGone is the page for a device code that has expired or that another user has answered.
func (h *Handler) deviceGone(cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "device_code_gone", Title: words.Say("device-problem.gone-title"), Text: words.Say("device-problem.gone"),
		StartURL: h.Site.Base + request.DeviceEntryPage, StartText: words.Say("device-problem.another"), Cause: web.Because("device_code_gone", cause),
	}
}

// deviceTicket binds the answer to the user, the code and the rights on the page.
func deviceTicket(s deviceStep) visit.Ticket {
	shown := string(s.UserCode) + "|" + strings.Join(s.Scopes, " ") + "|" + strings.Join(s.Resources, " ")
	return visit.Ticket{Purpose: "device.answer", Session: s.current.ID, Request: s.ID, Shown: shown}
}

// answerDevice stores the decision. The sealed request alone determines the granted rights. The
// decision is for this device only: no consent is remembered, because the next device must be
// compared again.
func (h *Handler) answerDevice(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "request", "ticket", "decision")
	if err != nil {
		return err
	}
	s, err := h.openDevice(r, form.Get("request"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), deviceTicket(s)); err != nil {
		return web.StaleForm(h.next(s.step), err)
	}
	back, err := h.mustReturn(r.Context(), s)
	switch {
	case err != nil:
		return err
	case back:
		return h.Site.ContinueTo(w, h.next(s.step))
	}
	at := h.Now()
	answer := storage.DeviceAnswer{
		ID: s.code.ID, ClientID: s.Client.ID, UserID: s.current.UserID, SessionID: s.current.ID,
		Scopes: s.Scopes, Resources: s.Resources, SignIn: h.deviceSignIn(s), From: web.TraceOf(r.Context()).Origin(),
	}
	switch form.Get("decision") {
	case "allow":
		err = h.DB.ApproveDevice(r.Context(), answer, at)
	case "deny":
		err = h.DB.DenyDevice(r.Context(), answer, at)
	default:
		return noDecision(words.Say("device-problem.no-decision"), h.next(s.step))
	}
	if errors.Is(err, storage.ErrNotFound) {
		return h.deviceGone(err)
	}
	if err != nil && !errors.Is(err, storage.ErrConflict) { // after a conflict, the page shows the answer
		return h.sessionEnded(s.step, err)
	}
	return h.Site.ContinueTo(w, h.Site.Base+request.StepPath(flow.DevicePage, s.Sealed))
}

// deviceSignIn returns the facts of the session for the tokens of the device.
func (h *Handler) deviceSignIn(s deviceStep) storage.DeviceSignIn {
	in := storage.DeviceSignIn{AuthTime: s.current.AuthTime, ACR: flow.StatedACR(s.Request, s.Client, s.current.ACR), AMR: s.current.AMR}
	if stated := s.current.StatedAuthTime(s.Freshness(s.Client), h.Now()); stated != in.AuthTime {
		in.StatedAt = stated
	}
	return in
}
