package keys

import (
	"crypto/sha256"
	"sync"
)

// verifiedCacheSize is the number of tokens in each of the two generations.
const verifiedCacheSize = 4096

// verifiedCache stores the SHA-256 of access tokens that had a valid signature. Clients
// send the same token many times, and verifying a signature costs twice as much as signing.
//
// The cache belongs to one keySet and is dropped with it, so that the revocation of a key
// takes effect at once. Expiry and grants are not cached: callers check them every time.
// The zero value is ready to use.
type verifiedCache struct {
	mu         sync.Mutex
	young, old map[[32]byte]struct{}
}

func (c *verifiedCache) has(token string) bool {
	sum := sumOf(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[sum]; ok {
		return true
	}
	if _, ok := c.old[sum]; !ok {
		return false
	}
	c.insert(sum) // still in use: move it to the young generation
	return true
}

func (c *verifiedCache) add(token string) {
	sum := sumOf(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(sum)
}

// sumOf hashes a token. A token of usual length is copied to the stack, not to the heap.
func sumOf(token string) [32]byte {
	var usual [1024]byte
	return sha256.Sum256(append(usual[:0], token...))
}

// insert adds a hash. If the young generation is full, it starts a new one and drops the
// oldest.
func (c *verifiedCache) insert(sum [32]byte) {
	if len(c.young) >= verifiedCacheSize || c.young == nil {
		c.young, c.old = make(map[[32]byte]struct{}), c.young
	}
	c.young[sum] = struct{}{}
}
