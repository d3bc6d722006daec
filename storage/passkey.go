package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Passkey is a WebAuthn credential of a user (WebAuthn, section 4, credential record). It is a row
// of the table credentials.
type Passkey struct {
	ID        string // identifies it in forms, sessions and grants; proves nothing
	UserID    string
	Kind      string        // FactorPasskey, or FactorSecurityKey, which signs nobody in by itself
	Name      string        // given by the user, or that of its maker; "": none
	Handle    string        // its credential ID, base64url without padding
	RPID      string        `gorm:"column:rp_id"`  // to which it belongs; "": that of the instance
	PublicKey []byte        `gorm:"column:secret"` // COSE_Key (RFC 9052, section 7)
	Counter   int64         `gorm:"column:number"` // the last signature counter; 0: it does not count
	Detail    PasskeyDetail `gorm:"serializer:signet_json"`

	// ProvenAt is when it was known to belong to the owner of the account: when it was added or
	// confirmed in a session with two factors, or in one in which the owner proved the address while
	// there was no other factor. Until then a sign-in with it has one factor. 0: not yet.
	ProvenAt  Millis
	UsedAt    Millis // the last sign-in; 0: never
	CreatedAt Millis `gorm:"autoCreateTime:false"`

	Handles string `gorm:"-"` // of all passkeys and security keys of the user, with commas; only PasskeyByHandle reads them
}

// TableName returns the name of the table, which holds all credentials.
func (Passkey) TableName() string { return "credentials" }

// PasskeyDetail holds further values of a passkey.
type PasskeyDetail struct {
	AAGUID         string   `json:"aaguid,omitempty"`          // model of the authenticator, as a UUID
	Transports     []string `json:"transports,omitempty"`      // ways to reach the authenticator, for the browser
	BackupEligible bool     `json:"backup_eligible,omitempty"` // its maker may copy it to other devices; never changes
	BackedUp       bool     `json:"backed_up,omitempty"`       // it was copied at its last use
	Automatic      bool     `json:"automatic,omitempty"`       // the browser made it by itself, see AddAutomaticPasskey
	SuspectAt      Millis   `json:"suspect_at,omitempty"`      // when its counter last did not grow, as after a copy by a stranger; 0: never
}

// IsPasskeyID reports whether the key of a session (Session.Identity) is the ID of a passkey.
func IsPasskeyID(key string) bool { return strings.HasPrefix(key, credentialPrefix) }

// ACR returns the value of acr for a sign-in with the passkey, in which it has verified the user.
func (p Passkey) ACR() string {
	if p.ProvenAt != 0 {
		return ACRPhishingResistant
	}
	return ACROneFactor
}

// AMR returns the values of amr for such a sign-in (RFC 8176). "mfa" is stated only together with
// an acr of two factors. Without a verified attestation nothing proves that a key cannot leave its
// device, so there is no "hwk".
func (p Passkey) AMR() []string {
	amr := []string{"pop", "user"}
	if p.ProvenAt != 0 {
		amr = append(amr, "mfa")
	}
	if p.Detail.BackupEligible {
		amr = append(amr, "swk")
	}
	return amr
}

// secondAMR returns the values of amr that it adds to those of another proof (RFC 8176). A security
// key proves that it is there, whether or not it asked for a PIN.
func (p Passkey) secondAMR(verified bool) []string {
	amr := []string{"pop"}
	if verified && p.Kind == FactorPasskey {
		amr = append(amr, "user")
	}
	amr = append(amr, "mfa")
	if p.Detail.BackupEligible {
		amr = append(amr, "swk")
	}
	return amr
}

// MostPasskeys is the largest number of passkeys of one user, and of security keys.
const MostPasskeys = 20

// ErrTooManyPasskeys: the user has MostPasskeys passkeys, or security keys, already.
var ErrTooManyPasskeys = engine.NewVerdict("too many passkeys")

const passkeyColumns = `id, user_id, kind, name, handle, rp_id, secret, number, detail, proven_at, used_at, created_at`

// PasskeysOf lists the passkeys of a user, the oldest first.
func (db *DB) PasskeysOf(ctx context.Context, userID string) ([]Passkey, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	var list []Passkey
	err := db.read(ctx, "list passkeys", func(q *gorm.DB) error {
		return q.Raw(`SELECT `+passkeyColumns+` FROM credentials WHERE user_id = ? AND kind = 'webauthn' ORDER BY created_at, id`, userID).Scan(&list).Error
	})
	return list, err
}

