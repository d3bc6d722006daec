package interaction

import (
	"encoding/json"
	"fmt"
	"time"

	"signet/federation"
	"signet/storage"
)

// withToken is an identity as it is linked, with the upstream's token if the
// connector keeps it.
func (h *Handler) withToken(i federation.Identity, userID string) (storage.Identity, error) {
	stored := asStored(i, userID)
	if i.Token == nil {
		return stored, nil
	}
	token, err := json.Marshal(i.Token)
	if err != nil {
		return stored, fmt.Errorf("encode upstream token: %w", err)
	}
	stored.Detail.Token, err = h.Ring.SealToken(stored, token)
	return stored, err
}

// asStored is an identity as it is linked to a user, without its token: what goes
// through the browser has none.
func asStored(i federation.Identity, userID string) storage.Identity {
	return storage.Identity{
		Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, UserID: userID, Email: i.Email, Name: i.Name,
	}
}

// ownProofFor is how long after a sign-in a proof that comes in the same browser
// counts as brought by the account's owner.
const ownProofFor = 5 * time.Minute

// voucherOf says what the upstream's word proves of the address; "" for nothing.
func voucherOf(i federation.Identity) storage.Voucher {
	switch {
	case !i.HasTrustedEmail():
		return ""
	case i.Trust == federation.Authoritative:
		return storage.ByAuthority
	}
	return storage.ByUpstream
}
