package credential

import (
	"context"
	"errors"
	"time"

	"signet/storage"
)

// Attempt is one try to sign in.
type Attempt struct {
	Username string // an e-mail, as typed
	Password string
	Address  string // the client's IP address
	Device   storage.Device
}

// Checked is what a right password gives.
type Checked struct {
	User             storage.User
	Stored           string              // the hash it was compared with
	OldHash, NewHash string              // both set when the hash must be renewed at sign-in
	Reserved         storage.Reservation // to be given back by the sign-in
}

// Check reserves the attempt, reads the user, hashes and compares.
//
// ErrWrong, ErrBusy, *storage.ThrottledError, storage.ErrUnavailable. A wrong
// password for a known user is recorded as an event; a throttled attempt was never
// compared and is not, or whoever keeps trying would fill the log.
func (p *Passwords) Check(ctx context.Context, a Attempt, from storage.Origin) (Checked, error) {
	// Refused before any look-up, so for every user name alike.
	password, ok := normalize(a.Password)
	if !ok {
		return Checked{}, ErrWrong
	}
	user, stored, err := p.db.UserByEmail(ctx, a.Username)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Checked{}, err
	}
	reserved, err := p.db.Reserve(ctx, p.counted(user, a), p.now())
	if err != nil {
		return Checked{}, err
	}
	against, refusal := p.hashOf(user, stored)
	right, renewed, err := p.compare(ctx, against, password, refusal == "")
	if err != nil {
		// It was never compared, so it was no guess.
		return Checked{}, errors.Join(err, p.giveBack(ctx, reserved))
	}
	if !right {
		if err := p.refuse(ctx, user, a, refusal, from); err != nil {
			return Checked{}, err
		}
		return Checked{}, ErrWrong
	}
	checked := Checked{User: user, Stored: stored, Reserved: reserved}
	if renewed != "" {
		checked.OldHash, checked.NewHash = stored, renewed
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

// compare hashes in the queue. When the password is right and its hash costs less
// than the setting, it is hashed anew in the same turn.
func (p *Passwords) compare(ctx context.Context, against hash, password string, usable bool) (right bool, renewed string, err error) {
	err = p.queue.do(ctx, func() {
		right = p.matches(against, password) && usable // this order: the work is the same
		if right && against.below(p.params) {
			renewed = p.hash(password).String()
		}
	})
	return right, renewed, err
}

// refuse records a wrong password. Nothing is recorded of an unknown user, least of
// all the typed name: people type passwords there. But one row is written all the
// same, since the time of one durable commit would tell who has an account.
func (p *Passwords) refuse(ctx context.Context, user storage.User, a Attempt, refusal string, from storage.Origin) error {
	if user.ID == "" {
		_, err := p.db.Reserve(ctx, []storage.Limit{decoy(a.Username, p.limits.Window)}, p.now())
		return err
	}
	if refusal == "" {
		refusal = "invalid_credentials"
	}
	return p.db.RecordEvent(ctx, storage.Event{
		Type:    storage.UserSignInFailed,
		Outcome: storage.Refused,
		Reason:  refusal,
		UserID:  user.ID,
		From:    from,
	}, p.now())
}

// giveBack undoes a reservation even though the caller may have gone.
func (p *Passwords) giveBack(ctx context.Context, r storage.Reservation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return p.db.GiveBack(ctx, r, p.now())
}
