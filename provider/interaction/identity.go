package interaction

import (
	"encoding/json"
	"fmt"
	"time"

	"signet/federation"
	"signet/storage"
)

// identityWithToken returns the identity to link to the user, with the sealed token of the
// upstream if the connector stores tokens.
func (h *Handler) identityWithToken(i federation.Identity, userID string) (storage.Identity, error) {
	stored := identityWithoutToken(i, userID)
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

// identityWithoutToken returns the identity to link to the user, without the token of the
// upstream.
func identityWithoutToken(i federation.Identity, userID string) storage.Identity {
	return storage.Identity{
		Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, UserID: userID, Email: i.Email, Name: i.Name,
	}
}

// ownProofLife is the time after a sign-in in which a proof of the address, in the same
// browser, counts as given by the owner of the account.
const ownProofLife = 5 * time.Minute

// voucherOf returns the kind of proof that the upstream gives for the email address; "" if
// it gives none.
func voucherOf(i federation.Identity) storage.Voucher {
	switch {
	case !i.HasTrustedEmail():
		return ""
	case i.Trust == federation.Authoritative:
		return storage.ByAuthority
	}
	return storage.ByUpstream
}
