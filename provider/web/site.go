package web

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"signet/templates"
	"signet/templates/words"
)

// Site renders pages, turns errors into pages, and refuses forms of other origins.
type Site struct {
	Base   string // the issuer's path: "" or "/auth"
	Issuer *url.URL
	pages  *templates.Pages
	cross  *http.CrossOriginProtection
}

// NewSite makes the site of an issuer. It accepts form posts only from the issuer's own
// origin, even if a proxy has changed the Host header.
func NewSite(issuer *url.URL, pages *templates.Pages) (*Site, error) {
	cross := http.NewCrossOriginProtection()
	if err := cross.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, fmt.Errorf("trust the issuer's origin: %w", err)
	}
	return &Site{Base: issuer.Path, Issuer: issuer, pages: pages, cross: cross}, nil
}

// Handler serves a page or a form. It answers the request or returns an error, not both.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Page adapts a handler. A cross-origin POST is refused before the handler runs, and an
// error of the handler becomes a page.
func (s *Site) Page(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkOrigin(r); err != nil {
			s.Fail(w, r, &Problem{
				Status: http.StatusForbidden, Code: "cross_origin", Title: words.Say("common-error.other-site.title"),
				Text: words.Say("common-error.other-site.text"), Cause: err,
			})
			return
		}
		if err := h(w, r); err != nil {
			s.Fail(w, r, err)
		}
	})
}

var errOrigin = errors.New("the Origin header differs from the issuer's origin")

// checkOrigin refuses a form from another origin. If the browser sends Sec-Fetch-Site,
// that header decides. Otherwise the Origin header must be the issuer's origin, including
// scheme and port. The standard library would only compare the host of Origin with the
// Host header, so it would accept the http origin of an https issuer, and any caller that
// can set both headers. If a browser sends neither header, only the ticket of the form
// protects it.
func (s *Site) checkOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	onlyOrigin := r.Header.Get("Sec-Fetch-Site") == "" && origin != ""
	if onlyOrigin && r.Method == http.MethodPost && origin != s.Issuer.Scheme+"://"+s.Issuer.Host {
		return errOrigin
	}
	return s.cross.Check(r)
}

// CrossOriginPage adapts a handler without the cross-origin check, for pages to which the
// protocol lets other sites send people, by GET and by POST.
func (s *Site) CrossOriginPage(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.Fail(w, r, err)
		}
	})
}

// Fail answers with the page of an error and notes the error in the trace.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := asProblem(err)
	a := Answer{Status: p.Status, RetryAfter: p.RetryAfter}
	a.note(TraceOf(r.Context()), err)
	s.writeProblem(w, r, p, a)
}

// failAsPage shows the answer as a page. Programs would get it as JSON. The trace must
// contain the error already.
func (s *Site) failAsPage(w http.ResponseWriter, r *http.Request, a Answer, err error) {
	if a.Status >= http.StatusInternalServerError {
		s.writeProblem(w, r, asProblem(err), a)
		return
	}
	s.writeProblem(w, r, s.notForBrowsers(a, Link{}, err), a)
}

// writeProblem writes the page of a problem. It does not note the error in the trace.
func (s *Site) writeProblem(w http.ResponseWriter, r *http.Request, p *Problem, a Answer) {
	trace := TraceOf(r.Context())
	trace.Note("code", p.Code)
	a.setRetryAfter(w.Header())
	page := templates.Error{
		Common: s.Common(), Status: p.Status, Code: p.Code, Title: p.Title, Text: p.Text,
		Detail: p.Detail, Reference: trace.ID, StartURL: p.StartURL,
	}
	if p.StartURL != "" {
		page.StartText = cmp.Or(p.StartText, s.linkTextFor(p.StartURL))
	}
	referrer, policy := ownReferrer, pagePolicy
	if r.URL.RawQuery != "" { // it may be a secret that still works, such as a one-time link during an outage
		referrer = originReferrer
	}
	if p.Fields != nil {
		page.Fields, referrer, policy = fieldsOf(p.Fields), originReferrer, formPolicy(p.StartURL) // as in PostTo
	}
	if err := s.write(w, p.Status, page, referrer, policy); err != nil {
		http.Error(w, p.Title.String()+" ("+p.Code+", "+trace.ID+")", p.Status)
	}
}

// asProblem returns the page for any error. For an internal error the page only shows the
// reference; the cause is in the log.
func asProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	a := AnswerTo(page, err)
	return &Problem{Status: a.Status, Code: a.Code, Title: a.Title, Text: a.Sentence, RetryAfter: a.RetryAfter, Cause: err}
}

// NotFound is the page for a path without a route.
func (s *Site) NotFound() *Problem {
	return &Problem{
		Status: http.StatusNotFound, Code: "not_found", Title: words.Say("common-error.not-found.title"),
		Text:     words.Say("common-error.not-found.text"),
		StartURL: s.Base + "/", StartText: words.Say("common-error.start-page"),
	}
}

