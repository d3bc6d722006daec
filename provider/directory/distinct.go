package directory

import (
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// onceEach takes repeated values out of the lists of a client that are sets. The types of
// grants and responses are not among them: a repeated one is refused, see checkChoices.
func onceEach(c *storage.Client) {
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

// inEachOnce takes repeated roles and groups out of a user.
func inEachOnce(u *storage.User) {
	u.Roles, u.Groups = foreign.Distinct(u.Roles), foreign.Distinct(u.Groups)
}
