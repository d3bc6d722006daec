package api

import (
	"time"

	"signet/provider/directory"
	"signet/storage"
)

// The lists of this file belong to one user and have few rows, so they have one page.

// byOperator is the reason of the events of ended sessions.
const byOperator = "by_administrator"

func (h *Handler) listSessions(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	at := h.Now()
	sessions, err := h.DB.SessionsOf(c.Context(), u.ID, at)
	if err != nil {
		return reply{}, err
	}
	clients, err := h.DB.ClientsBySession(c.Context(), u.ID, at)
	if err != nil {
		return reply{}, err
	}
	p := page[directory.SessionDocument]{Items: []directory.SessionDocument{}}
	for _, s := range sessions {
		p.Items = append(p.Items, directory.DescribeSession(u, s, clients[s.ID]))
	}
	return reply{body: p}, nil
}

func (h *Handler) endSessions(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.DB.SignOutEverywhere(c.Context(), u.ID, byOperator, storage.By{From: c.origin(), At: h.Now()}, c.userChecks()...)
}

func (h *Handler) endSession(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	at := h.Now()
	s, owner, err := h.DB.Session(c.Context(), c.PathValue("sid"), at)
	if err == nil && owner.ID != u.ID {
		err = storage.ErrNotFound
	}
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.DB.EndSession(c.Context(), u.ID, s.ID, byOperator, storage.By{From: c.origin(), At: at}, c.checkTarget)
}

// grantDocument is a client with access to the account of a user.
type grantDocument struct {
	ClientID  string     `json:"client_id"`
	Scopes    []string   `json:"scopes" doc:"scopes that the user allowed"`
	GrantedAt *time.Time `json:"granted_at,omitempty" doc:"absent if the user was never asked"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"absent if no token is valid"`
	Offline   bool       `json:"offline" doc:"tokens stay valid after a sign-out"`
}

func (h *Handler) listGrants(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	clients, err := h.DB.ConnectedClientsOf(c.Context(), u.ID, h.Now())
	if err != nil {
		return reply{}, err
	}
	p := page[grantDocument]{Items: []grantDocument{}}
	for _, one := range clients {
		p.Items = append(p.Items, grantDocument{
			ClientID: one.ClientID, Scopes: append([]string{}, one.Scopes...), GrantedAt: optionalTime(one.GrantedAt), UsedAt: optionalTime(one.UsedAt), Offline: one.Offline,
		})
	}
	return reply{body: p}, nil
}

// optionalTime returns nil for the zero value, which means never.
func optionalTime(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

func (h *Handler) endGrant(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.DB.WithdrawConsent(c.Context(), u.ID, c.PathValue("client_id"), storage.By{From: c.origin(), At: h.Now()}, c.checkTarget)
}

func (h *Handler) listIdentities(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	identities, err := h.DB.IdentitiesOf(c.Context(), u.ID)
	if err != nil {
		return reply{}, err
	}
	p := page[directory.IdentityDocument]{Items: []directory.IdentityDocument{}}
	for _, i := range identities {
		p.Items = append(p.Items, directory.DescribeIdentity(i))
	}
	return reply{body: p}, nil
}

func (h *Handler) listFactors(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	attached, err := h.DB.AttachedTo(c.Context(), u.ID, h.Now())
	if err != nil {
		return reply{}, err
	}
	return reply{body: page[directory.FactorDocument]{Items: directory.DescribeFactors(attached.Factors)}}, nil
}
