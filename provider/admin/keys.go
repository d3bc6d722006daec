package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

const (
	keysPath   = "/admin/keys"
	rotatePath = "/admin/keys/rotate"
	revokePath = "/admin/keys/revoke"
)

// keysDone are the sentences the page can begin with, by the code in its address.
var keysDone = map[string]string{
	"rotated": "The keys were rotated. Every server signs with the new ones within a second; the tokens that live stay good.",
	"revoked": "The key was revoked. Every server refuses what it has signed within a second.",
}

// showKeys shows the life of every key that is not gone, and who has seen the next.
func (h *Handler) showKeys(w http.ResponseWriter, r *http.Request, current session.Current) error {
	list, err := h.scheduled(r.Context())
	if err != nil {
		return err
	}
	readers, err := h.DB.JWKSReaders(r.Context())
	if err != nil {
		return err
	}
	moment := h.moments(current)
	page := templates.AdminKeys{
		Admin: h.frame("keys"), Done: keysDone[r.URL.Query().Get("done")],
		Timeline: timelineOf(list, h.Now()), Readiness: readinessOf(list, readers, moment),
	}
	if page.Done == keysDone["revoked"] {
		page.Aftermath = h.aftermath(list, r.URL.Query().Get("kid"), moment)
	}
	for _, k := range list {
		page.Keys = append(page.Keys, keyRow(k, moment))
		if k.State == storage.KeyNext && k.Line != storage.InternalLine && (page.NextRotation.ISO == "" || moment(k.SignsFrom).ISO < page.NextRotation.ISO) {
			page.NextRotation = moment(k.SignsFrom)
		}
	}
	return h.Site.Show(w, page)
}

// scheduled lists the keys that are not gone.
func (h *Handler) scheduled(ctx context.Context) ([]keeper.Scheduled, error) {
	rows, err := h.DB.Keys(ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(k storage.Key) bool { return k.State == storage.KeyGone })
	return h.Keys.Life().Schedule(rows, h.Now()), nil
}

// aftermath tells what the revocation of a key did, as the command does.
func (h *Handler) aftermath(list []keeper.Scheduled, kid string, moment func(time.Time) templates.Moment) []string {
	after, ok := h.Keys.Life().Aftermath(rowsOf(list), kid)
	if !ok {
		return nil
	}
	return templates.KeyAftermath(after).Sentences(func(t time.Time) string { return moment(t).Text })
}

func rowsOf(list []keeper.Scheduled) []storage.Key {
	rows := make([]storage.Key, len(list))
	for i, k := range list {
		rows[i] = k.Key
	}
	return rows
}

// moments writes times for who looks at the page.
func (h *Handler) moments(current session.Current) func(time.Time) templates.Moment {
	moments := visit.MomentsFor(current.User, h.Now())
	return func(t time.Time) templates.Moment {
		if t.IsZero() {
			return templates.Moment{}
		}
		return moments.Write(storage.At(t))
	}
}

func keyRow(k keeper.Scheduled, moment func(time.Time) templates.Moment) templates.KeyRow {
	return templates.KeyRow{
		ID: k.ID, Algorithm: k.Line, State: string(k.State), Reason: k.RevokeReason,
		Created: moment(k.CreatedAt.Time()), SignsFrom: moment(k.SignsFrom), SignsUntil: moment(k.SignsUntil),
		PublishedUntil: moment(k.PublishedUntil), LastSigned: moment(k.RetiredAt.Time()), LastTokenDies: moment(k.TokensDieAt),
		Revoked: moment(k.RevokedAt.Time()), InModule: k.Elsewhere(),
	}
}

// readinessOf judges by the youngest of the next keys that are published.
func readinessOf(list []keeper.Scheduled, readers []storage.JWKSReader, moment func(time.Time) templates.Moment) templates.KeyReadiness {
	var since time.Time
	for _, k := range list {
		if at := k.CreatedAt.Time(); k.State == storage.KeyNext && k.Line != storage.InternalLine && at.After(since) {
			since = at
		}
	}
	known := templates.KeyReadiness{Since: moment(since)}
	seen, unseen := keeper.SeenSince(readers, since)
	for _, r := range seen {
		known.Seen = append(known.Seen, templates.KeyReader{Family: r.Family, At: moment(r.SeenAt.Time())})
	}
	for _, r := range unseen {
		known.Unseen = append(known.Unseen, templates.KeyReader{Family: r.Family, At: moment(r.SeenAt.Time())})
	}
	return known
}

