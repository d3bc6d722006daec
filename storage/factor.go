package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// The kinds of credentials.
const (
	FactorPassword    = "password"
	FactorTOTP        = "totp"         // an authenticator app (RFC 6238)
	FactorPasskey     = "webauthn"     // a passkey
	FactorSecurityKey = "security_key" // a WebAuthn credential that is a second factor only
	FactorRecovery    = "recovery"     // a recovery code
)

// The kinds of mails about factors.
const (
	MailFactorAdded           MailKind = "factor_added" // the facts have its kind, as in the next one
	MailFactorRemoved         MailKind = "factor_removed"
	MailFactorsReset          MailKind = "factors_reset" // an operator removed all factors except the password
	MailRecoveryCodesReplaced MailKind = "recovery_codes_replaced"
	MailRecoveryCodeUsed      MailKind = "recovery_code_used"
)

// programWithSecondFactors is the number of the migration that came with second factors.
const programWithSecondFactors = 15

// requireProgram keeps programs from before a migration from opening the database, because they
// would not ask for the second factor. It locks the instance row.
func requireProgram(tx *gorm.DB, migration int) error {
	return tx.Exec(`UPDATE instance SET oldest_program = ? WHERE id = 1 AND oldest_program < ?`, migration, migration).Error
}

// errFactorDue makes a FactorDueError a verdict for the engine.
var errFactorDue = engine.NewVerdict("a second factor is due")

// FactorDueError refuses to start a session because the user has a second factor and the sign-in
// had none.
type FactorDueError struct {
	UserID    string
	NotBefore Millis // of the user, for SignIn.NotBefore of the sign-in with the factor
}

// Error returns a fixed text.
func (e *FactorDueError) Error() string { return errFactorDue.Error() }

// Unwrap returns a verdict of the engine.
func (e *FactorDueError) Unwrap() error { return errFactorDue }

// Cause returns the stable code for the log.
func (e *FactorDueError) Cause() string { return "factor_due" }

// FactorUse is the second factor of a sign-in: a code of an authenticator app, a recovery code, or an
// assertion of a security key or passkey.
type FactorUse struct {
	CredentialID string      // of the authenticator app; "": another factor
	Step         int64       // of the code (RFC 6238, section 4.2): it must be later than the last one
	CodeHash     []byte      // of the recovery code
	Key          *PasskeyUse // of a security key, or of a proven passkey; nil: a code
}

// use uses the factor up. It sets ACR and AMR of the sign-in if the factor is a key. It reports
// whether a recovery code was used.
//
// ErrReplayed: the step is not later than the last used one, the recovery code or the challenge of
// the key was used before, or the factor was removed. ErrRevoked: the key was removed, or is the
// passkey that the person used before.
func (f FactorUse) use(tx *gorm.DB, s *SignIn, at time.Time) (recovery bool, err error) {
	var used bool
	switch {
	case f.Key != nil && f.Key.PasskeyID == s.passkey: // one factor does not count twice
		return false, ErrRevoked
	case f.Key != nil:
		k, err := usePasskey(tx, s.UserID, *f.Key, useAsSecondFactor, By{From: s.From, At: at})
		s.ACR, s.AMR, s.confirmedBy = ACRPhishingResistant, addMethods(s.AMR, k.secondAMR(f.Key.Verified)...), k.ID
		return false, err
	case f.CredentialID != "":
		used, err = changeOne(tx, `UPDATE credentials SET number = ?, used_at = ? WHERE id = ? AND user_id = ? AND kind = 'totp' AND number < ?`,
			f.Step, At(at), f.CredentialID, s.UserID, f.Step)
	default:
		used, err = changeOne(tx, `DELETE FROM credentials WHERE user_id = ? AND kind = 'recovery' AND secret = ?`, s.UserID, f.CodeHash)
	}
	switch {
	case err != nil:
		return false, err
	case !used:
		return false, ErrReplayed
	case f.CredentialID != "":
		return false, raiseCopies(tx, s.UserID, f.CredentialID, f.Step)
	}
	return true, dropCopiedCode(tx, s.UserID, f.CodeHash)
}

// addMethods adds values to an amr that does not have them.
func addMethods(amr []string, more ...string) []string {
	sum := slices.Clone(amr)
	for _, method := range more {
		if !slices.Contains(sum, method) {
			sum = append(sum, method)
		}
	}
	return sum
}

