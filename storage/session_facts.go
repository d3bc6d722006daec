package storage

import "time"

// AuthenticatedWithin reports whether the user proved who they are no longer than
// age ago. An age of zero is never met by time: it asks for a sign-in of its own.
// Neither is any age if nobody knows when that was.
func (s Session) AuthenticatedWithin(age time.Duration, at time.Time) bool {
	return within(s.AuthTime, age, at)
}

func within(moment Millis, age time.Duration, at time.Time) bool {
	return moment != 0 && age > 0 && at.Sub(moment.Time()) <= age
}

// Decision is the latest answer to the consent question of a request, given
// after since: FactAllowed, FactDenied, or "" if it was not answered.
func (s Session) Decision(request string, since Millis) FactKind {
	decision, when := FactKind(""), since+1
	for _, f := range s.Facts {
		if f.Request == request && (f.Kind == FactAllowed || f.Kind == FactDenied) && f.At >= when {
			decision, when = f.Kind, f.At
		}
	}
	return decision
}
