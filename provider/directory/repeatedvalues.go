package directory

import (
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// removeRepeatedClientValues removes repeated values from the lists of a client that are
// sets. It leaves grant_types and response_types: checkChoices refuses repeated values there.
func removeRepeatedClientValues(c *storage.Client) {
	m := &c.Metadata
	for _, list := range []*[]string{
		&m.RedirectURIs, &m.PostLogoutRedirectURIs, &m.Contacts, &m.DefaultACRValues, &c.Resources, &c.Audiences, &c.Origins,
	} {
		*list = foreign.Distinct(*list)
	}
	if words := strings.Fields(m.Scope); len(foreign.Distinct(words)) < len(words) {
		m.Scope = strings.Join(foreign.Distinct(words), " ")
	}
}

// removeRepeatedUserValues removes repeated roles and groups from a user.
func removeRepeatedUserValues(u *storage.User) {
	u.Roles, u.Groups = foreign.Distinct(u.Roles), foreign.Distinct(u.Groups)
}
