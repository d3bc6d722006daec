package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const (
	keysPath   = "/admin/keys"
	rotatePath = "/admin/keys/rotate"
	revokePath = "/admin/keys/revoke"
)

// keysDone maps the value of done in the page's URL to the confirmation at the top of the page.
var keysDone = map[string]words.Sentence{
	"rotated": words.Say("admin-keys-done.rotated"),
	"revoked": words.Say("admin-keys-done.revoked"),
}

// showKeys shows the life of every key that is not deleted, and which applications have
// fetched the next keys.
func (h *Handler) showKeys(w http.ResponseWriter, r *http.Request, current session.Current) error {
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
	page := templates.AdminKeys{
		Admin: frame, Done: keysDone[r.URL.Query().Get("done")],
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

// scheduled returns the schedule of all keys that are not deleted.
func (h *Handler) scheduled(ctx context.Context) ([]keeper.Scheduled, error) {
	rows, err := h.DB.Keys(ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(k storage.Key) bool { return k.State == storage.KeyGone })
	return h.Keys.Life().Schedule(rows, h.Now()), nil
}

// aftermath describes the effects of a revocation, in the words of the command line.
func (h *Handler) aftermath(list []keeper.Scheduled, kid string, moment func(time.Time) templates.Moment) []words.Sentence {
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

// moments returns the function that writes times in the time zone of the administrator.
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
		PublishedUntil: moment(k.PublishedUntil), LastSigned: moment(k.RetiredAt.Time()), LastTokenExpiry: moment(k.LastTokenExpiry),
		Revoked: moment(k.RevokedAt.Time()), InModule: k.IsExternal(),
	}
}

// readinessOf returns which applications have fetched the newest of the next keys.
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

// originOf returns the origin of a change by this administrator, for its event.
func (h *Handler) originOf(r *http.Request, current session.Current) storage.Origin {
	from := web.TraceOf(r.Context()).Origin()
	from.Actor = current.UserID
	return from
}

// keysProblem returns the page for errors of the keeper that an operator can solve, and
// all other errors unchanged.
func (h *Handler) keysProblem(err error, back string) error {
	early, isEarly := errors.AsType[*keeper.NextKeyTooNewError](err)
	crowded, isCrowded := errors.AsType[*keeper.TooManyRetiredError](err)
	switch {
	case isCrowded:
		return &web.Problem{
			Status: http.StatusConflict, Code: "too_many_retired_keys", Title: words.Say("admin-error.too-many-retired-keys.title"),
			Text: words.Say("admin-error.too-many-retired-keys.text",
				"Count", crowded.Retired, "Line", crowded.Line, "Time", crowded.Until.UTC().Format(time.RFC3339)),
			StartURL: h.Site.Base + keysPath, StartText: words.Say("admin-error.keys"),
		}
	case isEarly:
		return &web.Problem{
			Status: http.StatusConflict, Code: "not_published_long_enough", Title: words.Say("admin-error.key-too-new.title"),
			Text:     words.Say("admin-error.key-too-new.text", "Time", early.MaySignFrom.UTC().Format(time.RFC3339)),
			StartURL: h.Site.Base + keysPath, StartText: words.Say("admin-error.keys"),
		}
	case errors.Is(err, storage.ErrConflict), errors.Is(err, keeper.ErrAlreadyRevoked), errors.Is(err, keys.ErrNoKey):
		return web.StaleForm(h.Site.Base+back, err)
	}
	return err
}
