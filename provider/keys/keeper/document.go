package keeper

import (
	"time"

	"signet/storage"
)

// KeyDocument is the JSON form of a key, for the command line and the administration API. It
// contains nothing of the private key.
type KeyDocument struct {
	KeyID           string     `json:"kid"`
	Alg             string     `json:"alg"`
	State           string     `json:"state"`
	CreatedAt       time.Time  `json:"created_at"`
	ActivatedAt     *time.Time `json:"activated_at,omitempty"`
	RetiredAt       *time.Time `json:"retired_at,omitempty"`
	GoneAt          *time.Time `json:"gone_at,omitempty"`
	RevokedAt       *time.Time `json:"revoked_at,omitempty"`
	RevokeReason    string     `json:"revoke_reason,omitempty"`
	SignsUntil      *time.Time `json:"signs_until,omitempty" doc:"by the schedule"`
	InJWKSUntil     *time.Time `json:"in_jwks_until,omitempty" doc:"by the schedule"`
	OpensUntil      *time.Time `json:"opens_until,omitempty" doc:"only for internal keys, which are in no JWKS"`
	LastSignedAt    *time.Time `json:"last_signed_at,omitempty" doc:"absent for an active key, which can sign at any time"`
	LastTokenDiesAt *time.Time `json:"last_token_dies_at,omitempty" doc:"for an active key, by the schedule"`
	PrivateKey      string     `json:"private_key,omitempty" doc:"database or pkcs11; absent if it was destroyed"`
}

// InPKCS11 is the private_key of a key that is in a PKCS #11 token.
const InPKCS11 = "pkcs11"

// DescribeKey returns the JSON form of a key.
func DescribeKey(k Scheduled) KeyDocument {
	d := KeyDocument{
		KeyID: k.ID, Alg: k.Line, State: string(k.State), CreatedAt: k.CreatedAt.Time(),
		ActivatedAt: optionalTime(k.ActivatedAt), RetiredAt: optionalTime(k.RetiredAt), GoneAt: optionalTime(k.GoneAt),
		RevokedAt: optionalTime(k.RevokedAt), RevokeReason: k.RevokeReason,
	}
	switch k.State {
	case storage.KeyActive:
		d.SignsUntil, d.LastTokenDiesAt, d.InJWKSUntil = &k.SignsUntil, &k.LastTokenExpiry, &k.PublishedUntil
	case storage.KeyRetired:
		d.LastSignedAt, d.LastTokenDiesAt, d.InJWKSUntil = optionalTime(k.RetiredAt), &k.LastTokenExpiry, &k.PublishedUntil
	}
	if len(k.Sealed) > 0 {
		d.PrivateKey = "database"
	}
	if k.IsExternal() {
		d.PrivateKey = InPKCS11
	}
	if k.Line == storage.InternalLine {
		d.InJWKSUntil, d.OpensUntil = nil, d.InJWKSUntil
	}
	return d
}

// RotationDocument is the JSON form of the rotation of one line.
type RotationDocument struct {
	Alg          string     `json:"alg"`
	KeyID        string     `json:"kid" doc:"signs now"`
	Retired      string     `json:"retired,omitempty"`
	RetiredUntil *time.Time `json:"retired_until,omitempty" doc:"stays published until then"`
	Next         string     `json:"next"`
}

// DescribeRotation returns the JSON form of a rotation.
func DescribeRotation(r Rotated) RotationDocument {
	d := RotationDocument{Alg: r.Line, KeyID: r.Active, Retired: r.Retired, Next: r.Next}
	if r.Retired != "" {
		d.RetiredUntil = unlessZero(r.Until)
	}
	return d
}

// RevocationDocument is the JSON form of the result of a revocation.
type RevocationDocument struct {
	KeyID           string     `json:"kid"`
	Alg             string     `json:"alg"`
	State           string     `json:"state_before"`
	Reason          string     `json:"reason,omitempty"`
	SignsNow        string     `json:"signs_now,omitempty"`
	SignsNowSince   *time.Time `json:"signs_now_published_since,omitempty"`
	Unseen          bool       `json:"signs_now_unseen,omitempty" doc:"the key was made just now, so no client can have fetched it"`
	Made            []string   `json:"made,omitempty"`
	CachedUntil     *time.Time `json:"cached_until,omitempty" doc:"by clients that obey Cache-Control"`
	LastTokenDiesAt *time.Time `json:"last_token_dies_at,omitempty" doc:"the latest expiry of the tokens that were issued before the leak"`
	LeftInModule    bool       `json:"left_in_module,omitempty" doc:"the private key is destroyed as soon as the module answers"`
}

// DescribeRevocation returns the JSON form of a revocation. made are the kids of the new keys.
func DescribeRevocation(a Aftermath, made []string) RevocationDocument {
	d := RevocationDocument{
		KeyID: a.KeyID, Alg: a.Line, State: a.Was, Reason: a.Reason, Made: made,
		CachedUntil: unlessZero(a.CachedUntil), LastTokenDiesAt: unlessZero(a.LastTokenExpiry), LeftInModule: a.InModule,
	}
	if a.Successor != "" {
		d.SignsNow, d.SignsNowSince, d.Unseen = a.Successor, &a.SuccessorSince, a.SuccessorUnseen
	}
	return d
}

// unlessZero returns nil for the zero time, so that JSON omits it.
func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// optionalTime returns nil for the zero value, which means never.
func optionalTime(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}
