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

// Cause returns the stable code.
func (c *causedError) Cause() string { return c.code }

// Unwrap returns the error without the code.
func (c *causedError) Unwrap() error { return c.error }

// Because adds the stable code of the cause to an error, for the log, the audit event and
// the table of answers. Several causes may have the same answer.
func Because(code string, err error) error { return &causedError{code, err} }

// storageCauses are the codes of the errors of storage. They apply if the caller has not
// added a more precise code.
var storageCauses = []struct {
	err  error
	code string
}{
	{storage.ErrUnavailable, "unavailable"},
	{storage.ErrReplayed, "replayed"},
	{storage.ErrRevoked, "revoked"},
	{storage.ErrExpired, "expired"},
	{storage.ErrAddressReserved, "address_reserved"},
	{storage.ErrConflict, "conflict"},
	{storage.ErrNotFound, "not_found"},
}

// ownCause returns the code of this error, not of the errors that it wraps. It returns ""
// if the error has no code.
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

// CauseOf returns the stable code of the outermost error that has one, or "internal" if
// none of them has a code.
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

// Limits, in bytes, for the unverified values of a request in the log and in events.
const (
	longestClaimedID  = 128
	longestClaimedURI = 256
)

// NoteClaimedClient notes the client_id of the request, in case the request is refused.
// The id is not verified.
func (t *Trace) NoteClaimedClient(id string) {
	if id != "" {
		t.claimedClient = id
	}
}

// NoteClaimedRedirect notes the redirect URI of the request, in case the request is
// refused. The log gets it without user, query and fragment, which may contain secrets.
func (t *Trace) NoteClaimedRedirect(uri string) { t.claimedRedirect = uri }

// claims returns the unverified values of a refused request, cleaned and shortened.
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
	// The same for a URI that was percent-encoded once or twice too often.
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

// NoteClient notes the client that sends the request, or that the request is about. The
// client may be disabled.
func (t *Trace) NoteClient(id string) {
	if id != "" && t.requester.clientID != id {
		t.requester.clientID = id
		t.Note("client_id", id)
	}
}

// NoteUser notes the user who sends the request.
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

// NoteGrant notes the grant of the code or token that the request presents. g.ID is empty
// for a code.
func (t *Trace) NoteGrant(g storage.Grant) {
	t.presented = party{grantID: g.ID, userID: g.UserID, clientID: g.ClientID, sessionID: g.SessionID}
}

// Refuse notes that the request is refused, with the text of the error and the stable
// code of its cause. Later calls have no effect.
func (t *Trace) Refuse(err error) {
	if t.cause != "" {
		return
	}
	t.noteError(err)
	t.refused = true
	t.noteClaims()
	t.Note("gid", t.presented.grantID)
}

// Ignore notes that a parameter of the request was ignored and for which reason, together
// with the unverified values of the request. With an empty reason it does nothing.
func (t *Trace) Ignore(parameter, reason string) {
	if reason != "" {
		t.Note("ignored_"+parameter, reason)
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

// Fail notes that the request cannot be answered although it is correct, and the reason.
// No event is written.
func (t *Trace) Fail(err error) {
	if t.cause == "" {
		t.noteError(err)
	}
}

func (t *Trace) noteError(err error) {
	t.cause = CauseOf(err)
	t.Note("cause", t.cause)
	t.Note("error", foreign.ForLog(err.Error(), 512))
}

// MarkRecorded notes that the use case has written the event of the refusal, or has
// deliberately written none. Refusals then returns nothing.
func (t *Trace) MarkRecorded() { t.recorded = true }

// Refusals returns the events of a refused request: one for the presented grant, and one
// for the client or user that sent the request, unless the grant is theirs. It returns
// none if the use case has written the event, or if grant, client and user are all
// unknown: such a request is only logged, so strangers cannot fill the database.
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
