package directory

import (
	"time"

	"signet/storage"
)

// UserDocument is the JSON form of a user, for the command line and the administration API. Claims
// have their standard names (OIDC Core, section 5.1). Empty values are absent.
type UserDocument struct {
	Subject                 string            `json:"sub" doc:"subject that clients see, unless they have pairwise subjects"`
	ID                      string            `json:"id" doc:"id of the user; it differs from sub if a subject was chosen"`
	Email                   string            `json:"email"`
	EmailVerified           bool              `json:"email_verified"`
	Name                    string            `json:"name,omitempty"`
	GivenName               string            `json:"given_name,omitempty"`
	MiddleName              string            `json:"middle_name,omitempty"`
	FamilyName              string            `json:"family_name,omitempty"`
	Nickname                string            `json:"nickname,omitempty"`
	PreferredUsername       string            `json:"preferred_username,omitempty"`
	PreferredUsernameUnique bool              `json:"preferred_username_unique,omitempty" doc:"no other user has the name, so clients receive it"`
	Profile                 string            `json:"profile,omitempty"`
	Picture                 string            `json:"picture,omitempty"`
	Website                 string            `json:"website,omitempty"`
	Gender                  string            `json:"gender,omitempty"`
	Birthdate               string            `json:"birthdate,omitempty"`
	Zoneinfo                string            `json:"zoneinfo,omitempty"`
	Locale                  string            `json:"locale,omitempty"`
	PhoneNumber             string            `json:"phone_number,omitempty"`
	PhoneNumberVerified     *bool             `json:"phone_number_verified,omitempty"` // absent without a number
	Address                 *storage.Address  `json:"address,omitempty"`
	Roles                   []string          `json:"roles,omitempty"`
	Groups                  []string          `json:"groups,omitempty" doc:"groups that an operator gave"`
	UpstreamGroups          []string          `json:"upstream_groups,omitempty" doc:"groups that connectors gave"`
	Admin                   bool              `json:"admin" doc:"administrator of this server: the admin_role is admin"`
	AdminRole               storage.AdminRole `json:"admin_role,omitempty" doc:"role of administration: admin, helpdesk or auditor; absent without one"`
	Enabled                 bool              `json:"enabled"`
	DisabledAt              *time.Time        `json:"disabled_at,omitempty"`
	CreatedAt               time.Time         `json:"created_at"`
	UpdatedAt               time.Time         `json:"updated_at"`
}

// DescribeUser returns the JSON form of a user.
func DescribeUser(u storage.User) UserDocument {
	d := UserDocument{
		Subject: u.PublicSubject(), ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, MiddleName: u.MiddleName, FamilyName: u.FamilyName, Nickname: u.Nickname,
		PreferredUsername: u.PreferredUsername, PreferredUsernameUnique: u.PreferredUsername != "" && u.UsernameUnique(),
		Profile: u.Profile, Picture: u.Picture, Website: u.Website, Gender: u.Gender, Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale,
		PhoneNumber: u.PhoneNumber, Roles: u.Roles, Groups: u.Groups, UpstreamGroups: u.UpstreamGroups,
		Admin: u.Admin, AdminRole: u.AdminRole(), Enabled: u.Enabled(), DisabledAt: optionalTime(u.DisabledAt), CreatedAt: u.CreatedAt.Time(), UpdatedAt: u.UpdatedAt.Time(),
	}
	if u.PhoneNumber != "" {
		d.PhoneNumberVerified = &u.PhoneNumberVerified
	}
	if u.Address != (storage.Address{}) {
		d.Address = &u.Address
	}
	return d
}

// FactorDocument is the JSON form of a factor. All recovery codes are one factor.
type FactorDocument struct {
	Kind     string     `json:"kind" doc:"password, totp, webauthn or recovery"`
	Left     int        `json:"left,omitempty" doc:"recovery codes that are left"`
	Name     string     `json:"name,omitempty"`
	Since    time.Time  `json:"since"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Unusable bool       `json:"unusable,omitempty" doc:"it belongs to a former host of the instance"`
}

// DescribeFactors returns the JSON form of the factors of a user; never nil.
func DescribeFactors(factors []storage.Factor) []FactorDocument {
	list := []FactorDocument{}
	codes := -1 // index of the recovery codes
	for _, f := range factors {
		if f.Kind == storage.FactorRecovery && codes >= 0 {
			list[codes].Left++
			continue
		}
		described := FactorDocument{Kind: f.Kind, Name: f.Name, Since: f.CreatedAt.Time(), LastUsed: optionalTime(f.UsedAt), Unusable: f.Unusable}
		if f.Kind == storage.FactorRecovery {
			described.Left, codes = 1, len(list)
		}
		list = append(list, described)
	}
	return list
}

// IdentityDocument is the JSON form of an identity at an upstream.
type IdentityDocument struct {
	ID        string     `json:"id" doc:"hash of connector, issuer and subject"`
	Connector string     `json:"connector"`
	Issuer    string     `json:"issuer"`
	Subject   string     `json:"subject" doc:"subject at the upstream"`
	Email     string     `json:"email,omitempty"`
	Name      string     `json:"name,omitempty"`
	Groups    []string   `json:"groups,omitempty" doc:"groups of the upstream at the last sign-in"`
	Refused   string     `json:"groups_refused,omitempty" doc:"reason if those groups were refused"`
	Since     time.Time  `json:"since"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
}

// DescribeIdentity returns the JSON form of an identity.
func DescribeIdentity(i storage.Identity) IdentityDocument {
	return IdentityDocument{
		ID: i.Key(), Connector: i.Connector, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, Name: i.Name, Groups: i.Groups, Refused: i.Detail.GroupsRefused,
		Since: i.CreatedAt.Time(), LastUsed: optionalTime(i.UsedAt),
	}
}

// SessionDocument is the JSON form of a session. The sid is no secret: it cannot be used to sign
// in.
type SessionDocument struct {
	SessionID  string    `json:"sid"`
	Subject    string    `json:"sub"`
	AuthTime   time.Time `json:"auth_time,omitzero" doc:"time of the last proof of identity; absent if unknown"`
	ArrivedAt  time.Time `json:"arrived_at" doc:"time of the last sign-in of any kind"`
	ACR        string    `json:"acr"`
	AMR        []string  `json:"amr"`
	CreatedAt  time.Time `json:"created_at"`
	SeenAt     time.Time `json:"seen_at" doc:"precise to five minutes"`
	ExpiresAt  time.Time `json:"expires_at" doc:"if the session is not used"`
	Persistent bool      `json:"persistent"`
	Address    string    `json:"address,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	Clients    []string  `json:"clients" doc:"clients with a valid grant of this session"`
}

// DescribeSession returns the JSON form of a session of the user. clients are the clients with a
// valid grant of it.
func DescribeSession(u storage.User, s storage.Session, clients []string) SessionDocument {
	return SessionDocument{
		SessionID: s.ID, Subject: u.PublicSubject(), AuthTime: s.AuthTime.Time(), ArrivedAt: s.ArrivedAt.Time(), ACR: s.ACR, AMR: append([]string{}, s.AMR...),
		CreatedAt: s.CreatedAt.Time(), SeenAt: s.SeenAt.Time(), ExpiresAt: min(s.IdleExpiresAt, s.ExpiresAt).Time(),
		Persistent: s.Persistent, Address: s.Address, Agent: s.Agent, Clients: append([]string{}, clients...),
	}
}

// optionalTime returns nil for the zero value, which means never.
func optionalTime(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}
