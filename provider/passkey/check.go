package passkey

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"signet/provider/web"
	"signet/storage"
)

// ErrRefused: the answer of the authenticator is wrong. web.CauseOf gives the reason.
var ErrRefused = errors.New("passkey refused")

// MaxAnswer is the largest answer of an authenticator, in bytes, that is read.
const MaxAnswer = 16 << 10

// maxCredentialID is the largest credential ID, in bytes (WebAuthn, section 4, credential ID).
const maxCredentialID = 1023

// Algorithms are the signature algorithms of passkeys, the preferred one first (IANA COSE
// Algorithms). None is weaker than those of our own tokens.
var Algorithms = []int{int(webauthncose.AlgES256), int(webauthncose.AlgEdDSA), int(webauthncose.AlgRS256)}

// AlgorithmList returns Algorithms with commas, for the script of the pages.
func AlgorithmList() string {
	list := make([]string, len(Algorithms))
	for i, alg := range Algorithms {
		list[i] = strconv.Itoa(alg)
	}
	return strings.Join(list, ",")
}

// formats are the attestation formats that are read: browsers send these if no attestation is
// asked for (WebAuthn, section 5.1.3, step 24).
var formats = []string{string(protocol.AttestationFormatNone), string(protocol.AttestationFormatPacked)}

// ceremony returns the configuration of the library. Origin and RP ID are also compared here,
// since the library compares origins without regard to case.
func (p *Passkeys) ceremony() (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: p.rpID, RPDisplayName: p.rpID, RPOrigins: []string{p.origin},
		// Password managers add extensions that were not asked for. None is used.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

func (p *Passkeys) session(o Opened, verification protocol.UserVerificationRequirement) webauthn.SessionData {
	s := webauthn.SessionData{Challenge: o.Text, RelyingPartyID: p.rpID, UserVerification: verification}
	for _, alg := range Algorithms {
		s.CredParams = append(s.CredParams, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(alg)})
	}
	return s
}

// CheckNew checks the answer to a challenge of the purpose Add or AddByLink (WebAuthn, section 7.1). It
// returns the new passkey with the name of its maker, or without a name if the maker is not known. It does
// not check whether the passkey belongs to another account.
//
// ErrRefused.
func (p *Passkeys) CheckNew(o Opened, userID string, answer []byte) (storage.Passkey, error) {
	return p.checkNew(o, userID, answer, demand{presence: true, verification: protocol.VerificationRequired})
}

// CheckMade is CheckNew for a passkey that the browser made by itself, and the purpose AddByItself. Its
// authenticator need not notice the user, since nobody was asked (WebAuthn, section 7.1).
// Each sign-in with the passkey verifies the user as usual.
func (p *Passkeys) CheckMade(o Opened, userID string, answer []byte) (storage.Passkey, error) {
	return p.checkNew(o, userID, answer, demand{verification: protocol.VerificationPreferred})
}

// CheckNewKey is CheckNew for a security key and the purpose AddKey. The key need not verify its user.
func (p *Passkeys) CheckNewKey(o Opened, userID string, answer []byte) (storage.Passkey, error) {
	return p.checkNew(o, userID, answer, demand{presence: true, verification: protocol.VerificationDiscouraged})
}

// demand is what an authenticator must have done before its answer counts.
type demand struct {
	presence     bool // notice the user
	verification protocol.UserVerificationRequirement
}

func (p *Passkeys) checkNew(o Opened, userID string, answer []byte, want demand) (storage.Passkey, error) {
	if !p.Offered() {
		return storage.Passkey{}, refused("passkeys_not_offered", nil)
	}
	if len(answer) > MaxAnswer {
		return storage.Passkey{}, refused("passkey_malformed", errors.New("the answer is too long"))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return storage.Passkey{}, refused("passkey_malformed", err)
	}
	object := parsed.Response.AttestationObject
	if err := p.checkAnswer(o, parsed.Response.CollectedClientData, protocol.CreateCeremony, object.AuthData, want); err != nil {
		return storage.Passkey{}, err
	}
	switch id := object.AuthData.AttData.CredentialID; {
	case !slices.Contains(formats, object.Format):
		return storage.Passkey{}, refused("passkey_attestation", fmt.Errorf("the attestation format %q was not asked for", object.Format))
	case len(id) == 0 || len(id) > maxCredentialID || !bytes.Equal(id, parsed.RawID):
		return storage.Passkey{}, refused("passkey_malformed", errors.New("the credential ID is empty, too long, or not the same in both places"))
	}
	w, err := p.ceremony()
	if err != nil {
		return storage.Passkey{}, fmt.Errorf("check new passkey: %w", err)
	}
	session := p.session(o, want.verification)
	session.UserID = []byte(userID)
	if !want.presence {
		session.Mediation = protocol.MediationConditional
	}
	made, err := w.CreateCredential(owner{id: userID}, session, parsed)
	if err != nil {
		return storage.Passkey{}, refused("passkey_signature", err)
	}
	aaguid := aaguidOf(made.Authenticator.AAGUID)
	return storage.Passkey{
		UserID: userID, Name: makerOf(aaguid), Handle: handleOf(made.ID), RPID: p.rpID, PublicKey: made.PublicKey, Counter: int64(made.Authenticator.SignCount),
		Detail: storage.PasskeyDetail{
			AAGUID: aaguid, Transports: transportsOf(made.Transport),
			BackupEligible: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState,
		},
	}, nil
}

