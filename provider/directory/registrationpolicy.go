package directory

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"signet/storage"
)

// RegistrationMode decides who may register clients at the registration endpoint (RFC 7591).
type RegistrationMode string

// The modes of registration.
const (
	RegistrationOff   RegistrationMode = "off"   // nobody
	RegistrationToken RegistrationMode = "token" // programs with an initial access token of an administrator
	RegistrationOpen  RegistrationMode = "open"  // everyone
)

// RegistrationPolicy holds the rules for clients that register themselves. The zero value is
// RegistrationOff.
type RegistrationPolicy struct {
	Mode RegistrationMode
	// PerNetwork is how many clients one network may register without an initial access token
	// within registrationWindow. 0: defaultPerNetwork.
	PerNetwork int
	// ResponseTypes are those that clients may register. Nil: code.
	ResponseTypes []string
	// Networks may be named by registered URLs although they are not public.
	Networks []netip.Prefix
}

// IsOff reports whether nobody may register clients.
func (p RegistrationPolicy) IsOff() bool { return p.Mode == "" || p.Mode == RegistrationOff }

// allowsResponseType reports whether clients may register the response type with these words.
func (p RegistrationPolicy) allowsResponseType(words string) bool {
	t, known := storage.FindResponseType(words)
	return known && (t.Name == storage.ResponseTypeCode || slices.Contains(p.ResponseTypes, t.Name))
}

const (
	defaultPerNetwork  = 20
	registrationWindow = time.Hour
	// changesOfClient limits how often a client may change itself within registrationWindow. Each
	// change writes an event that stays for a year, and all nodes read their clients again.
	changesOfClient = 60
	// sectorFetches limits how many documents of a sector_identifier_uri are fetched within
	// registrationWindow for one initial access token, and for one network that may not register
	// more clients.
	sectorFetches = 60
	// wideFactor is how many times PerNetwork one IPv6 /48 may register. Each registration takes a
	// place, see storage.MaxUnapprovedClients.
	wideFactor = 3
)

// limits returns the limits of open registration for a caller at this IP address.
func (p RegistrationPolicy) limits(address string) []storage.Limit {
	most := p.PerNetwork
	if most <= 0 {
		most = defaultPerNetwork
	}
	return storage.NetworkLimit{Max: most, Wide: wideFactor * most, Window: registrationWindow}.For("registration", address)
}

// sectorLimits returns the limits of the documents that are fetched for a caller at this IP
// address. token is the ID of the initial access token of the client, "" for none.
func (p RegistrationPolicy) sectorLimits(address, token string) []storage.Limit {
	most := max(p.PerNetwork, sectorFetches)
	limits := storage.NetworkLimit{Max: most, Wide: wideFactor * most, Window: registrationWindow}.For("sectorfetch", address)
	if token != "" {
		limits = append(limits, storage.Limit{Key: "sectorfetchtoken:" + token, Max: sectorFetches, Window: registrationWindow})
	}
	return limits
}

// The limits of initial access tokens.
const (
	MaxRegistrationUses = 10_000
	MaxRegistrationLife = 365 * 24 * time.Hour
)

// CreateRegistrationToken makes an initial access token for draft.UsesLeft registrations (1 to
// MaxRegistrationUses) until draft.ExpiresAt, at most MaxRegistrationLife from now. It returns
// the token, which cannot be read again. Event registration_token.created.
//
// Errors: *ClientError.
func (d *Directory) CreateRegistrationToken(ctx context.Context, draft storage.RegistrationToken, from storage.Origin) (made storage.RegistrationToken, token string, err error) {
	by := d.by(from)
	if err := CheckRegistrationToken(draft, by.At); err != nil {
		return storage.RegistrationToken{}, "", err
	}
	token = randomText(32)
	draft.ID, draft.Hash, draft.CreatedAt = storage.NewID("reg_"), storage.SecretHash(token), storage.At(by.At)
	return draft, token, d.db.CreateRegistrationToken(ctx, draft, by)
}

// CheckRegistrationToken checks the name, the uses, the redirect hosts and the expiry of an
// initial access token at a moment. Errors: *ClientError.
func CheckRegistrationToken(t storage.RegistrationToken, at time.Time) error {
	var found []*ClientFieldError
	wrong := func(field, format string, args ...any) {
		found = append(found, newFieldError(field, fmt.Errorf(format, args...)))
	}
	checkText(t.Name, func(format string, args ...any) { wrong("name", format, args...) })
	if t.UsesLeft < 1 || t.UsesLeft > MaxRegistrationUses {
		wrong("uses", "must be between 1 and %d", MaxRegistrationUses)
	}
	if t.ExpiresAt <= storage.At(at) || t.ExpiresAt > storage.At(at.Add(MaxRegistrationLife)) {
		wrong("expires", "must be in the future, and at most %d days from now", MaxRegistrationLife/(24*time.Hour))
	}
	if len(t.RedirectHosts) > maxEntries {
		wrong("redirect_hosts", "has more than %d entries", maxEntries)
	}
	for _, host := range t.RedirectHosts {
		if err := checkHostname(host); err != nil {
			wrong("redirect_hosts", "%q %w", shortened(host), err)
		}
	}
	if len(found) > 0 {
		return &ClientError{found}
	}
	return nil
}

// RevokeRegistrationToken makes an initial access token invalid. Clients that registered with
// it stay. Event registration_token.revoked. Errors: storage.ErrNotFound.
func (d *Directory) RevokeRegistrationToken(ctx context.Context, id string, from storage.Origin) error {
	return d.db.RevokeRegistrationToken(ctx, id, d.by(from))
}

// ApproveClient approves a client that registered itself. The warning on its pages disappears,
// and it does not expire when it is not used. Event client.approved. Errors:
// storage.ErrNotFound.
func (d *Directory) ApproveClient(ctx context.Context, id string, from storage.Origin, checks ...storage.ClientCheck) error {
	return d.db.ApproveClient(ctx, id, d.by(from), checks...)
}
