package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// Errors of clients that register themselves.
var (
	// ErrRegistrationOff: nobody may register clients.
	ErrRegistrationOff = errors.New("registration is off")
	// ErrRegistrationToken: the initial access token is missing, unknown, expired or used up, or
	// the registration access token is not that of the client.
	ErrRegistrationToken = errors.New("the registration token is missing, unknown, expired or used up")
	// ErrNotOwnSecret: the document of the client has another client_id or client_secret.
	ErrNotOwnSecret = errors.New("client_id or client_secret is not that of the client")
)

// Registered is the result of a registration. Secret and Token are shown once: only their hashes
// are stored.
type Registered struct {
	Client storage.Client
	Secret string // "" for a client without a secret
	// Token is the registration access token. "": other installations registered the client too,
	// so nobody may change it.
	Token string
}

// Register registers the client that the document describes (RFC 7591, section 3). initial is
// the initial access token, "" for none. An equal document of a public client gets the same
// client, without a registration access token. Event client.registered.
//
// Errors: ErrRegistrationOff, ErrRegistrationToken, storage.ErrRegistrationsFull, *ClientError,
// *NoKeyError. *storage.ThrottledError: the network has registered too many clients, or the network
// or the token has named too many documents.
func (d *Directory) Register(ctx context.Context, document ClientDocument, initial string, from storage.Origin) (Registered, error) {
	p := d.registration
	switch {
	case p.IsOff():
		return Registered{}, ErrRegistrationOff
	case initial == "" && p.Mode == RegistrationToken:
		return Registered{}, ErrRegistrationToken
	}
	token, err := d.readInitialToken(ctx, initial)
	if err != nil {
		return Registered{}, err
	}
	empty := newRegistration()
	c, err := d.readRegistered(document, empty)
	if err != nil {
		return Registered{}, err
	}
	by := d.by(from)
	c.RegisteredAt, c.RegisteredWith = storage.At(by.At), token.ID // the rules for strangers hold for it
	if err := d.checkRegistered(ctx, empty, c, limitTo(token.RedirectHosts).check(c)); err != nil {
		return Registered{}, err
	}
	if initial == "" {
		if _, err := d.db.Reserve(ctx, p.limits(from.Address), by.At); err != nil {
			return Registered{}, err
		}
	}
	if err := d.setRegisteredSector(ctx, storage.Client{}, &c, by); err != nil {
		return Registered{}, err
	}
	made := Registered{Client: c, Token: randomText(32)}
	made.Client.TokenHash = storage.SecretHash(made.Token)
	if c.HasSecret() {
		made.Secret = NewSecret()
		made.Client.Secrets[0] = storage.ClientSecret{Hash: storage.SecretHash(made.Secret), CreatedAt: storage.At(by.At)}
	}
	made.Client.MetadataDigest = metadataDigest(c)
	var isNew bool
	made.Client, isNew, err = d.db.RegisterClient(ctx, storage.ClientRegistration{Client: made.Client, InitialToken: token.Hash, MaxUnapproved: storage.MaxUnapprovedClients}, by)
	if errors.Is(err, storage.ErrNotFound) {
		return Registered{}, fmt.Errorf("%w: %w", ErrRegistrationToken, err)
	}
	if !isNew {
		made.Token = "" // another installation may have it: a new one would take the client over
	}
	return made, err
}

// readRegistered returns the client that the document describes, without the new values that have no
// effect with the settings of this server. Values of base stay. Errors: *ClientError.
func (d *Directory) readRegistered(document ClientDocument, base storage.Client) (storage.Client, error) {
	c, err := document.client(base)
	if err != nil {
		return c, err
	}
	if refused, is := errors.AsType[*ClientError](d.checkSettings(base, c)); is {
		for _, problem := range refused.Problems {
			clearField(&c, problem.Field)
		}
		if c.Metadata.FrontchannelLogoutURI == "" {
			c.Metadata.FrontchannelSession = false // of no use without the URI
		}
	}
	return c, nil
}

// readInitialToken reads an initial access token. "" gives the zero value, which limits no hosts.
// Whether the token may still be used is decided when the client is stored.
func (d *Directory) readInitialToken(ctx context.Context, initial string) (storage.RegistrationToken, error) {
	if initial == "" {
		return storage.RegistrationToken{}, nil
	}
	token, err := d.db.RegistrationToken(ctx, storage.SecretHash(initial))
	if errors.Is(err, storage.ErrNotFound) {
		return storage.RegistrationToken{}, fmt.Errorf("%w: %w", ErrRegistrationToken, err)
	}
	if err == nil && token.ExpiresAt <= storage.At(d.now()) {
		return storage.RegistrationToken{}, fmt.Errorf("%w: it has expired", ErrRegistrationToken)
	}
	return token, err
}

