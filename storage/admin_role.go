package storage

import "slices"

// AdminRole is a role of administration. It decides what a person may do with the pages and the API
// for operators. It is no role at an application, see User.Roles.
type AdminRole string

// The roles of administration.
const (
	NoAdminRole   AdminRole = ""
	Administrator AdminRole = "admin"    // everything
	Helpdesk      AdminRole = "helpdesk" // users without a role of administration, sessions, invitations
	Auditor       AdminRole = "auditor"  // reads everything except mails
)

// programWithAdminRoles is the number of the migration that came with the roles below Administrator.
// Earlier programs treat their people like all others: they trust their browsers, and open their
// accounts by an address that an upstream verifies.
const programWithAdminRoles = 23

// adminRoles lists the roles with the scopes of the administration API that each stands for.
var adminRoles = []struct {
	role   AdminRole
	scopes []string
}{
	{Administrator, adminScopes},
	{Helpdesk, []string{ScopeAdminUsers}},
	{Auditor, []string{ScopeAdminRead}},
}

// AdminRoles lists the roles of administration, the one with all rights first.
func AdminRoles() []AdminRole {
	var list []AdminRole
	for _, r := range adminRoles {
		list = append(list, r.role)
	}
	return list
}

// Scopes returns the scopes of the administration API that the role stands for: none for an unknown
// role. They are the rights of the role on the pages too.
func (r AdminRole) Scopes() []string {
	for _, known := range adminRoles {
		if known.role == r {
			return slices.Clone(known.scopes)
		}
	}
	return nil
}

// IsAny reports whether this is a role of administration.
func (r AdminRole) IsAny() bool { return r.Scopes() != nil }

// May reports whether the role stands for one of these scopes.
func (r AdminRole) May(scopes []string) bool {
	return slices.ContainsFunc(r.Scopes(), func(scope string) bool { return slices.Contains(scopes, scope) })
}

// AdminRole returns the role of administration of the user.
func (u User) AdminRole() AdminRole {
	if u.Admin {
		return Administrator
	}
	return u.LesserRole
}

// SetAdminRole gives a new user a role of administration. The role of a stored user changes by
// DB.GrantAdmin and DB.RevokeAdmin.
func (u *User) SetAdminRole(r AdminRole) {
	u.Admin, u.LesserRole = r == Administrator, r
	if u.Admin {
		u.LesserRole = NoAdminRole
	}
}

// hasAdminRole is the condition that a user u has a role of administration.
const hasAdminRole = `(u.admin OR u.lesser_role <> '')`