// askRotate says what a rotation will do, or why there can be none yet, and asks.
func (h *Handler) askRotate(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.Visits.Fresh(current) {
		return h.Visits.StepUp(w, r, visit.Act{Name: "rotate", Page: rotatePath, Back: keysPath})
	}
	list, err := h.scheduled(r.Context())
	if err != nil {
		return err
	}
	readers, err := h.DB.JWKSReaders(r.Context())
	if err != nil {
		return err
	}
	moment := h.moments(current)
	page := templates.AdminRotate{Admin: h.frame("keys"), Readiness: readinessOf(list, readers, moment)}
	var shown []string
	for _, k := range list {
		if k.State != storage.KeyNext || k.Line == storage.InternalLine {
			continue
		}
		page.Next = append(page.Next, keyRow(k, moment))
		shown = append(shown, k.ID)
		if at := moment(k.RipeAt); k.RipeAt.After(h.Now()) && at.ISO > page.NotBefore.ISO {
			page.NotBefore = at
		}
	}
	if page.Ticket, err = h.Visits.Ticket(ticketOf(current, "keys.rotate", strings.Join(shown, " "))); err != nil {
		return err
	}
	page.Shown = strings.Join(shown, " ")
	return h.Site.Show(w, page)
}

// rotate lets the next keys sign that the page has shown, as the command does.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(form, ticketOf(current, "keys.rotate", form.Get("next")), rotatePath); err != nil {
		return err
	}
	if !h.Visits.Fresh(current) {
		return h.Visits.StepUp(w, r, visit.Act{Name: "rotate", Page: rotatePath, Back: keysPath})
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
	if strings.Join(next, " ") != form.Get("next") { // another rotation was first
		return web.Stale(h.Site.Base+rotatePath, nil)
	}
	_, err = h.Keys.Rotate(r.Context(), nil, h.Keys.Life().PublishBefore, h.by(r, current), h.Now())
	if err := h.keysProblem(err, rotatePath); err != nil {
		return err
	}
	return h.Site.Onward(w, h.Site.Base+keysPath+"?done=rotated")
}

// by is where the event of a change comes from: this administrator.
func (h *Handler) by(r *http.Request, current session.Current) storage.Origin {
	from := web.TraceOf(r.Context()).Origin()
	from.Actor = current.UserID
	return from
}

// keysProblem tells those failures apart that the page can say something about.
func (h *Handler) keysProblem(err error, back string) error {
	early, isEarly := errors.AsType[*keeper.NotRipeError](err)
	crowded, isCrowded := errors.AsType[*keeper.CrowdedError](err)
	switch {
	case isCrowded:
		return &web.Problem{
			Status: http.StatusConflict, Code: "too_many_retired_keys", Title: "Too many retired keys are still published",
			Text: fmt.Sprintf("%d retired %s keys are published for tokens that still live, and some applications read no longer list. "+
				"The next rotation is possible from %s on; nothing was changed.", crowded.Retired, crowded.Line, crowded.Until.UTC().Format(time.RFC3339)),
			StartURL: h.Site.Base + keysPath, StartText: "Signing keys",
		}
	case isEarly:
		return &web.Problem{
			Status: http.StatusConflict, Code: "not_published_long_enough", Title: "The next key is too young",
			Text:     "Relying parties may not have seen it yet. It may sign from " + early.Ripe.UTC().Format(time.RFC3339) + " on; nothing was changed.",
			StartURL: h.Site.Base + keysPath, StartText: "Signing keys",
		}
	case errors.Is(err, storage.ErrConflict), errors.Is(err, keeper.ErrRevokedAlready), errors.Is(err, keys.ErrNoKey):
		return web.Stale(h.Site.Base+back, err)
	}
	return err
}

