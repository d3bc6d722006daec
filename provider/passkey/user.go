package passkey

import (
	"cmp"
	"encoding/base64"

	"signet/storage"
)

// UserHandle returns the user handle of a user's passkeys, base64url without padding. It says nothing
// about the person (WebAuthn, section 14.6.1).
func UserHandle(userID string) string { return base64.RawURLEncoding.EncodeToString([]byte(userID)) }

// AccountName returns the name that the browser shows beside a passkey of the user.
func AccountName(u storage.User) string {
	return cmp.Or(u.Email, u.PreferredUsername, u.Name, u.ID)
}
