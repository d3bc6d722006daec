package factor

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"signet/provider/credential"
	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

var (
	// ErrWrong: the code is wrong, or the user has no second factor.
	ErrWrong = web.Because("invalid_code", errors.New("wrong code"))
	// ErrUsed: the code of the app was right, but this one or a later one was used before.
	ErrUsed = web.Because("code_used", errors.New("used code"))
)

// Config configures Factors. All fields are required.
type Config struct {
	DB     *storage.DB
	Ring   *keys.Ring
	Limits credential.Limits
	Now    func() time.Time
}

// Factors checks second factors. It is safe for concurrent use.
type Factors struct{ Config }

// New makes Factors.
func New(c Config) *Factors { return &Factors{c} }

// Attempt is one attempt with a code.
type Attempt struct {
	User    storage.User
	Code    string // as typed
	Address string // the client's IP address
	Device  storage.Device
}

// Checked is the result of Check for a correct code.
type Checked struct {
	Use      storage.FactorUse
	AMR      []string            // to add to the amr of the first proof (RFC 8176)
	Reserved storage.Reservation // the sign-in must give it back
}

// Check checks a code of an authenticator app or a recovery code. It counts the attempt before it
// compares. The sign-in must use the code up; storage.ErrReplayed of the sign-in means ErrUsed.
//
// ErrWrong, ErrUsed, *storage.ThrottledError, storage.ErrUnavailable. Check records a wrong code as
// an event. It does not record a throttled attempt, so repeated attempts cannot fill the database.
func (f *Factors) Check(ctx context.Context, a Attempt, from storage.Origin) (Checked, error) {
	code, kind := read(a.Code)
	if kind == unusable {
		return Checked{}, web.Because("malformed_code", ErrWrong)
	}
	limits := f.Limits.OfSecondFactor(a.User, a.Address, a.Device)
	if err := f.DB.CheckAttempts(ctx, limits, f.Now()); err != nil {
		return Checked{}, err
	}
	reserved, err := f.DB.Reserve(ctx, limits, f.Now())
	if err != nil {
		return Checked{}, err
	}
	has, err := f.DB.SecondFactorsOf(ctx, a.User.ID)
	if err != nil {
		return Checked{}, err
	}
	checked := Checked{Reserved: reserved}
	match := f.matchApp
	if kind == recoveryCode {
		match = f.matchRecovery
	}
	if checked.Use, checked.AMR, err = match(ctx, a.User.ID, has, code); err == nil {
		return checked, nil
	}
	if !errors.Is(err, ErrWrong) && !errors.Is(err, ErrUsed) {
		return Checked{}, err
	}
	recorded := f.DB.RecordEvent(ctx, storage.Event{
		Type: storage.UserSignInFailed, Outcome: storage.Refused, Reason: web.CauseOf(err), UserID: a.User.ID, From: from,
	}, f.Now())
	if recorded != nil {
		return Checked{}, recorded
	}
	return Checked{}, err
}

func (f *Factors) matchApp(ctx context.Context, _ string, has storage.SecondFactors, code string) (storage.FactorUse, []string, error) {
	if has.TOTP == nil {
		return storage.FactorUse{}, nil, ErrWrong
	}
	secret, err := f.Ring.OpenFactor(ctx, has.TOTP.ID, has.TOTP.Secret, f.Now())
	if err != nil {
		return storage.FactorUse{}, nil, err
	}
	switch step := Step(secret, code, f.Now()); {
	case step == 0:
		return storage.FactorUse{}, nil, ErrWrong
	case step <= has.TOTP.Step:
		return storage.FactorUse{}, nil, ErrUsed
	default:
		return storage.FactorUse{CredentialID: has.TOTP.ID, Step: step}, []string{"otp", "mfa"}, nil
	}
}

func (f *Factors) matchRecovery(_ context.Context, userID string, has storage.SecondFactors, code string) (storage.FactorUse, []string, error) {
	hash, err := f.Ring.RecoveryCodeHash(userID, code)
	if err != nil {
		return storage.FactorUse{}, nil, err
	}
	found := 0
	for _, stored := range has.Codes {
		found |= subtle.ConstantTimeCompare(stored, hash)
	}
	if found == 0 {
		return storage.FactorUse{}, nil, ErrWrong
	}
	return storage.FactorUse{CodeHash: hash}, []string{"mfa"}, nil
}
