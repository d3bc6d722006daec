package provider

import (
	"fmt"

	"signet/provider/request"
	"signet/storage"
)

// CheckFirstParty says why, among all clients of a database, none would be the first-party
// app's: id is Config.FirstParty.ClientID. Nil for "" where no client is first-party, since
// nobody has asked for such an app.
//
// A server starts all the same: the client may be made or enabled while it runs.
func CheckFirstParty(clients []storage.Client, id string) error {
	enabled := 0
	for _, c := range clients {
		switch {
		case id == "":
			if c.FirstParty && c.Enabled() {
				enabled++
			}
		case c.ID != id:
		case !c.FirstParty:
			return fmt.Errorf("first_party.client_id is %q, and that client is not first-party: run signet client update %s --first-party, or name another client", id, id)
		case !c.Enabled():
			return fmt.Errorf("first_party.client_id is %q, and that client is disabled: run signet client enable %s, or name another client", id, id)
		default:
			return nil
		}
	}
	switch {
	case id != "":
		return fmt.Errorf("first_party.client_id is %q, and there is no such client: make it with signet client create --id %s --first-party, or name another client", id, id)
	case enabled > 1:
		return request.ErrSeveralFirstParty
	}
	return nil
}
