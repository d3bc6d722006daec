package directory

import (
	"context"

	"signet/storage"
)

// CreateEmergencyAdmin creates a new administrator with an emergency link; see
// storage.EmergencyLink. linkHash is the hash of the token in the link. Only one of several
// concurrent calls succeeds. Events user.created, setup.break_glass_used.
//
// Errors: those of CreateUser. storage.ErrNotFound: the link is used, expired or unknown.
func (d *Directory) CreateEmergencyAdmin(ctx context.Context, linkHash string, u storage.User, password string, from storage.Origin) (storage.User, error) {
	if err := CheckUser(&u, d.now()); err != nil {
		return storage.User{}, err
	}
	hash, err := d.passwords.Hash(ctx, password, u)
	if err != nil {
		return storage.User{}, err
	}
	return d.db.CreateEmergencyAdmin(ctx, linkHash, u, hash, d.by(from))
}

// ResetEmergencyPassword sets the password of the administrator for whom the emergency link was
// created, and ends all sessions and tokens of that administrator. It returns the changed user.
// connectors are those through which people can sign in now.
// Events password.changed, session.ended_all and setup.break_glass_used.
//
// Errors: credential.ErrWeak, credential.ErrBusy. storage.ErrNotFound: the link is used, expired
// or unknown, or the user is no administrator any more.
func (d *Directory) ResetEmergencyPassword(ctx context.Context, linkHash, userID, password string, connectors []string, from storage.Origin) (storage.User, error) {
	u, err := d.db.User(ctx, userID)
	if err != nil {
		return storage.User{}, err
	}
	hash, err := d.passwords.Hash(ctx, password, u)
	if err != nil {
		return storage.User{}, err
	}
	return d.db.ResetEmergencyPassword(ctx, storage.EmergencyReset{LinkHash: linkHash, UserID: userID, Hash: hash, Connectors: connectors}, d.by(from))
}
