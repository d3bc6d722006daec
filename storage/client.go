package storage

import (
	"context"
	"time"
)

// ClientType decides a client's defaults: see DESIGN section 5.
type ClientType string

const (
	Web     ClientType = "web"
	SPA     ClientType = "spa"
	Native  ClientType = "native"
	Service ClientType = "service"
)

// Client is a registered relying party. It is immutable once read: callers
// share it and must not write into its slices.
type Client struct {
	ID   string
	Name string
	Type ClientType

	// Metadata holds what RFC 7591 and OIDC Registration name.
	Metadata ClientMetadata

	FirstParty   bool
	SkipConsent  bool
	PKCEOptional bool          // a confidential client may be let off (DESIGN section 5)
	Resources    []string      // audiences it may ask for (RFC 8707)
	Audiences    []string      // the APIs it is
	Origins      []string      // extra CORS origins
	RefreshGrace time.Duration // -1 (the default): the setting's

	Secrets    [2]ClientSecret // both good at once, so that a secret can be replaced
	DisabledAt Millis
	CreatedAt  Millis
	UpdatedAt  Millis
}

// ClientSecret is a secret as it is stored: hashed with SHA-256.
type ClientSecret struct {
	Hash      string // hex; "" for none
	CreatedAt Millis
	ExpiresAt Millis // zero: never
}

// ClientMetadata is the client metadata of RFC 7591, section 2, and OIDC
// Registration, section 2, under its registered names.
type ClientMetadata struct {
	RedirectURIs             []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs   []string `json:"post_logout_redirect_uris,omitempty"`
	TokenEndpointAuthMethod  string   `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes               []string `json:"grant_types,omitempty"`
	ResponseTypes            []string `json:"response_types,omitempty"`
	Scope                    string   `json:"scope,omitempty"` // space separated; "" allows every standard scope
	ClientURI                string   `json:"client_uri,omitempty"`
	LogoURI                  string   `json:"logo_uri,omitempty"`
	PolicyURI                string   `json:"policy_uri,omitempty"`
	TosURI                   string   `json:"tos_uri,omitempty"`
	Contacts                 []string `json:"contacts,omitempty"`
	JWKS                     string   `json:"jwks,omitempty"` // a JSON document
	JWKSURI                  string   `json:"jwks_uri,omitempty"`
	SubjectType              string   `json:"subject_type,omitempty"`
	IDTokenSignedResponseAlg string   `json:"id_token_signed_response_alg,omitempty"`
	DefaultMaxAge            *int64   `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime          bool     `json:"require_auth_time,omitempty"`
	DefaultACRValues         []string `json:"default_acr_values,omitempty"`
	InitiateLoginURI         string   `json:"initiate_login_uri,omitempty"`
	BackchannelLogoutURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI    string   `json:"frontchannel_logout_uri,omitempty"`
	SoftwareID               string   `json:"software_id,omitempty"`
	SoftwareVersion          string   `json:"software_version,omitempty"`
}

// Enabled reports whether the client may be used at all.
func (c Client) Enabled() bool { return c.DisabledAt == 0 }

// Public reports whether the client has no way to authenticate.
func (c Client) Public() bool { return c.Metadata.TokenEndpointAuthMethod == "none" }

// CreateClient stores a new client. Event client.created. Moves the change counter.
//
// ErrConflict: the id is taken.
func (db *DB) CreateClient(ctx context.Context, c Client, from Origin, at time.Time) error {
	panic("to build")
}

// Client reads one client, disabled or not. ErrNotFound.
func (db *DB) Client(ctx context.Context, id string) (Client, error) { panic("to build") }

// Clients lists all clients by id.
func (db *DB) Clients(ctx context.Context) ([]Client, error) { panic("to build") }

// DisableClient switches a client off or on again: its grants are dead while it
// is off. Moves the change counter. ErrNotFound.
func (db *DB) DisableClient(ctx context.Context, id string, off bool, from Origin, at time.Time) error {
	panic("to build")
}

// UpdateClient replaces all of a client but id, secrets and creation time. Moves
// the change counter. ErrNotFound.
func (db *DB) UpdateClient(ctx context.Context, c Client, from Origin, at time.Time) error {
	panic("to build")
}