// PasskeyByHandle reads a passkey or security key, the handles of its siblings and its user in one
// statement. The user may be disabled.
//
// ErrNotFound: none has this handle.
func (db *DB) PasskeyByHandle(ctx context.Context, handle string) (Passkey, User, error) {
	if err := refuseImpossible(handle); err != nil {
		return Passkey{}, User{}, fmt.Errorf("read passkey: %w", err)
	}
	var p Passkey
	var u User
	err := db.read(ctx, "read passkey", func(q *gorm.DB) error {
		return engine.RequireRow(selectPasskeyByHandle.QueryRow(q, append(append(engine.Destinations(&p), engine.Destinations(&u)...), &p.Handles), handle))
	})
	return p, u, err
}

// PasskeyAddition is the input of DB.AddPasskey.
type PasskeyAddition struct {
	FactorChange
	Passkey     Passkey  // Name, Handle, RPID, PublicKey, Counter and Detail
	Codes       [][]byte // hashes of recovery codes, for a user who has none; stored if the passkey is proven
	ChallengeID string   // can be used once
	Until       Millis   // how long the use of ChallengeID must be remembered
}

// AddPasskey adds a passkey to an account. All other sessions and all grants of the user end, see
// changeFactors. The passkey is proven if the session of this browser has two factors, or if it is the
// first factor of the account and the user has proved the address in this session. From then on, factors
// change only in a session with two factors, so the user gets recovery codes if there are none; it
// reports whether the codes were stored. It records the events passkey.added and session.ended.
//
// ErrReplayed: the challenge was used before. ErrRevoked: the session has ended. ErrNotFresh.
// ErrConflict: the passkey belongs to an account already. ErrTooManyPasskeys. ErrUnproven,
// ErrAddressProofDue: see requireOwner. ErrOtherRPID: it does not belong to the RP ID of the instance.
func (db *DB) AddPasskey(ctx context.Context, a PasskeyAddition, at time.Time) (s Session, newCodes bool, err error) {
	p := a.Passkey
	p.UserID, p.Kind = a.UserID, FactorPasskey
	if err := refuseImpossible(p.Handle, p.RPID, a.ChallengeID); err != nil {
		return Session{}, false, fmt.Errorf("add passkey: %w", err)
	}
	if len(p.PublicKey) == 0 || p.RPID == "" {
		return Session{}, false, errors.New("add passkey: the public key or the RP ID is empty")
	}
	s, err = db.addFactor(ctx, "add passkey", a.FactorChange, func(tx *gorm.DB) error {
		newCodes = false
		if err := spendChallenge(tx, a.ChallengeID, a.Until); err != nil {
			return err
		}
		e, err := readEnrolling(tx, p.UserID, a.SessionID, at)
		if err != nil {
			return err
		}
		if e.provesPasskeys(at) {
			p.ProvenAt = At(at)
		}
		if err := insertPasskey(tx, p, at); err != nil {
			return err
		}
		if p.ProvenAt != 0 {
			if newCodes, err = addFirstCodes(tx, p.UserID, a.Codes, at); err != nil {
				return err
			}
		}
		notice := MailDraft{Kind: MailPasskeyAdded, UserID: p.UserID, Facts: MailFacts{Name: cleanText(p.Name, longestName)}}
		if err := db.notify(tx, notice, By{From: a.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: PasskeyAdded, Outcome: Succeeded, UserID: p.UserID, SessionID: a.SessionID, From: a.From}, at)
	}, nil, at)
	return s, newCodes && err == nil, err
}