// Checked is a passkey that has signed a challenge, with its owner.
type Checked struct {
	Passkey storage.Passkey
	User    storage.User
	Use     storage.PasskeyUse
}

// IsSuspect reports whether the counter of the passkey did not grow, as after a copy of its key.
func (c Checked) IsSuspect() bool {
	return c.Use.Counter <= c.Passkey.Counter && c.Passkey.Counter != 0
}

// Find reads a passkey by its handle; see storage.DB.PasskeyByHandle.
type Find func(ctx context.Context, handle string) (storage.Passkey, storage.User, error)

// CheckSignIn checks the answer to a challenge of the purpose SignIn (WebAuthn, section 7.2). The
// user is known only by the passkey. It does not check the counter: storage does, when it stores
// the use.
//
// ErrRefused. With the cause passkey_unknown, the Passkey of the result has the Handle, and with
// later causes also the User is known.
func (p *Passkeys) CheckSignIn(ctx context.Context, o Opened, answer []byte, find Find) (Checked, error) {
	parsed, err := p.readAssertion(o, answer, protocol.VerificationRequired)
	if err != nil {
		return Checked{}, err
	}
	found, user, err := find(ctx, handleOf(parsed.RawID))
	if errors.Is(err, storage.ErrNotFound) {
		return Checked{Passkey: storage.Passkey{Handle: handleOf(parsed.RawID)}}, refused("passkey_unknown", err)
	}
	if err != nil {
		return Checked{}, err
	}
	checked := checkedOf(found, user, o, parsed)
	if !bytes.Equal(parsed.Response.UserHandle, []byte(user.ID)) {
		return checked, refused("passkey_of_other_user", errors.New("the user handle is not that of the passkey's owner"))
	}
	if err := p.checkSignature(o, checked, parsed, protocol.VerificationRequired); err != nil {
		return checked, err
	}
	switch {
	case found.Kind == storage.FactorSecurityKey:
		return checked, refused("passkey_second_factor_only", errors.New("a security key signs nobody in by itself"))
	case !user.Enabled():
		return checked, refused("user_disabled", nil)
	}
	return checked, nil
}

// CheckSecondFactor checks the answer to a challenge of the purpose SecondFactor (WebAuthn, section
// 7.2). The user is known by the first proof, and offered are the user's security keys and passkeys
// that may answer. The authenticator need not verify the user; Use.Verified says whether it did.
//
// ErrRefused.
func (p *Passkeys) CheckSecondFactor(o Opened, user storage.User, offered []storage.Passkey, answer []byte) (Checked, error) {
	parsed, err := p.readAssertion(o, answer, protocol.VerificationDiscouraged)
	if err != nil {
		return Checked{User: user}, err
	}
	at := slices.IndexFunc(offered, func(k storage.Passkey) bool { return k.Handle == handleOf(parsed.RawID) && k.UserID == user.ID })
	if at < 0 {
		return Checked{User: user}, refused("passkey_not_offered", errors.New("the key is none of those that the page has offered"))
	}
	checked := checkedOf(offered[at], user, o, parsed)
	// Authenticators that store no user send no handle.
	if handle := parsed.Response.UserHandle; len(handle) > 0 && !bytes.Equal(handle, []byte(user.ID)) {
		return checked, refused("passkey_of_other_user", errors.New("the user handle is not that of the key's owner"))
	}
	return checked, p.checkSignature(o, checked, parsed, protocol.VerificationDiscouraged)
}

// readAssertion reads an assertion and checks all of it but the signature.
func (p *Passkeys) readAssertion(o Opened, answer []byte, verification protocol.UserVerificationRequirement) (*protocol.ParsedCredentialAssertionData, error) {
	if !p.Offered() {
		return nil, refused("passkeys_not_offered", nil)
	}
	if len(answer) > MaxAnswer {
		return nil, refused("passkey_malformed", errors.New("the answer is too long"))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, refused("passkey_malformed", err)
	}
	if err := p.checkAnswer(o, parsed.Response.CollectedClientData, protocol.AssertCeremony, parsed.Response.AuthenticatorData, demand{presence: true, verification: verification}); err != nil {
		return nil, err
	}
	if len(parsed.RawID) > maxCredentialID {
		return nil, refused("passkey_malformed", errors.New("the credential ID is too long"))
	}
	return parsed, nil
}

