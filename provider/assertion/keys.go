package assertion

import (
	"context"
	"errors"
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
	client *http.Client
	now    func() time.Time

	mu        sync.Mutex
	published map[string]*federation.PublicKeys
	parsed    map[string][]foreign.Key
}

func newKeyMemory(client *http.Client, now func() time.Time) *keyMemory {
	return &keyMemory{client: client, now: now, published: map[string]*federation.PublicKeys{}, parsed: map[string][]foreign.Key{}}
}

// verify checks that one of the client's own keys made the signature. Errors are those of
// federation.PublicKeys.Verify.
func (m *keyMemory) verify(ctx context.Context, client storage.Client, token foreign.UnverifiedJWS) error {
	switch {
	case client.Metadata.JWKSURI != "":
		return m.at(client.Metadata.JWKSURI).Verify(ctx, token)
	case client.Metadata.JWKS != "":
		keys, err := m.in(client.Metadata.JWKS)
		if err != nil {
			return err
		}
		return federation.VerifyByKeys(keys, token)
	}
	return errors.New("the client has neither jwks nor jwks_uri")
}

// at returns the keys that are published at an address.
func (m *keyMemory) at(address string) *federation.PublicKeys {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys, found := m.published[address]
	if !found {
		if len(m.published) >= maxRemembered {
			clear(m.published)
		}
		keys = federation.NewPublicKeys(m.client, address, m.now)
		m.published[address] = keys
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
