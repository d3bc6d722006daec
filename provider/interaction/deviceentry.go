package interaction

import (
	"errors"
	"net/http"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// Limit of wrong user codes of one user in all sessions. Deps.WrongCodes is that of one network. A
// code lives as long as a window, so one user can try 10 of 2.56 * 10^10 codes (RFC 8628, section
// 5.1).
const (
	wrongCodesOfUser = 10
	wrongCodesWindow = 15 * time.Minute
)

var (
	errUserCode           = web.Because("wrong_user_code", errors.New("no pending device code has this user code"))
	errUserCodesThrottled = web.Because("too_many_user_codes", errors.New("too many wrong user codes"))
)

// showDeviceEntry asks for the code that the device shows. The link of a device contains its
// code, but the user still has to press the button, and then to compare the code. Only a
// signed-in user can try codes.
func (h *Handler) showDeviceEntry(w http.ResponseWriter, r *http.Request) error {
	code, _ := request.ReadUserCode(r.URL.Query().Get("user_code"))
	return h.Visits.RequireSignIn(request.DeviceEntryPath(code), func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		return h.askUserCode(w, r, current, http.StatusOK, templates.DeviceEntry{Code: code.String()})
	})(w, r)
}

// askUserCode shows the form of the code.
func (h *Handler) askUserCode(w http.ResponseWriter, r *http.Request, current session.Current, status int, page templates.DeviceEntry) error {
	ticket, err := h.Visits.SealTicket(deviceEntryTicket(current))
	if err != nil {
		return err
	}
	page.Common, page.Ticket, page.User = h.Site.Common(), ticket, person(current.User)
	page.Error = web.WithReference(r, page.Error)
	return h.Site.ShowStatus(w, status, page)
}

func deviceEntryTicket(current session.Current) visit.Ticket {
	return visit.TicketOf(current, "device", "")
}

// enterDevice reads the code. If a device waits with it, the user goes on to the dispatcher with
// a request for that device.
func (h *Handler) enterDevice(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "user_code", "ticket")
	if err != nil {
		return err
	}
	code, isCode := request.ReadUserCode(form.Get("user_code"))
	if !isCode {
		code = ""
	}
	return h.Visits.RequireSignIn(request.DeviceEntryPath(code), func(w http.ResponseWriter, r *http.Request, current session.Current) error {
		if err := h.Visits.CheckForm(form, deviceEntryTicket(current), request.DeviceEntryPage); err != nil {
			return err
		}
		q, err := h.requestOf(r, current, code)
		switch {
		case errors.Is(err, errUserCode), errors.Is(err, errUserCodesThrottled):
			return h.refuseUserCode(w, r, current, form.Get("user_code"), err)
		case err != nil:
			return err
		}
		sealed, err := h.Requests.Seal(q)
		if err != nil {
			return err
		}
		return h.Site.ContinueTo(w, h.Visits.Next(sealed))
	})(w, r)
}

// requestOf returns the request for the device that waits with this code. It counts the attempt
// before it looks up the code, and gives a successful attempt back. "" is not counted, because it
// is no guess.
//
// errUserCode: no device waits with this code. errUserCodesThrottled (and
// *storage.ThrottledError).
func (h *Handler) requestOf(r *http.Request, current session.Current, code request.UserCode) (request.Request, error) {
	if code == "" {
		return request.Request{}, errUserCode
	}
	at := h.Now()
	limits := append(h.WrongCodes.For("usercodenet", web.TraceOf(r.Context()).Address),
		storage.Limit{Key: "usercode:" + current.UserID, Max: wrongCodesOfUser, Window: wrongCodesWindow})
	reserved, err := h.DB.Reserve(r.Context(), limits, at)
	if throttled, over := errors.AsType[*storage.ThrottledError](err); over {
		return request.Request{}, errors.Join(errUserCodesThrottled, throttled)
	}
	if err != nil {
		return request.Request{}, err
	}
	hashes, err := h.Requests.UserCodeHashes(code)
	if err != nil {
		return request.Request{}, err
	}
	d, err := h.DB.DeviceCodeOf(r.Context(), hashes, at)
	if err != nil {
		return request.Request{}, unknownUserCode(err)
	}
	client, err := h.Requests.Clients.Enabled(r.Context(), d.ClientID)
	if err != nil {
		return request.Request{}, unknownUserCode(err)
	}
	return h.Requests.ForDevice(d, client, code, current.UserID, at), h.DB.GiveBack(r.Context(), reserved, at)
}

// unknownUserCode is errUserCode if err says that a code or its client does not exist.
func unknownUserCode(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return errUserCode
	}
	return err
}

// refuseUserCode shows the form again with the reason.
func (h *Handler) refuseUserCode(w http.ResponseWriter, r *http.Request, current session.Current, typed string, why error) error {
	web.TraceOf(r.Context()).Refuse(why)
	refusal := &templates.FormError{Code: "invalid_user_code", Text: words.Say("device-problem.wrong"), Field: "user_code"}
	status := http.StatusUnprocessableEntity
	if throttled, over := errors.AsType[*storage.ThrottledError](why); over {
		refusal = &templates.FormError{Code: "too_many_attempts", Text: words.Say("device-problem.throttled"), RetryAfter: throttled.Seconds()}
		status = http.StatusTooManyRequests
		web.SetRetryAfter(w.Header(), throttled.Seconds())
	}
	return h.askUserCode(w, r, current, status, templates.DeviceEntry{Code: typed, Error: refusal})
}
