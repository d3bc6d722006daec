package keys_test

import (
	"fmt"
	"testing"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/storage"
)

func bucketOf(t *testing.T, r *keys.Ring, name string) string {
	t.Helper()
	bucket, err := r.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// All nodes of an instance use the same bucket for a name. Another instance uses another
// bucket, and so does the same instance after a rotation.
func TestBucket_DependsOnActiveSecret(t *testing.T) {
	h := open(t, "ES256")
	node, err := h.openAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	rotated := h.openAltered(t, promoteNext)
	otherInstance := open(t, "ES256")
	moved, apart := 0, 0
	for i := range 100 {
		name := fmt.Sprintf("user%d@example.com", i)
		bucket := bucketOf(t, h.Ring, name)
		if got := bucketOf(t, node.Ring, name); got != bucket {
			t.Fatalf("%s: bucket %s on one node, %s on another", name, bucket, got)
		}
		if bucketOf(t, rotated.Ring, name) != bucket {
			moved++
		}
		if bucketOf(t, otherInstance.Ring, name) != bucket {
			apart++
		}
	}
	if moved < 99 || apart < 99 {
		t.Errorf("%d of 100 names moved with the rotation, %d have another bucket in another instance", moved, apart)
	}
}

func TestBucket_IsInRangeAndSpreadsNames(t *testing.T) {
	h := open(t, "ES256")
	seen := map[string]bool{}
	for i := range 1000 {
		seen[bucketOf(t, h.Ring, fmt.Sprint(i))] = true
	}
	for bucket := range seen {
		var n int
		if _, err := fmt.Sscan(bucket, &n); err != nil || n < 0 || n >= keys.Buckets {
			t.Errorf("bucket %q is not one of %d", bucket, keys.Buckets)
		}
	}
	if len(seen) < 980 {
		t.Errorf("a thousand names share %d buckets", len(seen))
	}
}

func TestBucket_NeedsASecret(t *testing.T) {
	h := open(t, "ES256")
	keyless := h.openAltered(t, func(k *storage.Key) {
		if k.Line == storage.InternalLine {
			k.State = storage.KeyRevoked
		}
	})
	if bucket, err := keyless.Bucket("name"); err == nil {
		t.Errorf("a ring without a secret gives bucket %s", bucket)
	}
}