// hostsOf returns the hosts that a client may have when it changes itself. A client of open
// registration may have every host, because its change ends its approval. Another client stays
// approved. It keeps the hosts that it has, and gets others only as long as its initial access
// token allows them.
func (d *Directory) hostsOf(ctx context.Context, c storage.Client) (redirectHosts, error) {
	if c.RegisteredWith == "" {
		return redirectHosts{}, nil
	}
	token, err := d.db.RegistrationTokenWithID(ctx, c.RegisteredWith)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		token = storage.RegistrationToken{} // it was revoked, or expired and was deleted
	case err != nil:
		return redirectHosts{}, err
	}
	hosts := redirectHosts{limited: true}
	if token.ExpiresAt > storage.At(d.now()) {
		hosts = limitTo(token.RedirectHosts)
	}
	for _, uri := range slices.Concat(c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs) {
		hosts.hosts = append(hosts.hosts, hostOf(uri))
	}
	return hosts, nil
}

// checkRegistered applies the rules of all clients, and those for clients that register
// themselves. before is the client as it was; a new client has no values before. What a client has
// already stays allowed, because an administrator may have given it, and a client sends back what
// it has read (RFC 7592, section 2.2). found are the problems that the caller has found. Errors:
// *ClientError, *NoKeyError.
func (d *Directory) checkRegistered(ctx context.Context, before, c storage.Client, found []*ClientFieldError) error {
	found = slices.Concat(found, checkForeignURLs(before, c, d.registration), checkRegisteredRights(before, c, d.registration))
	err := CheckClient(c)
	if before.IsSelfRegistered() {
		err = CheckClientChange(before, c)
	}
	if broken, is := errors.AsType[*ClientError](err); is {
		for _, problem := range broken.Problems {
			if !isAdministrators(problem.Field) { // the client cannot solve it
				found = append(found, problem)
			}
		}
	}
	if len(found) > 0 {
		return &ClientError{found}
	}
	chosen := slices.DeleteFunc(c.ChosenAlgs(), func(alg string) bool { return slices.Contains(before.ChosenAlgs(), alg) })
	return d.checkSigningKeys(ctx, chosen)
}

// isAdministrators reports whether only an administrator may set the field.
func isAdministrators(name string) bool {
	return slices.ContainsFunc(clientFields, func(f ClientField) bool { return f.Name == name && !f.registers && name != "type" })
}

// checkRegisteredRights refuses the rights that only an administrator gives: tokens of the
// client's own, with which it could act without a person; the scopes of such tokens; the device
// grant, with which a stranger's device gets tokens of a person (RFC 8628, section 5.4); and
// response types that the settings do not offer.
func checkRegisteredRights(before, c storage.Client, p RegistrationPolicy) []*ClientFieldError {
	var found []*ClientFieldError
	for _, grant := range c.Metadata.GrantTypes {
		if (grant == storage.GrantDevice || slices.Contains(c.OwnGrantTypes(), grant)) && !slices.Contains(before.Metadata.GrantTypes, grant) {
			found = append(found, newFieldError("grant_types", fmt.Errorf("%q is given by an administrator only: ask for authorization_code, or have the client created by the administrator", grant)))
		}
	}
	if len(c.OwnGrantTypes()) > 0 {
		for _, scope := range foreign.Distinct(strings.Fields(c.Metadata.Scope)) {
			if !slices.Contains(storage.PersonalScopes(), scope) && !slices.Contains(strings.Fields(before.Metadata.Scope), scope) {
				found = append(found, newFieldError("scope", fmt.Errorf("%q is given by an administrator only", shortened(scope))))
			}
		}
	}
	for _, types := range c.Metadata.ResponseTypes {
		if !p.allowsResponseType(types) && !slices.Contains(before.Metadata.ResponseTypes, types) {
			found = append(found, newFieldError("response_types", fmt.Errorf("%q cannot be registered: use one of response_types_supported in the discovery document", shortened(types))))
		}
	}
	return found
}

