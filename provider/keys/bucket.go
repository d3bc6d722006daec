package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"signet/storage"
)

// Buckets is the number of different values that Bucket returns. It limits how many rows
// an attacker can create by trying names.
const Buckets = 1 << 18

// Bucket returns the bucket that counts the sign-in attempts with a typed name. The
// bucket is a keyed hash (HMAC-SHA256): nobody can compute which names share a bucket
// without the active internal secret. All nodes return the same bucket.
//
// When the internal line rotates, every name moves to another bucket and its count starts
// again at zero. An attacker gets one more series of guesses per rotation, and loses all
// knowledge about shared buckets. ErrNoKey.
func (r *Ring) Bucket(typed string) (string, error) {
	k := r.inUse.Load().secret
	if k == nil {
		return "", NoKey(storage.InternalLine)
	}
	return BucketUnder(k.bucketKey, typed), nil
}

// BucketUnder returns the bucket of a name under the given key; see Ring.Bucket.
func BucketUnder(key []byte, typed string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(typed))
	return strconv.Itoa(int(binary.BigEndian.Uint32(mac.Sum(nil)) % Buckets))
}
