package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ClientType decides a client's defaults: how it authenticates, which grants it
// may use and what its redirect URIs may look like.
type ClientType string

// The types of client.
const (
	Web     ClientType = "web"     // runs on a server and keeps a secret
	SPA     ClientType = "spa"     // runs in the browser and keeps none
	Native  ClientType = "native"  // is installed on a device and keeps none
	Service ClientType = "service" // acts for itself, without a user
)

// Client is a registered relying party. It is immutable once read: callers
// share it and must not write into its slices.
type Client struct {
	ID   string
	Name string
	Type ClientType

	// Metadata holds what RFC 7591 and OIDC Registration name.
	Metadata ClientMetadata `gorm:"serializer:signet_json"`

	FirstParty   bool
	SkipConsent  bool
	Introspects  bool // may introspect every token, by an administrator's word
	PKCEOptional bool // a confidential client may go without PKCE and without a nonce

	UnverifiedEmail bool   // receives addresses that are not proven
	PromptLogin     string // "" or PromptLoginBestEffort

	Resources    []string      `gorm:"serializer:signet_json"`   // audiences it may ask for (RFC 8707)
	Audiences    []string      `gorm:"serializer:signet_json"`   // the APIs it is
	Origins      []string      `gorm:"serializer:signet_json"`   // extra CORS origins
	RefreshGrace time.Duration `gorm:"serializer:signet_millis"` // -1 (the default): the setting's

	Secrets    [2]ClientSecret `gorm:"serializer:signet_json"` // both good at once, so that a secret can be replaced
	DisabledAt Millis
	CreatedAt  Millis `gorm:"autoCreateTime:false"`
	UpdatedAt  Millis `gorm:"autoUpdateTime:false"`
}

// PromptLoginBestEffort accepts an arrival through an upstream that cannot ask again as
// the answer to prompt=login and max_age. Without it such a request is refused with
// login_required.
const PromptLoginBestEffort = "best-effort"

// ClientSecret is a secret as it is stored: hashed with SHA-256.
type ClientSecret struct {
	Hash      string `json:"hash,omitempty"` // hex; "" for none
	CreatedAt Millis `json:"created_at,omitempty"`
	ExpiresAt Millis `json:"expires_at,omitempty"` // zero: never
}

// ClientMetadata is the client metadata of RFC 7591, section 2, and OIDC
// Registration, section 2, under its registered names.
type ClientMetadata struct {
	RedirectURIs             []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs   []string `json:"post_logout_redirect_uris,omitempty"`
	TokenEndpointAuthMethod  string   `json:"token_endpoint_auth_method,omitempty"` // "": not chosen, see AllowsAuthMethod
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

// The ways a client can authenticate (OIDC Core, section 9).
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthNone  = "none"
)

// Public reports whether the client has no way to authenticate. A client whose method
// nobody chose is not public: it has a secret.
func (c Client) Public() bool { return c.Metadata.TokenEndpointAuthMethod == AuthNone }

// AllowsAuthMethod reports whether the client may authenticate in that way: in the one
// that was chosen for it and, if nobody chose, with its secret in the Basic header or
// in the body. Dynamic registration always chooses: a request without the member
// registers client_secret_basic (RFC 7591, section 2).
func (c Client) AllowsAuthMethod(method string) bool {
	if chosen := c.Metadata.TokenEndpointAuthMethod; chosen != "" {
		return method == chosen
	}
	return method == AuthBasic || method == AuthPost
}

// NonceReplacesPKCE reports whether a nonce protects the client's codes as well as
// PKCE does (RFC 9700, section 2.1.1): only for a server that authenticates and was
// typed in by an operator.
func (c Client) NonceReplacesPKCE() bool { return c.Type == Web && !c.Public() }

// IDTokenAlg is the algorithm that what is signed for the client itself is signed
// with: ID tokens and logout tokens (OIDC Registration, section 2, with its default).
func (c Client) IDTokenAlg() string {
	if c.Metadata.IDTokenSignedResponseAlg == "" {
		return "RS256"
	}
	return c.Metadata.IDTokenSignedResponseAlg
}

