package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"testing"
)

// Flags of authenticator data (WebAuthn, section 6.1).
const (
	Present        = 1 << 0
	Verified       = 1 << 2
	BackupEligible = 1 << 3
	BackedUp       = 1 << 4
	attested       = 1 << 6
)

// Authenticator is a browser with an authenticator.
type Authenticator struct {
	Origin  string // of the page
	RPID    string
	AAGUID  [16]byte
	Flags   byte   // of each answer
	Counter uint32 // of the last answer; grows with each answer if Counts
	Counts  bool
	Forgets bool // its answers name no user, because its credentials are not discoverable
	Keys    []Key
}

// Key is one passkey.
type Key struct {
	ID         []byte
	UserHandle []byte
	Private    *ecdsa.PrivateKey
}

// New returns an authenticator that is used at the pages of an issuer. It verifies its user, and
// its passkeys can be copied to other devices.
func New(t testing.TB, issuer string) *Authenticator {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &Authenticator{Origin: u.Scheme + "://" + u.Host, RPID: u.Hostname(), Flags: Present | Verified | BackupEligible | BackedUp}
}

// NewKey returns a security key that is used at the pages of an issuer. It neither verifies its user
// nor stores the user, it counts, and its credentials stay in it.
func NewKey(t testing.TB, issuer string) *Authenticator {
	t.Helper()
	a := New(t, issuer)
	a.Flags, a.Counts, a.Forgets = Present, true, true
	return a
}

// Answer is an answer before it is signed and encoded.
type Answer struct {
	ClientData map[string]any
	RPID       string
	Flags      byte
	Counter    uint32
	Key        Key
	CredID     []byte // in the answer
	UserHandle []byte
	Type       string // of the credential

	Algorithm int64  // of a new passkey
	Format    string // of the attestation
	Statement []byte // CBOR of the attestation statement
	Signature func(signature []byte) []byte
}

// Create makes a passkey for a user and returns the answer of the browser as JSON.
func (a *Authenticator) Create(t testing.TB, challenge, userHandle string, change ...func(*Answer)) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	key := Key{ID: id, UserHandle: []byte(userHandle), Private: private}
	if a.Forgets {
		key.UserHandle = nil
	}
	answer := a.answer("webauthn.create", challenge, key)
	answer.Algorithm, answer.Format, answer.Statement = -7, "none", Map()
	for _, c := range change {
		c(&answer)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public := Map(Int(1), Int(2), Int(3), Int(answer.Algorithm), Int(-1), Int(1), Int(-2), Bytes(point[1:33]), Int(-3), Bytes(point[33:]))
	data := answer.authenticatorData(attested)
	data = append(data, a.AAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(answer.CredID)))
	data = append(append(data, answer.CredID...), public...)
	object := Map(Text("fmt"), Text(answer.Format), Text("attStmt"), answer.Statement, Text("authData"), Bytes(data))
	a.Keys = append(a.Keys, answer.Key)
	return answer.encode(t, map[string]any{"attestationObject": encode(object), "transports": []string{"internal", "hybrid"}})
}

// Get signs a challenge with the newest passkey and returns the answer of the browser as JSON.
func (a *Authenticator) Get(t testing.TB, challenge string, change ...func(*Answer)) string {
	t.Helper()
	if len(a.Keys) == 0 {
		t.Fatal("the authenticator has no passkey")
	}
	if a.Counts {
		a.Counter++
	}
	answer := a.answer("webauthn.get", challenge, a.Keys[len(a.Keys)-1])
	for _, c := range change {
		c(&answer)
	}
	data := answer.authenticatorData(0)
	client := sha256.Sum256(answer.clientData(t))
	digest := sha256.Sum256(append(append([]byte{}, data...), client[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, answer.Key.Private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if answer.Signature != nil {
		signature = answer.Signature(signature)
	}
	response := map[string]any{"authenticatorData": encode(data), "signature": encode(signature)}
	if answer.UserHandle != nil {
		response["userHandle"] = encode(answer.UserHandle)
	}
	return answer.encode(t, response)
}

func (a *Authenticator) answer(kind, challenge string, key Key) Answer {
	return Answer{
		ClientData: map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false},
		RPID:       a.RPID, Flags: a.Flags, Counter: a.Counter, Key: key, CredID: key.ID, UserHandle: key.UserHandle, Type: "public-key",
	}
}

func (a Answer) authenticatorData(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.RPID))
	return binary.BigEndian.AppendUint32(append(hash[:], a.Flags|flags), a.Counter)
}

func (a Answer) clientData(t testing.TB) []byte {
	t.Helper()
	text, err := json.Marshal(a.ClientData)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (a Answer) encode(t testing.TB, response map[string]any) string {
	t.Helper()
	response["clientDataJSON"] = encode(a.clientData(t))
	text, err := json.Marshal(map[string]any{
		"id": encode(a.CredID), "rawId": encode(a.CredID), "type": a.Type, "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{}, "response": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Int, Bytes, Text and Map encode CBOR (RFC 8949, section 3.1). Map takes keys and values in turn.
func Int(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n))
	}
	return head(0, uint64(n))
}

// Bytes encodes a byte string.
func Bytes(b []byte) []byte { return append(head(2, uint64(len(b))), b...) }

// Text encodes a text string.
func Text(s string) []byte { return append(head(3, uint64(len(s))), s...) }

// Map encodes a map of encoded keys and values.
func Map(items ...[]byte) []byte {
	out := head(5, uint64(len(items)/2))
	for _, item := range items {
		out = append(out, item...)
	}
	return out
}

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	}
	return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
}