// NotForBrowsers is the page for a person at an address that is only for programs. instead
// is the page where people can do the same; if it is zero, the link leads to the start
// page.
func (s *Site) NotForBrowsers(instead Link, cause error) *Problem {
	return s.notForBrowsers(Answer{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed"}, instead, cause)
}

func (s *Site) notForBrowsers(a Answer, instead Link, cause error) *Problem {
	return &Problem{
		Status: a.Status, Code: cmp.Or(a.Code, "invalid_token"), Title: words.Say("common-error.for-applications.title"),
		Text:     words.Say("common-error.for-applications.text"),
		StartURL: s.Base + cmp.Or(instead.Path, "/"), StartText: cmp.Or(instead.Text, words.Say("common-error.start-page")),
		RetryAfter: a.RetryAfter, Cause: cause,
	}
}

// AmbiguousPath is the page for an address that two parsers could read differently.
func (s *Site) AmbiguousPath(cause error) *Problem {
	return &Problem{
		Status: http.StatusBadRequest, Code: "invalid_request", Title: words.Say("common-error.ambiguous-address.title"),
		Text:     words.Say("common-error.ambiguous-address.text"),
		StartURL: s.Base + "/", StartText: words.Say("common-error.start-page"), Cause: cause,
	}
}

// Show answers 200 with a page.
func (s *Site) Show(w http.ResponseWriter, page templates.Page) error {
	return s.write(w, http.StatusOK, page, ownReferrer, pagePolicy)
}

// ShowStatus answers with a page and another status, for a form that is shown again.
func (s *Site) ShowStatus(w http.ResponseWriter, status int, page templates.Page) error {
	return s.write(w, status, page, ownReferrer, pagePolicy)
}

// ShowSecretURL is ShowStatus for a page that has a secret in its address. The requests of
// the page send only our origin as Referer, never the address.
func (s *Site) ShowSecretURL(w http.ResponseWriter, status int, page templates.Page) error {
	return s.write(w, status, page, originReferrer, pagePolicy)
}

// ownReferrer sends no Referer to other origins, like no-referrer. But no-referrer would
// make browsers send "Origin: null" with our own forms.
const ownReferrer = "same-origin"

// originReferrer sends our origin alone as Referer, and as Origin with forms.
const originReferrer = "strict-origin"

const noReferrer = "no-referrer"

func (s *Site) write(w http.ResponseWriter, status int, page templates.Page, referrer, policy string) error {
	var body bytes.Buffer
	if err := s.pages.Write(&body, page); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", referrer)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // if the browser has closed the connection, there is nothing to do
	return nil
}

// Common returns the fields that all pages of this site share.
func (s *Site) Common() templates.Common {
	return templates.Common{Base: s.Base, Issuer: s.Issuer.Host}
}

// ContinueTo answers a form with 200 and a Refresh to a path of ours. The page has a link
// in case the browser does not follow the Refresh. A redirect would not do: Chromium
// applies form-action to all redirects after a form, so only a later GET may lead to
// another origin.
func (s *Site) ContinueTo(w http.ResponseWriter, path string) error {
	return s.ContinueWith(w, templates.Continue{URL: path})
}

// createWait is in seconds. A page on which the browser makes a passkey goes on by its script; this is for
// a browser in which the script stopped.
const createWait = "8"

// ContinueWith is ContinueTo with a page that tells the browser more.
func (s *Site) ContinueWith(w http.ResponseWriter, page templates.Continue) error {
	if err := checkAddressLength(page.URL); err != nil {
		return err
	}
	wait := "0"
	if page.Create != nil {
		wait = createWait
	}
	w.Header().Set("Refresh", wait+";url="+page.URL)
	page.Common = s.Common()
	return s.Show(w, page)
}

// PostTo answers with a page whose form posts the fields to an address outside the issuer
// (OAuth 2.0 Form Post Response Mode, section 2). The script of the pages sends the form at
// once; a person without scripts presses its button. target must be http or https.
//
// The receiver gets our origin in the Origin header, so it can tell our forms from others.
func (s *Site) PostTo(w http.ResponseWriter, target string, fields url.Values) error {
	page := templates.FormPost{Common: s.Common(), URL: target, Fields: fieldsOf(fields)}
	page.Client.Host = templates.HostOf(target)
	return s.write(w, http.StatusOK, page, originReferrer, formPolicy(target))
}

// fieldsOf returns the hidden fields of a form, in the order of their names.
func fieldsOf(values url.Values) []templates.Field {
	var fields []templates.Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			fields = append(fields, templates.Field{Parameter: name, Value: value})
		}
	}
	return fields
}

// ShowWithFrames answers with a page that opens addresses of other sites in iframes. It sends them
// no Referer, so the page must not have a form.
func (s *Site) ShowWithFrames(w http.ResponseWriter, page templates.Page, frames []string) error {
	return s.write(w, http.StatusOK, page, noReferrer, framesPolicy(frames, framesBudget))
}

// LeaveAfterFrames is ShowWithFrames for a page that goes on to an address outside the issuer. The
// script of the pages goes there as soon as the frames have loaded, or have taken too long. Without
// scripts, a Refresh does: Chromium begins to count its seconds when the frames have loaded.
func (s *Site) LeaveAfterFrames(w http.ResponseWriter, page templates.Page, frames []string, target string) error {
	if err := checkAddressLength(target); err != nil {
		return err
	}
	w.Header().Set("Refresh", "4;url="+target)
	return s.write(w, http.StatusOK, page, noReferrer, framesPolicy(frames, min(framesBudget, MaxAddress-len(target))))
}

// SeeOther redirects with 303: the browser follows with GET, even after a POST, and does
// not send the body again.
func SeeOther(w http.ResponseWriter, location string) error {
	if err := checkAddressLength(location); err != nil {
		return err
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
