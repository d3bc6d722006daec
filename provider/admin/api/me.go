package api

// meDocument is the caller of the API.
type meDocument struct {
	ClientID string   `json:"client_id"`
	Name     string   `json:"client_name"`
	Scopes   []string `json:"scopes" doc:"scopes of the token that the client may still have"`
}

func (h *Handler) showMe(c *call) (reply, error) {
	return reply{body: meDocument{c.caller.client.ID, c.caller.client.Name, append([]string{}, c.caller.scopes...)}}, nil
}
