package web

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// causedError is an error with the stable code of its cause.
type causedError struct {
	code string
	error
}

// Cause is the stable code.
func (c *causedError) Cause() string { return c.code }

// Unwrap gives the error that has the cause.
func (c *causedError) Unwrap() error { return c.error }

// Because gives an error the stable code of its cause, for the log, the audit event and
// the table of answers. Several causes may have the same answer.
func Because(code string, err error) error { return &causedError{code, err} }

// storageCauses are the codes of what storage answers, where the caller does not know
// better.
var storageCauses = []struct {
	err  error
	code string
}{
	{storage.ErrUnavailable, "unavailable"},
	{storage.ErrReplayed, "replayed"},
	{storage.ErrRevoked, "revoked"},
	{storage.ErrExpired, "expired"},
	{storage.ErrConflict, "conflict"},
	{storage.ErrNotFound, "not_found"},
}

// ownCause gives the code of one error, not of those that it wraps; "" for none.
func ownCause(err error) string {
	switch e := err.(type) {
	case interface{ Cause() string }:
		return e.Cause()
	case *storage.ThrottledError:
		return "throttled"
	}
	for _, c := range storageCauses {
		if err == c.err {
			return c.code
		}
	}
	return ""
}

// CauseOf gives the stable code of why: that of the outermost error that has one. It
// is "internal" for an error that nobody has given a code.
func CauseOf(err error) string {
	var known interface {
		error
		Cause() string
	}
	if errors.As(err, &known) {
		return known.Cause()
	}
	if p, ok := errors.AsType[*Problem](err); ok && p.Cause == nil {
		return p.Code
	}
	if _, throttled := errors.AsType[*storage.ThrottledError](err); throttled {
		return "throttled"
	}
	if _, malformed := errors.AsType[*FormError](err); malformed {
		return "malformed_request"
	}
	for _, c := range storageCauses {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return "internal"
}

// Bounds of what a request claims, in the log and in events.
const (
	longestClaimedID  = 128
	longestClaimedURI = 256
)

// NoteClaimedClient notes which client the request says it comes from, for the case that
// it is refused.
func (t *Trace) NoteClaimedClient(id string) {
	if id != "" {
		t.claimedClient = id
	}
}

// NoteClaimedRedirect notes which redirect URI the request named, for the case that it is
// refused: without user, query and fragment, which may hold secrets.
func (t *Trace) NoteClaimedRedirect(uri string) { t.claimedRedirect = uri }

// claims are those of a refused request, cleaned and bounded.
func (t *Trace) claims() map[string]any {
	claims := map[string]any{}
	if t.claimedClient != "" {
		claims["claimed_client_id"] = foreign.ForLog(t.claimedClient, longestClaimedID)
	}
	if t.claimedRedirect != "" {
		claims["redirect_uri"] = plainURI(t.claimedRedirect)
	}
	return claims
}

func plainURI(uri string) string {
	if u, err := url.Parse(uri); err == nil && u.Opaque == "" {
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		uri = u.String()
	}
	// So also if it was percent-encoded once too often.
	for _, mark := range []string{"?", "#", "%3f", "%23", "%253f", "%2523"} {
		if end := strings.Index(strings.ToLower(uri), mark); end >= 0 {
			uri = uri[:end]
		}
	}
	for _, mark := range []string{"@", "%40", "%2540"} {
		if at := strings.LastIndex(strings.ToLower(uri), mark); at >= 0 {
			uri = uri[at+len(mark):]
		}
	}
	return foreign.ForLog(uri, longestClaimedURI)
}

// NoteClient notes the client, enabled or not, that makes the request or that it is for.
func (t *Trace) NoteClient(id string) {
	if id != "" && t.requester.clientID != id {
		t.requester.clientID = id
		t.Note("client_id", id)
	}
}

// NoteUser notes the user who makes the request.
func (t *Trace) NoteUser(id string) {
	if id != "" && t.requester.userID != id {
		t.requester.userID = id
		t.Note("sub", id)
	}
}

// UpdateConnectorHealth notes the connector that the request came through.
func (t *Trace) UpdateConnectorHealth(id string) {
	t.requester.connector = id
	t.Note("connector", id)
}

// NoteGrant notes whose grant a code or token belongs to that the request presents. The id
// is empty for a code.
func (t *Trace) NoteGrant(g storage.Grant) {
	t.presented = party{grantID: g.ID, userID: g.UserID, clientID: g.ClientID, sessionID: g.SessionID}
}

// Refuse notes that the request is refused, and why: the error's text and the stable
// code of its cause. The first call counts.
func (t *Trace) Refuse(why error) {
	if t.cause != "" {
		return
	}
	t.noteError(why)
	t.refused = true
	t.noteClaims()
	t.Note("gid", t.presented.grantID)
}

// Ignore notes that a parameter of the request was left out, and why, with what the
// request claims; "" for nothing to note.
func (t *Trace) Ignore(parameter, why string) {
	if why != "" {
		t.Note("ignored_"+parameter, why)
		t.noteClaims()
	}
}

func (t *Trace) noteClaims() {
	if t.claimsNoted {
		return
	}
	t.claimsNoted = true
	claims := t.claims()
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		t.Note(key, claims[key].(string))
	}
}

// Fail notes why the request cannot be answered by no fault of whoever sent it. No
// event comes of it.
func (t *Trace) Fail(why error) {
	if t.cause == "" {
		t.noteError(why)
	}
}

func (t *Trace) noteError(why error) {
	t.cause = CauseOf(why)
	t.Note("cause", t.cause)
	t.Note("error", foreign.ForLog(why.Error(), 512))
}

// MarkRecorded notes that a use case has written the event of the refusal, or has left it
// out on purpose.
func (t *Trace) MarkRecorded() { t.recorded = true }

// Refusals gives the events of a refused request, if it concerns a grant, a client or a
// user that is known and no use case has written them: one of the grant that was
// presented, and one of the client or user that asked, unless the grant is theirs. All
// others are in the log alone: nothing is stored for a stranger.
func (t *Trace) Refusals() []storage.Event {
	if !t.refused || t.recorded {
		return nil
	}
	var list []storage.Event
	add := func(p party, kind storage.EventType) {
		e := p.event()
		e.At, e.Type, e.Outcome, e.Reason, e.From, e.Detail = storage.At(t.began), kind, storage.Refused, t.cause, t.Origin(), t.claims()
		list = append(list, e)
	}
	if t.presented.userID != "" {
		add(t.presented, storage.GrantRefused)
	}
	switch {
	case t.requester.clientID != "" && t.requester.clientID != t.presented.clientID:
		add(t.requester, storage.ClientRefused)
	case t.requester.clientID == "" && t.requester.userID != "" && t.requester.userID != t.presented.userID:
		add(t.requester, storage.UserRefused)
	}
	return list
}
