package storage

import "time"

// Freshness is a requirement on how recently the user authenticated. The zero value requires
// nothing.
type Freshness struct {
	Request        string         // ID of the authorization request; "": no request
	Reauthenticate bool           // the user must have authenticated for this request (prompt=login)
	MaxAge         *time.Duration // longest time since the authentication (max_age); nil: no limit
	AuthTimeKnown  bool           // the time of the authentication must be known (auth_time is required)
	AllFactors     bool           // the second factor must not have been skipped, see Session.FactorSkipped
	BestEffort     bool           // a return from any upstream counts (Client.PromptLogin is PromptLoginBestEffort)
}

// Meets reports whether the session meets the requirement. It is the only rule about freshness:
// for new and existing sign-ins, for applications and for our own pages.
func (s Session) Meets(f Freshness, at time.Time) bool {
	return s.Proves(f, at) || f.BestEffort && s.arrived(f, at)
}

// Proves is Meets without best effort. It counts only authentications here, and at upstreams
// that report their time.
func (s Session) Proves(f Freshness, at time.Time) bool {
	switch {
	case f.AllFactors && s.FactorSkipped:
		return false
	case s.AuthTime != 0 && f.Request != "" && s.Has(FactAuthenticated, f.Request):
		return true // even if the later steps take long
	case f.Reauthenticate:
		return false
	case f.MaxAge != nil:
		return s.AuthenticatedWithin(*f.MaxAge, at) || s.broughtWithin(*f.MaxAge, f.Request)
	}
	return !f.AuthTimeKnown || s.AuthTime != 0
}

// broughtWithin reports whether the user came back from an upstream for this request and had
// authenticated there within age before that moment.
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
	case f.AllFactors && s.FactorSkipped:
		return false
	case s.Answered(f.Request):
		return true
	case f.Reauthenticate:
		return false
	case f.MaxAge != nil:
		return within(s.ArrivedAt, *f.MaxAge, at)
	}
	return s.ArrivedAt != 0
}

// Answered reports whether the user signed in, by any method, for this authorization request. A
// sign-in for another request does not count.
func (s Session) Answered(request string) bool {
	return request != "" && (s.Has(FactAuthenticated, request) || s.Has(FactArrived, request))
}

// StatedAuthTime returns the auth_time for the ID token of a client that required f. This is the
// time of the authentication. If only best effort met f, it is when the user last signed in. 0:
// unknown.
func (s Session) StatedAuthTime(f Freshness, at time.Time) Millis {
	if f.BestEffort && !s.Proves(f, at) {
		return s.ArrivedAt
	}
	return s.AuthTime
}
