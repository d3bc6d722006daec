package credential

import (
	"cmp"
	"context"
	"errors"

	"signet/provider/web"
	"signet/storage"
)

// Checked is the result of Check for a correct password.
type Checked struct {
	User             storage.User
	Stored           string              // the hash that the password matches
	OldHash, NewHash string              // both are set if the sign-in must replace the hash
	Reserved         storage.Reservation // the sign-in must give it back
}

// Check checks the password of a user. It reads the user, waits in the queue, reserves the
// attempt, hashes and compares. An attempt over a limit does not wait. A waiting attempt
// has reserved nothing yet, so a crowd of correct passwords does not exhaust the limits.
//
// ErrWrong (its cause is only for the log), ErrBusy, *storage.ThrottledError,
// storage.ErrUnavailable. Check records a wrong password of a known user as an event. It
// does not record a throttled attempt, so repeated attempts cannot fill the database.
func (p *Passwords) Check(ctx context.Context, a Attempt, from storage.Origin) (Checked, error) {
	// Before the user is read, so the answer is the same for all user names.
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
	correct := false
	err = p.queue.do(ctx, func() error {
		var err error
		if checked.Reserved, err = p.db.Reserve(ctx, limits, p.now()); err != nil {
			return err
		}
		correct = p.verify(against, password) && refusal == "" // verify first, so the work is always the same
		if correct && against.weakerThan(p.params) {
			checked.OldHash, checked.NewHash = stored, p.hash(password).String()
		}
		return nil
	})
	if err != nil {
		return Checked{}, err
	}
	if !correct {
		refusal = cmp.Or(refusal, "invalid_credentials")
		if err := p.recordRefusal(ctx, user, bucket, refusal, from); err != nil {
			return Checked{}, err
		}
		return Checked{}, web.Because(refusal, ErrWrong)
	}
	return checked, nil
}

// hashOf returns the hash of the user. If there is none, it returns the reason and a dummy
// hash: comparing with it costs the same, and it does not count as correct.
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

// recordRefusal records a wrong password as an event. For an unknown user it records no
// event, and never the typed name, because people sometimes type a password there. It
// still writes one row, because the time of a commit would reveal which accounts exist.
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