// addSecondFactor states in the session that the user has just confirmed a second factor.
func (s *Session) addSecondFactor(amr ...string) {
	s.ACR, s.AMR = StrongerACR(s.ACR, ACRTwoFactors), addMethods(s.AMR, amr...)
}

// SecondFactors are the second factors of a user.
type SecondFactors struct {
	TOTP         *TOTP     // nil: no authenticator app
	Keys         []Passkey // security keys, the oldest first
	LostKeys     []Passkey // security keys of another RP ID, which cannot be used
	Passkeys     []Passkey // proven passkeys, which may also serve as second factor; the oldest first
	LostPasskeys []Passkey // proven passkeys of another RP ID, which cannot be used
	Codes        [][]byte  // hashes of the recovery codes that are left

	AlwaysAsk bool // the user is asked for a proven passkey too, see DB.SetAlwaysAsk
}

// Any reports whether the user is asked for a second factor, as asksSecondFactor does.
func (f SecondFactors) Any() bool {
	return f.TOTP != nil || len(f.Keys) > 0 || f.AlwaysAsk && len(f.Passkeys) > 0 ||
		len(f.Codes) > 0 && (len(f.LostKeys) > 0 || f.AlwaysAsk && len(f.LostPasskeys) > 0)
}

// UseCodes reports whether the user can be asked for a recovery code, as usesRecoveryCodes does.
func (f SecondFactors) UseCodes() bool {
	return f.Any() || len(f.Passkeys) > 0 || len(f.Codes) > 0 && len(f.LostPasskeys) > 0
}

// Signing returns the security keys and passkeys, which sign a challenge.
func (f SecondFactors) Signing() []Passkey { return slices.Concat(f.Keys, f.Passkeys) }

// SecondFactorsOf reads the second factors of a user in one statement. An unknown user has none.
func (db *DB) SecondFactorsOf(ctx context.Context, userID string) (SecondFactors, error) {
	if err := refuseImpossible(userID); err != nil {
		return SecondFactors{}, fmt.Errorf("read second factors: %w", err)
	}
	var rows []struct {
		Passkey // of each kind
		Usable  bool
		Asks    bool
	}
	err := db.read(ctx, "read second factors", func(q *gorm.DB) error {
		return q.Raw(`SELECT `+passkeyColumns+`, `+ofOwnHost("c")+` AS usable,
			EXISTS (SELECT 1 FROM users u WHERE u.id = c.user_id AND u.always_ask_at <> 0) AS asks FROM credentials c WHERE user_id = ? AND kind IN ('totp', 'recovery', 'security_key', 'webauthn') ORDER BY created_at, id`, userID).Scan(&rows).Error
	})
	var f SecondFactors
	for _, r := range rows {
		f.AlwaysAsk = r.Asks
		switch {
		case r.Kind == FactorRecovery:
			f.Codes = append(f.Codes, r.PublicKey)
		case r.Kind == FactorTOTP:
			f.TOTP = &TOTP{ID: r.ID, Secret: r.PublicKey, Step: r.Counter, CreatedAt: r.CreatedAt, UsedAt: r.UsedAt}
		case r.Kind == FactorSecurityKey && !r.Usable:
			f.LostKeys = append(f.LostKeys, r.Passkey)
		case r.Kind == FactorSecurityKey:
			f.Keys = append(f.Keys, r.Passkey)
		case r.ProvenAt != 0 && r.Usable:
			f.Passkeys = append(f.Passkeys, r.Passkey)
		case r.ProvenAt != 0:
			f.LostPasskeys = append(f.LostPasskeys, r.Passkey)
		}
	}
	return f, err
}

// FactorChange is the part that all changes of the user's own factors have. The session must be
// live, at the highest level that the account can reach, and the user must have signed in in it
// within FreshFor.
type FactorChange struct {
	UserID    string
	SessionID string // of the browser that makes the change
	Handle    string // hash of that browser's new session handle
	FreshFor  time.Duration
	From      Origin
}

// ErrNotFresh: the user must sign in again before this change.
var ErrNotFresh = engine.NewVerdict("the sign-in is not fresh, or not strong enough")

