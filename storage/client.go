package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ClientType decides the defaults of a client: its authentication method, its grant types and
// the form of its redirect URIs.
type ClientType string

// The types of clients.
const (
	Web     ClientType = "web"     // runs on a server and can keep a secret
	SPA     ClientType = "spa"     // runs in the browser and cannot keep a secret
	Native  ClientType = "native"  // is installed on a device and cannot keep a secret
	Service ClientType = "service" // acts for itself, without a user
)

// Client is a registered relying party. Callers share a Client that was read, so they must not
// change it or write into its slices.
type Client struct {
	ID   string
	Name string
	Type ClientType

	// Metadata holds the members that RFC 7591 and OIDC Registration define.
	Metadata ClientMetadata `gorm:"serializer:signet_json"`

	FirstParty   bool
	SkipConsent  bool
	Introspects  bool // may introspect every token; only an administrator sets this
	PKCEOptional bool // a confidential client may omit both PKCE and the nonce
	AdminAPI     bool // a service that may use the administration API, see AdminScopes

	UnverifiedEmail bool   // receives email addresses that are not verified
	PromptLogin     string // "" or PromptLoginBestEffort
	RequireACR      string // acr that every sign-in must reach; "": any

	Resources    []string      `gorm:"serializer:signet_json"`   // audiences that it may request (RFC 8707)
	Audiences    []string      `gorm:"serializer:signet_json"`   // the audiences of its own API
	Origins      []string      `gorm:"serializer:signet_json"`   // extra CORS origins
	RefreshGrace time.Duration `gorm:"serializer:signet_millis"` // -1 (the default): use the setting

	Secrets     [2]ClientSecret `gorm:"serializer:signet_json"` // both are valid, so that a secret can be replaced without downtime
	Federations []Federation    `gorm:"serializer:signet_json"` // issuers whose tokens prove the client; only an administrator sets them
	Registration
	// Sector is the sector identifier for pairwise subjects (OIDC Core, section 8.1): the clients
	// of one sector see a user under the same subject. "": the client gets public subjects.
	Sector     string
	DisabledAt Millis
	CreatedAt  Millis `gorm:"autoCreateTime:false"`
	UpdatedAt  Millis `gorm:"autoUpdateTime:false"`
}

// PromptLoginBestEffort accepts a sign-in through an upstream as the answer to prompt=login and
// max_age, even if that upstream cannot be made to authenticate the person again. Without it,
// Signet refuses such a request with login_required.
const PromptLoginBestEffort = "best-effort"

// ClientSecret is a client secret as it is stored: a SHA-256 hash.
type ClientSecret struct {
	Hash      string `json:"hash,omitempty"` // hexadecimal; "": no secret
	CreatedAt Millis `json:"created_at,omitempty"`
	ExpiresAt Millis `json:"expires_at,omitempty"` // zero: never
}

// ClientMetadata is the client metadata of RFC 7591, section 2, and OIDC
// Registration, section 2, under its registered names.
type ClientMetadata struct {
	RedirectURIs             []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs   []string `json:"post_logout_redirect_uris,omitempty"`
	TokenEndpointAuthMethod  string   `json:"token_endpoint_auth_method,omitempty"` // "": none was chosen, see AllowsAuthMethod
	TokenEndpointAuthAlg     string   `json:"token_endpoint_auth_signing_alg,omitempty"`
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
	SubjectType              string   `json:"subject_type,omitempty"` // "", public or SubjectPairwise
	SectorURI                string   `json:"sector_identifier_uri,omitempty"`
	IDTokenSignedResponseAlg string   `json:"id_token_signed_response_alg,omitempty"`
	UserinfoSignedAlg        string   `json:"userinfo_signed_response_alg,omitempty"` // "": userinfo is plain JSON
	DefaultMaxAge            *int64   `json:"default_max_age,omitempty"`              // seconds
	RequireAuthTime          bool     `json:"require_auth_time,omitempty"`
	DefaultACRValues         []string `json:"default_acr_values,omitempty"`
	InitiateLoginURI         string   `json:"initiate_login_uri,omitempty"`
	BackchannelLogoutURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI    string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSession      bool     `json:"frontchannel_logout_session_required,omitempty"`
	RequirePushed            bool     `json:"require_pushed_authorization_requests,omitempty"` // RFC 9126, section 6
	RequestObjectAlg         string   `json:"request_object_signing_alg,omitempty"`            // "": every algorithm of client assertions
	RequireSignedRequest     bool     `json:"require_signed_request_object,omitempty"`         // RFC 9101, section 10.5
	SoftwareID               string   `json:"software_id,omitempty"`
	SoftwareVersion          string   `json:"software_version,omitempty"`

	// ClaimsInIDToken puts the claims of the scopes into ID tokens too. No specification defines this
	// member, and only administrators set it.
	ClaimsInIDToken bool `json:"claims_in_id_token,omitempty"`
}

