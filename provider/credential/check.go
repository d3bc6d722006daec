package credential

import (
	"cmp"
	"context"
	"errors"

	"signet/provider/web"
	"signet/storage"
)

// Checked is what a right password gives.
type Checked struct {
	User             storage.User
	Stored           string              // the hash it was compared with
	OldHash, NewHash string              // both set when the hash must be renewed at sign-in
	Reserved         storage.Reservation // to be given back by the sign-in
}

// Check reads the user and waits for its turn; then it reserves the attempt, hashes
// and compares. Whoever is over a limit does not wait, and who waits has reserved
// nothing yet: however many come at once with the right password, few are counted
// at a time.
//
// ErrWrong (with the cause for the log), ErrBusy, *storage.ThrottledError, storage.ErrUnavailable. A wrong
// password for a known user is recorded as an event; a throttled attempt was never
// compared and is not, or whoever keeps trying would fill the log.
func (p *Passwords) Check(ctx context.Context, a Attempt, from storage.Origin) (Checked, error) {
	// Refused before any look-up, so for every user name alike.
	password, ok := normalize(a.Password)
	if !ok {
		return Checked{}, web.Because("unusable_password", ErrWrong)
	}
	user, stored, err := p.db.UserByEmail(ctx, a.Username)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Checked{}, err
	}
	bucket, err := p.bucketOf(a.Username)
	if err != nil {
		return Checked{}, err
	}
	limits := p.limitsFor(user, a, bucket)
	if err := p.db.CheckAttempts(ctx, limits, p.now()); err != nil {
		return Checked{}, err
	}
	against, refusal := p.hashOf(user, stored)
	checked := Checked{User: user, Stored: stored}
	right := false
	err = p.queue.do(ctx, func() error {
		var err error
		if checked.Reserved, err = p.db.Reserve(ctx, limits, p.now()); err != nil {
			return err
		}
		right = p.verify(against, password) && refusal == "" // this order: the work is the same
		if right && against.weakerThan(p.params) {
			checked.OldHash, checked.NewHash = stored, p.hash(password).String()
		}
		return nil
	})
	if err != nil {
		return Checked{}, err
	}
	if !right {
		refusal = cmp.Or(refusal, "invalid_credentials")
		if err := p.recordRefusal(ctx, user, bucket, refusal, from); err != nil {
			return Checked{}, err
		}
		return Checked{}, web.Because(refusal, ErrWrong)
	}
	return checked, nil
}

// hashOf gives what to compare with: the user's hash; or, with the reason, the
// dummy that costs the same and lets nobody in.
func (p *Passwords) hashOf(user storage.User, stored string) (against hash, refusal string) {
	switch {
	case user.ID == "":
		return p.dummy, "unknown_user"
	case !user.Enabled():
		return p.dummy, "user_disabled"
	case stored == "":
		return p.dummy, "no_password"
	}
	against, err := parseHash(stored)
	if err != nil {
		return p.dummy, "unreadable_hash"
	}
	return against, ""
}

// recordRefusal records a wrong password. Nothing is recorded of an unknown user, least of
// all the typed name: people type passwords there. But one row is written all the
// same, since the time of one durable commit would tell who has an account.
func (p *Passwords) recordRefusal(ctx context.Context, user storage.User, bucket, refusal string, from storage.Origin) error {
	if user.ID == "" {
		_, err := p.db.Reserve(ctx, []storage.Limit{decoy(bucket, p.limits.Window)}, p.now())
		return err
	}
	return p.db.RecordEvent(ctx, storage.Event{
		Type:    storage.UserSignInFailed,
		Outcome: storage.Refused,
		Reason:  refusal,
		UserID:  user.ID,
		From:    from,
	}, p.now())
}
