package directory

import (
	"time"

	"signet/storage"
)

// InvitationDocument is the JSON form of an invitation. It has no link: that is not stored.
type InvitationDocument struct {
	ID            string    `json:"id"`
	Email         string    `json:"email"`
	State         string    `json:"state" doc:"open, used or expired"`
	Name          string    `json:"name,omitempty"`
	Roles         []string  `json:"roles,omitempty"`
	Groups        []string  `json:"groups,omitempty"`
	Admin         bool      `json:"admin,omitempty" doc:"the new user is an administrator of this server"`
	EmailVerified bool      `json:"email_verified,omitempty" doc:"an operator vouches for the address"`
	ClientID      string    `json:"client_id,omitempty" doc:"client to which the person goes on"`
	InvitedBy     string    `json:"invited_by,omitempty" doc:"id of the user or client that invited; absent for the command line"`
	CreatedAt     time.Time `json:"created_at"`
	ExpiresAt     time.Time `json:"expires_at"`
	UsedAt        time.Time `json:"used_at,omitzero"`
}

// DescribeInvitation returns the JSON form of an invitation.
func DescribeInvitation(i storage.SentInvitation) InvitationDocument {
	return InvitationDocument{
		ID: i.Link.ID, Email: i.Link.Address, State: string(i.State), Name: i.Name, Roles: i.Roles, Groups: i.Groups, Admin: i.Admin, EmailVerified: i.EmailVerified,
		ClientID: i.ClientID, InvitedBy: i.InvitedBy, CreatedAt: i.Link.CreatedAt.Time(), ExpiresAt: i.Link.ExpiresAt.Time(), UsedAt: i.Link.UsedAt.Time(),
	}
}
