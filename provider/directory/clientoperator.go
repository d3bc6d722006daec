package directory

import (
	"errors"

	"signet/storage"
)

// ErrAdminClient: the client may use the administration API, so only an operator with all rights may
// make, change or delete it. Another operator could otherwise get more rights by it.
var ErrAdminClient = errors.New("the client may use the administration API")

// CheckPlainClient is a storage.ClientCheck that returns ErrAdminClient.
func CheckPlainClient(c storage.Client) error {
	if c.AdminAPI {
		return ErrAdminClient
	}
	return nil
}
