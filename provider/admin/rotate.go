package admin

import (
	"net/http"
	"strings"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// askRotate shows the effects of a rotation and a form to confirm it, or the reason why
// the next key cannot sign yet.
func (h *Handler) askRotate(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if ok, err := h.confirmed(w, r, current, visit.Act{Name: "rotate", Page: rotatePath, Back: keysPath}); !ok {
		return err
	}
	list, err := h.scheduled(r.Context())
	if err != nil {
		return err
	}
	readers, err := h.DB.JWKSReaders(r.Context())
	if err != nil {
		return err
	}
	frame, err := h.frame(r, current, "keys")
	if err != nil {
		return err
	}
	moment := h.moments(current)
	page := templates.AdminRotate{Admin: frame, Readiness: readinessOf(list, readers, moment)}
	var shown []string
	for _, k := range list {
		if k.State != storage.KeyNext || k.Line == storage.InternalLine {
			continue
		}
		page.Next = append(page.Next, keyRow(k, moment))
		shown = append(shown, k.ID)
		if at := moment(k.MaySignFrom); k.MaySignFrom.After(h.Now()) && at.ISO > page.NotBefore.ISO {
			page.NotBefore = at
		}
	}
	if page.Ticket, err = h.Visits.SealTicket(ticketOf(current, "keys.rotate", strings.Join(shown, " "))); err != nil {
		return err
	}
	page.Shown = strings.Join(shown, " ")
	return h.Site.Show(w, page)
}

// rotate lets the next keys sign, like the command. It refuses if they are not the keys
// that the page has shown.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(form, ticketOf(current, "keys.rotate", form.Get("next")), rotatePath); err != nil {
		return err
	}
	if ok, err := h.confirmed(w, r, current, visit.Act{Name: "rotate", Page: rotatePath, Back: keysPath}); !ok {
		return err
	}
	list, err := h.scheduled(r.Context())
	if err != nil {
		return err
	}
	var next []string
	for _, k := range list {
		if k.State == storage.KeyNext && k.Line != storage.InternalLine {
			next = append(next, k.ID)
		}
	}
	if strings.Join(next, " ") != form.Get("next") { // another rotation happened meanwhile
		return web.StaleForm(h.Site.Base+rotatePath, nil)
	}
	_, err = h.Keys.Rotate(r.Context(), nil, h.Keys.Life().PublishBefore, storage.By{From: h.originOf(r, current), At: h.Now()})
	if err := h.keysProblem(err, rotatePath); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+keysPath+"?done=rotated")
}
