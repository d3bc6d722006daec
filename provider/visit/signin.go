package visit

import (
	"errors"
	"net/http"

	"signet/provider/credential"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// PasswordSignIn is the input of a sign-in with a password, from the sign-in page or from
// the first-party app.
type PasswordSignIn struct {
	Username, Password  string
	Keep                bool   // "Keep me signed in"
	RequestID, ClientID string // of the authorization request that the sign-in answers
	AcceptsTrust        bool   // see flow.AcceptsTrust

	KeepStronger *storage.Freshness // see Visits.KeepStronger
}

// KeepStronger returns the condition on which the browser's session keeps a stronger proof than that
// of a new sign-in: it would do for an Act, and is recent enough for the request. So a password in a
// session of two factors lowers nothing, and an old proof never counts together with a new one.
func (v *Visits) KeepStronger(f storage.Freshness) *storage.Freshness {
	age := v.FreshFor
	if f.MaxAge != nil {
		age = min(age, *f.MaxAge)
	}
	f.MaxAge, f.Request = &age, "" // earlier sign-ins for the request may have been weaker
	return &f
}

// SignIn checks the password and starts a session in the browser. Its errors are those of
// credential.Passwords.Check and session.Sessions.Start. For *storage.FactorDueError, it has stored
// a HalfSignIn, and the caller leads to flow.FactorPage.
func (v *Visits) SignIn(w http.ResponseWriter, r *http.Request, in PasswordSignIn) (session.Current, error) {
	checked, err := v.CheckPassword(r, in.Username, in.Password)
	if err != nil {
		return session.Current{}, err
	}
	started, err := v.Sessions.Start(w, r, session.SignIn{
		UserID: checked.User.ID, Request: in.RequestID, ClientID: in.ClientID,
		ACR: storage.ACROneFactor, AMR: session.ByPassword, Keep: in.Keep,
		OldHash: checked.OldHash, NewHash: checked.NewHash, NotBefore: &checked.User.NotBefore,
		GiveBack: checked.Reserved, KeepStronger: in.KeepStronger, AcceptsTrust: in.AcceptsTrust,
	})
	if due, isDue := errors.AsType[*storage.FactorDueError](err); isDue {
		web.TraceOf(r.Context()).NoteUser(due.UserID)
		half := HalfSignIn{UserID: due.UserID, NotBefore: due.NotBefore, Keep: in.Keep}
		if err := v.StoreHalf(w, half, in.RequestID); err != nil {
			return session.Current{}, err
		}
		return session.Current{}, err
	}
	return session.Current{Session: started, User: checked.User}, err
}

// CheckPassword checks a password from this browser. Its errors are those of
// credential.Passwords.Check.
func (v *Visits) CheckPassword(r *http.Request, username, password string) (credential.Checked, error) {
	origin := web.TraceOf(r.Context()).Origin()
	return v.Passwords.Check(r.Context(), credential.Attempt{
		Username: username, Password: password, Address: origin.Address, Device: v.Sessions.Device(r),
	}, origin)
}