// changeFactors runs a change of the user's factors under the lock of the user's row. Then it ends
// all sessions and grants of the user, including offline grants, and starts a new session for this
// browser with the facts of the old one, changed by raise.
//
// ErrRevoked: the session has ended. ErrNotFresh.
func (db *DB) changeFactors(ctx context.Context, name string, c FactorChange, change func(tx *gorm.DB) error, raise func(*Session), at time.Time) (Session, error) {
	checked := func(tx *gorm.DB) error {
		if err := checkFreshEnough(tx, c, at); err != nil {
			return err
		}
		return change(tx)
	}
	return db.renewWithFactors(ctx, name, c, checked, raise, at)
}

// addFactor is changeFactors for a new factor. Every way to add a factor passes here, except
// AddAutomaticPasskey.
//
// ErrRevoked, ErrNotFresh. ErrUnproven, ErrAddressProofDue: see requireOwner.
func (db *DB) addFactor(ctx context.Context, name string, c FactorChange, add func(tx *gorm.DB) error, raise func(*Session), at time.Time) (Session, error) {
	checked := func(tx *gorm.DB) error {
		if err := db.checkFreshToAdd(tx, c, at); err != nil {
			return err
		}
		if err := db.requireOwner(tx, c, at); err != nil {
			return err
		}
		return add(tx)
	}
	return db.renewWithFactors(ctx, name, c, checked, raise, at)
}

// renewWithFactors is changeFactors without the check of the session.
func (db *DB) renewWithFactors(ctx context.Context, name string, c FactorChange, change func(tx *gorm.DB) error, raise func(*Session), at time.Time) (Session, error) {
	if err := refuseImpossible(c.UserID, c.SessionID, c.Handle); err != nil {
		return Session{}, fmt.Errorf("%s: %w", name, err)
	}
	var session Session
	err := db.write(ctx, name, func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, c.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, c.UserID, c.SessionID, "", at); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		var err error
		session, err = renewAfterEnding(tx, renewal{c.UserID, c.SessionID, c.Handle, "factor_changed"}, By{From: c.From, At: at})
		if err != nil || raise == nil {
			return err
		}
		raise(&session)
		return tx.Model(&Session{}).Where("id = ?", session.ID).Select("ACR", "AMR").Updates(&session).Error
	})
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

// checkFreshEnough checks the session of a change of factors. ErrNotFresh.
func checkFreshEnough(tx *gorm.DB, c FactorChange, at time.Time) error {
	fresh, err := isOwnFreshSession(tx, c.UserID, sessionKey{"id", c.SessionID}, c.FreshFor, at)
	if err != nil {
		return err
	}
	if !fresh {
		return ErrNotFresh
	}
	return checkStrongEnough(tx, c.UserID, c.SessionID)
}

// checkStrongEnough checks that the user's session has the highest level that the account can reach.
// ErrNotFresh.
func checkStrongEnough(tx *gorm.DB, userID, sessionID string) error {
	var found []struct {
		ACR string
		Due bool
	}
	err := tx.Raw(`SELECT s.acr, `+usesRecoveryCodes+` AS due FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ? AND s.user_id = ?`, sessionID, userID).Scan(&found).Error
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].Due && !ACRReaches(found[0].ACR, ACRTwoFactors) {
		return ErrNotFresh
	}
	return nil
}

// asksSecondFactor is the condition that a user u is asked for a second factor at each sign-in. A key or
// passkey of another RP ID counts as long as the user has recovery codes: a change of the RP ID does not
// turn the second factor off, and the code stands for the lost key.
var asksSecondFactor = `EXISTS (SELECT 1 FROM credentials f WHERE f.user_id = u.id AND (f.kind = 'totp' OR f.kind = 'security_key' AND ` + isReplaceable("f") + `
	OR f.kind = 'webauthn' AND f.proven_at <> 0 AND u.always_ask_at <> 0 AND ` + isReplaceable("f") + `))`

// hasProvenPasskey is the condition that a user u can reach two factors with a passkey alone, or with a
// recovery code in place of a passkey of another RP ID.
var hasProvenPasskey = `EXISTS (SELECT 1 FROM credentials f WHERE f.user_id = u.id AND f.kind = 'webauthn' AND f.proven_at <> 0 AND ` + isReplaceable("f") + `)`

// isReplaceable is the condition that a credential of a user u can be used, or that a recovery code can
// be used instead.
func isReplaceable(alias string) string {
	return `(` + ofOwnHost(alias) + ` OR EXISTS (SELECT 1 FROM credentials r WHERE r.user_id = u.id AND r.kind = 'recovery'))`
}