// insertPasskey stores a passkey or security key. ErrTooManyPasskeys, ErrConflict, ErrOtherRPID: see
// AddPasskey.
func insertPasskey(tx *gorm.DB, p Passkey, at time.Time) error {
	if err := bindRPID(tx, p.RPID); err != nil {
		return err
	}
	var n int64
	if err := tx.Raw(`SELECT COUNT(*) FROM credentials c WHERE c.user_id = ? AND c.kind = ? AND `+ofOwnHost("c"), p.UserID, p.Kind).Scan(&n).Error; err != nil {
		return err
	}
	if n >= MostPasskeys {
		return ErrTooManyPasskeys
	}
	detail, err := engine.JSONText(p.Detail)
	if err != nil {
		return err
	}
	added, err := changeOne(tx, `INSERT INTO credentials (id, user_id, kind, name, secret, handle, rp_id, detail, number, proven_at, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		NewID(credentialPrefix), p.UserID, p.Kind, cleanText(p.Name, longestName), p.PublicKey, p.Handle, p.RPID, detail, p.Counter, p.ProvenAt, At(at), At(at))
	if err == nil && !added {
		err = ErrConflict
	}
	return err
}

// spendChallenge marks the challenge of a ceremony as used. ErrReplayed: it was used before.
func spendChallenge(tx *gorm.DB, id string, until Millis) error {
	fresh, err := spend(tx, spent{Kind: spentChallenge, ID: id, ExpiresAt: until})
	if err == nil && !fresh {
		err = ErrReplayed
	}
	return err
}

// PasskeyUse is a checked assertion of a passkey with which a user signs in, or of a security key or
// passkey that is the second factor.
type PasskeyUse struct {
	PasskeyID   string
	ChallengeID string // can be used once
	Until       Millis // how long the use of ChallengeID must be remembered
	Counter     int64  // of the assertion
	BackedUp    bool   // as the assertion says
	Verified    bool   // the authenticator verified the user; only a second factor may lack it
}

// The statements of usePasskey. A passkey that is not proven may belong to a person who knew only the
// password, so it is no second factor.
var (
	useAsFirstFactor  = passkeyUseIf(`c.kind = 'webauthn'`)
	useAsSecondFactor = passkeyUseIf(`(c.kind = 'security_key' OR c.kind = 'webauthn' AND c.proven_at <> 0)`)
)

func passkeyUseIf(condition string) engine.Statement {
	return engine.NewStatement(`UPDATE credentials AS c SET used_at = ? WHERE c.id = ? AND c.user_id = ? AND ` + condition + ` AND ` + ofOwnHost("c") + `
		RETURNING ` + engine.ColumnNames(&Passkey{}))
}

// checkPasskey takes over the passkey that opens the session, or that the person used before the
// second factor. In the first case it stores the use of the passkey, see also provePasskeyByAddress; in
// the second, the passkey is proven from now on. It sets AMR, and for a passkey that opens the session also ACR.
//
// ErrReplayed, ErrRevoked: see usePasskey.
func checkPasskey(tx *gorm.DB, s *SignIn, at time.Time) error {
	by := By{From: s.From, At: at}
	if s.Passkey != nil {
		p, err := usePasskey(tx, s.UserID, *s.Passkey, useAsFirstFactor, by)
		if err == nil {
			err = provePasskeyByAddress(tx, &p, *s, at)
		}
		s.passkey, s.ACR, s.AMR = p.ID, p.ACR(), p.AMR()
		return err
	}
	if !strings.HasPrefix(s.Through, credentialPrefix) {
		return nil
	}
	var found []Passkey
	err := tx.Raw(`SELECT `+passkeyColumns+` FROM credentials WHERE id = ? AND user_id = ? AND kind = 'webauthn' AND `+ofOwnHost("credentials"), s.Through, s.UserID).Scan(&found).Error
	if err != nil {
		return err
	}
	if len(found) == 0 || s.Factor == nil {
		return ErrRevoked
	}
	p := found[0]
	s.passkey, s.Through = p.ID, ""
	s.AMR = slices.Compact(slices.Sorted(slices.Values(append(p.AMR(), s.AMR...))))
	if p.ProvenAt != 0 {
		return nil
	}
	return provePasskey(tx, &p, by)
}

// provePasskeyByAddress proves the passkey of a sign-in in a session whose user proved the address lately
// and has no factor yet, as if it were made there. Otherwise a person whose only passkey is older could not
// reach two factors with it.
func provePasskeyByAddress(tx *gorm.DB, p *Passkey, s SignIn, at time.Time) error {
	if p.ProvenAt != 0 || s.Replaces == "" {
		return nil
	}
	var sessionID string
	found, err := selectProvingSession.QueryRow(tx, []any{&sessionID}, append([]any{s.Replaces, s.UserID}, sessionArgs(at)...)...)
	if err != nil || !found {
		return err
	}
	e, err := readEnrolling(tx, s.UserID, sessionID, at)
	if err != nil || e.HasFactor || !e.hasProved(AddressProofLife, at) {
		return err
	}
	return provePasskey(tx, p, By{From: s.From, At: at})
}

// selectProvingSession reads the session of a handle if it has a fact of the kind FactAddressProved.
var selectProvingSession = engine.NewStatement(`SELECT s.id FROM sessions s WHERE s.handle_hash = ? AND s.user_id = ?
	AND s.facts LIKE '%"` + string(FactAddressProved) + `"%' AND ` + sessionLives)

// provePasskey stores that the passkey belongs to the owner of the account. It records the event
// passkey.confirmed.
func provePasskey(tx *gorm.DB, p *Passkey, by By) error {
	if err := tx.Exec(`UPDATE credentials SET proven_at = ? WHERE id = ?`, At(by.At), p.ID).Error; err != nil {
		return err
	}
	p.ProvenAt = At(by.At)
	return record(tx, Event{Type: PasskeyConfirmed, Outcome: Succeeded, UserID: p.UserID, From: by.From}, by.At)
}

// usePasskey stores the use of a passkey or security key in the transaction of the sign-in, and
// returns it. If its counter did not grow, a copy of its key may
// exist: the sign-in goes on, and the event passkey.counter_decreased is recorded (WebAuthn, section
// 7.2, step 22).
//
// ErrReplayed: the challenge was used before. ErrRevoked: the passkey was removed, belongs to
// another RP ID, or cannot be the factor that it is used as.
func usePasskey(tx *gorm.DB, userID string, u PasskeyUse, use engine.Statement, by By) (Passkey, error) {
	if err := spendChallenge(tx, u.ChallengeID, u.Until); err != nil {
		return Passkey{}, err
	}
	// Written first, because that locks the row: two uses at once compare their counters one after
	// the other.
	var p Passkey
	used, err := use.QueryRow(tx, engine.Destinations(&p), At(by.At), u.PasskeyID, userID)
	if err != nil {
		return Passkey{}, err
	}
	if !used {
		return Passkey{}, ErrRevoked
	}
	before := p
	p.Detail.BackedUp = u.BackedUp
	if grows := u.Counter > p.Counter || u.Counter == 0 && p.Counter == 0; grows {
		p.Counter = u.Counter
	} else {
		p.Detail.SuspectAt = At(by.At)
		e := Event{Type: PasskeyCounterDecreased, Outcome: Succeeded, UserID: userID, From: by.From, Detail: map[string]any{"passkey": p.ID, "stored": p.Counter, "sent": u.Counter}}
		if err := record(tx, e, by.At); err != nil {
			return Passkey{}, err
		}
	}
	if p.Counter == before.Counter && p.Detail.BackedUp == before.Detail.BackedUp && p.Detail.SuspectAt == before.Detail.SuspectAt {
		return p, nil
	}
	detail, err := engine.JSONText(p.Detail)
	if err != nil {
		return Passkey{}, err
	}
	if _, err := storePasskeyState.Exec(tx, p.Counter, detail, p.ID); err != nil || p.Counter == before.Counter {
		return p, err
	}
	return p, raiseCopies(tx, userID, p.ID, p.Counter)
}

var storePasskeyState = engine.NewStatement(`UPDATE credentials SET number = ?, detail = ? WHERE id = ?`)

// RenamePasskey changes the name of a passkey or security key. It records the event passkey.renamed
// or factor.renamed.
//
// ErrNotFound: the user has none with this ID.
func (db *DB) RenamePasskey(ctx context.Context, userID, passkeyID, name string, by By) error {
	if err := refuseImpossible(userID, passkeyID); err != nil {
		return fmt.Errorf("rename passkey: %w", err)
	}
	return db.write(ctx, "rename passkey", func(tx *gorm.DB) error {
		var kinds []string
		err := tx.Raw(`UPDATE credentials SET name = ?, updated_at = ? WHERE id = ? AND user_id = ? AND kind IN ('webauthn', 'security_key') RETURNING kind`,
			cleanText(name, longestName), At(by.At), passkeyID, userID).Scan(&kinds).Error
		if err != nil {
			return err
		}
		if len(kinds) == 0 {
			return ErrNotFound
		}
		e := Event{Type: PasskeyRenamed, Outcome: Succeeded, UserID: userID, From: by.From}
		if kinds[0] == FactorSecurityKey {
			e.Type, e.Reason = FactorRenamed, kinds[0]
		}
		return record(tx, e, by.At)
	})
}

// PasskeyRemoval is the input of DB.RemovePasskey.
type PasskeyRemoval struct {
	FactorChange // without a Handle: the session of the request does not end
	PasskeyID    string
	Connectors   []string // the connectors through which people can sign in now
}

// RemovePasskey removes a passkey. The recovery codes go with the last way that needs them, see
// usesRecoveryCodes, and the choice of SetAlwaysAsk with the last proven one. All sessions that it opened end, and all grants of those
// sessions, online and offline. The session of the request does not end, even if the passkey
// opened it. It records the event passkey.removed.
//
// ErrRevoked: the session has ended or is another user's. ErrNotFresh. ErrNotFound: the user has no
// such passkey. ErrConflict: the passkey is the user's last way to sign in.
func (db *DB) RemovePasskey(ctx context.Context, r PasskeyRemoval, at time.Time) error {
	if err := refuseImpossible(r.UserID, r.PasskeyID, r.SessionID); err != nil {
		return fmt.Errorf("remove passkey: %w", err)
	}
	w, finished := unfinished{Kind: identityRemoval, UserID: r.UserID, Identity: r.PasskeyID, At: At(at)}, false
	err := db.write(ctx, "remove passkey", func(tx *gorm.DB) error {
		by := By{From: r.From, At: at}
		if err := db.lockRow(tx, userRow, r.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, r.UserID, r.SessionID, "", at); err != nil {
			return err
		}
		if err := checkFreshEnough(tx, r.FactorChange, at); err != nil {
			return err
		}
		name, err := deletePasskey(tx, r)
		if err != nil {
			return err
		}
		if err := dropUselessCodes(tx, r.UserID); err != nil {
			return err
		}
		if err := endAlwaysAsk(tx, r.UserID); err != nil {
			return err
		}
		if err := endSessionsOpenedBy(tx, opener{Key: r.PasskeyID, UserID: r.UserID, Reason: "passkey_removed"}, r.SessionID, by); err != nil {
			return err
		}
		// Grants come after the sessions because of the order of locks.
		if w.Bound, err = lastGrantOf(tx, r.UserID, at); err != nil {
			return err
		}
		if _, finished, err = w.begin(tx); err != nil {
			return err
		}
		if err := db.notify(tx, MailDraft{Kind: MailPasskeyRemoved, UserID: r.UserID, Facts: MailFacts{Name: name}}, by); err != nil {
			return err
		}
		return record(tx, Event{Type: PasskeyRemoved, Outcome: Succeeded, UserID: r.UserID, From: r.From}, at)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}

// deletePasskey deletes a passkey that is not the last way to sign in, and returns its name. A
// passkey of another RP ID is no way to sign in.
func deletePasskey(tx *gorm.DB, r PasskeyRemoval) (string, error) {
	var deleted []struct {
		Name  string
		IsWay bool
	}
	err := tx.Raw(`DELETE FROM credentials WHERE id = ? AND user_id = ? AND kind = 'webauthn' RETURNING name, `+ofOwnHost("credentials")+` AS is_way`,
		r.PasskeyID, r.UserID).Scan(&deleted).Error
	if err != nil {
		return "", err
	}
	if len(deleted) == 0 {
		return "", ErrNotFound
	}
	if name := deleted[0].Name; !deleted[0].IsWay {
		return name, nil
	}
	remaining, err := countSignInMethods(tx, r.UserID, r.Connectors)
	if err == nil && remaining == 0 {
		err = ErrConflict // undoes the deletion
	}
	return deleted[0].Name, err
}

var selectPasskeyByHandle = engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Passkey{}, "c") + `, ` + engine.ColumnsOf(&User{}, "u") + `,
	COALESCE((SELECT string_agg(o.handle, ',') FROM credentials o WHERE o.user_id = c.user_id AND o.kind IN ('webauthn', 'security_key') AND ` + ofOwnHost("o") + `), '')
	FROM credentials c JOIN users u ON u.id = c.user_id WHERE c.handle = ? AND c.handle <> ''`)