// Enabled reports whether the client may be used.
func (c Client) Enabled() bool { return c.DisabledAt == 0 }

// The methods of client authentication (OIDC Core, section 9).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthPrivateKey = "private_key_jwt"
	AuthNone       = "none"
)

// SubjectPairwise is the subject_type of a client that gets pairwise subjects (OIDC Core, section
// 8).
const SubjectPairwise = "pairwise"

// Public reports whether the client cannot authenticate. A client without a chosen method is not
// public: it has a secret.
func (c Client) Public() bool { return c.Metadata.TokenEndpointAuthMethod == AuthNone }

// HasKeys reports whether the client has registered keys of its own.
func (c Client) HasKeys() bool { return c.Metadata.JWKS != "" || c.Metadata.JWKSURI != "" }

// HasSecret reports whether the client authenticates with a secret.
func (c Client) HasSecret() bool {
	return c.AllowsAuthMethod(AuthBasic) || c.AllowsAuthMethod(AuthPost)
}

// AllowsAuthMethod reports whether the client may authenticate with method. If a method was
// chosen for the client, only that one is allowed; otherwise client_secret_basic and
// client_secret_post are. Dynamic registration always chooses one: a request without the member
// registers client_secret_basic (RFC 7591, section 2).
func (c Client) AllowsAuthMethod(method string) bool {
	if chosen := c.Metadata.TokenEndpointAuthMethod; chosen != "" {
		return method == chosen
	}
	return method == AuthBasic || method == AuthPost
}

// NonceReplacesPKCE reports whether a nonce protects the codes of the client as well as PKCE
// does (RFC 9700, section 2.1.1). This holds only for a confidential client of type web that an
// administrator made or approved.
func (c Client) NonceReplacesPKCE() bool { return c.Type == Web && !c.Public() && !c.IsUnapproved() }

// SkipsConsent reports whether users are not asked for consent. Administrators gave this right to
// the client that they saw. If it changed itself since, nobody has checked its redirect URIs.
func (c Client) SkipsConsent() bool { return (c.FirstParty || c.SkipConsent) && !c.IsUnapproved() }

// IDTokenAlg returns the algorithm that signs ID tokens and logout tokens for this client. The
// default is RS256 (OIDC Registration, section 2).
func (c Client) IDTokenAlg() string {
	if c.Metadata.IDTokenSignedResponseAlg == "" {
		return "RS256"
	}
	return c.Metadata.IDTokenSignedResponseAlg
}

// ChosenAlgs lists the signing algorithms that were chosen for the client. The server must have
// a key for each.
func (c Client) ChosenAlgs() []string {
	var algs []string
	for _, alg := range []string{c.Metadata.IDTokenSignedResponseAlg, c.Metadata.UserinfoSignedAlg} {
		if alg != "" && !slices.Contains(algs, alg) {
			algs = append(algs, alg)
		}
	}
	return algs
}

// CreateClient stores a new client. It increments the change counter. It records the event client.created.
//
// ErrConflict: the ID is taken. ErrSubjectTaken: it is the chosen subject of a user. An ID that
// begins with the prefix of users ("usr_") is an error, because the sub of a token must never name
// both a client and a user.
func (db *DB) CreateClient(ctx context.Context, c Client, by By) error {
	if err := refuseImpossible(c.ID); err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	if strings.HasPrefix(c.ID, UserPrefix) {
		return errors.New("create client: the ID must not begin with " + UserPrefix)
	}
	c.CreatedAt, c.UpdatedAt = At(by.At), At(by.At)
	create := func() error {
		return db.write(ctx, "create client", func(tx *gorm.DB) error {
			row := c
			if err := tx.Create(&row).Error; err != nil {
				return err
			}
			if err := recordClientValues(tx, ClientCreated, c.ID, changesOf(nil, c.recordedFields()), by); err != nil {
				return err
			}
			if err := checkClientID(tx, c.ID); err != nil { // after the change counter, so that a new user waits
				return err
			}
			return requireClientProgram(tx, c)
		})
	}
	err := create()
	if !errors.Is(err, ErrConflict) {
		return err
	}
	if _, taken := db.Client(ctx, c.ID); !errors.Is(taken, ErrNotFound) {
		return err
	}
	// A client of that ID was deleted, and its last rows are still there.
	db.finish(ctx, unfinished{Kind: clientDeletion, ClientID: c.ID})
	return create()
}

// Client reads one client, whether or not it is enabled. ErrNotFound.
func (db *DB) Client(ctx context.Context, id string) (Client, error) {
	if err := refuseImpossible(id); err != nil {
		return Client{}, fmt.Errorf("read client: %w", err)
	}
	var c Client
	err := db.read(ctx, "read client", func(q *gorm.DB) error {
		return q.Where("id = ? AND "+isClient, id).Take(&c).Error
	})
	return c, err
}

