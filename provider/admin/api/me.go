package api

import "signet/storage"

// meDocument is the caller of the API.
type meDocument struct {
	ClientID string            `json:"client_id,omitempty" doc:"of a service"`
	Name     string            `json:"client_name,omitempty" doc:"of a service"`
	Subject  string            `json:"sub,omitempty" doc:"of a person"`
	Role     storage.AdminRole `json:"admin_role,omitempty" doc:"of a person"`
	Scopes   []string          `json:"scopes" doc:"scopes of the token that the caller may still have"`
}

func (h *Handler) showMe(c *call) (reply, error) {
	return reply{body: meDocument{
		ClientID: c.caller.client.ID, Name: c.caller.client.Name, Subject: c.caller.person.PublicSubject(), Role: c.caller.person.AdminRole(),
		Scopes: append([]string{}, c.caller.scopes...),
	}}, nil
}