func checkedOf(k storage.Passkey, user storage.User, o Opened, parsed *protocol.ParsedCredentialAssertionData) Checked {
	data := parsed.Response.AuthenticatorData
	return Checked{Passkey: k, User: user, Use: storage.PasskeyUse{
		PasskeyID: k.ID, ChallengeID: o.Text, Until: o.Until, Counter: int64(data.Counter), BackedUp: data.Flags.HasBackupState(), Verified: data.Flags.UserVerified(),
	}}
}

// checkSignature checks that the key of the checked answer has signed it.
func (p *Passkeys) checkSignature(o Opened, c Checked, parsed *protocol.ParsedCredentialAssertionData, verification protocol.UserVerificationRequirement) error {
	eligible := c.Passkey.Detail.BackupEligible
	if eligible != parsed.Response.AuthenticatorData.Flags.HasBackupEligible() {
		return refused("passkey_backup_changed", errors.New("the passkey was made for one device and is now for several, or the other way round"))
	}
	w, err := p.ceremony()
	if err != nil {
		return fmt.Errorf("check passkey: %w", err)
	}
	session := p.session(o, verification)
	session.UserID = []byte(c.User.ID)
	_, err = w.ValidateLogin(owner{id: c.User.ID, passkey: &webauthn.Credential{
		ID: parsed.RawID, PublicKey: c.Passkey.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: eligible},
	}}, session, parsed)
	if err != nil {
		return refused("passkey_signature", err)
	}
	return nil
}

// checkAnswer checks the parts that both ceremonies share, so that each refusal has its own cause.
// The library checks them again.
func (p *Passkeys) checkAnswer(o Opened, c protocol.CollectedClientData, kind protocol.CeremonyType, a protocol.AuthenticatorData, want demand) error {
	rpIDHash := sha256.Sum256([]byte(p.rpID))
	switch {
	case c.Type != kind:
		return refused("passkey_of_other_kind", fmt.Errorf("the answer is of the type %q", c.Type))
	case c.Challenge != o.Text:
		return refused("passkey_challenge", errors.New("the answer is to another challenge"))
	case c.Origin != p.origin:
		return refused("passkey_origin", fmt.Errorf("the answer is from the origin %q", c.Origin))
	case c.CrossOrigin || c.TopOrigin != "":
		return refused("passkey_framed", errors.New("the answer is from a frame in a page of another origin"))
	case !bytes.Equal(a.RPIDHash, rpIDHash[:]):
		return refused("passkey_rp_id", errors.New("the passkey is for another RP ID"))
	case want.presence && !a.Flags.UserPresent():
		return refused("passkey_unverified", errors.New("the authenticator did not notice the user"))
	case want.verification == protocol.VerificationRequired && !a.Flags.UserVerified():
		return refused("passkey_unverified", errors.New("the authenticator did not verify the user"))
	}
	return nil
}

func refused(code string, cause error) error {
	if cause == nil {
		return web.Because(code, ErrRefused)
	}
	return web.Because(code, fmt.Errorf("%w: %w", ErrRefused, cause))
}

// handleOf returns the spelling of a credential ID in the database and in the answers of browsers.
func handleOf(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// DescriptorsOf lists credentials as the script of the pages reads them: commas between them, and
// semicolons before the ways to reach each (WebAuthn, section 5.8.3).
func DescriptorsOf(list []storage.Passkey) string {
	var out []string
	for _, k := range list {
		out = append(out, strings.Join(append([]string{k.Handle}, k.Detail.Transports...), ";"))
	}
	return strings.Join(out, ",")
}

// SecondVerification returns the value of userVerification for a second factor. Authenticators may hide a
// passkey from a request that does not verify its user.
func SecondVerification(passkeys bool) string {
	if passkeys {
		return string(protocol.VerificationPreferred)
	}
	return string(protocol.VerificationDiscouraged)
}

// aaguidOf returns the model of an authenticator; "" if it does not say its model.
func aaguidOf(b []byte) string {
	id, err := uuid.FromBytes(b)
	if err != nil || id == uuid.Nil {
		return ""
	}
	return id.String()
}

// knownTransports are the values that browsers understand (WebAuthn, section 5.8.4).
var knownTransports = []string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"}

func transportsOf(list []protocol.AuthenticatorTransport) []string {
	var known []string
	for _, t := range list {
		if slices.Contains(knownTransports, string(t)) && !slices.Contains(known, string(t)) {
			known = append(known, string(t))
		}
	}
	return known
}

// owner is the user of a ceremony, for the library.
type owner struct {
	id      string
	passkey *webauthn.Credential
}

// WebAuthnID returns the user handle: the ID of the user, which says nothing about the person.
func (o owner) WebAuthnID() []byte          { return []byte(o.id) }
func (o owner) WebAuthnName() string        { return "" }
func (o owner) WebAuthnDisplayName() string { return "" }

// WebAuthnCredentials returns the one passkey that the ceremony is about.
func (o owner) WebAuthnCredentials() []webauthn.Credential {
	if o.passkey == nil {
		return nil
	}
	return []webauthn.Credential{*o.passkey}
}