// revocable finds a key by its whole kid.
func (h *Handler) revocable(ctx context.Context, id string) (keeper.Scheduled, error) {
	list, err := h.scheduled(ctx)
	if err != nil {
		return keeper.Scheduled{}, err
	}
	i := slices.IndexFunc(list, func(k keeper.Scheduled) bool { return k.ID == id && k.State != storage.KeyRevoked })
	if i < 0 {
		return keeper.Scheduled{}, &web.Problem{
			Status: http.StatusNotFound, Code: "not_found", Title: "There is no such key to revoke",
			Text:     "It is gone or revoked already, or there never was one. The list shows what there is.",
			StartURL: h.Site.Base + keysPath, StartText: "Signing keys",
		}
	}
	return list[i], nil
}

// revocation is the act for a key, with what was typed for it, sealed; "" for nothing.
func revocation(id, typed string) visit.Act {
	query := url.Values{"kid": {id}}
	if typed != "" {
		query.Set("typed", typed)
	}
	return visit.Act{Name: "revoke", Page: revokePath + "?" + query.Encode(), Back: keysPath}
}

// askRevoke says what stops working, and has the kid typed.
func (h *Handler) askRevoke(w http.ResponseWriter, r *http.Request, current session.Current) error {
	k, err := h.revocable(r.Context(), r.URL.Query().Get("kid"))
	if err != nil {
		return err
	}
	typed := r.URL.Query().Get("typed")
	if !h.Visits.Fresh(current) {
		return h.Visits.StepUp(w, r, revocation(k.ID, typed))
	}
	return h.revokePage(w, r, current, k, http.StatusOK, "", h.Visits.KeptForm(typed, ticketOf(current, "keys.revoke", k.ID)))
}

func (h *Handler) revokePage(w http.ResponseWriter, r *http.Request, current session.Current, k keeper.Scheduled, status int, wrong string, typed url.Values) error {
	list, err := h.scheduled(r.Context())
	if err != nil {
		return err
	}
	moment := h.moments(current)
	ticket, err := h.Visits.Ticket(ticketOf(current, "keys.revoke", k.ID))
	if err != nil {
		return err
	}
	told := templates.KeyConsequences(keeper.ConsequencesOf(rowsOf(list), k.Key))
	return h.Site.ShowStatus(w, status, templates.AdminRevoke{
		Admin: h.frame("keys"), Key: keyRow(k, moment), Damage: told.Damage(),
		Succession: told.Succession(func(t time.Time) string { return moment(t).Text }),
		Wrong:      wrong, Confirm: typed.Get("confirm"), Reason: typed.Get("reason"), Ticket: ticket,
	})
}

// revoke takes a key out of use at once, as the command does.
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	k, err := h.revocable(r.Context(), form.Get("kid"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(form, ticketOf(current, "keys.revoke", k.ID), keysPath); err != nil {
		return err
	}
	typed := url.Values{"confirm": form["confirm"], "reason": form["reason"]}
	sealed, err := h.Visits.KeepForm(ticketOf(current, "keys.revoke", k.ID), typed)
	if err != nil {
		return err
	}
	if !h.Visits.Fresh(current) {
		return h.Visits.StepUp(w, r, revocation(k.ID, sealed))
	}
	typed.Del("confirm") // where it is wrong, it is typed again
	if !keeper.Confirms(strings.TrimSpace(form.Get("confirm")), k.ID) {
		return h.revokePage(w, r, current, k, http.StatusUnprocessableEntity, "Type the kid as it is shown, or its first 8 characters. Nothing was changed.", typed)
	}
	_, err = h.Keys.Revoke(r.Context(), k.ID, form.Get("reason"), h.by(r, current), h.Now())
	if err := h.keysProblem(err, keysPath); err != nil {
		return err
	}
	return h.Site.Onward(w, h.Site.Base+keysPath+"?"+url.Values{"done": {"revoked"}, "kid": {k.ID}}.Encode())
}