// usesRecoveryCodes is the condition that a user u can be asked for a second factor, and therefore
// needs recovery codes: a user with a proven passkey, who loses it, too.
var usesRecoveryCodes = `(` + asksSecondFactor + ` OR ` + hasProvenPasskey + `)`

// hasStrongFactors reports whether the user can reach two factors.
func hasStrongFactors(tx *gorm.DB, userID string) (bool, error) {
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM users u WHERE u.id = ? AND `+usesRecoveryCodes, userID).Scan(&n).Error
	return n > 0, err
}

// RemoveSecondFactor removes the authenticator app or a security key of a user. The recovery codes go
// with the last way that needs them, see usesRecoveryCodes. All other sessions and all grants of the
// user end, see changeFactors. It records the events factor.removed and session.ended.
//
// ErrNotFound: the user has no such factor. ErrRevoked, ErrNotFresh.
func (db *DB) RemoveSecondFactor(ctx context.Context, c FactorChange, id string, at time.Time) (Session, error) {
	if err := refuseImpossible(id); err != nil {
		return Session{}, fmt.Errorf("remove second factor: %w", err)
	}
	return db.changeFactors(ctx, "remove second factor", c, func(tx *gorm.DB) error {
		var kinds []string
		err := tx.Raw(`DELETE FROM credentials WHERE id = ? AND user_id = ? AND kind IN ('totp', 'security_key') RETURNING kind`, id, c.UserID).Scan(&kinds).Error
		if err != nil {
			return err
		}
		if len(kinds) == 0 {
			return ErrNotFound
		}
		if err := dropUselessCodes(tx, c.UserID); err != nil {
			return err
		}
		return db.recordFactor(tx, FactorRemoved, MailFactorRemoved, kinds[0], c.UserID, By{From: c.From, At: at})
	}, nil, at)
}

// recordFactor records a change of a factor and tells the user.
func (db *DB) recordFactor(tx *gorm.DB, event EventType, mail MailKind, kind, userID string, by By) error {
	if err := db.notify(tx, MailDraft{Kind: mail, UserID: userID, Facts: MailFacts{Factor: kind}}, by); err != nil {
		return err
	}
	e := Event{Type: event, Outcome: Succeeded, Reason: kind, UserID: userID, From: by.From}
	return record(tx, e, by.At)
}

// FactorReset is the input of DB.ResetFactors.
type FactorReset struct {
	UserID string
	Support
}

// ResetFactors removes all factors of a user except the password: the authenticator app, the
// passkeys, the security keys and the recovery codes, and ends the choice of SetAlwaysAsk. If there were any, it ends all sessions and grants of the user,
// including offline grants. It returns the removed factors. The undo of a changed address does not
// bring them back, nor those that were removed before. It records the events factor.reset and
// session.ended_all.
//
// ErrNotFound: there is no such user. ErrLinkAndReset, ErrNoNotice, the error of a check.
func (db *DB) ResetFactors(ctx context.Context, r FactorReset, by By) (removed []Factor, err error) {
	userID := r.UserID
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("reset factors: %w", err)
	}
	err = db.write(ctx, "reset factors", func(tx *gorm.DB) error {
		removed = nil
		u, err := db.lockUser(tx, userID)
		if err != nil {
			return err
		}
		if err := db.checkReset(tx, r.Support, u, by.At); err != nil {
			return err
		}
		if err := dropCopiedFactors(tx, userID); err != nil {
			return err
		}
		attached, err := attachedTo(tx, userID, by.At)
		if err != nil {
			return err
		}
		if removed = attached.withoutPassword().Factors; len(removed) == 0 {
			return nil
		}
		if err := tx.Exec(`DELETE FROM credentials WHERE user_id = ? AND kind <> 'password'`, userID).Error; err != nil {
			return err
		}
		if err := endAlwaysAsk(tx, userID); err != nil {
			return err
		}
		if err := endAllOfUser(tx, userID, by.At); err != nil {
			return err
		}
		if err := db.notify(tx, MailDraft{Kind: MailFactorsReset, UserID: userID}, by); err != nil {
			return err
		}
		if err := record(tx, Event{Type: FactorsReset, Outcome: Succeeded, UserID: userID, From: by.From, Detail: r.detail()}, by.At); err != nil {
			return err
		}
		return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: "factors_reset", UserID: userID, From: by.From}, by.At)
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}