// CreateClient stores a new client. Event client.created. Moves the change counter.
//
// ErrConflict: the id is taken. An id that begins as a subject does ("usr_") is
// an error: a token's sub must never name both.
func (db *DB) CreateClient(ctx context.Context, c Client, by By) error {
	if err := refuseImpossible(c.ID); err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	if strings.HasPrefix(c.ID, UserPrefix) {
		return errors.New("create client: the id may not begin with " + UserPrefix)
	}
	c.CreatedAt, c.UpdatedAt = At(by.At), At(by.At)
	return db.write(ctx, "create client", func(tx *gorm.DB) error {
		row := c
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return noteClient(tx, ClientCreated, c.ID, by)
	})
}

// Client reads one client, disabled or not. ErrNotFound.
func (db *DB) Client(ctx context.Context, id string) (Client, error) {
	if err := refuseImpossible(id); err != nil {
		return Client{}, fmt.Errorf("read client: %w", err)
	}
	var c Client
	err := db.read(ctx, "read client", func(q *gorm.DB) error {
		return q.Where("id = ?", id).Take(&c).Error
	})
	return c, err
}

// Clients lists all clients by id.
func (db *DB) Clients(ctx context.Context) ([]Client, error) {
	var list []Client
	err := db.read(ctx, "list clients", func(q *gorm.DB) error {
		return q.Order("id").Find(&list).Error
	})
	return list, err
}

// ReadClients reads all clients of a database that is not open, and changes nothing: none
// where there is no database yet.
func ReadClients(ctx context.Context, c Config) ([]Client, error) {
	var list []Client
	err := engine.Inspect(ctx, c.engineConfig(), func(q *gorm.DB) error {
		return q.Order("id").Find(&list).Error
	})
	return list, err
}

// SetClientEnabled lets a client work or stops it: the grants of a client that is
// disabled are dead until it is enabled again. A client that is enabled (or disabled)
// already is left alone. Moves the change counter. Events client.enabled,
// client.disabled. ErrNotFound.
func (db *DB) SetClientEnabled(ctx context.Context, id string, enabled bool, by By) error {
	name := "disable client"
	if enabled {
		name = "enable client"
	}
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return db.write(ctx, name, func(tx *gorm.DB) error {
		event, disabledAt := ClientEnabled, Millis(0)
		if !enabled {
			event, disabledAt = ClientDisabled, At(by.At)
		}
		switched, err := changed(tx, `UPDATE clients SET disabled_at = ?, updated_at = ? WHERE id = ? AND (disabled_at = 0) <> ?`,
			disabledAt, At(by.At), id, enabled)
		if err != nil {
			return err
		}
		if !switched {
			return exists(tx, &Client{}, id)
		}
		return noteClient(tx, event, id, by)
	})
}

// DeleteClient removes a client for good, with every grant and consent it was given.
// Moves the change counter. Event client.deleted. ErrNotFound.
func (db *DB) DeleteClient(ctx context.Context, id string, by By) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("delete client: %w", err)
	}
	return db.write(ctx, "delete client", func(tx *gorm.DB) error {
		deleted, err := changed(tx, `DELETE FROM clients WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if !deleted {
			return ErrNotFound
		}
		return noteClient(tx, ClientDeleted, id, by)
	})
}

// replaceClient stores a client that exists, all but what ReviseClient lets nobody change.
func replaceClient(tx *gorm.DB, c Client, by By) error {
	row := c
	// Named columns: gorm skips zero values of a struct otherwise, and Save
	// would bring a deleted client back.
	res := tx.Model(&Client{}).Where("id = ?", c.ID).Select("Name", "Type", "Metadata", "FirstParty", "SkipConsent", "Introspects",
		"PKCEOptional", "UnverifiedEmail", "PromptLogin", "Resources", "Audiences", "Origins", "RefreshGrace", "UpdatedAt").Updates(&row)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return ErrNotFound
	}
	return noteClient(tx, ClientUpdated, c.ID, by)
}

// noteClient records what happened to a client, for the audit and for caches.
func noteClient(tx *gorm.DB, what EventType, id string, by By) error {
	if err := noteChange(tx); err != nil {
		return err
	}
	return record(tx, Event{Type: what, Outcome: Succeeded, ClientID: id, From: by.From}, by.At)
}
