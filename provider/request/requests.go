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

// Why a request cannot go on. Open wraps them in the page that says so.
var (
	ErrInvalid     = web.Because("invalid_request_link", errors.New("not a request of this provider"))
	ErrExpired     = web.Because("request_expired", errors.New("request expired"))
	ErrClient      = web.Because("unknown_client", errors.New("client is not available"))
	ErrRedirectURI = web.Because("redirect_uri_not_registered", errors.New("redirect URI is not registered"))
)

// Config of Requests.
type Config struct {
	Ring    *keys.Ring
	Clients *Clients
	Life    time.Duration // from sealing to the last step
	Issuer  string
	Base    string // the issuer's path
	Explain bool   // development: pages show what was received and registered

	FirstParty string   // id of the first-party client; "": the only one there is
	Origins    []string // where its pages live
}

// Requests seals requests and opens them again.
type Requests struct{ Config }

// New makes the requests of a provider.
func New(c Config) *Requests { return &Requests{c} }

// FirstPartyClient is the client that lives on the cookies, see Clients.FirstParty.
func (c *Requests) FirstPartyClient() (storage.Client, error) {
	return c.Clients.FirstParty(c.FirstParty)
}

// Seal makes the message that the browser carries.
func (c *Requests) Seal(q Request) (string, error) {
	payload, err := encode(q)
	if err != nil {
		return "", err
	}
	return c.Ring.Seal(purpose, Compact(payload), q.Created.Time().Add(c.Life))
}

// Fits reports whether Seal makes no more than so many characters of q. For most
// requests it need not be tried.
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
	encoder.SetEscapeHTML(false) // it is never HTML, and every byte counts
	if err := encoder.Encode(q); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return payload.Bytes(), nil
}

// StepPath is the path of a step with the request in its query, below the issuer.
func StepPath(step, sealed string) string {
	return step + "?" + url.Values{"request": {sealed}}.Encode()
}
