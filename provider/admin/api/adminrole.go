package api

import (
	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/storage"
)

// adminRoleSchema is the schema of a role of administration.
func adminRoleSchema() *huma.Schema {
	role := &huma.Schema{Type: huma.TypeString, Description: "admin does everything, helpdesk changes users without a role of administration, auditor only reads"}
	for _, r := range storage.AdminRoles() {
		role.Enum = append(role.Enum, string(r))
	}
	return object(map[string]*huma.Schema{"admin_role": role}, "admin_role")
}

func (h *Handler) setAdminRole(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	role, _ := c.members["admin_role"].(string)
	if _, err := h.Directory.GrantAdmin(c.Context(), u.ID, storage.AdminRole(role), unprovenPolicies[c.query.text("unproven")], c.origin(), c.userChecks()...); err != nil {
		return reply{}, err
	}
	u, err = h.DB.User(c.Context(), u.ID)
	return reply{body: directory.DescribeUser(u)}, err
}

func (h *Handler) removeAdminRole(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.Directory.RevokeAdmin(c.Context(), u.ID, c.origin(), c.userChecks()...)
}
