package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

const purpose = "request"

// Reasons to stop a request. Open wraps each in the page that explains it.
var (
	ErrInvalid     = web.Because("invalid_request_link", errors.New("not a request of this provider"))
	ErrExpired     = web.Because("request_expired", errors.New("request expired"))
	ErrClient      = web.Because("unknown_client", errors.New("client is not available"))
	ErrRedirectURI = web.Because("redirect_uri_not_registered", errors.New("redirect URI is not registered"))
)

// Config is the configuration of Requests.
type Config struct {
	DB      *storage.DB
	Ring    *keys.Ring
	Clients *Clients
	Life    time.Duration // from sealing to the last step
	Issuer  string
	Base    string // the issuer's path
	Explain bool   // development: error pages show the received and the registered values

	FirstParty string   // id of the first-party client; "": the only first-party client
	Origins    []string // web origins of its pages
}

// Requests seals requests and opens them again.
type Requests struct{ Config }

// New returns the Requests of a provider.
func New(c Config) *Requests { return &Requests{c} }

// FirstPartyClient returns the client that uses the cookies: see Clients.FirstParty.
func (c *Requests) FirstPartyClient() (storage.Client, error) {
	return c.Clients.FirstParty(c.FirstParty)
}

// Seal returns the sealed request that the browser carries.
func (c *Requests) Seal(q Request) (string, error) {
	payload, err := encode(carried(q))
	if err != nil {
		return "", err
	}
	return c.Ring.Seal(purpose, Compact(payload), q.Created.Time().Add(c.Life))
}

// Fits reports whether the sealed request has at most this number of characters. It
// compresses the request only if it does not fit uncompressed.
func Fits(q Request, characters int) (bool, error) {
	payload, err := encode(carried(q))
	if err != nil || keys.SealedSize(len(payload)) <= characters {
		return err == nil, err
	}
	return keys.SealedSize(len(Compact(payload))) <= characters, nil
}

// DeviceEntryPage is the path, below the issuer, of the page on which users enter user codes.
const DeviceEntryPage = "/device"

// DeviceEntryPath returns the path, below the issuer, at which the user compares this code with
// the one on the device (verification_uri_complete of RFC 8628, section 3.2).
func DeviceEntryPath(shown UserCode) string {
	if shown == "" {
		return DeviceEntryPage
	}
	return DeviceEntryPage + "?" + url.Values{"user_code": {shown.String()}}.Encode()
}

// ForDevice returns the request for the device code whose user code this user has entered.
func (c *Requests) ForDevice(d storage.DeviceCode, client storage.Client, entered UserCode, userID string, at time.Time) Request {
	page := c.Base + DeviceEntryPage
	return Request{
		ID: storage.NewTimedID(at), Kind: Device, Created: storage.At(at), Path: page, Back: page,
		ClientID: client.ID, Scopes: d.Scopes, Resources: d.Resources, MaxAge: client.Metadata.DefaultMaxAge, VoluntaryACR: storage.KnownACRs(client.Metadata.DefaultACRValues),
		DeviceID: d.ID, UserCode: entered, EnteredBy: userID,
	}
}

// encode writes a request as compactly as JSON allows.
func encode(q Request) ([]byte, error) {
	var payload bytes.Buffer
	encoder := json.NewEncoder(&payload)
	encoder.SetEscapeHTML(false) // it is never part of HTML, and escapes make it longer
	if err := encoder.Encode(q); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return payload.Bytes(), nil
}

// StepPath returns the path of a step, below the issuer, with the sealed request in its
// query.
func StepPath(step, sealed string) string {
	return step + "?" + url.Values{"request": {sealed}}.Encode()
}