// metadataDigest identifies equal registrations of public clients. It is "" for a client with a
// secret: a secret is never given twice.
func metadataDigest(c storage.Client) string {
	if !c.Public() {
		return ""
	}
	text, err := json.Marshal(struct {
		Type     storage.ClientType
		Name     string
		Metadata storage.ClientMetadata
	}{c.Type, c.Name, c.Metadata})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// RegisteredClient returns the client with this registration access token (RFC 7592, section
// 2.1). Errors: ErrRegistrationOff, ErrRegistrationToken.
func (d *Directory) RegisteredClient(ctx context.Context, id, token string) (storage.Client, error) {
	if d.registration.IsOff() {
		return storage.Client{}, ErrRegistrationOff
	}
	c, err := d.db.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (token == "" || !c.Enabled() || c.TokenHash != storage.SecretHash(token)) {
		return storage.Client{}, ErrRegistrationToken
	}
	return c, err
}

// ReplaceRegistered replaces the metadata of a client that registered itself by those of the
// document (RFC 7592, section 2.2). Fields that only an administrator may set stay. Event
// client.updated.
//
// Errors: ErrRegistrationOff, ErrRegistrationToken, ErrNotOwnSecret, storage.ErrShared,
// *ClientError, *NoKeyError. *storage.ThrottledError: the client has changed too often, or the network
// or the initial access token of the client has named too many documents.
func (d *Directory) ReplaceRegistered(ctx context.Context, id, token string, document ClientDocument, from storage.Origin) (storage.Client, error) {
	before, err := d.RegisteredClient(ctx, id, token)
	if err != nil {
		return storage.Client{}, err
	}
	if err := document.checkOwner(before, d); err != nil {
		return storage.Client{}, err
	}
	want, err := d.readRegistered(document, before)
	if err != nil {
		return storage.Client{}, err
	}
	if want.Public() != before.Public() || want.HasSecret() != before.HasSecret() {
		return storage.Client{}, &ClientError{[]*ClientFieldError{newFieldError("token_endpoint_auth_method",
			errors.New("cannot change between none, a secret and a key: register another client"))}}
	}
	hosts, err := d.hostsOf(ctx, before)
	if err != nil {
		return storage.Client{}, err
	}
	if err := d.checkRegistered(ctx, before, want, hosts.check(want)); err != nil {
		return storage.Client{}, err
	}
	by := d.by(from)
	if _, err := d.db.Reserve(ctx, []storage.Limit{{Key: "registrationchange:" + id, Max: changesOfClient, Window: registrationWindow}}, by.At); err != nil {
		return storage.Client{}, err
	}
	want.Registration = before.Registration
	if err := d.setRegisteredSector(ctx, before, &want, by); err != nil {
		return storage.Client{}, err
	}
	revised, err := d.db.ReviseRegisteredClient(ctx, id, storage.SecretHash(token), func(c *storage.Client) error {
		for _, f := range clientFields {
			if f.registers {
				f.Copy(c, &want)
			}
		}
		c.Type, c.Sector = want.Type, want.Sector
		if c.MetadataDigest != "" { // otherwise an administrator has changed the client, see ReviseClient
			c.MetadataDigest = metadataDigest(want)
		}
		return nil
	}, by)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Client{}, fmt.Errorf("%w: %w", ErrRegistrationToken, err)
	}
	return revised, err
}

// setRegisteredSector sets the sector of a client that registers or changes itself. It counts the
// call before it is made, because the client chooses the address, and a refused registration uses
// up no token.
func (d *Directory) setRegisteredSector(ctx context.Context, before storage.Client, c *storage.Client, by storage.By) error {
	if needsSectorDocument(before, *c) {
		if _, err := d.db.Reserve(ctx, d.registration.sectorLimits(by.From.Address, c.RegisteredWith), by.At); err != nil {
			return err
		}
	}
	sector, err := d.fetchSector(ctx, before, *c)
	if err != nil {
		return err
	}
	return sector.setSector(before, c)
}

// checkOwner checks the client_id of the document, which is required, and the client_secret,
// which is optional (RFC 7592, section 2.2). Errors: ErrNotOwnSecret.
func (d ClientDocument) checkOwner(c storage.Client, directory *Directory) error {
	id, err := d.text("client_id")
	if err != nil || id != c.ID {
		return ErrNotOwnSecret
	}
	secret, err := d.text("client_secret")
	if err != nil || secret != "" && !SecretMatches(c.Secrets, secret, directory.now()) {
		return ErrNotOwnSecret
	}
	return nil
}

// DeleteRegistered deletes a client that registered itself, with its tokens and consents (RFC
// 7592, section 2.3). Event client.deleted. Errors: ErrRegistrationOff, ErrRegistrationToken,
// storage.ErrShared.
func (d *Directory) DeleteRegistered(ctx context.Context, id, token string, from storage.Origin) error {
	if _, err := d.RegisteredClient(ctx, id, token); err != nil {
		return err
	}
	err := d.db.DeleteRegisteredClient(ctx, id, storage.SecretHash(token), d.by(from))
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrRegistrationToken, err)
	}
	return err
}

// IsRedirectProblem reports whether the first problem is one of redirect_uris, for which RFC
// 7591, section 3.2.2, has an error code of its own.
func (e *ClientError) IsRedirectProblem() bool {
	return len(e.Problems) > 0 && e.Problems[0].Field == "redirect_uris"
}

// Line lists the problems in one line, for the client itself.
func (e *ClientError) Line() string {
	var texts []string
	for _, problem := range e.Problems {
		texts = append(texts, problem.shown())
	}
	return strings.Join(texts, "; ")
}
