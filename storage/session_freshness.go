package storage

import "time"

// Freshness is how new the proof must be of who somebody is. The zero value asks for
// nothing.
type Freshness struct {
	Request       string         // id of the authorization request that asks; "" for none
	Again         bool           // proved in answer to this request (prompt=login)
	MaxAge        *time.Duration // proved no longer ago (max_age); nil: any time
	AuthTimeKnown bool           // the time of the proof must be known (auth_time is required)
	BestEffort    bool           // arriving here counts like a proof: the client's PromptLoginBestEffort
}

// Meets reports whether the session is fresh enough. It is the only rule about
// freshness: for a new sign-in and an old one, for applications and our own pages.
func (s Session) Meets(f Freshness, at time.Time) bool {
	return s.Proves(f, at) || f.BestEffort && s.arrived(f, at)
}

// Proves is Meets without best effort: what somebody proved, here or at an upstream
// that says when.
func (s Session) Proves(f Freshness, at time.Time) bool {
	switch {
	case s.AuthTime != 0 && f.Request != "" && s.Has(FactAuthenticated, f.Request):
		return true // however long the steps after it take
	case f.Again:
		return false
	case f.MaxAge != nil:
		return s.AuthenticatedWithin(*f.MaxAge, at) || s.broughtWithin(*f.MaxAge, f.Request)
	}
	return !f.AuthTimeKnown || s.AuthTime != 0
}

// broughtWithin reports whether an upstream answered the request with a proof that was
// no older than age at that moment.
func (s Session) broughtWithin(age time.Duration, request string) bool {
	for _, fact := range s.Facts {
		if fact.Kind == FactArrived && fact.Request == request && request != "" && within(fact.Proved, age, fact.At.Time()) {
			return true
		}
	}
	return false
}

func (s Session) arrived(f Freshness, at time.Time) bool {
	switch {
	case s.Answered(f.Request):
		return true
	case f.Again:
		return false
	case f.MaxAge != nil:
		return within(s.ArrivedAt, *f.MaxAge, at)
	}
	return s.ArrivedAt != 0
}

// Answered reports whether the user signed in, in whatever way, in answer to this
// authorization request. A sign-in for another request never counts.
func (s Session) Answered(request string) bool {
	return request != "" && (s.Has(FactAuthenticated, request) || s.Has(FactArrived, request))
}

// StatedAuthTime is the auth_time that an ID token says to a client which asked for f:
// when the user proved who they are; and when they arrived, if only best effort makes
// that enough. 0: nobody knows.
func (s Session) StatedAuthTime(f Freshness, at time.Time) Millis {
	if f.BestEffort && !s.Proves(f, at) {
		return s.ArrivedAt
	}
	return s.AuthTime
}