// Clients lists all clients by ID.
func (db *DB) Clients(ctx context.Context) ([]Client, error) {
	var list []Client
	err := db.read(ctx, "list clients", func(q *gorm.DB) error {
		return q.Where(isClient).Order("id").Find(&list).Error
	})
	return list, err
}

// ReadClients reads all clients of a database that is not open, and changes nothing. It returns
// no clients if there is no database.
func ReadClients(ctx context.Context, c Config) ([]Client, error) {
	var list []Client
	err := engine.Inspect(ctx, c.engineConfig(), func(q *gorm.DB) error {
		return q.Where(isClient).Order("id").Find(&list).Error
	})
	return list, err
}

// SetClientEnabled enables or disables a client. The grants of a disabled client are invalid
// until the client is enabled again. If the client already is in the wanted state, nothing
// changes. It increments the change counter. It records the events client.enabled, client.disabled. ErrNotFound.
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
		switched, err := changeOne(tx, `UPDATE clients SET disabled_at = ?, updated_at = ? WHERE id = ? AND (disabled_at = 0) <> ? AND `+isClient,
			disabledAt, At(by.At), id, enabled)
		if err != nil {
			return err
		}
		if !switched {
			return checkExists(tx, &Client{}, isClient, id)
		}
		return recordClientChange(tx, event, id, by)
	})
}

// DeleteClient deletes a client, together with all its grants and consents. It moves the change
// counter. It records the event client.deleted. ErrNotFound.
//
// One transaction decides it: from then on, all tokens of the client are invalid and no read
// finds it. A client with many grants is deleted in portions, so that other writes do not wait
// (see Portion). DeleteClient returns when the last row is deleted.
func (db *DB) DeleteClient(ctx context.Context, id string, by By, checks ...ClientCheck) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("delete client: %w", err)
	}
	return db.deleteClient(ctx, id, "", func(tx *gorm.DB) error {
		_, err := db.checkedClient(tx, id, checks)
		return err
	}, by)
}

// deleteClient is DeleteClient with the reason of the event, if check allows it in the
// transaction.
func (db *DB) deleteClient(ctx context.Context, id, reason string, check func(tx *gorm.DB) error, by By) error {
	w, finished := unfinished{Kind: clientDeletion, ClientID: id, At: At(by.At)}, false
	err := db.write(ctx, "delete client", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, clientRow, id, forUpdate); err != nil {
			return err
		}
		if err := check(tx); err != nil {
			return err
		}
		disabled, err := changeOne(tx, `UPDATE clients SET disabled_at = CASE WHEN disabled_at = 0 THEN ? ELSE disabled_at END
			WHERE id = ? AND `+isClient, At(by.At), id)
		if err != nil {
			return err
		}
		if !disabled {
			return ErrNotFound
		}
		if _, finished, err = w.begin(tx); err != nil {
			return err
		}
		return recordClientChangeFor(tx, ClientDeleted, id, reason, by)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}

// replaceClient stores all fields of an existing client that ReviseClient may change, and records these
// events. have is the client before the change.
func replaceClient(tx *gorm.DB, have, c Client, events []EventType, by By) error {
	row := c
	// The columns are named because gorm would otherwise skip zero values of a struct. Save
	// would create a deleted client again.
	res := tx.Model(&Client{}).Where("id = ?", c.ID).Select("Name", "Type", "Metadata", "FirstParty", "SkipConsent", "Introspects", "AdminAPI",
		"PKCEOptional", "UnverifiedEmail", "PromptLogin", "RequireACR", "Resources", "Audiences", "Origins", "RefreshGrace", "Secrets", "Federations", "MetadataDigest", "Sector", "DisabledAt", "UpdatedAt").Updates(&row)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return ErrNotFound
	}
	for _, event := range events {
		var values map[string]any
		if event == ClientUpdated {
			values = changesOf(have.recordedFields(), c.recordedFields())
		}
		if err := recordClientValues(tx, event, c.ID, values, by); err != nil {
			return err
		}
	}
	return requireClientProgram(tx, c)
}

// recordClientChange increments the change counter, so that caches read the client again, and records
// the event.
func recordClientChange(tx *gorm.DB, kind EventType, id string, by By) error {
	return recordClientChangeFor(tx, kind, id, "", by)
}

// recordClientChangeFor is recordClientChange with the reason of the event.
func recordClientChangeFor(tx *gorm.DB, kind EventType, id, reason string, by By) error {
	if err := incrementChangeCounter(tx); err != nil {
		return err
	}
	return record(tx, Event{Type: kind, Outcome: Succeeded, Reason: reason, ClientID: id, From: by.From}, by.At)
}

// recordClientValues is recordClientChange with the detail of the event.
func recordClientValues(tx *gorm.DB, kind EventType, id string, detail map[string]any, by By) error {
	if err := incrementChangeCounter(tx); err != nil {
		return err
	}
	return record(tx, Event{Type: kind, Outcome: Succeeded, ClientID: id, From: by.From, Detail: detail}, by.At)
}
