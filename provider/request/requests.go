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
	payload, err := encode(q)
	if err != nil {
		return "", err
	}
	return c.Ring.Seal(purpose, Compact(payload), q.Created.Time().Add(c.Life))
}

// Fits reports whether the sealed request has at most this number of characters. It
// compresses the request only if it does not fit uncompressed.
func Fits(q Request, characters int) (bool, error) {
	payload, err := encode(q)
	if err != nil || keys.SealedSize(len(payload)) <= characters {
		return err == nil, err
	}
	return keys.SealedSize(len(Compact(payload))) <= characters, nil
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
