package keys

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signet/storage"
)

var (
	// ErrInvalid: not a token or message of this kind, of this issuer, under a
	// key we have; or altered. Nothing in it may be used.
	ErrInvalid = errors.New("invalid")
	// ErrExpired: genuine, and its time is over.
	ErrExpired = errors.New("expired")
)

// Config of a ring.
type Config struct {
	DB         *storage.DB
	Master     [32]byte // master key: seals private keys at rest
	Issuer     string
	Algorithms []string // published lines; default ES256, RS256
	Now        func() time.Time
	Log        *slog.Logger
}

// Ring holds the keys that are in use.
type Ring struct{}

// Open loads the ring and, when a line has no key at all, makes its first two.
// A wrong master key is an error: keys are never silently made anew.
func Open(ctx context.Context, c Config) (*Ring, error) { panic("to build") }

// ReloadOnce reads the keys again. The caller calls it when the change counter moved.
func (r *Ring) ReloadOnce(ctx context.Context, at time.Time) error { panic("to build") }

// Published is a ready JWKS document.
type Published struct {
	Body []byte
	ETag string // quoted
}

// JWKS gives the ready document of the published keys.
func (r *Ring) JWKS() Published { panic("to build") }

// Algorithms lists the algorithms that can sign now, the configured order.
func (r *Ring) Algorithms() []string { panic("to build") }

// AccessToken is the content of an access token (RFC 9068).
type AccessToken struct {
	Subject   string
	Audience  []string
	ClientID  string
	Scope     string // space separated
	ID        string // jti
	GrantID   string // gid; "" for client_credentials
	SessionID string // sid
	AuthTime  int64  // Unix seconds; 0: absent
	ACR       string
	AMR       []string
	Roles     []string
	Groups    []string
	IssuedAt  int64
	Expires   int64
}

// SignAccess makes an access token (typ at+jwt, iss the ring's issuer) with the
// active key of that algorithm.
func (r *Ring) SignAccess(alg string, t AccessToken) (string, error) { panic("to build") }

// VerifyAccess opens an access token of ours. It checks signature, typ, iss,
// algorithm and expiry; it does not check audience, nor that the grant lives.
func (r *Ring) VerifyAccess(token string, at time.Time) (AccessToken, error) { panic("to build") }

// IDToken is the content of an ID token (OIDC Core, section 2).
type IDToken struct {
	Subject   string
	Audience  string // the client id
	Nonce     string
	SessionID string
	AuthTime  int64
	ACR       string
	AMR       []string
	AtHash    string
	CHash     string
	IssuedAt  int64
	Expires   int64
	Claims    map[string]any // claims asked for one by one; cannot override the above
}

// SignID makes an ID token (typ JWT).
func (r *Ring) SignID(alg string, t IDToken) (string, error) { panic("to build") }

// VerifyIDTokenHint opens an ID token of ours that comes back as id_token_hint;
// one that expired less than 400 days ago is good, one of a revoked key never.
func (r *Ring) VerifyIDTokenHint(token string, at time.Time) (IDToken, error) { panic("to build") }

// HalfHash is the left half of the hash of value that at_hash and c_hash carry
// for a token signed with alg (OIDC Core, section 3.1.3.6).
func HalfHash(alg, value string) string { panic("to build") }

// RefreshToken is the content of a refresh token: a pure function of the grant
// row, so that one generation is the same bytes.
type RefreshToken struct {
	Subject    string
	ClientID   string
	GrantID    string
	Generation int64
	IssuedAt   int64
	Expires    int64
}

// SignRefresh makes a refresh token (typ rt+jwt, HS256 on the internal line, jti
// from grant and generation).
func (r *Ring) SignRefresh(t RefreshToken) (string, error) { panic("to build") }

// OpenRefresh opens a refresh token of ours. An expired one is opened and given
// together with ErrExpired, since its replay still has to be noticed.
func (r *Ring) OpenRefresh(token string, at time.Time) (RefreshToken, error) { panic("to build") }

// Seal makes a sealed message: only a ring with the same internal line can read
// or alter it, and only for the same purpose. base64url without padding.
func (r *Ring) Seal(purpose string, payload []byte, expires time.Time) (string, error) {
	panic("to build")
}

// Unseal opens a sealed message. ErrInvalid; or ErrExpired together with the payload,
// for the callers that may say so.
func (r *Ring) Unseal(purpose, message string, at time.Time) ([]byte, error) { panic("to build") }
