package keys

import (
	"crypto/sha256"
	"sync"
)

// verifiedCacheSize is how many tokens each of the two generations remembers.
const verifiedCacheSize = 4096

// verifiedCache remembers access tokens whose signature was good, by their SHA-256,
// since the same token comes again and again within its life and verifying it costs
// twice as much as signing. It belongs to one keySet and goes with it, so that the
// revocation of a key takes effect at once. Expiry and grants are checked every time
// and are not in it. The zero value is ready.
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
	c.insert(sum) // still in use: it outlives the old generation
	return true
}

func (c *verifiedCache) add(token string) {
	sum := sumOf(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(sum)
}

// sumOf hashes a token. One of usual length is copied to the stack, not to the heap.
func sumOf(token string) [32]byte {
	var usual [1024]byte
	return sha256.Sum256(append(usual[:0], token...))
}

// insert starts a new generation when the young one is full and forgets the oldest.
func (c *verifiedCache) insert(sum [32]byte) {
	if len(c.young) >= verifiedCacheSize || c.young == nil {
		c.young, c.old = make(map[[32]byte]struct{}), c.young
	}
	c.young[sum] = struct{}{}
}
