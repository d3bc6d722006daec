package assertion

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"signet/federation"
	"signet/federation/foreign"
	"signet/storage"
)

// maxRemembered is the number of addresses and key sets in memory. Only registered clients add
// one, so that the limit matters only after very many changes.
const maxRemembered = 1000

// keyMemory holds the keys of clients: parsed ones by their JSON text, and fetched ones by their
// address. A changed registration has another text or address.
type keyMemory struct {
	configured, foreign *http.Client // see Config
	now                 func() time.Time

	mu        sync.Mutex
	published map[publishedAt]*federation.PublicKeys
	parsed    map[string][]foreign.Key
}

// publishedAt is a place of keys, and whether a stranger registered it. An address of an
// administrator may lead into a private network, and its keys must not serve a stranger.
type publishedAt struct {
	address  string
	issuer   string // without an address: its discovery document names the address
	stranger bool
}

func newKeyMemory(c Config) *keyMemory {
	return &keyMemory{configured: c.HTTP, foreign: c.Foreign, now: c.Now, published: map[publishedAt]*federation.PublicKeys{}, parsed: map[string][]foreign.Key{}}
}

// verify checks that one of the client's own keys made the signature. Errors are those of
// federation.PublicKeys.Verify, or that the client has no keys.
func (m *keyMemory) verify(ctx context.Context, client storage.Client, token foreign.UnverifiedJWS) error {
	switch {
	case client.Metadata.JWKSURI != "":
		return m.at(publishedAt{address: client.Metadata.JWKSURI, stranger: client.IsSelfRegistered()}).Verify(ctx, token)
	case client.Metadata.JWKS != "":
		keys, err := m.in(client.Metadata.JWKS)
		if err != nil {
			return err
		}
		return federation.VerifyByKeys(keys, token)
	}
	return fmt.Errorf("the client has neither jwks nor jwks_uri: %w", federation.ErrSignature)
}

// at returns the keys that are published at an address.
func (m *keyMemory) at(place publishedAt) *federation.PublicKeys {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys, found := m.published[place]
	if !found {
		if len(m.published) >= maxRemembered {
			clear(m.published)
		}
		client := m.configured
		if place.stranger {
			client = m.foreign
		}
		if place.address == "" {
			keys = federation.NewIssuerKeys(client, place.issuer, m.now)
		} else {
			keys = federation.NewPublicKeys(client, place.address, m.now)
		}
		m.published[place] = keys
	}
	return keys
}

// in returns the keys in a registered JWK Set.
func (m *keyMemory) in(document string) ([]foreign.Key, error) {
	m.mu.Lock()
	keys, found := m.parsed[document]
	m.mu.Unlock()
	if found {
		return keys, nil
	}
	keys, err := foreign.ReadKeySet([]byte(document))
	if err != nil {
		return nil, fmt.Errorf("the registered jwks %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.parsed) >= maxRemembered {
		clear(m.parsed)
	}
	m.parsed[document] = keys
	return keys, nil
}
