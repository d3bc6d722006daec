package provider

import (
	"fmt"

	"signet/provider/request"
	"signet/storage"
)

// CheckFirstParty reports why the first-party app would not work with these clients, the
// clients of a whole database. The parameter id is Config.FirstParty.ClientID. If id is
// empty and no client is first-party, no such app is wanted and CheckFirstParty returns nil.
//
// A server may start in spite of the error: the client can be created or enabled later.
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
			return fmt.Errorf("first_party.client_id is %q, but that client is not first-party: run signet client update %s --first-party, or name another client", id, id)
		case !c.Enabled():
			return fmt.Errorf("first_party.client_id is %q, but that client is disabled: run signet client enable %s, or name another client", id, id)
		default:
			return nil
		}
	}
	switch {
	case id != "":
		return fmt.Errorf("first_party.client_id is %q, but there is no such client: create it with signet client create --id %s --first-party, or name another client", id, id)
	case enabled > 1:
		return request.ErrSeveralFirstParty
	}
	return nil
}
