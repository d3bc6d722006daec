package visit

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// Act is a sensitive action on a page of this server: it needs a recent proof, so that an
// unlocked screen is not enough.
type Act struct {
	Name string // a name that templates.Wanted has a text for
	Page string // path and query, below the issuer, of the page that continues the act
	Back string // path, below the issuer, that leads back without the act

	Within time.Duration // the proof must be that recent; 0: Visits.FreshFor, which is also the most

	acr string // the sign-in must reach it; "": any. See NotFresh
}

// IsFresh reports whether the user's last proof is recent enough for an Act, and had the second
// factor also in a trusted browser. If not, the caller answers with StepUp.
func (v *Visits) IsFresh(current session.Current) bool {
	age := v.FreshFor
	return current.Meets(storage.Freshness{MaxAge: &age, AllFactors: true}, v.Now())
}

// IsFreshToAdd reports whether the user may see the form that adds a factor: as IsFresh, or the mailed link
// is the fresh proof. Storage decides whether it counts, see storage.DB.IsAddressProofDue.
func (v *Visits) IsFreshToAdd(current session.Current) bool {
	return v.IsFresh(current) || current.ProvesByAddress(v.FreshFor, v.Now())
}

// ChangeFactors changes the factors of the signed-in user, as session.Sessions.ChangeFactors does.
// storage.ErrNotFresh: the person must sign in again first, see StepUp.
func (v *Visits) ChangeFactors(w http.ResponseWriter, r *http.Request, current session.Current, act func(storage.FactorChange) (storage.Session, error)) error {
	return v.Sessions.ChangeFactors(w, r, current, v.FreshFor, act)
}

// NotFresh answers a request that storage.ErrNotFresh refused: the last proof is too old, or it was
// too weak, because the account has a passkey or a second factor. The person gives what is missing
// and continues the act.
func (v *Visits) NotFresh(w http.ResponseWriter, r *http.Request, current session.Current, act Act) error {
	reach, err := v.ReachableACR(r.Context(), current.UserID)
	switch {
	case err != nil:
		return err
	case storage.ACRReaches(reach, storage.ACRTwoFactors) && !storage.ACRReaches(current.ACR, storage.ACRTwoFactors):
		act.acr = storage.ACRTwoFactors
	case v.IsFresh(current): // StepUp would lead straight back
		return v.StrongerSignIn(v.Site.Base + act.Back)
	}
	return v.StepUp(w, r, act)
}

// StrongerSignIn is the page for a change that needs a sign-in with two factors, if the account has
// no way to give one here: its passkeys are of another host. back is the target of its link.
func (v *Visits) StrongerSignIn(back string) *web.Problem {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "stronger_sign_in", Title: words.Say("account-error.stronger-sign-in.title"),
		Text: words.Say("account-error.stronger-sign-in.text"), StartURL: back, Cause: storage.ErrNotFresh,
	}
}

// StepUp sends the browser to the dispatcher with a request for a new proof. The request
// ends at the page of the act, where the user presses the button again. Only the values of
// the form may be carried along (see SealForm), so that no other user can complete the act.
func (v *Visits) StepUp(w http.ResponseWriter, r *http.Request, act Act) error {
	age := v.FreshFor
	if act.Within > 0 {
		age = min(age, act.Within)
	}
	seconds := int64(age / time.Second)
	q := request.Request{
		ID: rand.Text(), Kind: request.Page, Created: storage.At(v.Now()), Path: v.Site.Base + act.Page,
		Act: act.Name, Back: v.Site.Base + act.Back, MaxAge: &seconds,
	}
	if act.acr != "" {
		q.EssentialACR = []string{act.acr}
	}
	sealed, err := v.Requests.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	return v.redirect(w, r, dispatcherPath(sealed))
}
